package kms

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"coterie/crypto/abe"
)

func array(t *rapid.T, name string) (a [32]byte) {
	copy(a[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name))
	return a
}

// anyEntry draws entries of every kind and form.
func anyEntry(t *rapid.T) *entry {
	e := &entry{prev: array(t, "prev"), kind: uint8(rapid.IntRange(kindCreated, kindRevoked).Draw(t, "kind")),
		time: rapid.Int64Range(0, maxTime).Draw(t, "time")}
	switch e.kind {
	case kindCreated:
		e.generation, e.limit = rapid.Uint32().Draw(t, "generation"), rapid.Uint32().Draw(t, "limit")
	case kindIssued:
		e.renews, e.check = rapid.Uint64().Draw(t, "renews"), Check(rapid.IntRange(0, int(Unchecked)).Draw(t, "check"))
		e.number, e.generation = rapid.Uint64().Draw(t, "number"), rapid.Uint32().Draw(t, "generation")
		e.from, e.expires = abe.Day(rapid.Uint32().Draw(t, "from")), abe.Day(rapid.Uint32().Draw(t, "expires"))
		e.file = array(t, "file")
		if as := rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, "attributes"); len(as) > 0 {
			e.attributes = as
		}
		if rapid.Bool().Draw(t, "forgotten") {
			e.person = person{form: personForgotten, commitment: array(t, "commitment")}
		} else {
			e.person = person{form: personKept, salt: array(t, "salt"), name: rapid.String().Draw(t, "name"),
				recipient: rapid.String().Draw(t, "recipient")}
		}
	case kindVoid:
		e.number, e.reason = rapid.Uint64().Draw(t, "number"), rapid.Byte().Draw(t, "reason")
	case kindRaised:
		e.generation = rapid.Uint32().Draw(t, "generation")
	case kindMarked:
		e.number, e.end, e.because = rapid.Uint64().Draw(t, "number"), rapid.Bool().Draw(t, "end"), rapid.String().
			Draw(t, "because")
	case kindRevoked:
		e.number, e.notice = rapid.Uint64().Draw(t, "number"), rapid.Uint32().Draw(t, "notice")
		if serials := rapid.SliceOfN(rapid.Uint64(), 0, abe.MaxRevoked).Draw(t, "serials"); len(serials) > 0 {
			e.serials = serials
		}
	case kindTorn:
		e.number, e.torn = rapid.Uint64().Draw(t, "number"), rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "torn")
	}
	return e
}

func TestEntriesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEntry(t)
		data, err := e.marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseEntry(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v came back as %+v", e, again)
		}
		// No part of it can be left off, and nothing can follow.
		if _, err := parseEntry(data[:rapid.IntRange(0, len(data)-1).Draw(t, "cut")]); err == nil {
			t.Fatal("a part of an entry is an entry")
		}
		if _, err := parseEntry(append(data, 0)); err == nil {
			t.Fatal("more than an entry is an entry")
		}
	})
}

// Erasing the person keeps the hash; changing anything else does not.
func TestForgettingKeepsTheChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEntry(t)
		before, err := e.hash()
		if err != nil {
			t.Fatal(err)
		}
		forgotten := *e
		if e.person.form == personKept {
			forgotten.person = person{form: personForgotten, commitment: e.person.commit()}
		}
		data, err := forgotten.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := forgotten.hash(); after != before {
			t.Fatal("forgetting the person changed the hash")
		}
		if e.person.form == personKept && len(e.person.name) > 4 && bytes.Contains(data, []byte(e.person.name)) {
			t.Fatal("the name is still there")
		}
		other := *e
		other.prev[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		if h, _ := other.hash(); h == before {
			t.Fatal("another predecessor has the same hash")
		}
		other = *e
		other.time ^= 1
		if h, _ := other.hash(); h == before {
			t.Fatal("another time has the same hash")
		}
		if e.person.form == personKept {
			other = *e
			other.person.name, other.person.recipient = e.person.name+"x", e.person.recipient
			h, _ := other.hash()
			// What moves from one field to the next is another person.
			other.person.name, other.person.recipient = e.person.name, "x"+e.person.recipient
			if g, _ := other.hash(); h == before || g == before || h == g {
				t.Fatal("another person has the same hash")
			}
		}
	})
}

func TestNewerEntryIsNamed(t *testing.T) {
	e := &entry{kind: kindCreated}
	data, err := e.marshal()
	if err != nil {
		t.Fatal(err)
	}
	data[32+3] = 200
	if _, err := parseEntry(data); !errors.Is(err, errNewerEntry) {
		t.Errorf("an unknown kind gives %v", err)
	}
}

func FuzzEntry(f *testing.F) {
	for _, e := range []*entry{
		{kind: kindCreated, generation: 1},
		{kind: kindIssued, number: 1, attributes: []string{"NTNU"}, person: person{form: personKept, name: "Kari"}},
		{kind: kindIssued, number: 2, person: person{form: personForgotten}},
		{kind: kindVoid, number: 1, reason: 1},
		{kind: kindTorn, number: 3, torn: []byte("AAAA")},
	} {
		data, err := e.marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEntry(data)
		if err != nil {
			return
		}
		again, err := e.marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x is read and written as %x, %v", data, again, err)
		}
	})
}
