package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/chat"
	"coterie/room"
)

// several are rooms on one screen, as many as there are names; that which is looked at is the
// first.
type several struct {
	t      *testing.T
	w      *windows
	stages []*stage
	seats  []*Seat
	width  int
	height int
}

func newSeveral(t *testing.T, width, height int, names ...string) *several {
	s := &several{t: t, width: width, height: height}
	for i, name := range names {
		st := newStage(t, width, height, func(c *Config) { c.Name = name })
		seat := new(Seat)
		s.stages, s.seats = append(s.stages, st), append(s.seats, seat)
		if i == 0 {
			s.w = newWindows(seat, st.m)
		} else {
			s.w.Update(batch{{seat, seatTaken{st.m}}})
		}
	}
	s.w.Update(tea.WindowSizeMsg{Width: width, Height: height})
	for _, st := range s.stages {
		st.at("08:55")
		st.epoch(0x91ab, room.ReasonFirst, nil, nil, member(kari, "kari"), member(ann, "ann"))
	}
	return s
}

// said has somebody say something in a room.
func (s *several) said(i int, text string) {
	st := s.stages[i]
	st.seq[ann]++
	st.lamport++
	d := room.Delivered{Author: member(ann, "ann"), Received: st.now, ID: [32]byte{byte(i), byte(st.lamport)}}
	d.Message.Counter, d.Message.Text, d.Message.Lamport = st.seq[ann], text, st.lamport
	d.Message.Time = uint64(st.now.UnixMilli())
	s.w.Update(batch{{s.seats[i], chat.Event{Room: st.m.room.ID, At: st.now, What: d}}})
}

func (s *several) press(keys ...string) {
	for _, k := range keys {
		s.w.Update(keyOf(k))
	}
}

func (s *several) rows() []string {
	return cellsOf(s.w.View().Content, s.width, s.height, s.w.method)
}

func (s *several) screen() string { return strings.Join(s.rows(), "\n") + "\n" }

func (s *several) shows(what string, yes bool) {
	s.t.Helper()
	if strings.Contains(s.screen(), what) != yes {
		s.t.Errorf("%q is shown: %v\n%s", what, !yes, s.screen())
	}
}

// TestRoomsOnOneScreen: a list has what is new in each room; at 80 columns and below the header
// has it.
func TestRoomsOnOneScreen(t *testing.T) {
	for _, width := range []int{40, 80, 81, 120} {
		s := newSeveral(t, width, 24, "exam", "den", "a room with a long name")
		s.said(0, "in the exam")
		s.said(1, "one")
		s.said(1, "two")
		s.said(2, "kari: look")
		s.said(2, "and look")
		name := map[int]string{40: "rooms40", 80: "rooms80", 81: "rooms81", 120: "rooms120"}[width]
		compare(t, name, s.screen())
		for y, r := range s.rows() {
			if n := s.w.method.StringWidth(r); n > width {
				t.Errorf("row %d has %d of %d cells: %q", y, n, width, r)
			}
		}
		if title := s.w.View().WindowTitle; title != "(1!) exam" {
			t.Errorf("the title is %q", title)
		}
	}
}

// TestRoomKeys: Alt and a digit look at a room, Alt+A at the next with news, those that name one
// before others; what was typed stays in its room, and what is seen is new no more.
func TestRoomKeys(t *testing.T) {
	s := newSeveral(t, 120, 24, "exam", "den", "lab", "hall")
	s.said(1, "nothing special")
	s.said(3, "kari, come")
	s.press("x", "y")
	s.press("alt+a")
	if s.w.at != 3 {
		t.Fatalf("room %d", s.w.at)
	}
	s.shows("kari, come", true)
	s.shows("xy", false)
	s.press("z")
	s.press("alt+a")
	if s.w.at != 1 {
		t.Fatalf("room %d", s.w.at)
	}
	s.press("alt+1")
	s.shows("kari> xy", true)
	s.press("alt+4")
	s.shows("kari> z", true)
	s.press("alt+9", "alt+5") // there is none
	if s.w.at != 3 {
		t.Errorf("room %d", s.w.at)
	}
	s.press("alt+2")
	for range 4 {
		for _, st := range s.stages {
			st.now = st.now.Add(time.Second)
		}
		s.w.Update(tick{s.stages[0].now})
	}
	s.press("alt+a")
	if s.w.at != 1 {
		t.Errorf("what was seen is new: room %d", s.w.at)
	}
	// What comes in a room that was looked at before is new again.
	s.said(0, "back in the exam")
	s.press("alt+a")
	if s.w.at != 0 {
		t.Errorf("room %d", s.w.at)
	}
}

// TestRoomGoes: a room that was left is off the screen, and what was wrong is said in the one that
// is looked at; with the last one the interface ends.
func TestRoomGoes(t *testing.T) {
	s := newSeveral(t, 120, 24, "exam", "den", "lab")
	s.press("alt+2")
	s.w.Update(batch{{s.seats[2], Trouble{Text: "lab: this key was revoked"}}, {s.seats[2], seatLeft{}}})
	s.shows("lab: this key was revoked", true)
	s.shows("3 lab", false)
	s.w.Update(batch{{s.seats[0], seatLeft{}}})
	if s.w.now() != s.stages[1].m {
		t.Error("another room is looked at")
	}
	if len(s.w.rooms) != 1 || strings.Contains(s.screen(), "Rooms") {
		t.Errorf("a list of one\n%s", s.screen())
	}
	s.w.Update(batch{{s.seats[0], chat.Event{What: chat.Dropped{}}}, {s.seats[0], seatLeft{}}}) // too late
	_, cmd := s.w.Update(batch{{s.seats[1], seatLeft{}}})
	if cmd == nil {
		t.Error("the interface goes on without a room")
	}
}

// TestRoomGoesWhileOneTypes: what was meant for a room that is off the screen goes to no other, and
// why it went is said.
func TestRoomGoesWhileOneTypes(t *testing.T) {
	s := newSeveral(t, 120, 24, "exam", "den", "lab")
	s.press("f", "o", "r")
	s.w.Update(batch{{s.seats[0], seatLeft{&Trouble{Text: "exam: this key was revoked"}}}})
	s.shows("exam: this key was revoked", true)
	s.shows("exam is shown no more, and this is den; Enter goes on", true)
	s.press("e", "x", "a", "m", "enter")
	s.shows("kari> exam", false)
	for i, st := range s.stages {
		if said, ok := asked[chat.Say](st.b); ok {
			t.Errorf("it is said in room %d: %v", i, said)
		}
	}
	s.press("h", "i")
	s.shows("kari> hi", true)
	s.w.Update(batch{{s.seats[1], seatLeft{}}})
	s.press("x", "y")
	s.shows("kari> xy", false)
}

// TestOneRoomIsAlone: with one room the screen is that room's, and the keys too.
func TestOneRoomIsAlone(t *testing.T) {
	s := newSeveral(t, 120, 24, "exam")
	alone := cellsOf(s.stages[0].m.View().Content, 120, 24, s.w.method)
	if !slices.Equal(alone, s.rows()) {
		t.Errorf("%s", s.screen())
	}
	s.press("alt+2", "alt+a")
	s.said(0, "hello")
	s.shows("hello", true)
}

// TestBeforeTheWindow: what happened before a window was opened has its own time, rings no bell,
// and is new from the mark on; one's own words from another window are shown as sent.
func TestBeforeTheWindow(t *testing.T) {
	mark := [32]byte{7}
	since := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	s := newStage(t, 80, 24, func(c *Config) { c.Unread, c.UnreadSince = mark, since })
	early := time.Date(2026, 11, 23, 8, 31, 0, 0, time.UTC)
	before := func(what any) {
		s.do(chat.Event{Room: s.m.room.ID, At: early, What: what, When: chat.Before})
	}
	before(room.EpochStarted{ID: [32]byte{1}, Members: []room.Member{member(kari, "kari"), member(ann, "ann")},
		Joined: []room.Member{member(ann, "ann")}, Reason: room.ReasonFirst})
	say := func(id byte, from room.Member, text string) {
		d := room.Delivered{ID: [32]byte{id}, Author: from, Self: from.Peer == kari, Received: early}
		d.Message.Text, d.Message.Time, d.Message.Lamport = text, uint64(early.UnixMilli()), uint64(id)
		before(d)
	}
	s.do(tea.BlurMsg{})
	say(6, member(ann, "ann"), "seen before")
	say(7, member(ann, "ann"), "kari, are you there")
	say(8, member(kari, "kari"), "from another window")
	say(9, member(ann, "ann"), "good")
	if count, mentions := s.m.unread.counts(); count != 2 || mentions != 1 {
		t.Errorf("%d new, %d mentions", count, mentions)
	}
	if _, rang := asked[Notified](s.b); rang {
		t.Error("it rings for what is past")
	}
	for _, want := range []string{"08:31", "from another window", "new since 08:30"} {
		if !s.contains(want) {
			t.Errorf("no %q\n%s", want, s.screen())
		}
	}
	if s.contains("08:54") {
		t.Errorf("what is past has the time of now\n%s", s.screen())
	}
}
