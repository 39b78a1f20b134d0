package room

import (
	"bytes"
	"crypto/sha3"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"coterie/crypto/abe"
)

// nameOf makes a link of a room with this name, past validate, and parses it.
func nameOf(t *testing.T, name string) error {
	t.Helper()
	d := testDescriptor(t)
	d.Name = name
	_, err := ParseLink((&Link{Descriptor: d}).String())
	return err
}

// TestRoomsThatLookAlike: names with characters that cannot be seen, which
// NFC, letters and marks among them let through, were rooms of their own.
func TestRoomsThatLookAlike(t *testing.T) {
	for _, name := range []string{
		"exam\u115f", "exam\u3164", "exam\uffa0", "exam\u034f", "exam\ufe0f", "ex\u2800am", "ex\ufffdam", "exam\U000e0100", "ex\u17b4am", "\u0301exam",
	} {
		if err := nameOf(t, name); !errors.Is(err, ErrLinkDamaged) || !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
		if err := (&Descriptor{Name: name, Policy: testDescriptor(t).Policy}).validate(); !errors.Is(err, ErrName) {
			t.Errorf("%q made: %v", name, err)
		}
	}
}

func TestRoomNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"exam": true, "5th year": true, "世界": true, "café": true, "a:b/c%d": true, "🎓": true, strings.Repeat("a", 64): true, `"\`: true,
		"": false, strings.Repeat("a", 65): false, " a": false, "a ": false, " ": false, "cafe\u0301": false, "\xff": false, "a\u00a0b": false,
		"a\tb": false, "a\nb": false, "a\x1b[1mb": false, "a\u202eb": false, "a\u200bb": false, "a\u200db": false, "a\ue000b": false, "a\u0378b": false, "a\u2028b": false,
	} {
		if err := nameOf(t, name); ok != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestNewDescriptor: options out of bounds are told apart.
func TestNewDescriptor(t *testing.T) {
	m, err := abe.Setup(shake("descriptor"), "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	policy := testDescriptor(t).Policy
	d, err := NewDescriptor(m.Domain(), "cafe\u0301", policy, 90*time.Second)
	if err != nil || d.Name != "café" || d.Domain != m.Domain().ID() {
		t.Error(err)
	}
	for _, history := range []time.Duration{-1, 1, time.Second + 1, MaxHistory + time.Second} {
		if _, err := NewDescriptor(m.Domain(), "exam", policy, history); err == nil {
			t.Errorf("history of %v", history)
		}
	}
	long, err := abe.ParsePolicy(`"` + strings.Repeat("a", 128) + `"` + strings.Repeat(` or "`+strings.Repeat("a", 128)+`"`, 130))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewDescriptor(m.Domain(), "exam", long, 0); err == nil {
		t.Error("a policy over the limit")
	}
}

// TestDescriptorForm: one encoding, and each difference is another room.
func TestDescriptorForm(t *testing.T) {
	d := testDescriptor(t)
	d.Tag = []byte("sixteen letters!")
	b := d.Bytes()
	read := func(b []byte) (*Descriptor, []byte, error) {
		in := cryptobyte.String(b)
		d, err := readDescriptor(&in)
		return d, in, err
	}
	got, rest, err := read(append(bytes.Clone(b), 7))
	if err != nil || !bytes.Equal(got.Bytes(), b) || !bytes.Equal(rest, []byte{7}) {
		t.Fatal(err)
	}
	for n := range b {
		if _, _, err := read(b[:n]); err == nil {
			t.Errorf("cut at %d", n)
		}
	}
	for bit := range 8 * len(b) {
		bad := bytes.Clone(b)
		bad[bit/8] ^= 1 << (bit % 8)
		got, rest, err := read(bad)
		if err != nil {
			continue
		}
		if !bytes.Equal(append(got.Bytes(), rest...), bad) || got.ID() == d.ID() || got.Topic() == d.Topic() {
			t.Errorf("bit %d", bit)
		}
	}
	for what, change := range map[string]func(b []byte) []byte{
		"version 0":            func(b []byte) []byte { b[0] = 0; return b },
		"version 3":            func(b []byte) []byte { b[0] = 3; return b },
		"suite 2":              func(b []byte) []byte { b[1] = 2; return b },
		"a policy in disorder": func(b []byte) []byte { return bytes.Replace(b, []byte(" and "), []byte(" AND "), 1) },
		"a short tag":          func(b []byte) []byte { b[len(b)-17] = 15; return b[:len(b)-1] },
		"a long tag":           func(b []byte) []byte { b[len(b)-17] = 17; return append(b, 0) },
		"history over":         func(b []byte) []byte { b[len(b)-21] = 0xff; return b },
	} {
		if _, _, err := read(change(bytes.Clone(b))); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if _, _, err := read([]byte{3, 1}); !errors.Is(err, ErrNewer) {
		t.Error("a later version:", err)
	}
}

func shake(text string) *sha3.SHAKE {
	s := sha3.NewSHAKE256()
	s.Write([]byte(text))
	return s
}
