package ake

import (
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// Pieces of files: PROTOCOL.md §9.9. A file's key is for that file alone, and seals piece i
// under the nonce i: so no nonce is used twice. What a piece hashes to is in the signed
// message beside the key, so that a piece opens in one way only.

const (
	// PieceSize is how many bytes of a file a piece has; the last one has what is left.
	PieceSize = 128 << 10
	// PieceOverhead is by how many bytes a piece is longer when it is sealed.
	PieceOverhead = chacha20poly1305.Overhead
	// MaxPiece is the size of a piece as it is sent.
	MaxPiece = PieceSize + PieceOverhead
)

// SealPiece encrypts a piece of a file in a room.
func SealPiece(key Secret, room Hash, index uint32, plain []byte) ([]byte, error) {
	aead, err := chacha20poly1305.New(key.b[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, pieceNonce(index), plain, pieceAD(room)), nil
}

// OpenPiece is the inverse. The error is ErrNotOpened.
func OpenPiece(key Secret, room Hash, index uint32, piece []byte) ([]byte, error) {
	aead, err := chacha20poly1305.New(key.b[:])
	if err != nil || len(piece) > MaxPiece {
		return nil, ErrNotOpened
	}
	plain, err := aead.Open(nil, pieceNonce(index), piece, pieceAD(room))
	if err != nil {
		return nil, ErrNotOpened
	}
	return plain, nil
}

// PieceHash is by what a piece is known and asked for.
func PieceHash(piece []byte) Hash { return Sum("coterie/2 piece", piece) }

func pieceNonce(index uint32) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 8, chacha20poly1305.NonceSize), index)
}

func pieceAD(room Hash) []byte { return append([]byte("coterie/2 piece"), room[:]...) }
