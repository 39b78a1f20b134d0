package ake

import (
	"bytes"
	"errors"
	"testing"
)

// TestPieces: a piece opens in its place, its room and under its key alone, and every byte of
// it counts.
func TestPieces(t *testing.T) {
	key, room := secretOf("key"), Sum("room")
	plain := bytes.Repeat([]byte("0123456789"), 30)
	piece, err := SealPiece(key, room, 3, plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenPiece(key, room, 3, piece); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	for what, open := range map[string]func() ([]byte, error){
		"another place": func() ([]byte, error) { return OpenPiece(key, room, 2, piece) },
		"another room":  func() ([]byte, error) { return OpenPiece(key, Sum("other"), 3, piece) },
		"another key":   func() ([]byte, error) { return OpenPiece(secretOf("other"), room, 3, piece) },
		"cut short":     func() ([]byte, error) { return OpenPiece(key, room, 3, piece[:len(piece)-1]) },
		"nothing":       func() ([]byte, error) { return OpenPiece(key, room, 3, nil) },
		"too long":      func() ([]byte, error) { return OpenPiece(key, room, 3, make([]byte, MaxPiece+1)) },
	} {
		if got, err := open(); !errors.Is(err, ErrNotOpened) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for at := range piece {
		bad := bytes.Clone(piece)
		bad[at] ^= 1
		if _, err := OpenPiece(key, room, 3, bad); !errors.Is(err, ErrNotOpened) || PieceHash(bad) == PieceHash(piece) {
			t.Fatalf("byte %d counts for nothing", at)
		}
	}
}

// TestVectorsPieces is about the pieces of a file: PROTOCOL.md §9.9.
func TestVectorsPieces(t *testing.T) {
	type vector struct {
		Room  hexBytes `json:"room"`
		Key   hexBytes `json:"key"`
		Index uint32   `json:"index"`
		Plain hexBytes `json:"plain"`
		Piece hexBytes `json:"piece"`
		Hash  hexBytes `json:"hash"`
	}
	key, room := secretOf("file key"), Sum("room")
	var vs []vector
	for i, plain := range []string{"a whole piece has 131,072 bytes; this is shorter", "x"} {
		piece, err := SealPiece(key, room, uint32(i), []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		h := PieceHash(piece)
		vs = append(vs, vector{room[:], key.Bytes(), uint32(i), hexBytes(plain), piece, h[:]})
	}
	vectorJSON(t, "pieces.json", vs)
}
