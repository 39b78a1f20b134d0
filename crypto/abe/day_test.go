package abe

import (
	"testing"
	"time"
)

func TestDay(t *testing.T) {
	d := DayOf(time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC))
	if d.String() != "2026-11-23" || d != 20780 || !d.Start().Equal(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) {
		t.Error(d, uint32(d), d.Start())
	}
	if DayOf(time.Date(2026, 11, 24, 0, 30, 0, 0, time.FixedZone("CET", 3600))) != d {
		t.Error("a day is not that of UTC")
	}
	if DayOf(time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)) != 0 || maxDay.String() != "9999-12-31" ||
		DayOf(time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)) != maxDay {
		t.Error("the ends")
	}
	for _, d := range []Day{0, 1, 20780, maxDay} {
		if back, err := ParseDay(d.String()); err != nil || back != d {
			t.Error(d, back, err)
		}
	}
	for _, s := range []string{"", "2026-11-31", "1969-12-31", "26-11-23", "2026-11-23 ", "2026-1-2", "31.12.26"} {
		if _, err := ParseDay(s); err == nil {
			t.Errorf("%q is a day", s)
		}
	}
}

// TestDayBlocks: a key's blocks and an encapsulation's four meet exactly on the
// days of the key's span.
func TestDayBlocks(t *testing.T) {
	r := dice(3)
	longest := 0
	spans := [][2]Day{{0, 1}, {0, MaxSpan}, {511, 513}, {maxDay - 5, maxDay}, {1, 1 + MaxSpan}, {513, 513 + MaxSpan}}
	for range 300 {
		from := Day(r.UintN(30_000))
		spans = append(spans, [2]Day{from, from + 1 + Day(r.UintN(MaxSpan))})
	}
	for _, span := range spans {
		from, end := span[0], span[1]
		held := map[string]bool{}
		at := from
		for _, b := range cover(from, end) {
			held[b.label()] = true
			if b.size*b.index != at {
				t.Fatalf("%d to %d: a block of %d begins at %d, not %d", from, end, b.size, b.size*b.index, at)
			}
			at += b.size
		}
		if at != end {
			t.Fatalf("%d to %d: covered to %d", from, end, at)
		}
		longest = max(longest, len(held))
		for d := max(from, 600) - 600; d < end+600; d++ {
			met := 0
			for _, b := range blocksOf(d) {
				if held[b.label()] {
					met++
				}
			}
			if valid := from <= d && d < end; valid != (met > 0) || met > 1 {
				t.Fatalf("%d to %d: day %d meets %d blocks", from, end, d, met)
			}
		}
	}
	// 7 blocks of 1, 8 and 64 days on either side of 3 of 512.
	if longest > 7*6+3 {
		t.Errorf("a span took %d blocks", longest)
	}
}

// TestCoverIsLeast compares with a search over all covers by aligned blocks.
func TestCoverIsLeast(t *testing.T) {
	const most = 700
	for _, from := range []Day{0, 1, 7, 8, 63, 64, 100, 505, 511, 512, 1000} {
		least := make([]int, most+1) // of [from, from+n)
		for n := 1; n <= most; n++ {
			end := from + Day(n)
			least[n] = n
			for _, size := range blockSizes {
				if Day(n) >= size && (end-size)%size == 0 {
					least[n] = min(least[n], least[n-int(size)]+1)
				}
			}
			if got := len(cover(from, end)); got != least[n] {
				t.Fatalf("%d to %d: %d blocks, %d would do", from, end, got, least[n])
			}
		}
	}
}
