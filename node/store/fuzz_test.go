package store

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
)

// FuzzOpen opens files of which one was changed and cut: edits are (u24 place, u8 value) each. It
// must open with what was in them, or give
// an error of its own; anything else would be a crash of whoever opens it.
func FuzzOpen(f *testing.F) {
	cfg, want := filled(f, 30)
	files := readFiles(f, cfg)
	names := slices.Sorted(maps.Keys(files))
	for i, name := range names {
		size := uint32(len(files[name]))
		f.Add(uint8(i), []byte{}, size)
		f.Add(uint8(i), []byte{}, size/2)
		for _, at := range []byte{0, 5, 15, 20, 60, 150} {
			f.Add(uint8(i), []byte{0, 0, at, 0xff}, size)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte, size uint32) {
		name := names[int(which)%len(names)]
		data := slices.Clone(files[name])
		for len(edits) >= 4 && len(edits) < 400 {
			if at := int(binary.BigEndian.Uint32(edits) >> 8); at < len(data) {
				data[at] = edits[3]
			}
			edits = edits[4:]
		}
		m := maps.Clone(files)
		m[name] = data[:min(len(data), int(size))]
		got, err := damagedOpen(t, cfg, m)
		switch {
		case err != nil && !isTyped(err):
			t.Fatal(err)
		case err != nil && strings.HasSuffix(name, indexSuffix):
			t.Fatal(err)
		case err == nil && !slices.Equal(got, want):
			t.Fatalf("%d messages of %d", len(got), len(want))
		}
	})
}

// FuzzLog reads a log somebody else wrote, after a good beginning: no entry
// comes out that we did not write, in any other order, or after one that is
// missing.
func FuzzLog(f *testing.F) {
	s := newSealer(testKey, testRoom, [32]byte{3})
	var whole []byte
	for i := range uint64(3) {
		e := message(epochA, 1, i+1)
		whole = appendRecord(whole, s, i+1, 0, e.appendTo(nil))
	}
	f.Add(uint16(len(whole)), []byte{})
	f.Add(uint16(len(whole)), whole)
	f.Add(uint16(0), whole)
	f.Add(uint16(200), []byte("x"))
	f.Add(uint16(0), make([]byte, 100))
	f.Fuzz(func(t *testing.T, keep uint16, more []byte) {
		data := slices.Concat(whole[:min(len(whole), int(keep))], more)
		next := uint64(1)
		good, ok := parseLog(s, data, 1, func(r record) {
			if r.entry.Arrival != next || r.entry.Counter != next {
				t.Fatalf("%+v, want number %d", r.entry, next)
			}
			next++
		})
		if good > len(data) || ok && good < len(data) && !unwritten(data, good) && good < len(data)-recordHeader {
			t.Fatalf("%d of %d bytes, %v", good, len(data), ok)
		}
	})
}
