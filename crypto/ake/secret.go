package ake

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// SecretSize is the size in bytes of every secret of the protocol.
const SecretSize = 32

// A Secret is 32 bytes that only members may know: a seed, a term, a key. It
// cannot be compared with ==, and prints as "(secret)" wherever it lands.
type Secret struct {
	_ [0]func()
	b [SecretSize]byte
}

// NewSecret draws a secret from rand.
func NewSecret(rand io.Reader) (Secret, error) {
	var s Secret
	_, err := io.ReadFull(rand, s.b[:])
	return s, err
}

// SecretFromBytes copies a secret out of exactly 32 bytes.
func SecretFromBytes(b []byte) (Secret, error) {
	var s Secret
	if len(b) != SecretSize {
		return s, fmt.Errorf("a secret has %d bytes, not %d", SecretSize, len(b))
	}
	copy(s.b[:], b)
	return s, nil
}

// Bytes returns a copy, for putting the secret into something that is encrypted.
func (s *Secret) Bytes() []byte { return append([]byte(nil), s.b[:]...) }

// Append appends the secret. What b has no room for is moved and leaves a copy
// behind, so b is made with room.
func (s *Secret) Append(b []byte) []byte { return append(b, s.b[:]...) }

// Equal compares in constant time.
func (s *Secret) Equal(t *Secret) bool { return subtle.ConstantTimeCompare(s.b[:], t.b[:]) == 1 }

// IsZero reports whether the secret was never set, or was erased.
func (s *Secret) IsZero() bool {
	var zero Secret
	return s.Equal(&zero)
}

// Erase overwrites the secret. Copies made by the compiler or the garbage
// collector are out of reach; what it ends is every later use by mistake.
func (s *Secret) Erase() { clear(s.b[:]) }

const redacted = "(secret)"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Package fmt calls no methods on what lies in unexported fields, but prints the
// bytes; so whatever holds secrets there speaks for itself.

func (Chain) String() string             { return redacted }
func (Chain) GoString() string           { return redacted }
func (Chain) LogValue() slog.Value       { return slog.StringValue(redacted) }
func (Chain) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

func (Keys) String() string             { return redacted }
func (Keys) GoString() string           { return redacted }
func (Keys) LogValue() slog.Value       { return slog.StringValue(redacted) }
func (Keys) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
