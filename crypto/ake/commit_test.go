package ake

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// TestCommitSecret: what a commit publishes of its secret is of that secret and
// of that commit alone.
func TestCommitSecret(t *testing.T) {
	core, d := []byte("everything before it"), secretOf("d")
	c := CommitSecret(core, d)
	if c != sha256.Sum256(byThePage("coterie/2 commit secret", core, d.Bytes())) {
		t.Error("not the commitment of the page")
	}
	if !Fits(core, d, c) {
		t.Error("its own secret does not fit")
	}
	for bit := range 8 * HashSize {
		other := bytes.Clone(c[:])
		other[bit/8] ^= 1 << (bit % 8)
		if Fits(core, d, Hash(other)) {
			t.Errorf("bit %d of the commitment counts for nothing", bit)
		}
	}
	for bit := range 8 * SecretSize {
		b := d.Bytes()
		b[bit/8] ^= 1 << (bit % 8)
		other, err := SecretFromBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		if Fits(core, other, c) {
			t.Errorf("bit %d of the secret counts for nothing", bit)
		}
	}
	for what, other := range map[string][]byte{
		"none": nil, "a shorter one": core[:len(core)-1], "a longer one": append(bytes.Clone(core), 0),
		"another": []byte("everything before It"),
	} {
		if Fits(other, d, c) {
			t.Errorf("it fits with %s before it", what)
		}
	}
	// The core ends where the secret begins, whatever either has.
	b := d.Bytes()
	shifted, err := SecretFromBytes(append(b[1:], 0))
	if err != nil {
		t.Fatal(err)
	}
	if CommitSecret(append(bytes.Clone(core), b[0]), shifted) == c {
		t.Error("a byte can pass from the secret to the core")
	}
}
