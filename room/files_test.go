package room

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// memPieces is a folder of pieces: it outlives the process.
type memPieces struct {
	of     map[[32]byte][]byte
	lost   map[[32]byte]bool // that the disk has damaged
	asked  map[ake.Hash]bool // files that its user asked for
	failed error             // of Put
	puts   int
}

func newMemPieces() *memPieces {
	return &memPieces{of: make(map[[32]byte][]byte), lost: make(map[[32]byte]bool), asked: make(map[ake.Hash]bool)}
}

func (p *memPieces) Length(h [32]byte) int { return len(p.of[h]) }
func (p *memPieces) Put(h [32]byte, b []byte) error {
	if p.failed != nil {
		return p.failed
	}
	p.puts++
	p.of[h] = bytes.Clone(b)
	return nil
}
func (p *memPieces) Get(h [32]byte) ([]byte, error) {
	if b := p.of[h]; b != nil {
		return b, nil
	}
	return nil, errors.New("not there")
}
func (p *memPieces) Forget(hashes [][32]byte) error {
	for _, h := range hashes {
		delete(p.of, h)
	}
	return nil
}
func (p *memPieces) Sweep(keep [][32]byte) error {
	wanted := make(map[[32]byte]bool)
	for _, h := range keep {
		wanted[h] = true
	}
	for h := range p.of {
		if !wanted[h] {
			delete(p.of, h)
		}
	}
	return nil
}

// fileNetwork is one of which every node has pieces: they are kept by name, for the next process.
func fileNetwork(t testing.TB, limit int64) (*network, map[string]*memPieces) {
	n := newNetwork(t, 910)
	pieces := make(map[string]*memPieces)
	n.configure = func(s *simNode, c *Config) {
		if pieces[s.name] == nil {
			pieces[s.name] = newMemPieces()
		}
		c.Pieces, c.KeepFiles = pieces[s.name], limit
	}
	return n, pieces
}

// someFile is a file of so many bytes, that do not repeat.
func someFile(size int) []byte {
	b := make([]byte, size)
	rng := rand.New(rand.NewPCG(uint64(size), 1))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// sendFile sends one, and returns the id of its message once the author has shown it.
func (n *network) sendFile(t testing.TB, s *simNode, name string, data []byte) ake.Hash {
	t.Helper()
	before := len(s.messages)
	must(t, s.room.SendFile(s.clock(), name, name, data))
	n.drain(s)
	n.run(time.Second)
	for _, d := range s.messages[before:] {
		if d.File != nil && d.File.Name == name {
			return d.ID
		}
	}
	t.Fatalf("%s was not sent: %v", name, s.shown[max(0, len(s.shown)-3):])
	return ake.Hash{}
}

// fetchFile has a node fetch one.
func (n *network) fetchFile(t testing.TB, s *simNode, id ake.Hash) {
	t.Helper()
	must(t, s.room.FetchFile(s.clock(), id))
	n.drain(s)
}

// has reports whether a node has a file whole, and that it is the same.
func (n *network) has(t testing.TB, s *simNode, id ake.Hash, data []byte) bool {
	t.Helper()
	f, info, err := s.room.File(id)
	if err != nil || info.State != FileHere {
		return false
	}
	var got []byte
	for i, h := range f.Hashes {
		piece, err := s.room.cfg.Pieces.Get(h)
		must(t, err)
		b, err := ake.OpenPiece(f.Key, n.desc.ID(), uint32(i), piece)
		must(t, err)
		got = append(got, b...)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%s has another file: %d bytes", s.name, len(got))
	}
	return true
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSmallFile: a file of up to 1 MiB reaches all without a word.
func TestSmallFile(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	ann, bob := n.add("ann", true), n.add("bob", true)
	n.connectAll()
	n.run(5 * time.Second)
	data := someFile(300_000)
	id := n.sendFile(t, ann, "plan.pdf", data)
	n.run(5 * time.Second)
	if !n.has(t, bob, id, data) {
		t.Fatal("bob does not have it")
	}
	var d *Delivered
	for i := range bob.messages {
		if bob.messages[i].ID == id {
			d = &bob.messages[i]
		}
	}
	if d == nil || d.File == nil || d.Message.Text != "plan.pdf" || d.File.Size != 300_000 {
		t.Fatalf("bob is shown %+v", d)
	}
	for h, b := range pieces["bob"].of {
		if ake.PieceHash(b) != h {
			t.Error("a piece is kept under another hash")
		}
	}
}

// TestLargeFile: what is over 1 MiB is fetched when the user asks for it, from whoever has it: also
// where its author has gone.
func TestLargeFile(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	ann, bob, cyn := n.add("ann", true), n.add("bob", true), n.add("cyn", true)
	n.connectAll()
	n.run(5 * time.Second)
	data := someFile(3<<20 + 17)
	id := n.sendFile(t, ann, "talk.mp4", data)
	n.run(20 * time.Second)
	if len(pieces["bob"].of)+len(pieces["cyn"].of) > 0 {
		t.Fatal("it was fetched unasked")
	}
	n.fetchFile(t, bob, id)
	n.run(20 * time.Second)
	if !n.has(t, bob, id, data) {
		t.Fatal("bob does not have it")
	}
	n.stop(ann)
	n.run(5 * time.Second)
	n.fetchFile(t, cyn, id)
	n.run(30 * time.Second)
	if !n.has(t, cyn, id, data) {
		t.Fatal("cyn does not have it, and bob has")
	}
	if st := cyn.fileStates(id); st[0] != FileFetching || st[len(st)-1] != FileHere {
		t.Errorf("cyn is told %v", st)
	}
}

// TestStopFile: a file that is fetched no more leaves nothing here, neither now nor when pieces come
// that were on their way; it can be fetched anew, and whole it cannot be stopped.
func TestStopFile(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	ann, bob := n.add("ann", true), n.add("bob", true)
	n.connectAll()
	n.run(5 * time.Second)
	data := someFile(16 << 20)
	id := n.sendFile(t, ann, "talk.mp4", data)
	n.run(time.Second)
	if err := bob.room.StopFile(bob.clock(), id); !errors.Is(err, ErrNotFetched) {
		t.Errorf("nothing is fetched: %v", err)
	}
	before := bob.room.files.bytes
	n.fetchFile(t, bob, id)
	for range 100 {
		if n.run(50 * time.Millisecond); len(pieces["bob"].of) > 0 {
			break
		}
	}
	if len(pieces["bob"].of) == 0 || n.has(t, bob, id, data) {
		t.Fatalf("%d pieces are here", len(pieces["bob"].of))
	}
	must(t, bob.room.StopFile(bob.clock(), id))
	n.drain(bob)
	n.run(20 * time.Second)
	if len(pieces["bob"].of) > 0 || bob.room.files.bytes != before || len(bob.room.files.asking) > 0 {
		t.Errorf("%d pieces and %d bytes are left", len(pieces["bob"].of), bob.room.files.bytes-before)
	}
	if st := bob.fileStates(id); st[len(st)-1] != FileThere {
		t.Errorf("bob is told %v", st)
	}
	n.fetchFile(t, bob, id)
	n.run(time.Minute)
	if !n.has(t, bob, id, data) {
		t.Error("it does not come anew")
	}
	if err := bob.room.StopFile(bob.clock(), id); !errors.Is(err, ErrNotFetched) {
		t.Errorf("it is here: %v", err)
	}
}

func (s *simNode) fileStates(id ake.Hash) (out []string) {
	for _, e := range s.shown {
		if c, ok := e.(FileChanged); ok && c.ID == id {
			out = append(out, c.State)
		}
	}
	return out
}

// TestFileIsQuoted: who answers a file, or reacts to it, is shown with its name, and with no more of what
// its message has.
func TestFileIsQuoted(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	id := n.sendFile(t, ann, "plan.pdf", someFile(1000))
	n.run(3 * time.Second)
	must(t, bob.sendAbout(record.KindReply, id, "thanks"))
	must(t, bob.sendAbout(record.KindReaction, id, "👍"))
	n.run(3 * time.Second)
	must(t, ann.sendAbout(record.KindWithdrawal, id, ""))
	n.run(3 * time.Second)
	for _, s := range all {
		if d := s.view(s.idOf("thanks")); d.Quote == nil || d.Quote.Text != "plan.pdf" {
			t.Errorf("%s: the answer quotes %+v", s.name, d.Quote)
		}
		changes := events[Changed](s)
		if len(changes) != 2 || changes[0].Of.Text != "plan.pdf" || changes[1].Of.Text != "" || !changes[1].Of.Withdrawn {
			t.Errorf("%s: %+v", s.name, changes)
		}
	}
}

// TestFileLimits: what cannot be sent is refused, and nothing was done.
func TestFileLimits(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<20)
	ann := n.add("ann", true)
	for what, c := range map[string]struct {
		name string
		size int
		want error
	}{
		"nothing":       {"a", 0, ErrFileSize},
		"over 32 MiB":   {"a", record.MaxFile + 1, ErrFileSize},
		"no name":       {"", 1, ErrFileName},
		"no UTF-8":      {"\xff", 1, ErrFileName},
		"over the room": {"a", 1 << 20, ErrFilesFull},
	} {
		if err := ann.room.SendFile(ann.clock(), nil, c.name, make([]byte, c.size)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := ann.room.FetchFile(ann.clock(), ake.Hash{1}); !errors.Is(err, ErrNoFile) {
		t.Errorf("what is not there is fetched: %v", err)
	}
	n.drain(ann)
	n.run(time.Second)
	if len(pieces["ann"].of) > 0 {
		t.Error("something is kept")
	}
}
