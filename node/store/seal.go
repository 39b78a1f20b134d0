package store

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Labels of what the data key is used for. Each gives a key of its own.
const (
	labelSeal  = "coterie/1 store seal"
	labelCheck = "coterie/1 store check"
	labelRoom  = "coterie/1 store room"
)

// overhead is what sealing adds to a value.
const overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// sealer seals what goes to disk, for one file of one room.
type sealer struct {
	aead  cipher.AEAD
	check [32]byte // tells that the data key is the right one; shows nothing of it
	// pieces gives pieces of files their names.
	pieces [32]byte
	bound  []byte // room and generation, in everything's associated data
}

func newSealer(key, room, generation [32]byte) *sealer {
	derive := func(label string) []byte {
		k, err := hkdf.Key(sha256.New, key[:], room[:], label, 32)
		if err != nil {
			panic(err) // lengths are constants
		}
		return k
	}
	aead, err := chacha20poly1305.NewX(derive(labelSeal))
	if err != nil {
		panic(err) // likewise
	}
	s := &sealer{aead: aead, bound: append(room[:len(room):len(room)], generation[:]...)}
	copy(s.check[:], derive(labelCheck))
	copy(s.pieces[:], derive(labelPieces))
	return s
}

// ad is the associated data of a value: which file it is in, which part of the
// file, and under which key. So no value can be moved, swapped or taken from
// another file. The places are constants of which none is a prefix of another.
func (s *sealer) ad(buf []byte, place string, key []byte) []byte {
	buf = append(buf, place...)
	buf = append(buf, s.bound...)
	return append(buf, key...)
}

// seal appends nonce || sealed to dst. Nonces of 24 random bytes do not meet
// within what one key can ever write.
func (s *sealer) seal(dst []byte, place string, key, plain []byte) []byte {
	dst = slices.Grow(dst, len(plain)+overhead)
	nonce := dst[len(dst) : len(dst)+chacha20poly1305.NonceSizeX]
	rand.Read(nonce)
	var buf [128]byte
	return s.aead.Seal(dst[:len(dst)+len(nonce)], nonce, plain, s.ad(buf[:0], place, key))
}

// open is what is sealed in value, and says whether it was.
func (s *sealer) open(place string, key, value []byte) ([]byte, bool) {
	if len(value) < overhead {
		return nil, false
	}
	var buf [128]byte
	nonce, sealed := value[:chacha20poly1305.NonceSizeX], value[chacha20poly1305.NonceSizeX:]
	plain, err := s.aead.Open(nil, nonce, sealed, s.ad(buf[:0], place, key))
	return plain, err == nil
}

// roomTag is what a file shows of its room: enough to compare with a room one
// knows.
func roomTag(room [32]byte) [32]byte {
	return sha256.Sum256(append([]byte(labelRoom), room[:]...))
}
