package room

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Files in the simulator: PROTOCOL.md §9.9 and §11.6.

// simSizes are the sizes of the files that are sent, by a step's b.
var simSizes = []int{0, 1, ake.PieceSize, ake.PieceSize + 1, 2*ake.PieceSize + 7, MaxUnasked, MaxUnasked + 1}

// What whoever is asked for a piece sends, by a step's b.
const (
	spoilsNothing = iota
	spoilsPieces  // other bytes
	spoilsAnswers // that it has none
	spoilsStreams // nothing
	spoils        // how many there are
)

var errSimFull = errors.New("no space left")

// simBytes are what the files of all runs are cut from: to make some for each would take most of
// the time.
var simBytes = sync.OnceValue(func() []byte { return someFile(MaxUnasked + 1 + 1<<16) })

// simFiles are the files of a run.
type simFiles struct {
	data map[string][]byte // by name
	told map[*simNode]map[ake.Hash]FileInfo
	sent map[ake.Hash]int // who sent which, as the peers' numbers
	here int              // files that reached somebody
	kept int              // .. and were read there
}

func newSimFiles() simFiles {
	return simFiles{data: make(map[string][]byte), told: make(map[*simNode]map[ake.Hash]FileInfo), sent: make(map[ake.Hash]int)}
}

// keepsFiles gives a peer's process what the last one had of files.
func (w *sim) keepsFiles(p *simPeer, c *Config) {
	if w.schedule.files > 0 {
		c.Pieces, c.KeepFiles = p.pieces, int64(w.schedule.files)<<20
	}
}

// serve is what a peer's process makes of what it sends.
func (w *sim) serve(s *simNode, frame []byte) []byte {
	if s.room == nil || frame[0] != record.FramePiece {
		return frame
	}
	switch w.peers[s.peer].spoils {
	case spoilsPieces:
		if len(frame) > 1 {
			frame = bytes.Clone(frame)
			frame[len(frame)/2] ^= 1
		}
	case spoilsAnswers:
		return frame[:1]
	case spoilsStreams:
		return nil
	}
	return frame
}

// file takes a step that has to do with files.
func (w *sim) file(s *simNode, st step) {
	p := w.peers[st.a]
	r := s.room
	some := func() (d *Delivered) { // of the files that it is shown
		var all []*Delivered
		for i := range s.messages {
			if s.messages[i].File != nil {
				all = append(all, &s.messages[i])
			}
		}
		if len(all) > 0 {
			d = all[st.b%len(all)]
		}
		return d
	}
	switch st.do {
	case "file":
		w.said++
		size := simSizes[st.b%len(simSizes)]
		name := fmt.Sprintf("file #%d of %s", w.said, s.name)
		data := simBytes()[w.said%(1<<16):][:size]
		switch err := r.SendFile(s.clock(), name, name, data); {
		case size == 0:
			if !errors.Is(err, ErrFileSize) && !errors.Is(err, ErrLeft) {
				w.fail("file", "%s: a file of nothing: %v", s.name, err)
			}
		case err == nil:
			w.files.data[name] = data
			w.typed(s)
		case errors.Is(err, ErrFilesFull), errors.Is(err, ErrFilesBusy), errors.Is(err, ErrLeft):
		default:
			w.fail("file", "%s: %v", s.name, err)
		}
	case "fetch":
		if d := some(); d != nil {
			switch err := r.FetchFile(s.clock(), d.ID); {
			case err == nil:
				p.pieces.asked[d.ID] = true
			case errors.Is(err, ErrNoFile), errors.Is(err, ErrFilesFull), errors.Is(err, ErrFilesBusy), errors.Is(err, ErrLeft):
			default:
				w.fail("file", "%s: %v", s.name, err)
			}
		}
	case "keep":
		if d := some(); d != nil {
			w.keep(s, d.ID)
		}
	case "unfile":
		for i := range s.messages { // the last one
			if d := &s.messages[len(s.messages)-1-i]; d.File != nil && d.Self {
				if r.SendAbout(s.clock(), "", record.KindWithdrawal, d.ID, "") == nil {
					w.typed(s)
				}
				break
			}
		}
	case "lose":
		for h := range p.pieces.of {
			if int(h[0])%4 == st.b%4 {
				delete(p.pieces.of, h)
				p.pieces.lost[h] = true
			}
		}
	case "full":
		if p.pieces.failed = nil; st.b%2 == 1 {
			p.pieces.failed = errSimFull
		}
	case "spoil":
		p.spoils = st.b % spoils
		p.spoilt = p.spoilt || p.spoils > 0
	}
	w.drain(s)
}

// keep reads a file, as package node does: it is what its author sent, or it is not here.
func (w *sim) keep(s *simNode, id ake.Hash) {
	f, info, err := s.room.File(id)
	if errors.Is(err, ErrNoFile) || err == nil && info.State != FileHere {
		return
	}
	if err != nil {
		w.fail("file", "%s: %v", s.name, err)
	}
	want := w.files.data[f.Name]
	for i, h := range f.Hashes {
		piece, err := s.room.cfg.Pieces.Get(h)
		if err != nil {
			if !w.peers[s.peer].pieces.lost[h] {
				w.fail("file", "%s: %s is here, and its piece %d is not", s.name, f.Name, i)
			}
			s.room.LostPiece(s.clock(), h)
			w.drain(s)
			return
		}
		plain, err := ake.OpenPiece(f.Key, s.room.id, uint32(i), piece)
		if err != nil || !bytes.HasPrefix(want, plain) {
			w.fail("file", "%s: piece %d of %s is not what was sent: %v", s.name, i, f.Name, err)
		}
		want = want[len(plain):]
	}
	if len(want) > 0 {
		w.fail("file", "%s: %s is shorter than what was sent", s.name, f.Name)
	}
	w.files.kept++
}

// fileChanged notes what a face would show of a file.
func (k *looker) fileChanged(s *simNode, id ake.Hash, info FileInfo) {
	told := k.w.files.told[s]
	if told == nil {
		told = make(map[ake.Hash]FileInfo)
		k.w.files.told[s] = told
	}
	if info.State == FileHere && told[id].State != FileHere {
		k.w.files.here++
	}
	told[id] = info
}

// filesBound: what is kept of files, and done for them, is bounded, and nobody fetches unasked
// what is large.
func (k *looker) filesBound(s *simNode, within func(what string, n, limit int)) {
	fs := &s.room.files
	if s.room.cfg.Pieces == nil {
		return
	}
	within("bytes of files", int(fs.bytes), int(fs.limit))
	within("files", len(fs.byID), maxFiles)
	within("files that are wanted", len(fs.wanted), maxWantedUnasked+maxWantedAsked)
	within("pieces that are asked for", len(fs.asking), maxAsking)
	within("peers that are asked for nothing", len(fs.paused), maxPaused)
	within("peers that are served", len(fs.served), len(k.w.network.nodes))
	seeking := 0
	for _, x := range s.room.streams.byID {
		if x.protocol == ProtocolFile && x.dialler {
			seeking++
		}
	}
	within("streams for pieces", seeking, maxSeeking)
	pieces := s.room.cfg.Pieces.(*memPieces)
	for _, f := range fs.wanted {
		if f.Size > MaxUnasked && !pieces.asked[f.id] && !(f.author() == s.room.identity) {
			k.w.fail("unasked", "%s fetches %s, of %d bytes, unasked", s.name, f.Name, f.Size)
		}
	}
	if k.count%64 == 2 {
		on := 0
		for _, b := range pieces.of {
			on += len(b)
		}
		within("bytes of files on disk", on, int(fs.limit)+maxAsking*ake.MaxPiece)
	}
}

// filesAgree: what is here is what is kept, what each process has told of files is how it stands with
// them, and what can be had is here.
func (k *looker) filesAgree(comp []*simNode) *failure {
	bad := func(format string, args ...any) *failure {
		return &failure{rule: "rest-files", text: fmt.Sprintf(format, args...)}
	}
	for _, s := range comp {
		r, p := s.room, k.w.peers[s.peer]
		if r.cfg.Pieces == nil {
			continue
		}
		for h := range p.pieces.of {
			if r.files.refs[h].files == 0 {
				return bad("%s keeps a piece of nothing", s.name)
			}
		}
		cost := int64(0)
		for id, f := range r.files.byID {
			cost += f.cost()
			if f.ref.t != nil && r.withdrawn(id, f.author()) {
				return bad("%s keeps %s, which was withdrawn", s.name, f.Name)
			}
			for i, h := range f.Hashes {
				if on := p.pieces.of[h] != nil; on != f.have[i] && !p.pieces.lost[h] {
					return bad("%s: piece %d of %s is here: %v, on disk: %v", s.name, i, f.Name, f.have[i], on)
				}
			}
		}
		if cost != r.files.bytes {
			return bad("%s: files of %d bytes are charged as %d", s.name, cost, r.files.bytes)
		}
		for id, told := range k.w.files.told[s] {
			info, ok := r.FileState(id)
			if !ok && (told.State == FileHere || told.State == FileFetching) || ok && info.State != told.State {
				return bad("%s tells that %s is %s, and it is %q", s.name, told.Name, told.State, info.State)
			}
		}
		if len(r.files.wanted) == 0 && len(r.files.asking) > 0 {
			return bad("%s asks for %d pieces of nothing", s.name, len(r.files.asking))
		}
		if f := k.canBeHad(s, comp); f != nil {
			return f
		}
	}
	return nil
}

// canBeHad finds a file that a process wants, and of which another has what is missing, without
// having said lately that it has not. Who ever served anything else may be left alone for long.
func (k *looker) canBeHad(s *simNode, comp []*simNode) *failure {
	r := s.room
	if k.w.peers[s.peer].pieces.failed != nil {
		return nil
	}
	for _, f := range r.files.wanted {
		for _, o := range comp {
			ch := r.channelTo(o.actor.Self())
			if o == s || o.room.cfg.Pieces == nil || ch == nil || !ch.up || s.links[o] == nil || !s.links[o].both() ||
				k.w.peers[o.peer].spoilt || f.lacks[ch.working].until.After(r.now.Add(-seekAgainTime)) {
				continue
			}
			for i, h := range f.Hashes {
				if !f.have[i] && o.room.files.refs[h].files > 0 && k.w.peers[o.peer].pieces.of[h] != nil {
					return &failure{rule: "rest-files", text: fmt.Sprintf("%s has not %s, and %s has it", s.name, f.Name, o.name)}
				}
			}
		}
	}
	return nil
}

// drawFiles draws what is done with files.
func (s *schedule) drawFiles(last int, add func(ms int, do string, a, b int)) {
	rng := rand.New(rand.NewPCG(s.seed, 6))
	total := len(s.peers)
	s.files = []int{1, 3, 64}[rng.IntN(3)]
	end := func(ms, a int) {
		add(ms, []string{"crash", "leave", "away"}[rng.IntN(3)], a, 0)
		add(ms+1200+rng.IntN(20000), "start", a, 0)
	}
	if rng.IntN(3) == 0 {
		add(last/6, "spoil", rng.IntN(total), 1+rng.IntN(spoils-1))
	}
	for range 3 + rng.IntN(6) {
		ms, author := last/6+rng.IntN(last+1), rng.IntN(total)
		add(ms, "file", author, rng.IntN(len(simSizes)))
		if rng.IntN(6) == 0 {
			end(ms+rng.IntN(100), author)
		}
		for range rng.IntN(4) {
			what := []string{"fetch", "fetch", "fetch", "keep", "unfile", "lose", "full", "spoil"}[rng.IntN(8)]
			a, b := rng.IntN(total), rng.IntN(8)
			after := ms + 500 + rng.IntN(1+last/4)
			if what == "unfile" && rng.IntN(2) == 0 {
				a, after = author, ms+rng.IntN(400) // while others fetch it
			}
			add(after, what, a, b)
			switch {
			case what == "fetch" && rng.IntN(3) == 0: // it ends meanwhile
				end(after+20+rng.IntN(600), a)
			case what == "fetch":
				add(after+rng.IntN(30000), "keep", a, b)
			case (what == "full" || what == "spoil") && rng.IntN(2) == 0:
				add(after+rng.IntN(30000), what, a, 0)
			}
		}
	}
}

// TestSimulateFiles: schedules in which members send files, fetch, keep and withdraw them, and end while
// they fetch.
func TestSimulateFiles(t *testing.T) {
	count := 60
	if testing.Short() {
		count = 10
	}
	here, kept, sent := 0, 0, 0
	began := time.Now()
	for i := range uint64(count) {
		s := generate(firstFileSeed + i)
		w, f := s.runWatched()
		if f != nil {
			s.report(t, f)
			return
		}
		here, kept, sent = here+w.files.here, kept+w.files.kept, sent+len(w.files.data)
	}
	if sent < 2*count || here < 2*count || kept < count/4 {
		t.Errorf("the test shows little: %d files, here %d times, read %d times", sent, here, kept)
	}
	t.Logf("%d files, here %d times, read %d times, in %v", sent, here, kept, time.Since(began).Round(time.Millisecond))
}
