package ake

import (
	"crypto/sha3"
	"io"
	"math/rand/v2"
	"testing"
)

// stream is the randomness of tests and vectors: SHAKE256 of a text.
func stream(seed string) io.Reader {
	s := sha3.NewSHAKE256()
	s.Write([]byte(seed))
	return s
}

func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// secretOf is the first 32 bytes of the stream of a text.
func secretOf(text string) Secret {
	s, err := NewSecret(stream(text))
	if err != nil {
		panic(err)
	}
	return s
}

func hashOf(text string) Hash { return Sum("test", []byte(text)) }

// chainOf is the chain of one author in an epoch of its own.
func chainOf(text string) *Chain {
	return NewKeys(secretOf(text), []Hash{hashOf(text)}).Chain(0)
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}
