package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// How pieces of files go from member to member: PROTOCOL.md §11.6.

// ProtocolFile is the protocol of streams with pieces of files.
const ProtocolFile = "/coterie/2/file"

const (
	maxSeeking       = 4 // streams on which we ask for pieces
	maxSeekingBranch = 2 // .. of one branch
	maxServing       = 16
	// maxAsking is how many pieces may be asked for, or be on their way to the disk: one that is slower than
	// those who serve does not fill the memory.
	maxAsking = 2 * maxSeeking * record.MaxSeek

	// What is served, in bytes: to one peer, to those of one branch, and to all.
	servedAtOnce, servedRate             = 8 << 20, 1 << 20
	servedBranchAtOnce, servedBranchRate = 16 << 20, 2 << 20
	allServedAtOnce, allServedRate       = 32 << 20, 4 << 20

	lackTime      = 20 * time.Second // until who has not a file is asked for it again; then twice as long
	mostLackTime  = 10 * time.Minute
	seekAgainTime = 10 * time.Second // until another is asked for a piece, too
	laterTime     = 5 * time.Second  // until who served nothing now is asked again
	slowTime      = time.Minute
	paceTime      = 5 * time.Second // for a piece: who takes longer gives up their place to who waits
	garbageTime   = 10 * time.Minute
	maxPaused     = 1024
)

// A lack is that a process has not a file, as it says.
type lack struct {
	until time.Time
	span  time.Duration
}

// fetching is what is being asked for, and what was served.
type fetching struct {
	asking map[ake.Hash]time.Time // on a stream, or being written to the disk
	// writing are those of them that have come.
	writing map[ake.Hash]bool
	paused  map[[32]byte]time.Time // by identity: until when it is asked for nothing
	// askedBranch and askedPeer are when a branch was last asked for something, and a peer.
	askedBranch, askedPeer map[[32]byte]time.Time
	fast                   map[[32]byte]bool // whether a peer brought pieces at a pace when it was last asked
	// gaveUpAt is when a stream last ended for somebody who waited.
	gaveUpAt time.Time
	served   map[[32]byte]*pace // by identity
	// servedBranch is by branch: members that one makes up are not served what there is for all.
	servedBranch map[[32]byte]*pace
	// allServed is the pace of what is served to all.
	allServed pace
}

func newFetching() fetching {
	return fetching{
		asking: make(map[ake.Hash]time.Time), writing: make(map[ake.Hash]bool), paused: make(map[[32]byte]time.Time),
		served: make(map[[32]byte]*pace), servedBranch: make(map[[32]byte]*pace),
		askedBranch: make(map[[32]byte]time.Time), askedPeer: make(map[[32]byte]time.Time),
		fast: make(map[[32]byte]bool),
	}
}

// diskTask is task for what waits for the disk.
func (r *Room) diskTask(work func() any, done func(result any)) {
	r.task(work, done)
	r.ready.Tasks[len(r.ready.Tasks)-1].Disk = true
}

// fileFrame takes a frame on a stream with pieces.
func (r *Room) fileFrame(x *exchange, typ byte, body []byte) bool {
	switch {
	case typ == record.FrameSeek && !x.dialler:
		return r.tookSeek(x, body)
	case typ == record.FramePiece && x.dialler:
		return r.tookPiece(x, body)
	}
	return false
}

// tookPiece takes a piece that we asked for, or that it is not there.
func (r *Room) tookPiece(x *exchange, piece []byte) bool {
	if x.sought == len(x.seeks) {
		return false
	}
	h := x.seeks[x.sought]
	x.sought++
	switch {
	case len(piece) == 0:
		delete(r.files.asking, h)
		r.hasNot(x, h)
	case ake.PieceHash(piece) != h:
		delete(r.files.asking, h)
		r.pauseSeeking(x, garbageTime)
		x.garbage = true
		return false
	default:
		x.brought++
		if r.fits(h, len(piece)) {
			r.putPiece(h, piece)
		} else {
			delete(r.files.asking, h)
		}
	}
	if x.sought == len(x.seeks) {
		r.hangUp(x)
	}
	return true
}

// fits reports whether a file wants a piece of such a length. One whose piece has another length than
// its message says goes: what it takes would not be what it is charged for. Its author is to blame,
// and not who served it.
func (r *Room) fits(h ake.Hash, length int) (fits bool) {
	for _, f := range slices.Clone(r.files.wanted) {
		i := slices.Index(f.Hashes, h)
		switch {
		case i < 0 || f.have[i]:
		case length == f.PieceLength(i)+ake.PieceOverhead:
			fits = true
		default:
			r.fileLeaves(f, FileThere)
		}
	}
	return fits
}

// hasNot notes that a process has not the file of a piece.
func (r *Room) hasNot(x *exchange, h ake.Hash) {
	for _, f := range r.files.wanted {
		if !slices.Contains(f.Hashes, h) {
			continue
		}
		if l := f.lacks[x.working]; !l.until.After(r.now) {
			if f.lacks == nil {
				f.lacks = make(map[[32]byte]lack)
			}
			if len(f.lacks) >= maxPaused {
				clear(f.lacks)
			}
			l.span = min(max(2*l.span, lackTime), mostLackTime)
			l.until = r.now.Add(l.span)
			f.lacks[x.working] = l
		}
	}
}

// hasAgain forgets that a process has not files: it has a new channel.
func (r *Room) hasAgain(working [32]byte) {
	for _, f := range r.files.wanted {
		delete(f.lacks, working)
	}
}

// putPiece keeps a piece that is right.
func (r *Room) putPiece(h ake.Hash, piece []byte) {
	if r.files.writing[h] {
		return // two brought it
	}
	r.files.writing[h] = true
	r.diskTask(func() any { return r.cfg.Pieces.Put(h, piece) }, func(result any) {
		delete(r.files.asking, h)
		delete(r.files.writing, h)
		if r.files.refs[h].files == 0 { // its file went meanwhile
			r.forgetPieces([][32]byte{h})
			return
		}
		err, _ := result.(error)
		if err != nil {
			r.emit(Failed{Doing: "keeping a file", Err: err})
		}
		for _, f := range slices.Clone(r.files.wanted) {
			if i := slices.Index(f.Hashes, h); i >= 0 && !f.have[i] {
				switch {
				case err != nil:
					r.unwant(f)
					r.fileChanged(f)
				case !r.isHere(f.File, i): // its message came meanwhile, and says another length
					r.fileLeaves(f, FileThere)
				default:
					r.tookOf(f, i)
				}
			}
		}
	})
}

// tookOf notes that a piece of a file is here now.
func (r *Room) tookOf(f *file, i int) {
	f.have[i] = true
	ref := r.files.refs[f.Hashes[i]]
	ref.length = f.PieceLength(i)
	r.files.refs[f.Hashes[i]] = ref
	f.missing--
	if f.missing == 0 {
		r.unwant(f)
	}
	if part := (len(f.have) - f.missing) * 16 / len(f.have); part > f.reported || f.missing == 0 {
		f.reported = part
		r.fileChanged(f)
	}
}

// lostPieces notes that pieces are not here any more: the disk has damaged them.
func (r *Room) lostPieces(hashes [][32]byte) {
	for _, h := range hashes {
		for _, f := range r.files.byID {
			if i := slices.Index(f.Hashes, h); i >= 0 && f.have[i] {
				f.have[i] = false
				f.missing++
				r.want(f)
				r.fileChanged(f)
			}
		}
	}
}

// LostPiece tells the room that a piece could not be read.
func (r *Room) LostPiece(now time.Time, h ake.Hash) {
	r.advance(now)
	r.lostPieces([][32]byte{h})
	r.finish()
}

func (r *Room) pauseSeeking(x *exchange, span time.Duration) {
	for who, until := range r.files.paused {
		if len(r.files.paused) >= maxPaused || !until.After(r.now) {
			delete(r.files.paused, who)
		}
	}
	r.files.paused[x.identity] = r.now.Add(span)
}

// seekOver is called when a stream with pieces has ended.
func (r *Room) seekOver(x *exchange) {
	if x.protocol != ProtocolFile || !x.dialler {
		return
	}
	for _, h := range x.seeks[x.sought:] {
		if !r.files.writing[h] {
			delete(r.files.asking, h)
		}
	}
	took := r.now.Sub(x.began)
	remember(r.files.fast, x.identity, took < time.Duration(x.brought)*paceTime)
	switch {
	case x.garbage || x.sought == len(x.seeks): // it was judged, or has done all
	case took < laterTime || x.brought > 0 || x.gaveUp:
		r.pauseSeeking(x, laterTime)
	default:
		r.pauseSeeking(x, slowTime)
	}
}

// mayServe reports whether a peer may ask for pieces now, if need be in place of whoever gives way.
func (r *Room) mayServe(p peer.ID) bool {
	return r.cfg.Pieces != nil && r.mayHaveStream(p, ProtocolFile, maxServing)
}

// tookSeek answers who asks for pieces. What is not in a file whose message we keep is not here.
func (r *Room) tookSeek(x *exchange, body []byte) bool {
	hashes, err := record.ParseSeek(body)
	if err != nil || x.seeks != nil {
		return false
	}
	x.seeks = hashes
	branch, _ := r.branchOf(r.today(), ake.Hash{}, x.identity)
	paces := []*pace{paceOf(r.files.served, x.identity, r.now, servedRate, servedAtOnce),
		paceOf(r.files.servedBranch, branch, r.now, servedBranchRate, servedBranchAtOnce), &r.files.allServed}
	r.files.allServed.refill(r.now, allServedRate, allServedAtOnce)
	here := make([]bool, 0, len(hashes))
	for _, h := range hashes {
		has := r.files.refs[h].files > 0 && r.cfg.Pieces.Length(h) > 0
		if has {
			if slices.ContainsFunc(paces, func(p *pace) bool { return p.tokens < ake.MaxPiece }) {
				break
			}
			for _, p := range paces {
				p.tokens -= ake.MaxPiece
			}
		}
		here = append(here, has)
	}
	type served struct {
		frames [][]byte
		lost   [][32]byte
	}
	r.diskTask(func() any {
		var out served
		for i, has := range here {
			frame := []byte{record.FramePiece}
			if has {
				piece, err := r.cfg.Pieces.Get(hashes[i])
				if err != nil {
					out.lost = append(out.lost, hashes[i])
				}
				frame = append(frame, piece...)
			}
			out.frames = append(out.frames, frame)
		}
		return out
	}, func(result any) {
		out := result.(served)
		r.lostPieces(out.lost)
		if r.streams.byID[x.id] == x {
			r.send(x, out.frames...)
			r.hangUp(x)
		}
	})
	return true
}
