package ake

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// secrets is one of everything that holds a secret, each with the bytes 0xa5.
func secrets(t *testing.T) map[string]any {
	t.Helper()
	s, err := SecretFromBytes(bytes.Repeat([]byte{0xa5}, SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	chain := Chain{next: 1, key: s, skipped: map[uint64]*Secret{1: &s}}
	return map[string]any{
		"Secret": s, "*Secret": &s, "[]Secret": []Secret{s}, "map": map[string]Secret{"a": s},
		"Term": Term{s}, "*Term": &Term{s}, "Proof": Proof{s},
		"Encapsulated": Encapsulated{Term: Term{s}, Proof: Proof{s}}, "*Encapsulated": &Encapsulated{Term: Term{s},
			Proof: Proof{s}},
		"Member": Member{Term: Term{s}}, "MemberTerm": MemberTerm{Term: Term{s}},
		"[]MemberTerm": []MemberTerm{{Term: Term{s}}},
		"Chain":        chain, "*Chain": &chain, "[]Chain": []Chain{chain},
		"Keys": Keys{header: s, root: s}, "*Keys": &Keys{header: s, root: s, chains: []Chain{chain}},
	}
}

// leaks reports whether text has the bytes of secrets in any usual form.
func leaks(text string) bool {
	raw := bytes.Repeat([]byte{0xa5}, 4)
	forms := []string{string(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), "165 165",
		"0xa5, 0xa5", "0xA5, 0xA5", "165,165", `\xa5`, "245 245", "10100101", "paWl"}
	for _, f := range forms {
		if strings.Contains(text, f) {
			return true
		}
	}
	return false
}

// TestSecretsAreNotPrinted: Chain and Keys, whose secrets are in unexported
// fields, were printed as they are.
func TestSecretsAreNotPrinted(t *testing.T) {
	for name, v := range secrets(t) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U",
			"%t", "%08v", "%.3s"} {
			if out := fmt.Sprintf(verb, v); leaks(out) {
				t.Errorf("%s with %s: %s", name, verb, out)
			}
		}
		if out := fmt.Sprint(v) + fmt.Sprintln(v) + fmt.Errorf("wrapped: %v", v).Error(); leaks(out) {
			t.Errorf("%s: %s", name, out)
		}
		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			l := slog.New(h)
			l.Info("made", "it", v, slog.Group("in", "it", v))
			l.With("it", v).Info("made", slog.Any("it", v))
		}
		if leaks(log.String()) {
			t.Errorf("%s: %s", name, log.String())
		}
		b, err := json.Marshal(v)
		if err == nil && leaks(string(b)) {
			t.Errorf("%s: %s", name, b)
		}
	}
	// The search finds what is there to be found.
	for _, verb := range []string{"%v", "%#v", "%x", "%s", "%q"} {
		if !leaks(fmt.Sprintf(verb, bytes.Repeat([]byte{0xa5}, SecretSize))) {
			t.Errorf("%s is not searched for", verb)
		}
	}
}

// TestSecretsAreNotComparable: == on a secret does not compile, and neither
// does it as a key of a map. reflect sees the same.
func TestSecretsAreNotComparable(t *testing.T) {
	for _, v := range []any{Secret{}, Term{}, Proof{}, Member{}, MemberTerm{}, Chain{}, Keys{}, Encapsulated{}} {
		if typ := reflect.TypeOf(v); typ.Comparable() {
			t.Errorf("%v can be compared with ==", typ)
		}
	}
}

func TestSecret(t *testing.T) {
	s, other := secretOf("a"), secretOf("b")
	copied := s
	if !s.Equal(&copied) || s.Equal(&other) || s.IsZero() {
		t.Error("Equal or IsZero")
	}
	b := s.Bytes()
	b[0] ^= 1
	if !s.Equal(&copied) {
		t.Error("Bytes is not a copy")
	}
	if again, err := SecretFromBytes(s.Bytes()); err != nil || !again.Equal(&s) {
		t.Error(err)
	}
	for _, n := range []int{0, 31, 33, 64} {
		_, err := SecretFromBytes(make([]byte, n))
		if err == nil || leaks(err.Error()) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	s.Erase()
	if !s.IsZero() || copied.IsZero() {
		t.Error("Erase")
	}
	if _, err := NewSecret(bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("a short source:", err)
	}
}
