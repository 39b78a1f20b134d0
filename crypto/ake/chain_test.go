package ake

import (
	"errors"
	"testing"
)

// keyAt is the message key of a counter, by the page: PROTOCOL.md §9.
func keyAt(text string, counter uint64) Secret {
	cid := hashOf(text)
	chain := Expand(secretOf(text), "coterie/1 chain", cid[:])
	for i := uint64(1); i < counter; i++ {
		chain = Expand(chain, "coterie/1 next")
	}
	return Expand(chain, "coterie/1 key")
}

// TestJumpingAuthor: an author who signs messages whose counters leap by the
// most that is allowed made each further one cost as many map operations as the
// counter is great. Now each counter is looked at once.
func TestJumpingAuthor(t *testing.T) {
	c := chainOf("jumping")
	const leaps = 200
	for range leaps {
		c.Use(c.next + MaxSkip)
		if len(c.skipped) > MaxSkip {
			t.Fatalf("%d keys are kept", len(c.skipped))
		}
	}
	if c.oldest <= (leaps-1)*MaxSkip {
		t.Errorf("after %d counters the next search begins at %d", c.next, c.oldest)
	}
	if least := c.next - MaxSkip - 1; c.oldest > least {
		t.Errorf("keys from %d are kept, the search begins at %d", least, c.oldest)
	}
}

// TestErasedSkippedKeys: what erased a skipped key erased a copy of it.
func TestErasedSkippedKeys(t *testing.T) {
	c := chainOf("skipped")
	c.Use(5)
	used, left := c.skipped[2], c.skipped[3]
	c.Use(2)
	if !used.IsZero() {
		t.Error("a used key is still there")
	}
	c.Erase()
	if !left.IsZero() || !c.key.IsZero() || len(c.skipped) != 0 {
		t.Error("an erased chain still has keys")
	}
}

// TestChainAfterErase: an erased chain went on from a key of zeros, which
// everybody can derive from.
func TestChainAfterErase(t *testing.T) {
	c := chainOf("after erase")
	c.Use(3)
	c.Erase()
	c.Use(2)
	c.Use(7)
	for _, counter := range []uint64{0, 1, 2, 4, 5} {
		if _, err := c.Peek(counter); !errors.Is(err, ErrSpent) {
			t.Errorf("%d: %v", counter, err)
		}
	}
	mustPanic(t, "Next", func() { c.Next() })
}
