package people

import (
	"testing"
	"time"
)

// TestInText: a name is found as a word, whatever the case and the accents, and a
// tag anywhere.
func TestInText(t *testing.T) {
	n := NewNames("a peer")
	n.Take("a peer", "kari", time.Time{})
	for said, want := range map[string]bool{
		"hello kari": true, "hello Kári!": true, "karin": false, "x_kari": false, "to " + n.Tag("a peer"): true, "": false,
	} {
		if got := n.InText("a peer", said); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}
