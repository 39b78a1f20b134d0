package store

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"
)

// FuzzOpen opens a database in which some bytes were changed, and which was cut:
// edits are (u24 place, u8 value) each. It must open with what was in it, or give
// an error of its own; anything else would be a crash of whoever opens it.
func FuzzOpen(f *testing.F) {
	cfg, want := filled(f, 60)
	whole, err := os.ReadFile(cfg.Path)
	must(f, err)
	edit := func(places ...int) (b []byte) {
		for _, p := range places {
			b = append(b, byte(p>>16), byte(p>>8), byte(p), 0xff)
		}
		return b
	}
	f.Add([]byte{}, uint32(len(whole)))
	f.Add([]byte{}, uint32(3*pageSize))
	for page := range len(whole) / pageSize {
		f.Add(edit(page*pageSize+8), uint32(len(whole)))
		f.Add(edit(page*pageSize+10, page*pageSize+pageHeader+8), uint32(len(whole)))
		f.Add(edit(page*pageSize+pageHeader+4), uint32(len(whole)))
	}
	f.Fuzz(func(t *testing.T, edits []byte, size uint32) {
		data := slices.Clone(whole)
		meta := false
		for len(edits) >= 4 && len(edits) < 400 {
			at := int(binary.BigEndian.Uint32(edits) >> 8)
			if at < len(data) {
				data[at] = edits[3]
				meta = meta || at < 2*pageSize
			}
			edits = edits[4:]
		}
		got, err := damagedOpen(t, cfg, data[:min(len(data), int(size))])
		switch {
		case err != nil && !isTyped(err) && !errors.Is(err, ErrKey):
			t.Fatal(err)
		case err == nil && !meta && !slices.Equal(got, want):
			t.Fatalf("%d messages of %d", len(got), len(want))
		}
	})
}

// FuzzTail reads a tail somebody else wrote, after a good beginning: no batch
// comes out that we did not write, in any other order, or after one that is
// missing.
func FuzzTail(f *testing.F) {
	s := newSealer(testKey, testRoom, [32]byte{3})
	var whole []byte
	for i := range uint64(3) {
		e := message(epochA, 1, i+1)
		whole = appendRecord(whole, s, i+1, e.appendTo(nil))
	}
	f.Add(uint16(len(whole)), []byte{})
	f.Add(uint16(len(whole)), whole)
	f.Add(uint16(0), whole)
	f.Add(uint16(200), []byte("x"))
	f.Add(uint16(0), make([]byte, 100))
	f.Fuzz(func(t *testing.T, keep uint16, more []byte) {
		data := slices.Concat(whole[:min(len(whole), int(keep))], more)
		batches, good, ok := parseTail(s, data)
		if good > len(data) || ok && good < len(data) && !unwritten(data, good) {
			t.Fatalf("%d of %d bytes, %v", good, len(data), ok)
		}
		for i, b := range batches {
			if i > 0 && b.seq != batches[i-1].end() || len(b.entries) != 1 || b.entries[0].Counter != b.seq {
				t.Fatalf("batch %d: %+v", i, b)
			}
		}
	})
}
