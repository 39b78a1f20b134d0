package people

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
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

// TestHearsayTakesNoName: what somebody tells of before, who may have made it up, makes nobody
// be forgotten who was here, and nobody look like a latecomer.
func TestHearsayTakesNoName(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	n := NewNames("self")
	n.Hear("made up", "bob", at)
	n.Take("ann", "ann", at)
	n.Take("bob", "bob", at)
	if like, ok := n.Like("bob"); ok {
		t.Errorf("bob looks like %q, of whom somebody told", like)
	}
	if like, ok := n.Like("made up"); !ok || like != "bob" || n.Show("bob") == "bob" || n.Show("made up") == "bob" {
		t.Errorf("who was made up looks like %q, and is shown as %s beside %s", like, n.Show("made up"), n.Show("bob"))
	}
	for i := range 2 * maxPeers {
		n.Hear(peer.ID(fmt.Sprint("made up ", i)), fmt.Sprint("nobody ", i), at.Add(time.Minute))
	}
	n.Take("eve", "ann", at.Add(2*time.Minute))
	n.Take("ann", "ann", at.Add(3*time.Minute))
	if like, ok := n.Like("ann"); ok {
		t.Errorf("ann looks like %q", like)
	}
	if like, ok := n.Like("eve"); !ok || like != "ann" {
		t.Error("who takes the name of ann is not marked")
	}
	// Who is seen is here from then on.
	n.Hear("cyn", "cyn", at)
	n.Take("cyn", "cyn", at.Add(4*time.Minute))
	n.Take("eve", "cyn", at.Add(5*time.Minute))
	if like, ok := n.Like("eve"); !ok || like != "cyn" {
		t.Error("who takes the name of cyn is not marked")
	}
	if len(n.peers) > maxPeers {
		t.Error("no bound")
	}
}
