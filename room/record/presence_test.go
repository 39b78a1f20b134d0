package record

import (
	"bytes"
	"errors"
	"testing"
)

// signAny signs a presence as it is, as a hostile peer can.
func (p *person) signAny(n Presence) *Presence {
	n.Working = publicOf(p.working)
	copy(n.Signature[:], sign(p.working, "presence", testRoom, n.body(nil)))
	return &n
}

// TestPresenceAddressOfAnotherVersion: a presence with an address of a protocol
// that this build does not know was no record, and a peer that passed it on was
// cut off; so two versions of a library would have parted a room.
func TestPresenceAddressOfAnotherVersion(t *testing.T) {
	ann := newPerson("ann")
	p := *ann.presence
	p.Addresses = [][]byte{{0xff, 0xff, 0x03, 1, 2, 3}}
	b := ann.signAny(p).Append(nil)
	got, err := ParsePresence(b)
	if err != nil || !bytes.Equal(got.Append(nil), b) || got.Verify(testRoom) != nil {
		t.Error(err)
	}
}

// TestPresenceForm: everything about addresses and flags that is refused.
func TestPresenceForm(t *testing.T) {
	ann := newPerson("ann")
	long := bytes.Repeat([]byte{9}, MaxAddressSize)
	var nine [][]byte
	for i := range MaxAddresses + 1 {
		nine = append(nine, []byte{byte(i)})
	}
	for what, a := range map[string][][]byte{
		"none": nil, "one": {{1}}, "the longest": {long}, "eight": nine[:MaxAddresses], "prefixes": {{1}, {1, 1}, {2}},
	} {
		p := *ann.presence
		p.Addresses = a
		if _, err := ParsePresence(ann.signAny(p).Append(nil)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, a := range map[string][][]byte{
		"nine": nine, "an empty one": {{}}, "an empty one first": {{}, {1}}, "too long": {append(long, 9)},
		"out of order": {{2}, {1}}, "twice": {{1}, {1}}, "prefix last": {{1, 1}, {1}},
	} {
		p := *ann.presence
		p.Addresses = a
		if _, err := ParsePresence(ann.signAny(p).Append(nil)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for flags := range 256 {
		b := ann.presence.Append(nil)
		b[keySize+8] = byte(flags)
		p, err := ParsePresence(b)
		if (flags > 2) != errors.Is(err, ErrForm) {
			t.Errorf("flags %#x: %v", flags, err)
		}
		if err == nil && (p.Left != (flags == 1) || p.Away != (flags == 2)) {
			t.Errorf("flags %#x: left is %t, away %t", flags, p.Left, p.Away)
		}
	}
}

// TestPresenceSign: what a node signs is what others take, whatever addresses
// it was given.
func TestPresenceSign(t *testing.T) {
	ann := newPerson("ann")
	given := [][]byte{{3}, {}, {1}, {3}, bytes.Repeat([]byte{1}, 257), {2}, {7}, {6}, {5}, {4}, {9}, {8}, {10}}
	p := &Presence{Serial: 1, Addresses: given}
	p.Sign(testRoom, ann.working)
	got, err := ParsePresence(p.Append(nil))
	if err != nil || got.Verify(testRoom) != nil || len(got.Addresses) != MaxAddresses {
		t.Errorf("%v, %d addresses", err, len(got.Addresses))
	}
	if given[0][0] != 3 || len(given) != 13 || got.ID() != p.ID() {
		t.Error("Sign changed what it was given")
	}
}

// TestNameForm: names are short and UTF-8.
func TestNameForm(t *testing.T) {
	ann := newPerson("ann")
	for text, ok := range map[string]bool{
		"": true, "ann": true, string(bytes.Repeat([]byte("æ"), 48)): true,
		string(bytes.Repeat([]byte("a"), 97)): false, "\xff": false, "a\xc3": false, "\xed\xa0\x80": false, "\xc0\x80": false,
	} {
		n := &Name{Serial: 1, Text: text}
		n.Sign(testRoom, ann.working)
		got, err := ParseName(n.Append(nil))
		if ok != (err == nil) || ok && (got.Text != text || got.Verify(testRoom) != nil) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestKeysOfSmallOrderAreRefused: under such a key one signature fits every
// message, and one secret every peer. The encodings are in package ake's tests;
// here it is that every record is asked.
func TestKeysOfSmallOrderAreRefused(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	var identity, zero [32]byte
	identity[0] = 1
	for what, low := range map[string][32]byte{"the identity": identity, "order 4": zero} {
		for field, set := range map[string]func(*Contribution){
			"identity": func(c *Contribution) { c.Identity = low },
			"working":  func(c *Contribution) { c.Working = low },
		} {
			c := *ann.contribution
			set(&c)
			if _, err := ParseContribution(c.Append(nil)); !errors.Is(err, ErrForm) {
				t.Errorf("contribution, %s, %s: %v", field, what, err)
			}
		}
		j := newJoin(ann, bob)
		c := *bob.contribution
		c.Working = low
		j.Contribution = &c
		if _, err := ParseJoin(j.Append(nil)); !errors.Is(err, ErrForm) {
			t.Errorf("join, %s: %v", what, err)
		}
	}
}
