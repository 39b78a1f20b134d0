package ake

import (
	"bytes"
	"errors"
	"testing"
)

// keyAt is the message key of a counter, by the page: PROTOCOL.md §9.
func keyAt(text string, counter uint64) Secret {
	cid := hashOf(text)
	chain := Expand(Expand(secretOf(text), "coterie/2 chains"), "coterie/2 chain", cid[:])
	for i := uint64(1); i < counter; i++ {
		chain = Expand(chain, "coterie/2 next")
	}
	return Expand(chain, "coterie/2 key")
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

// TestChain: the author's keys are the readers', each once.
func TestChain(t *testing.T) {
	author, reader := chainOf("a"), chainOf("a")
	for want := uint64(1); want <= 20; want++ {
		counter, key := author.Next()
		byPage := keyAt("a", want)
		if counter != want || !key.Equal(&byPage) {
			t.Fatalf("counter %d", counter)
		}
		for range 2 { // looking does not use it up
			got, err := reader.Peek(counter)
			if err != nil || !got.Equal(&key) {
				t.Fatalf("%d: %v", counter, err)
			}
		}
		reader.Use(counter)
		if _, err := reader.Peek(counter); !errors.Is(err, ErrSpent) {
			t.Errorf("%d is there after it was used: %v", counter, err)
		}
		if _, err := author.Peek(counter); !errors.Is(err, ErrSpent) {
			t.Errorf("%d is there after it was taken: %v", counter, err)
		}
	}
}

// TestChainOutOfOrder: any order of arrival, every key once.
func TestChainOutOfOrder(t *testing.T) {
	r := dice(1)
	for range 20 {
		c := chainOf("order")
		n := 1 + r.IntN(60)
		for _, i := range r.Perm(n) {
			counter := uint64(i + 1)
			want := keyAt("order", counter)
			if got, err := c.Peek(counter); err != nil || !got.Equal(&want) {
				t.Fatalf("%d of %d: %v", counter, n, err)
			}
			c.Use(counter)
			c.Use(counter) // a second time changes nothing
			if _, err := c.Peek(counter); !errors.Is(err, ErrSpent) {
				t.Fatalf("%d of %d, used: %v", counter, n, err)
			}
		}
		if len(c.skipped) != 0 || c.next != uint64(n+1) {
			t.Fatalf("%d keys left, next is %d", len(c.skipped), c.next)
		}
	}
}

// TestJunkCounters: a counter that is too far ahead, or was, changes nothing and
// costs nothing; the greatest are no way around.
func TestJunkCounters(t *testing.T) {
	c := chainOf("junk")
	c.Use(1)
	for counter, want := range map[uint64]error{
		0: ErrSpent, 1: ErrSpent, 2: nil, 2 + MaxSkip: nil, 3 + MaxSkip: ErrSkip, 1 << 32: ErrSkip, 1 << 63: ErrSkip,
		1<<64 - 1: ErrSkip,
	} {
		if _, err := c.Peek(counter); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", counter, err, want)
		}
		if want != nil {
			c.Use(counter)
		}
	}
	if c.next != 2 || len(c.skipped) != 0 {
		t.Errorf("next is %d, %d keys are kept", c.next, len(c.skipped))
	}
}

// TestSkipLimit: at most MaxSkip keys are kept, and the oldest make room.
func TestSkipLimit(t *testing.T) {
	c := chainOf("skip")
	c.Use(1 + MaxSkip)
	if len(c.skipped) != MaxSkip {
		t.Fatalf("%d keys are kept", len(c.skipped))
	}
	if _, err := c.Peek(1); err != nil {
		t.Error(err)
	}
	c.Use(5)
	c.Use(1 + MaxSkip + 3) // two more, for one that was used: the oldest goes
	if len(c.skipped) != MaxSkip {
		t.Errorf("%d keys are kept", len(c.skipped))
	}
	for counter, want := range map[uint64]error{1: ErrSpent, 2: nil, 5: ErrSpent, 6: nil, MaxSkip: nil, 2 + MaxSkip: nil,
		3 + MaxSkip: nil, 4 + MaxSkip: ErrSpent} {
		k, err := c.Peek(counter)
		if !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", counter, err, want)
		}
		if byPage := keyAt("skip", counter); want == nil && !k.Equal(&byPage) {
			t.Errorf("%d: another key", counter)
		}
	}
}

type sentMessage struct {
	index          uint32
	counter        uint64
	step           uint16
	sealed, header []byte
	epoch, room    Hash
	guard          [GuardSize]byte
}

// send seals a message and its header.
func (m *sentMessage) send(t testing.TB, k *Keys, key Secret, content []byte) {
	t.Helper()
	var err error
	if m.sealed, err = SealMessage(key, m.room, m.epoch, m.guard, content); err != nil {
		t.Fatal(err)
	}
	if m.header, err = k.SealHeader(m.room, m.epoch, m.step, m.guard, m.sealed, m.index, m.counter); err != nil {
		t.Fatal(err)
	}
}

func send(t testing.TB, k *Keys, key Secret, index uint32, counter uint64, content []byte) sentMessage {
	t.Helper()
	m := sentMessage{index: index, counter: counter, step: 2, epoch: hashOf("E"), room: hashOf("room"),
		guard: [GuardSize]byte{1, 2, 3, byte(counter)}}
	m.send(t, k, key, content)
	return m
}

// TestMessage: what is sealed opens, in its room and epoch, and nowhere else.
func TestMessage(t *testing.T) {
	k := NewKeys(secretOf("secret"), nil)
	key := secretOf("message key")
	m := send(t, k, key, 7, 9, make([]byte, 256))
	content, err := OpenMessage(key, m.room, m.epoch, m.guard, m.sealed)
	if err != nil || !bytes.Equal(content, make([]byte, 256)) {
		t.Fatal(err)
	}
	index, counter, err := k.OpenHeader(m.room, m.epoch, m.step, m.guard, m.sealed, m.header)
	if err != nil || index != 7 || counter != 9 {
		t.Fatal(index, counter, err)
	}
	others := NewKeys(secretOf("another secret"), nil)
	for what, change := range map[string]func(k *Keys, key *Secret, m *sentMessage) *Keys{
		"another room":  func(k *Keys, _ *Secret, m *sentMessage) *Keys { m.room[0] ^= 1; return k },
		"another epoch": func(k *Keys, _ *Secret, m *sentMessage) *Keys { m.epoch[0] ^= 1; return k },
		"another guard": func(k *Keys, _ *Secret, m *sentMessage) *Keys { m.guard[0] ^= 1; return k },
		"another text":  func(k *Keys, _ *Secret, m *sentMessage) *Keys { m.sealed[0] ^= 1; return k },
		"cut": func(k *Keys, _ *Secret, m *sentMessage) *Keys {
			m.sealed, m.header = m.sealed[:31], m.header[:27]
			return k
		},
		"nothing":     func(k *Keys, _ *Secret, m *sentMessage) *Keys { m.sealed, m.header = nil, nil; return k },
		"another key": func(_ *Keys, key *Secret, _ *sentMessage) *Keys { *key = secretOf("x"); return others },
	} {
		bad, otherKey := m, key
		bad.sealed, bad.header = bytes.Clone(m.sealed), bytes.Clone(m.header)
		keys := change(k, &otherKey, &bad)
		if _, err := OpenMessage(otherKey, bad.room, bad.epoch, bad.guard, bad.sealed); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", what, err)
		}
		if _, _, err := keys.OpenHeader(bad.room, bad.epoch, bad.step, bad.guard, bad.sealed, bad.header); !errors.Is(err,
			ErrMessage) {
			t.Errorf("%s, header: %v", what, err)
		}
	}
	for at := range m.header {
		bad := bytes.Clone(m.header)
		bad[at] ^= 1
		if _, _, err := k.OpenHeader(m.room, m.epoch, m.step, m.guard, m.sealed, bad); !errors.Is(err, ErrMessage) {
			t.Errorf("byte %d of the header: %v", at, err)
		}
	}
	if _, err := k.SealHeader(m.room, m.epoch, m.step, m.guard, make([]byte, sampleSize-1), 0, 1); !errors.Is(err,
		ErrMessage) {
		t.Error("a header for what is no message:", err)
	}
}

// TestHeaderHides: who holds no key of the epoch learns neither author nor
// counter: headers have one size, show no two messages to be of one author, and
// fit one message alone.
func TestHeaderHides(t *testing.T) {
	k := NewKeys(secretOf("secret"), []Hash{hashOf("a"), hashOf("b")})
	outsider := NewKeys(secretOf("guess"), []Hash{hashOf("a"), hashOf("b")})
	var all []sentMessage
	for i := range 2 {
		for range 20 {
			counter, key := k.Chain(i).Next()
			all = append(all, send(t, k, key, uint32(i), counter, make([]byte, 256)))
		}
	}
	// The same author and counter under two chains of one key, as after a lost
	// place: another guard makes another text, and so another header.
	c := chainOf("twice")
	_, key := c.Next()
	a, b := send(t, k, key, 0, 1, make([]byte, 256)), send(t, k, key, 0, 1, make([]byte, 256))
	b.guard[0] ^= 1
	b.sealed, _ = SealMessage(key, b.room, b.epoch, b.guard, make([]byte, 256))
	b.header, _ = k.SealHeader(b.room, b.epoch, b.step, b.guard, b.sealed, 0, 1)
	all = append(all, a, b)
	for i, m := range all {
		if len(m.header) != HeaderSize || len(m.sealed) != 256+16 {
			t.Fatalf("header of %d bytes, message of %d", len(m.header), len(m.sealed))
		}
		if _, _, err := outsider.OpenHeader(m.room, m.epoch, m.step, m.guard, m.sealed, m.header); !errors.Is(err,
			ErrMessage) {
			t.Error("an outsider opens a header")
		}
		for _, other := range all[:i] {
			for at := 0; at+4 <= HeaderSize; at++ {
				if bytes.Equal(m.header[at:at+4], other.header[at:at+4]) {
					t.Errorf("headers %d and another share bytes %d to %d", i, at, at+4)
				}
			}
			if _, _, err := k.OpenHeader(m.room, m.epoch, m.step, m.guard, m.sealed, other.header); !errors.Is(err, ErrMessage) {
				t.Error("a header fits another message")
			}
		}
	}
}
