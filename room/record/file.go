package record

import (
	"encoding/binary"
	"unicode/utf8"

	"coterie/crypto/ake"
)

// Files: PROTOCOL.md §9.9 and §11.6.

// The frames of pieces of files. They are apart from the others, so that a stream of pieces
// carries nothing else.
const (
	FrameSeek byte = 80 + iota
	FramePiece
)

const (
	// MaxFile is the greatest size in bytes of a file.
	MaxFile = 32 << 20
	// MaxFileName is that of its name.
	MaxFileName = 255
	// MaxSeek is how many pieces are asked for at once.
	MaxSeek = 8
)

// A File is what a body of KindFile has in the place of its text.
type File struct {
	Name   string // anybody's text
	Size   uint32
	Key    ake.Secret
	Hashes []ake.Hash // of its pieces
}

// Pieces is how many a file of a size has.
func Pieces(size uint32) int { return (int(size) + ake.PieceSize - 1) / ake.PieceSize }

// Append appends the encoding.
func (f *File) Append(b []byte) []byte {
	b = append(append(b, byte(len(f.Name))), f.Name...)
	b = binary.BigEndian.AppendUint32(b, f.Size)
	b = f.Key.Append(b)
	for _, h := range f.Hashes {
		b = append(b, h[:]...)
	}
	return b
}

// PieceLength is how many bytes of the file a piece has.
func (f *File) PieceLength(i int) int {
	return min(int(f.Size)-i*ake.PieceSize, ake.PieceSize)
}

// ParseFile takes the text of a body of KindFile.
func ParseFile(text string) (*File, error) {
	r := newReader([]byte(text))
	f := &File{Name: string(r.bytes(int(r.uint8())))}
	f.Size = r.uint32()
	key := r.hash()
	if f.Name == "" || !utf8.ValidString(f.Name) || f.Size == 0 || f.Size > MaxFile {
		return nil, formError("file")
	}
	seen := make(map[ake.Hash]bool) // no two pieces of a file are sealed alike
	for range Pieces(f.Size) {
		h := r.hash()
		if seen[h] {
			return nil, formError("file")
		}
		seen[h] = true
		f.Hashes = append(f.Hashes, h)
	}
	if !r.end() {
		return nil, formError("file")
	}
	var err error
	f.Key, err = ake.SecretFromBytes(key[:])
	return f, err
}

// EncodeSeek is the frame that asks for pieces.
func EncodeSeek(hashes []ake.Hash) []byte {
	b := []byte{FrameSeek, byte(len(hashes))}
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// ParseSeek takes the frame behind its type.
func ParseSeek(b []byte) ([]ake.Hash, error) {
	r := newReader(b)
	n := int(r.uint8())
	if n == 0 || n > MaxSeek {
		return nil, formError("seek")
	}
	hashes := make([]ake.Hash, n)
	for i := range hashes {
		hashes[i] = r.hash()
		for _, h := range hashes[:i] {
			if h == hashes[i] {
				return nil, formError("seek")
			}
		}
	}
	if !r.end() {
		return nil, formError("seek")
	}
	return hashes, nil
}
