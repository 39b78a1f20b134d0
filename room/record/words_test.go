package record

import (
	"strings"
	"testing"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// longPolicy is a policy of so many bytes, in canonical text.
func longPolicy(n int) string {
	p := `"x"`
	for n-len(p) > 140 {
		p += ` or "` + strings.Repeat("y", 100) + `"`
	}
	return p + ` or "` + strings.Repeat("z", n-len(p)-6) + `"`
}

// TestWordsFit: what MaxWords says there is room for makes a message, and one byte more
// does not; policies up to the limits are taken.
func TestWordsFit(t *testing.T) {
	ann := newPerson("ann")
	for _, source := range []string{`"Professor"`, "age >= 18", "age >= 1", longPolicy(MaxWordsPolicy), `2 of ("a", "b", "c") and dept != X`} {
		p, err := abe.ParsePolicy(source)
		if err != nil {
			t.Fatal(err)
		}
		most := MaxWords(p)
		if most < 254 {
			t.Errorf("%.30s: %d bytes", source, most)
			continue
		}
		w := newWords(ann, func(w *Words) {
			w.Policy = p.String()
			w.Encapsulation = make([]byte, p.CiphertextSize(ake.WordsPlain))
			w.Sealed = make([]byte, most+2+16)
		})
		if len(w.Text) > MaxText {
			t.Errorf("%.30s: a text of %d bytes", source, len(w.Text))
		}
		if got, err := ParseLog(w.AppendLog(nil)); err != nil || got.Text != w.Text {
			t.Errorf("%.30s: %v", source, err)
		}
		if longer := len(w.Text) + most + 2; longer <= MaxText && most < 8190 {
			t.Errorf("%.30s: more would fit", source)
		}
	}
}
