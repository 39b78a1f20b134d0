package ui

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"coterie/room"
)

var talk = []string{
	"hei", "who has the old exam sets?", "2019 to 2022 are on the shelf, behind the printer that has been broken since " +
		"the summer",
	"blåbærsyltetøy på brødskiva, takk", strings.Repeat("a longer one that has to be wrapped into several lines on the "+
		"screen ", 4),
	"東京 and 👩\u200d👩\u200d👧", "kari: see page 14", "https://example.org/a/long/path?with=query",
}

func busy(t testing.TB, width, height, messages int) *stage {
	s := newStage(t, width, height, func(c *Config) { c.Lines = 100_000 })
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf, mAnon)
	s.do(fine(mAnn, mKari, mProf, mAnon))
	for i := range messages {
		s.say([]room.Member{mAnn, mProf, mAnon}[i%3], fmt.Sprintf("%d %s", i, talk[i%len(talk)]))
	}
	return s
}

// BenchmarkKey is the time from a key press to the screen while a thousand
// messages a second arrive: ten of them come before each key, and the frame is
// drawn for both. It reports the slowest in a hundred beside the mean.
func BenchmarkKey(b *testing.B) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {300, 100}} {
		b.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(b *testing.B) {
			s := busy(b, size.w, size.h, 10_000)
			var times []time.Duration
			i := 0
			for b.Loop() {
				var batch Events
				for range 10 {
					i++
					d := room.Delivered{Author: mAnn, Received: s.now, Epoch: s.m.room.Epoch.ID}
					d.ID[0], d.ID[1], d.ID[2] = byte(i), byte(i>>8), byte(i>>16)
					d.Message.Text, d.Message.Time, d.Message.Lamport = fmt.Sprintf("%d %s", i, talk[i%len(talk)]), uint64(
						s.now.UnixMilli()), uint64(i)
					batch = append(batch, d)
				}
				began := time.Now()
				s.do(batch)
				s.m.View()
				s.m.Update(tea.KeyPressMsg{Code: 'a', Text: "a"})
				v := s.m.View()
				cellsOf(v.Content, size.w, size.h, s.m.method)
				times = append(times, time.Since(began))
				if i%500 == 0 {
					s.m.input.clear()
				}
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms/p99")
			b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "ms/max")
		})
	}
}

// BenchmarkScrollback is what 100,000 messages take in memory, with all of them
// drawn once.
func BenchmarkScrollback(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := busy(b, 120, 40, 100_000)
		s.press("alt+home")
		for range 3000 {
			s.press("pgdown")
			s.m.View()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		if n := len(s.m.log.entries); n < 100_000 {
			b.Fatalf("%d entries", n)
		}
		runtime.KeepAlive(s)
	}
}

// BenchmarkSearch is one letter more in a search through 10,000 messages.
func BenchmarkSearch(b *testing.B) {
	s := busy(b, 80, 24, 10_000)
	s.press("ctrl+f")
	s.types("printe")
	for b.Loop() {
		s.press("r")
		s.m.View()
		s.press("backspace")
	}
}

// TestFrameDoesNotGrowWithTheLog: what a frame draws is what is on the screen,
// whatever there is above.
func TestFrameDoesNotGrowWithTheLog(t *testing.T) {
	cost := func(messages int) float64 {
		s := busy(t, 80, 24, messages)
		s.m.View()
		return testing.AllocsPerRun(50, func() {
			s.m.Update(tea.KeyPressMsg{Code: 'a', Text: "a"})
			s.m.View()
			s.m.input.clear()
		})
	}
	small, large := cost(100), cost(20_000)
	if large > small*1.5+20 {
		t.Errorf("%v allocations for a log of 100, %v for one of 20,000", small, large)
	}
}

// TestScrollbackIsBounded: however much arrives, no more than so many entries and
// so many drawn ones are kept.
func TestScrollbackIsBounded(t *testing.T) {
	s := newStage(t, 80, 24)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	for i := range 3 * defaultLines {
		s.say(mAnn, talk[i%len(talk)])
		if i%100 == 0 {
			s.m.View()
		}
		if n := len(s.m.log.entries); n > defaultLines*11/10+2 {
			t.Fatalf("%d entries", n)
		}
	}
	s.press("alt+home")
	for range 2000 {
		s.press("pgdown")
		s.m.View()
	}
	if n := len(s.m.log.drawn); n > maxDrawn {
		t.Errorf("%d drawn", n)
	}
	// While one reads, what one reads stays.
	s.press("alt+home", "pgdown", "pgdown")
	before := s.cells()[2:10]
	for range 2000 {
		s.say(mAnn, "more")
	}
	if after := s.cells()[2:10]; !slices.Equal(before, after) {
		t.Errorf("it moved:\n%s\n\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}
