package record

import (
	"errors"
	"io"
	"strings"
	"testing"

	"coterie/crypto/ake"
)

// newFile is a file of so many bytes: the hashes are of pieces that are not there.
func newFile(size uint32, change func(f *File)) *File {
	f := &File{Name: "plan ☕.pdf", Size: size, Key: secretOf("file key")}
	for range min(Pieces(size), Pieces(MaxFile)+1) {
		var h ake.Hash
		io.ReadFull(stream("pieces"), h[:])
		h[0] = byte(len(f.Hashes))
		f.Hashes = append(f.Hashes, h)
	}
	if change != nil {
		change(f)
	}
	return f
}

func goodFiles() (out []*Signed) {
	ann := newPerson("ann")
	for _, f := range []*File{newFile(1, nil), newFile(300_000, nil),
		newFile(MaxFile, func(f *File) { f.Name = strings.Repeat("x", MaxFileName) })} {
		out = append(out, asMessage(ann, KindFile, f.Append(nil)))
	}
	return out
}

// fileFormats are the frames of PROTOCOL.md §11.6. Those of pieces have no form.
func fileFormats() []format {
	return []format{{
		name: "seek", typ: FrameSeek,
		good:  [][]byte{EncodeSeek(sortedHashes("a"))[1:], EncodeSeek(newFile(MaxSeek*ake.PieceSize, nil).Hashes)[1:]},
		again: reencode(ParseSeek, func(h []ake.Hash) []byte { return EncodeSeek(h)[1:] }),
	}}
}

func FuzzParseSeek(f *testing.F) { fuzz(f, "seek") }

// files are PROTOCOL.md §9.9's and §11.6's: messages, and a frame.
func (r *refusals) files() {
	ann := newPerson("ann")
	f := newFile(ake.PieceSize+1, nil)
	r.cuts("log", "file: ", asMessage(ann, KindFile, f.Append(nil)).AppendLog(nil),
		field{"epoch", 32}, field{"author", 32}, field{"length of the body", 2}, field{"counter", 8}, field{"previous", 32},
		field{"time", 8}, field{"lamport", 8}, field{"kind", 1}, field{"length of the text", 2},
		field{"length of the name", 1}, field{"name", len(f.Name)}, field{"size", 4}, field{"key", 32}, field{"hash", 32},
		field{"second hash", 32}, signatureField)
	for _, bad := range []struct {
		name string
		file *File
	}{
		{"without a name", newFile(1, func(f *File) { f.Name = "" })},
		{"a name that is not UTF-8", newFile(1, func(f *File) { f.Name = "\xff" })},
		{"of no bytes", newFile(1, func(f *File) { f.Size = 0 })},
		{"of no bytes and no pieces", newFile(0, nil)},
		{"over 32 MiB", newFile(MaxFile+1, nil)},
		{"a piece too few", newFile(300_000, func(f *File) { f.Hashes = f.Hashes[1:] })},
		{"a piece too many", newFile(ake.PieceSize, func(f *File) { f.Hashes = append(f.Hashes, ake.Hash{}) })},
	} {
		r.form("log", "file: "+bad.name, asMessage(ann, KindFile, bad.file.Append(nil)).AppendLog(nil))
	}
	r.cuts("seek", "", EncodeSeek(f.Hashes)[1:], field{"count", 1}, field{"hash", 32}, field{"second hash", 32})
	r.form("seek", "of nothing", EncodeSeek(nil)[1:])
	r.form("seek", "of nine pieces", EncodeSeek(newFile((MaxSeek+1)*ake.PieceSize, nil).Hashes)[1:])
	r.form("seek", "of one piece twice", EncodeSeek([]ake.Hash{f.Hashes[0], f.Hashes[1], f.Hashes[0]})[1:])
}

// TestFilesFit: the message of the largest file fits into a message, and gives back what went in.
func TestFilesFit(t *testing.T) {
	f := newFile(MaxFile, func(f *File) { f.Name = strings.Repeat("x", MaxFileName) })
	text := f.Append(nil)
	if len(text) > MaxText {
		t.Fatalf("it has %d bytes", len(text))
	}
	got, err := ParseFile(string(text))
	if err != nil || got.Name != f.Name || got.Size != f.Size || !got.Key.Equal(&f.Key) || len(got.Hashes) != 256 {
		t.Fatalf("%+v, %v", got, err)
	}
	last := newFile(ake.PieceSize+1, nil)
	if last.PieceLength(0) != ake.PieceSize || last.PieceLength(1) != 1 {
		t.Errorf("pieces of %d and %d bytes", last.PieceLength(0), last.PieceLength(1))
	}
}

// TestPieceTwice: no file has the same piece in two places. Whoever fetched one would never have all.
func TestPieceTwice(t *testing.T) {
	f := newFile(300_000, nil)
	if _, err := ParseFile(string(f.Append(nil))); err != nil {
		t.Fatal(err)
	}
	f.Hashes[2] = f.Hashes[0]
	if _, err := ParseFile(string(f.Append(nil))); !errors.Is(err, ErrForm) {
		t.Errorf("%v", err)
	}
}
