package ui

import (
	"fmt"
	"strings"
	"testing"

	"coterie/cmd/coterie/chat"
	"coterie/room"
)

func (s *stage) command(line string) {
	s.t.Helper()
	s.b.did = nil
	s.types(line)
	s.enter()
}

// TestSet: a setting does what it says once it is kept.
func TestSet(t *testing.T) {
	s := newStage(t, 100, 24)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	for line, want := range map[string]chat.Set{
		"/set mouse yes": {Name: "mouse", Value: "yes"}, "/notify none": {Name: "notify", Value: "none"},
		"/set nick  mia": {Name: "nick", Value: "mia"}, "/set": {},
	} {
		s.command(line)
		if got, ok := asked[chat.Set](s.b); !ok || got != want {
			t.Errorf("%s: %+v", line, s.b.did)
		}
	}
	for _, c := range []chat.SettingKept{{Name: "mouse", Value: "on"}, {Name: "title", Value: "off"},
		{Name: "notify", Value: "all"}, {Name: "notify_text", Value: "on"}, {Name: "time", Value: "15:04:05"}} {
		c.How = "for this run"
		s.do(c)
		if want := c.Name + ": " + c.Value + "; for this run"; !s.contains(want) {
			t.Errorf("no %q in\n%s", want, s.screen())
		}
	}
	if c := s.m.cfg; !c.NotifyText || !c.NoTitle || !c.Mouse || c.Notify != "all" || !s.contains("08:54:00 ") {
		t.Errorf("not in force: %+v\n%s", c, s.screen())
	}
	s.do(chat.SettingKept{Name: "time", Value: "short"})
	if s.contains("08:54:00 ") {
		t.Errorf("got\n%s", s.screen())
	}
}

// TestDebug: the log is shown as it runs, harmless and bounded, goes on below other
// panels, and ends with Esc or the same command.
func TestDebug(t *testing.T) {
	s := newStage(t, 80, 12)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	s.do(chat.Logged{Line: "not asked for"})
	s.command("/debug")
	if got, ok := asked[chat.Debug](s.b); !ok || !got.On {
		t.Fatalf("did %+v", s.b.did)
	}
	s.do(chat.Logged{Line: "level=INFO msg=epoch\r09:00 ann: forged\x1b[2J" + strings.Repeat("x", 100_000)})
	s.press("alt+home")
	if !s.contains("msg=epoch␍09:00 ann:") || !s.contains("forged␛[2Jxx") || s.contains("not asked for") {
		t.Errorf("got\n%s", s.screen())
	}
	if n := len(s.m.debug.lines[0]); n > 2*maxLoggedLine {
		t.Errorf("a line of %d bytes", n)
	}
	s.press("alt+end")
	for i := range 3 * maxLogged {
		s.do(chat.Logged{Line: fmt.Sprintf("line %d.", i)})
	}
	if n := len(s.m.debug.lines); n > maxLogged {
		t.Errorf("%d lines", n)
	}
	if !s.contains(fmt.Sprintf("line %d.", 3*maxLogged-1)) {
		t.Errorf("the newest is not there:\n%s", s.screen())
	}
	// Whoever looks further up stays there.
	s.press("pgup")
	s.do(chat.Logged{Line: "news"})
	if s.contains("news") {
		t.Errorf("pulled away:\n%s", s.screen())
	}
	s.press("alt+end")
	if !s.contains("news") {
		t.Errorf("got\n%s", s.screen())
	}
	s.press("alt+s")
	s.do(chat.Logged{Line: "meanwhile"})
	s.command("/debug")
	if _, ok := asked[chat.Debug](s.b); ok || !s.contains("meanwhile") {
		t.Errorf("%+v\n%s", s.b.did, s.screen())
	}
	s.b.did = nil
	s.press("esc")
	if got, ok := asked[chat.Debug](s.b); !ok || got.On || s.contains("meanwhile") {
		t.Errorf("%+v\n%s", s.b.did, s.screen())
	}
	s.do(chat.Logged{Line: "after"})
	if len(s.m.debug.lines) > 0 {
		t.Error("it goes on")
	}
	s.command("/debug")
	s.b.did = nil
	s.press("ctrl+c")
	if got, ok := asked[chat.Debug](s.b); !ok || got.On {
		t.Errorf("Ctrl+C: %+v", s.b.did)
	}
	s.command("/debug")
	s.command("/debug")
	if got, ok := asked[chat.Debug](s.b); !ok || got.On {
		t.Errorf("%+v", s.b.did)
	}
}

// TestForgetAsks: nothing is erased before the answer, and nothing is asked where
// there is nothing to erase.
func TestForgetAsks(t *testing.T) {
	s := newStage(t, 100, 14, func(c *Config) { c.Kept = true })
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	for answer, want := range map[string]bool{"n": false, "y": true} {
		s.command("/forget")
		if _, ok := asked[chat.Forget](s.b); ok || !s.contains("and leave? It cannot be undone. [y/N]") {
			t.Fatalf("%+v\n%s", s.b.did, s.screen())
		}
		s.press(answer)
		s.enter()
		if _, ok := asked[chat.Forget](s.b); ok != want {
			t.Errorf("%s: %+v", answer, s.b.did)
		}
	}
	s = newStage(t, 100, 14)
	s.command("/forget")
	if !s.contains("nothing of this room is kept here") {
		t.Errorf("got\n%s", s.screen())
	}
}
