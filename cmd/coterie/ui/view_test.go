package ui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/text"
	"coterie/room"
)

// TestScreens are the screens of the specification at every kind of size.
func TestScreens(t *testing.T) {
	for _, size := range []struct{ w, h int }{{40, 24}, {80, 24}, {100, 24}, {120, 30}, {20, 6}, {300, 100}} {
		s := morning(t, size.w, size.h)
		s.at("09:36")
		s.golden(fmt.Sprintf("morning-%dx%d", size.w, size.h))
		s.m.speak("I sent the 2021 set", false)
		s.sendPending()
		e := s.m.log.newest()
		s.do(room.Reached{ID: e.id, Have: 1, Of: 3})
		if want := "09:36 1/3 kari"; !s.contains(want) {
			t.Errorf("%dx%d: no %q", size.w, size.h, want)
		}
		s.do(room.Reached{ID: e.id, Have: 3, Of: 3})
		if s.contains("3/3") || s.contains("1/3") {
			t.Errorf("%dx%d: a message that all have has a mark", size.w, size.h)
		}
	}
	s := morning(t, 80, 24, func(c *Config) { c.ASCII = true })
	s.say(mAnn, "blåbær · æ ø å 東京 \u202e \x1b[31m")
	screen := s.screen()
	if i := strings.IndexFunc(screen, func(r rune) bool { return r > '~' }); i >= 0 {
		t.Errorf("not ASCII: %q", screen[i:min(len(screen), i+20)])
	}
	s.golden("morning-ascii-80x24")
	s = morning(t, 40, 24, func(c *Config) { c.ASCII = true })
	s.golden("morning-ascii-40x24")
}

// TestTrouble: it replaces the paths in the header and has one line above the
// input.
func TestTrouble(t *testing.T) {
	for _, w := range []int{40, 80, 100} {
		s := newStage(t, w, 10)
		s.at("09:31")
		s.epoch(0x91ab, room.ReasonFirst, nil, nil, mAnn, mKari)
		s.do(room.Departed{Member: mAnn})
		s.at("09:40")
		s.types("is anybody here?")
		s.enter()
		s.do(room.Held{Ref: s.b.refs[0], Alone: true})
		s.wrong(health.Facts{KeyDays: 90, Direct: 1, Members: 1, Held: 1})
		s.golden(fmt.Sprintf("alone-%dx10", w))
	}
}

// TestAnswers are the texts that commands show.
func TestAnswers(t *testing.T) {
	for _, command := range []string{"who", "info", "status", "readers", "readers 3", "help", "peers"} {
		for _, w := range []int{40, 80, 120} {
			s := morning(t, w, 30)
			s.types("/" + command)
			s.enter()
			s.golden(fmt.Sprintf("%s-%d", strings.NewReplacer(" ", "-", "~", "").Replace(command), w))
			s.press("esc")
			if s.m.panel != nil {
				t.Errorf("Esc does not close /%s", command)
			}
		}
	}
}

// TestSizes: random sizes under messages. Nothing panics, no row is wider than
// the screen, and the input stays on it.
func TestSizes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := morning(t, 80, 24)
	s.do(fine(mAnn, mKari, mProf, mAnon))
	texts := []string{"hei", strings.Repeat("long ", 300), "東京 " + strings.Repeat("東", 90), "👩\u200d👩\u200d👧 🇳🇴", "שלום",
		strings.Repeat("x\n", 50), ""}
	for i := range 3000 {
		w, h := rnd.IntN(130), rnd.IntN(60)
		switch {
		case i%50 == 0:
			w, h = 20, 6
		case i%51 == 0:
			w, h = 300, 100
		case i%7 == 0:
			w, h = 1, 1
		}
		s.now = s.now.Add(time.Second)
		s.do(tea.WindowSizeMsg{Width: w, Height: h})
		switch rnd.IntN(9) {
		case 0:
			s.press("pgup")
		case 1:
			s.press("pgdown")
		case 2:
			s.types("ab 東")
		case 3:
			s.press("alt+home")
		case 4:
			s.press("f1")
		case 5:
			s.press("esc")
		case 6:
			s.do(tea.PasteMsg{Content: texts[rnd.IntN(len(texts))]})
		case 7:
			s.press("alt+m")
		case 8:
			s.m.method = text.Method(rnd.IntN(2))
		}
		s.say([]room.Member{mAnn, mProf, mAnon, mFake}[rnd.IntN(4)], texts[rnd.IntN(len(texts))])
		v := s.m.View()
		lines := strings.Split(v.Content, "\n")
		if len(lines) > max(h, 1) {
			t.Fatalf("%dx%d: %d rows", w, h, len(lines))
		}
		for _, l := range lines {
			if got := s.m.method.StringWidth(l); got > max(w, 1) {
				t.Fatalf("%dx%d: a row of %d cells: %q", w, h, got, l)
			}
		}
		if w < minWidth || h < minHeight {
			// As much of it as there is room for, and all of it where there is.
			const want = "make the window larger"
			if got := strings.Join(strings.Fields(strings.Join(lines, " ")), " "); !strings.HasPrefix(want, got) &&
				w >= len("window") || got != want && w >= len("window") && h >= 4 {
				t.Fatalf("%dx%d: %q", w, h, lines)
			}
			continue
		}
		if c := v.Cursor; c == nil || c.Y >= h || c.X >= w || c.Y < h-maxInput-1 {
			t.Fatalf("%dx%d: the cursor is at %+v", w, h, c)
		}
	}
}
