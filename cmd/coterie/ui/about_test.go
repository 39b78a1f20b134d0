package ui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/chat"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// talked is a stage on which things were said about messages.
func talked(t *testing.T, w, h int) (s *stage, question, own room.Delivered) {
	s = newStage(t, w, h)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	question = s.say(mAnn, "when is the exam, and where? https://ntnu.no/exam/2026/where-and-when")
	own = s.say(mKari, "at nien")
	s.say(mProf, "at nine, in R1", func(d *room.Delivered) {
		d.Message.Kind, d.ReplyTo = record.KindReply, question.ID
		d.Quote = &room.Quote{Author: mAnn, Text: question.Message.Text}
	})
	s.say(mAnn, "never mind")
	change := func(kind byte, of room.Delivered, by room.Member, text string) {
		s.do(room.Changed{Target: of.ID, Kind: kind, By: by, Self: by == mKari, Text: text, Received: s.now})
	}
	change(record.KindReaction, question, mProf, "👍")
	change(record.KindReaction, question, mKari, "👍")
	change(record.KindEdit, own, mKari, "at nine")
	return s, question, own
}

// TestAboutScreens: a quote above a reply, what was edited and withdrawn, and reactions, at
// every kind of width.
func TestAboutScreens(t *testing.T) {
	for _, size := range []struct{ w, h int }{{40, 24}, {80, 20}, {120, 20}} {
		s, question, _ := talked(t, size.w, size.h)
		never := s.m.log.newest()
		s.do(room.Changed{Target: never.id, Kind: record.KindWithdrawal, By: mAnn, Received: s.now})
		s.golden(fmt.Sprintf("about-%d", size.w))
		s.press("alt+up")
		s.golden(fmt.Sprintf("about-picked-%d", size.w))
		// A withdrawn question has its quote withdrawn.
		s.do(room.Changed{Target: question.ID, Kind: record.KindWithdrawal, By: mAnn, Received: s.now})
		if screen := s.screen(); strings.Contains(screen, "when is") || strings.Contains(screen, "👍") ||
			!strings.Contains(screen, "> ann (withdrawn)") {
			t.Errorf("got\n%s", screen)
		}
	}
}

// TestQuoteOfWhatIsNotHere: a quote of a message that is not in the window changes with it.
func TestQuoteOfWhatIsNotHere(t *testing.T) {
	s := newStage(t, 80, 20)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	of := ake.Hash{9, 9}
	s.say(mProf, "at nine", func(d *room.Delivered) {
		d.Message.Kind, d.ReplyTo, d.Quote = record.KindReply, of, &room.Quote{Author: mAnn, Text: "when is it"}
	})
	if screen := s.screen(); !strings.Contains(screen, "when is it") {
		t.Fatalf("got\n%s", screen)
	}
	s.do(room.Changed{Target: of, Kind: record.KindWithdrawal, By: mAnn, Received: s.now,
		Of: room.Quote{Author: mAnn, Withdrawn: true}})
	if screen := s.screen(); strings.Contains(screen, "when is it") || !strings.Contains(screen, "> ann (withdrawn)") {
		t.Errorf("got\n%s", screen)
	}
}

// TestWithdrawnFarAbove: what was withdrawn is so however much was said since.
func TestWithdrawnFarAbove(t *testing.T) {
	s := newStage(t, 80, 20)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	first := s.say(mAnn, "oops")
	e := s.m.log.find(first.ID)
	for range maxLate {
		s.m.log.add(&entry{kind: kindNote, text: "x"})
	}
	if e.gone {
		t.Fatal("the test shows nothing")
	}
	s.do(room.Changed{Target: first.ID, Kind: record.KindWithdrawal, By: mAnn, Received: s.now})
	if !e.withdrawn || strings.Contains(e.text, "oops") {
		t.Errorf("it is still %q", e.text)
	}
}

// TestPick: a message is picked with keys, and what is typed then is about it.
func TestPick(t *testing.T) {
	s, question, own := talked(t, 80, 24)
	said := func() (out []chat.Say) {
		for _, c := range s.b.did {
			if say, ok := c.(chat.Say); ok {
				out = append(out, say)
			}
		}
		return out
	}
	which := func(d room.Delivered) string { return fmt.Sprintf("%x", d.ID) }
	s.press("alt+up", "up", "up", "up") // ann's question
	s.press("r")
	if !s.contains(" to ann>") {
		t.Errorf("no prompt\n%s", s.screen())
	}
	s.types("thanks")
	s.enter()
	if got := said()[0]; got.About != record.KindReply || got.Which != which(question) || got.Text != "thanks" {
		t.Errorf("said %+v", got)
	}
	if !s.contains("> ann: when is the exam") || s.contains(" to ann>") {
		t.Errorf("got\n%s", s.screen())
	}
	s.press("alt+up", "up", "up") // from the newest that was sent: kari's own
	if s.m.picked == nil || s.m.picked.id != own.ID {
		t.Fatalf("picked %+v", s.m.picked)
	}
	s.press("e")
	if got := s.m.input.String(); got != "at nine" {
		t.Errorf("to edit: %q", got)
	}
	s.types("!")
	s.enter()
	if got := said()[1]; got.About != record.KindEdit || got.Which != which(own) || got.Text != "at nine!" {
		t.Errorf("said %+v", got)
	}
	s.press("alt+up", "up", "up", "w")
	s.types("y")
	s.enter()
	if got := said()[2]; got.About != record.KindWithdrawal || got.Which != which(own) {
		t.Errorf("said %+v", got)
	}
	s.press("alt+up", "+")
	s.types("🎉")
	s.enter()
	if got := said()[3]; got.About != record.KindReaction || got.Text != "🎉" {
		t.Errorf("said %+v", got)
	}
	s.press("alt+up", "+")
	s.enter()
	if got := said()[4]; got.About != record.KindReaction || got.Text != "" {
		t.Errorf("taken back: %+v", got)
	}
	// Another's cannot be edited, and whoever types writes a message to all.
	s.press("alt+up", "e")
	if !s.contains("somebody else said that") || s.m.about != nil {
		t.Errorf("got\n%s", s.screen())
	}
	s.types("xyz")
	s.enter()
	if got := said()[5]; got.About != 0 || got.Text != "xyz" {
		t.Errorf("said %+v", got)
	}
	s.press("alt+up", "r", "esc")
	if s.m.about != nil {
		t.Error("Esc does not end it")
	}
	// Long texts and links are copied whole.
	s.press("alt+up", "up", "up", "up")
	copied := fmt.Sprint(tea.SetClipboard(question.Message.Text)())
	if cmd, _ := s.m.pickedKey("c"); cmd == nil || fmt.Sprint(cmd()) != copied {
		t.Error("not copied whole")
	}
}

// TestAnswerBeforeItsQuestion: a question that comes after its answer is put above it.
func TestAnswerBeforeItsQuestion(t *testing.T) {
	s := newStage(t, 80, 16)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	question := room.Delivered{}
	copy(question.ID[:], "question")
	s.say(mProf, "at nine", func(d *room.Delivered) { d.Message.Kind, d.ReplyTo = record.KindReply, question.ID })
	if !s.contains("> a message that is not here") {
		t.Errorf("got\n%s", s.screen())
	}
	s.say(mAnn, "in between")
	s.say(mAnn, "when?", func(d *room.Delivered) { d.ID = question.ID })
	screen := s.screen()
	if q, a := strings.Index(screen, "ann  when?"), strings.Index(screen, "prof  at nine"); q < 0 || q > a ||
		!strings.Contains(screen, "> ann: when?") {
		t.Errorf("got\n%s", screen)
	}
}

// TestExportAsks: what is written in clear is written once one has said yes.
func TestExportAsks(t *testing.T) {
	s := newStage(t, 80, 16)
	s.types("/export exam.txt")
	s.enter()
	exports := func() (n int) {
		for _, c := range s.b.did {
			if e, ok := c.(chat.Export); ok && e.File == "exam.txt" {
				n++
			}
		}
		return n
	}
	if exports() != 0 || !s.contains("It will not be encrypted") {
		t.Errorf("got\n%s", s.screen())
	}
	s.types("y")
	s.enter()
	if exports() != 1 {
		t.Error("not written")
	}
}
