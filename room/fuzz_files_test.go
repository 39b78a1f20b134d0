package room

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Files in a live run: what a mutator does with them, and what the honest make of it.

// liveFiles is how much each keeps of files: little, so that some give way.
const liveFiles = 3 << 20

func (w *live) keepsFiles(s *simNode, c *Config) {
	who := [32]byte(c.Identity.Public().(ed25519.PublicKey))
	if w.pieces[who] == nil {
		w.pieces[who] = newMemPieces()
	}
	c.Pieces, c.KeepFiles = w.pieces[who], liveFiles
}

// sendFile sends a file, as far as there is room.
func (w *live) sendFile(s *simNode, size int) (name string) {
	w.said++
	name = fmt.Sprintf("file #%d of %s", w.said, s.name)
	data := simBytes()[w.said:][:size]
	if s.room.SendFile(s.clock(), name, name, data) == nil {
		w.files[name] = data
	}
	w.drain(s)
	return name
}

// fetchSome has a member fetch a file that it was shown, or read it, or take it back.
func (w *live) fetchSome(s *simNode) {
	var all []*Delivered
	for i := range s.messages {
		if s.messages[i].File != nil {
			all = append(all, &s.messages[i])
		}
	}
	if len(all) == 0 {
		return
	}
	switch d := all[w.said*7%len(all)]; {
	case w.said%3 == 0 && s.room.FetchFile(s.clock(), d.ID) == nil:
		s.room.cfg.Pieces.(*memPieces).asked[d.ID] = true
	case w.said%7 == 1 && d.Self:
		s.room.SendAbout(s.clock(), nil, record.KindWithdrawal, d.ID, "")
	default:
		w.keep(s, d)
	}
	w.drain(s)
}

// keep reads a file that is here: one of an honest author's is what they sent.
func (w *live) keep(s *simNode, d *Delivered) bool {
	f, info, err := s.room.File(d.ID)
	if errors.Is(err, ErrNoFile) || err == nil && info.State != FileHere {
		return false
	}
	if err != nil {
		w.fail("file", "%s: %v", s.name, err)
	}
	honest := slices.ContainsFunc(w.honest, func(o *simNode) bool { return o.actor.Self() == d.Author.Peer })
	var got []byte
	for i, h := range f.Hashes {
		piece, err := s.room.cfg.Pieces.Get(h)
		if err != nil || ake.PieceHash(piece) != h {
			w.fail("file", "%s: piece %d of %s is here, and is not: %v", s.name, i, f.Name, err)
		}
		plain, err := ake.OpenPiece(f.Key, s.room.id, uint32(i), piece)
		if err != nil && honest {
			w.fail("file", "%s: piece %d of %s: %v", s.name, i, f.Name, err)
		}
		got = append(got, plain...)
	}
	if want := w.files[f.Name]; honest && want != nil && !bytes.Equal(got, want) {
		w.fail("file", "%s has another file than %s: %d bytes", s.name, f.Name, len(got))
	}
	return true
}

// filesMend: when the mutator has gone, a file that an honest member sends is had by all who ask for it, and what
// is kept is what it should be.
func (w *live) filesMend() {
	name := w.sendFile(w.honest[0], 2*ake.PieceSize+7)
	if w.files[name] == nil {
		return // what its user posted and asked for takes all the room
	}
	for _, s := range w.honest {
		var d *Delivered
		shown := func() bool {
			i := slices.IndexFunc(s.messages, func(d Delivered) bool { return d.Message.Text == name })
			if i >= 0 {
				d = &s.messages[i]
			}
			return i >= 0
		}
		w.wait(liveSpread, "file", shown)
		if err := s.room.FetchFile(s.clock(), d.ID); errors.Is(err, ErrFilesFull) || errors.Is(err, ErrFilesBusy) {
			continue
		} else if err != nil {
			w.fail("file", "%s: %v", s.name, err)
		}
		s.room.cfg.Pieces.(*memPieces).asked[d.ID] = true
		w.drain(s)
		// Whoever served slowly, since it was cut off amid it, is asked again after a minute.
		w.wait(2*time.Minute, "file", func() bool { return w.keep(s, d) })
	}
	w.pass(time.Second)
	for _, s := range w.honest {
		for h := range s.room.cfg.Pieces.(*memPieces).of {
			if s.room.files.refs[h].files == 0 {
				w.fail("file", "%s keeps a piece of nothing", s.name)
			}
		}
	}
}

// someHash is that of a piece that somebody has, or of none.
func (m *mutator) someHash() ake.Hash {
	of := sortedHashes(m.files.refs)
	if len(of) == 0 || m.w.c.one(8) {
		return m.hash()
	}
	return of[m.w.c.n(len(of))]
}

func (m *mutator) seek() []byte {
	hashes := make([]ake.Hash, 1+m.w.c.n(record.MaxSeek))
	for i := range hashes {
		hashes[i] = m.someHash()
	}
	return record.EncodeSeek(hashes)
}

// changePiece is a piece that is longer, shorter, another, none, or spoilt.
func (m *mutator) changePiece(piece []byte) []byte {
	c := m.w.c
	out := append([]byte{record.FramePiece}, piece...)
	switch c.n(6) {
	case 0:
		return out[:1]
	case 1:
		return append(out, byte(c.n(256)))
	case 2:
		return out[:1+c.n(len(out))]
	case 3:
		return append(out[:1], simBytes()[:ake.MaxPiece+c.n(3)-1]...)
	case 4:
		if other, err := m.cfg.Pieces.Get(m.someHash()); err == nil {
			return append(out[:1], other...)
		}
	}
	if len(out) > 1 {
		out[1+c.n(len(out)-1)] ^= 1
	}
	return out
}

// someFile makes a message one of a file: of pieces of its own, or of others', as long as they are or not.
func (m *mutator) someFile(s *record.Signed) {
	f := record.File{Name: "some file", Size: uint32(1 + s.Counter%3*ake.PieceSize), Key: m.draw()}
	for i := range record.Pieces(f.Size) {
		h := m.someHash()
		if s.Counter%4 == 0 {
			piece := simBytes()[i : i+int(s.Counter%5)*20_000+1]
			h = ake.PieceHash(piece)
			m.cfg.Pieces.Put(h, piece)
			m.files.refs[h] = pieceRef{files: 1} // so that it is served
		}
		f.Hashes = append(f.Hashes, h)
	}
	s.Kind, s.Text = record.KindFile, string(f.Append(nil))
}
