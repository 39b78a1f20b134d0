package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// TestPasteNeverSends: whatever is pasted is put into the input and no more.
func TestPasteNeverSends(t *testing.T) {
	for _, c := range []struct{ paste, notice string }{
		{"one line", ""},
		{"one line\n", ""},
		{"/quit\n", ""},
		{strings.Repeat("line\n", 12), "12 lines pasted: one message.  Enter sends   Alt+E editor   Esc drops"},
		{strings.Repeat("0123456789012345678901234567890123456789012\n", 214),
			"214 lines (9.4 kB) pasted: one message.  Type yes to send, Alt+E editor, Esc drops"},
		{strings.Repeat("x", 5000), "1 line (5.0 kB) pasted: one message.  Type yes to send, Alt+E editor, Esc drops"},
		{strings.Repeat("x", 100_000), "1 line pasted; only 16.4 kB of 100.0 kB fit.  Type yes to send those"},
		{"a\rb\x1b[201~\x1b[31m", "2 lines pasted: one message."},
		{"one\rtwo\r\nthree\r", "3 lines pasted: one message."},
	} {
		s := newStage(t, 120, 24)
		s.do(tea.PasteMsg{Content: c.paste})
		if len(s.b.sent) > 0 {
			t.Errorf("%.20q was sent", c.paste)
		}
		if _, quit := asked[chat.Quit](s.b); quit {
			t.Errorf("%.20q left", c.paste)
		}
		if c.notice != "" && !s.contains(c.notice) {
			t.Errorf("%.20q: no %q in\n%s", c.paste, c.notice, s.screen())
		}
		if in := s.m.input.String(); strings.ContainsAny(in, "\x1b\r") {
			t.Errorf("the input holds %q", in)
		}
		// Esc drops what asks; nothing is left to send.
		if c.notice != "" {
			s.press("esc")
			if !s.m.input.empty() {
				t.Error("Esc did not drop it")
			}
		}
	}
}

// TestBigPasteWantsYes: Enter alone does not send it, another word neither.
func TestBigPasteWantsYes(t *testing.T) {
	s := newStage(t, 120, 24)
	text := strings.TrimRight(strings.Repeat("line\n", 50), "\n")
	s.do(tea.PasteMsg{Content: text})
	s.now = s.now.Add(time.Second)
	for _, keys := range []string{"", "no", "y", "yess"} {
		s.types(keys)
		s.press("enter")
		if len(s.b.sent) > 0 {
			t.Fatalf("%q sent it", keys)
		}
	}
	s.types("yes")
	if s.m.input.String() != text {
		t.Error("the word went into the text")
	}
	s.press("enter")
	if len(s.b.sent) != 1 || s.b.sent[0] != text {
		t.Errorf("sent %q", s.b.sent)
	}
}

// TestEnterAfterPaste: an Enter within 300 ms after a paste was part of it.
func TestEnterAfterPaste(t *testing.T) {
	s := newStage(t, 80, 24)
	s.do(tea.PasteMsg{Content: "rm -rf is not a message"})
	s.now = s.now.Add(299 * time.Millisecond)
	s.press("enter")
	if len(s.b.sent) > 0 {
		t.Fatal("sent")
	}
	s.now = s.now.Add(time.Millisecond)
	s.press("enter")
	if len(s.b.sent) != 1 {
		t.Fatal("not sent")
	}
}

// TestPastesAreNotMarked: it is said where a terminal says that it does not mark pastes, and
// only there.
func TestPastesAreNotMarked(t *testing.T) {
	for value, want := range map[ansi.ModeSetting]bool{
		ansi.ModeNotRecognized: true, ansi.ModePermanentlyReset: true, ansi.ModeReset: false, ansi.ModeSet: false,
		ansi.ModePermanentlySet: false,
	} {
		s := newStage(t, 120, 24)
		s.do(tea.ModeReportMsg{Mode: ansi.ModeBracketedPaste, Value: value})
		if s.contains("does not mark pastes") != want {
			t.Errorf("%d:\n%s", value, s.screen())
		}
	}
}

// TestSecretPaste: what looks like a secret key wants a word.
func TestSecretPaste(t *testing.T) {
	for _, secret := range []string{
		"AGE-SECRET-KEY-1QQQQ", "see -----BEGIN OPENSSH PRIVATE KEY-----\nabc", "coterie-key 1 abc", "age-secret-key-1qqqq",
		"mine: hunter2",
	} {
		s := newStage(t, 120, 24, func(c *Config) {
			c.OwnSecret = func(s string) bool {
				return strings.Contains(s,
					"hunter2")
			}
		})
		s.do(tea.PasteMsg{Content: secret})
		s.now = s.now.Add(time.Second)
		s.press("enter")
		if len(s.b.sent) > 0 {
			t.Fatalf("%q was sent", secret)
		}
		if !s.contains("This looks like a secret key. Type send to send it anyway.") {
			t.Errorf("%q: nothing is said\n%s", secret, s.screen())
		}
		s.types("yes")
		s.press("enter")
		s.press("enter")
		if len(s.b.sent) > 0 {
			t.Fatalf("%q was sent", secret)
		}
		s.types("send")
		s.press("enter")
		if len(s.b.sent) != 1 {
			t.Errorf("%q cannot be sent at all", secret)
		}
		if slices.Contains(s.m.own.lines, secret) {
			t.Error("it is kept in the history of input")
		}
	}
}

// TestHeldThenSentInOrder: what is held is marked, and loses its mark when it is
// sent and read.
func TestHeldThenSentInOrder(t *testing.T) {
	s := newStage(t, 80, 24)
	for _, w := range []string{"one", "two", "three"} {
		s.types(w)
		s.enter()
	}
	if want := []string{"one", "two", "three"}; !slices.Equal(s.b.sent, want) {
		t.Fatalf("sent %q", s.b.sent)
	}
	if !s.contains("08:54  …  kari  one") {
		t.Errorf("not shown as on its way:\n%s", s.screen())
	}
	for _, ref := range s.b.refs {
		s.do(room.Held{Ref: ref, Alone: true})
	}
	if !s.contains("08:54  -  kari  three") {
		t.Errorf("not shown as held:\n%s", s.screen())
	}
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	s.sendPending()
	for _, w := range []string{"08:54 0/2 kari  one", "08:54 0/2 kari  two", "08:54 0/2 kari  three"} {
		if !s.contains(w) {
			t.Errorf("no %q in\n%s", w, s.screen())
		}
	}
	s.do(room.Reached{ID: s.m.log.entries[1].id, Have: 2, Of: 2}, room.Reached{ID: s.m.log.entries[0].id, Have: 1, Of: 2})
	if !s.contains("08:54 1/2 kari  one") || !s.contains("08:54     kari  two") {
		t.Errorf("counts are wrong:\n%s", s.screen())
	}
}

// TestHeldFromBefore: what waits from an earlier run stands as held, and goes to the end when it is
// sent; the line about an absence stands where one went, and changes when more is known.
func TestHeldFromBefore(t *testing.T) {
	s := newStage(t, 80, 24)
	at := s.m.now().Add(-time.Hour)
	s.do(room.Restored{Messages: []room.HeldMessage{{Ref: room.HeldNumber(3), Text: "lunch?", At: at}}})
	if !s.contains("07:54  -  kari  lunch?") {
		t.Errorf("not shown as held:\n%s", s.screen())
	}
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	s.do(room.Absence{From: at, To: s.m.now(), Missing: true, MissingFrom: at, MissingTo: s.m.now()})
	if !s.contains("may be missing") {
		t.Errorf("not said that something may be missing:\n%s", s.screen())
	}
	s.do(room.Absence{From: at, To: s.m.now(), Count: 12})
	if s.contains("may be missing") || !s.contains("away from 07:54 to 08:54: 12 messages") {
		t.Errorf("not taken back:\n%s", s.screen())
	}
	s.do(room.Sent{Ref: room.HeldNumber(3), ID: ake.Hash{7}, Readers: []peer.ID{mAnn.Peer, mProf.Peer}})
	if !s.contains("08:54 0/2 kari  lunch?") || s.m.log.newest().raw != "lunch?" {
		t.Errorf("not at the end as sent:\n%s", s.screen())
	}
}

// TestHeldExpires: a message that nobody came to read is given up, is never shown
// as sent, and Up brings it back.
func TestHeldExpires(t *testing.T) {
	s := newStage(t, 80, 24)
	s.types("is anybody here?")
	s.enter()
	s.do(room.Held{Ref: s.b.refs[0], Alone: true})
	s.do(chat.Rejected{Ref: s.b.refs[0], Err: cli.Fail("alone", "nobody else was in the room for 10 minutes")})
	if !s.contains("08:54  !  kari  is anybody here?") {
		t.Errorf("not shown as failed:\n%s", s.screen())
	}
	s.press("up")
	if s.m.input.String() != "is anybody here?" {
		t.Errorf("Up brings %q", s.m.input.String())
	}
}

// TestRejected: a message that was not taken says why.
func TestRejected(t *testing.T) {
	s := newStage(t, 80, 24)
	s.types("too long")
	s.enter()
	s.do(chat.Rejected{Ref: s.b.refs[0], Err: cli.Fail("too-long",
		"the message has 21,004 bytes; the limit is 16,384").Hint("split it")})
	if !s.contains(" !  kari  too long") || !s.contains("the limit is 16,384") || !s.contains("split it") {
		t.Errorf("got\n%s", s.screen())
	}
}

// TestUnknownCommand is never sent as text; two slashes send one.
func TestUnknownCommand(t *testing.T) {
	s := newStage(t, 80, 24)
	s.types("/qiut now")
	s.enter()
	if len(s.b.sent) > 0 || !s.contains("there is no command /qiut") || !s.contains("did you mean /quit?") {
		t.Errorf("sent %q\n%s", s.b.sent, s.screen())
	}
	s.types("//etc/passwd")
	s.enter()
	s.types("/me waves")
	s.enter()
	if want := []string{"/etc/passwd", "* waves"}; !slices.Equal(s.b.sent, want) {
		t.Errorf("sent %q", s.b.sent)
	}
	if !s.contains("*  kari waves") {
		t.Errorf("got\n%s", s.screen())
	}
}

// TestEscapeAndSlashTogether: a terminal sends Esc and a key after it as Alt and
// that key; the command must not become a message.
func TestEscapeAndSlashTogether(t *testing.T) {
	s := newStage(t, 80, 24)
	s.types("/help")
	s.enter()
	s.press("alt+/")
	s.types("ignores")
	s.enter()
	if len(s.b.sent) > 0 || !s.contains("You ignore nobody.") {
		t.Errorf("sent %q\n%s", s.b.sent, s.screen())
	}
}

// TestOwnKeys: an action has the key it was given, and no other.
func TestOwnKeys(t *testing.T) {
	s := newStage(t, 80, 24, func(c *Config) { c.Keys = map[string]string{"search": "ctrl+s"} })
	s.press("ctrl+f")
	if s.m.find != nil {
		t.Error("the old key still searches")
	}
	s.press("ctrl+s")
	if s.m.find == nil {
		t.Error("the new key does not")
	}
}

// TestInterrupt: Ctrl+C clears the input, writes /quit on an empty one, and
// leaves when it is pressed twice within two seconds.
func TestInterrupt(t *testing.T) {
	s := newStage(t, 80, 24)
	s.types("words")
	s.press("ctrl+c")
	if !s.m.input.empty() {
		t.Fatal("not cleared")
	}
	s.now = s.now.Add(3 * time.Second)
	s.press("ctrl+c")
	if s.m.input.String() != "/quit" {
		t.Fatalf("the input is %q", s.m.input.String())
	}
	if _, quit := asked[chat.Quit](s.b); quit {
		t.Fatal("left")
	}
	s.now = s.now.Add(time.Second)
	s.press("ctrl+c")
	if _, quit := asked[chat.Quit](s.b); !quit {
		t.Fatal("stayed")
	}

	s = newStage(t, 80, 24)
	s.press("ctrl+c")
	s.enter()
	if _, quit := asked[chat.Quit](s.b); !quit {
		t.Error("/quit does not leave")
	}
}

// TestUnread: the mark is set when the focus goes, counts, and goes when the
// newest line has been seen for two seconds.
func TestUnread(t *testing.T) {
	s := newStage(t, 80, 24)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	s.say(mAnn, "seen")
	s.at("09:33")
	s.do(tea.BlurMsg{})
	s.at("09:34")
	s.say(mAnn, "first new")
	s.say(mAnn, "Kari, second new")
	if !s.contains("──────────── new since 09:33 ───") {
		t.Errorf("no mark:\n%s", s.screen())
	}
	if got := s.m.View().WindowTitle; got != "(1!) exam" {
		t.Errorf("the title is %q", got)
	}
	s.do(tea.FocusMsg{})
	s.wait(2 * time.Second)
	if !s.contains("new since") {
		t.Error("the mark went too soon")
	}
	s.wait(2 * time.Second)
	if s.contains("new since") || s.m.View().WindowTitle != "exam" {
		t.Error("the mark stays")
	}
	// Set by hand, a look does not take it away.
	s.types("/unread")
	s.enter()
	s.wait(time.Minute)
	if !s.contains("new since") {
		t.Error("the mark that was set by hand went")
	}
}

// TestUnreadIsKept: the mark of the last time is where it was.
func TestUnreadIsKept(t *testing.T) {
	s := newStage(t, 80, 24)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	s.do(tea.BlurMsg{})
	s.at("09:33")
	d := s.say(mAnn, "new")
	k, ok := asked[chat.MarkUnread](s.b)
	if !ok || k.ID != d.ID {
		t.Fatalf("told %+v", k)
	}
	again := newStage(t, 80, 24, func(c *Config) { c.Unread, c.UnreadSince = k.ID, k.At })
	before := d
	before.ID[31], before.Message.Text, before.History = 1, "old", true
	d.History = true
	again.do(room.Past{}, before, d, room.Past{Over: true, Count: 2})
	rows := again.screen()
	if old, mark, fresh := strings.Index(rows, "ann  old"), strings.Index(rows, "new since 08:54"), strings.Index(rows,
		"ann  new"); old < 0 || mark < old || fresh < mark {
		t.Errorf("got\n%s", rows)
	}
	again.do(tea.FocusMsg{})
	again.wait(4 * time.Second)
	if k, ok := asked[chat.MarkUnread](again.b); !ok || k.ID != (ake.Hash{}) {
		t.Errorf("told %+v when it was seen", k)
	}
}

// TestUnreadIsLost: of a mark before a message that is not read back any more there is one before
// what came after it, or none.
func TestUnreadIsLost(t *testing.T) {
	for _, after := range []bool{true, false} {
		s := newStage(t, 80, 24, func(c *Config) {
			c.Unread, c.UnreadSince = [32]byte{9}, time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
		})
		d := room.Delivered{ID: [32]byte{1}, Author: mAnn, History: true}
		d.Message.Text, d.Message.Time = "old", uint64(s.m.cfg.UnreadSince.Add(-time.Minute).UnixMilli())
		s.do(room.Past{}, d)
		if after {
			d.ID, d.Message.Text, d.Message.Time = [32]byte{2}, "new", d.Message.Time+120_000
			s.do(d)
		}
		s.do(room.Past{Over: true, Count: 2})
		rows := s.screen()
		old, mark, fresh := strings.Index(rows, "ann  old"), strings.Index(rows, "new since"), strings.Index(rows, "ann  new")
		_, told := asked[chat.MarkUnread](s.b)
		if after != (mark > old) || after != (fresh > mark) || after == told {
			t.Errorf("after %v: told %v\n%s", after, told, rows)
		}
	}
}

// TestNotify: only without focus, only for one's name, and without what was said.
func TestNotify(t *testing.T) {
	s := newStage(t, 80, 24, func(c *Config) { c.Desktop = "777" })
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	raw := func(text string) string {
		d := room.Delivered{Author: mAnn, Received: s.now}
		d.Message.Text = text
		d.Message.Time = uint64(s.now.UnixMilli())
		_, cmd := s.m.Update(s.enveloped(d))
		if cmd == nil {
			return ""
		}
		return fmt.Sprint(cmd().(tea.RawMsg).Msg)
	}
	s.press("pgup") // what comes now is new, and yet it is seen
	s.m.unread.arm(s.m)
	if got := raw("kari: with focus"); got != "" {
		t.Errorf("with focus: %q", got)
	}
	s.m.unread.clear(s.m)
	s.do(tea.BlurMsg{})
	if got := raw("nobody's name, not even in karin"); got != "" {
		t.Errorf("not named: %q", got)
	}
	if got, want := raw("Kari: the secret\x1b]0;x\x07"), "\a\x1b]777;notify;exam;exam: ann\x07"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n, ok := asked[Notified](s.b); !ok || n.Nick != "ann" {
		t.Errorf("told %+v", n)
	}
	s.m.cfg.NotifyText = true
	if got := raw("kari\x1b]0;x\x07"); strings.Count(got, "\x1b") != 1 {
		t.Errorf("a sequence of another's: %q", got)
	}
}

// TestScroll: new lines do not move what one reads; it is said how many are
// below.
func TestScroll(t *testing.T) {
	s := newStage(t, 80, 10)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	for i := range 100 {
		s.say(mAnn, fmt.Sprintf("line %d", i))
	}
	s.press("pgup", "pgup")
	before := s.cells()
	for i := range 7 {
		s.say(mAnn, fmt.Sprintf("new %d", i))
	}
	after := s.cells()
	for y := 2; y < 8; y++ {
		if before[y] != after[y] {
			t.Errorf("row %d moved: %q, %q", y, before[y], after[y])
		}
	}
	if !strings.HasPrefix(after[8], "── 17 below ──") {
		t.Errorf("got %q", after[8])
	}
	s.press("alt+home")
	if !s.contains("ok   keys 0001") {
		t.Errorf("not the oldest:\n%s", s.screen())
	}
	s.press("alt+end")
	if !s.contains("new 6") || s.m.log.anchor != nil {
		t.Errorf("not the newest:\n%s", s.screen())
	}
	for range 200 {
		s.press("pgup")
	}
	top := s.screen()
	for range 200 {
		s.press("pgdown")
	}
	if s.m.log.anchor != nil {
		t.Error("PgDn does not come to the end")
	}
	s.press("alt+home")
	if s.screen() != top {
		t.Errorf("PgUp ends at\n%s", top)
	}
	s.press("esc")
	if s.m.log.anchor != nil {
		t.Error("Esc does not go to the newest")
	}
}

// TestOlder: what is on disk comes when one scrolls up to it, and once.
func TestOlder(t *testing.T) {
	s := newStage(t, 80, 10, func(c *Config) { c.Kept = true })
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	for i := range 20 {
		s.say(mAnn, fmt.Sprintf("line %d", i))
	}
	s.press("alt+home")
	if _, ok := asked[chat.Older](s.b); !ok {
		t.Fatal("not asked for")
	}
	var past chat.Earlier
	for i := range 3 {
		d := room.Delivered{Author: mAnn, History: true}
		d.ID[0], d.Message.Text, d.Message.Time = byte(200+i), fmt.Sprintf("before %d",
			i), uint64(s.now.Add(-time.Hour).UnixMilli())
		past.Messages = append(past.Messages, d)
	}
	past.All = true
	past.Gone = []room.Shortened{{Author: mKari, Count: 5, Until: s.now.Add(-2 * time.Hour), Before: true}}
	s.do(past, past)
	s.press("alt+home")
	if strings.Count(s.screen(), "5 messages of") != 1 || strings.Index(s.screen(),
		"5 messages of") > strings.Index(s.screen(), "before 0") {
		t.Errorf("what is not kept is not said, or not where it is missing\n%s", s.screen())
	}
	if strings.Count(s.screen(), "before 1") != 1 {
		t.Errorf("got\n%s", s.screen())
	}
	n := len(s.b.did)
	s.press("pgup", "pgup", "alt+home")
	for _, c := range s.b.did[n:] {
		if _, ok := c.(chat.Older); ok {
			t.Error("asked for although there are none")
		}
	}
}

// TestLate: a message that came late is where it belongs, and a line at the end
// says so.
func TestLate(t *testing.T) {
	s := newStage(t, 80, 16)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	s.say(mAnn, "one")
	s.say(mAnn, "four")
	s.say(mAnn, "five")
	late := func(text string, id byte) { // at one time the ids decide
		s.say(mProf, text, func(d *room.Delivered) { d.Late, d.Message.Lamport, d.ID[0] = true, 1, id })
	}
	late("three", 0xff)
	late("two", 0xfe)
	screen := s.screen()
	var order []int
	for _, w := range []string{"ann  one", "<  prof  two", "<  prof  three", "ann  four", "ann  five",
		"--  2 earlier messages arrived"} {
		order = append(order, strings.Index(screen, w))
	}
	if !slices.IsSorted(order) || order[0] < 0 {
		t.Errorf("order %v in\n%s", order, screen)
	}
}

// TestGaps: a gap is a line that fills in place; equivocation is an alarm.
func TestGaps(t *testing.T) {
	s := newStage(t, 80, 16)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	g := room.Gap{Author: mAnn, Epoch: s.m.room.Epoch.ID, First: 3, Last: 4}
	s.do(g)
	if !s.contains("?  2 messages of ann are missing here; fetching") {
		t.Errorf("got\n%s", s.screen())
	}
	g.Filled = true
	s.do(g)
	if s.contains("fetching") {
		t.Errorf("not filled:\n%s", s.screen())
	}
	s.do(room.Equivocated{Author: mAnn, Counter: 41})
	if !s.contains("!!  ann sent two different messages as number 41") {
		t.Errorf("got\n%s", s.screen())
	}
	s.do(room.Attested{Member: mAnn, Policy: `"Professor"`, OK: true})
	if !s.contains(`proved "Professor" of NTNU to you. You cannot`) {
		t.Errorf("got\n%s", s.screen())
	}
}

// TestSearch: as one types, newest first, without case and accents.
func TestSearch(t *testing.T) {
	s := newStage(t, 80, 12)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	s.say(mAnn, "Blåbær i skogen")
	for i := range 50 {
		s.say(mProf, fmt.Sprintf("line %d", i))
	}
	s.say(mProf, "BLÅBÆR")
	s.press("ctrl+f")
	s.types("blabær")
	if !s.contains("search (1 of 2): blabær") {
		t.Errorf("got\n%s", s.screen())
	}
	s.press("enter")
	if !s.contains("search (2 of 2)") || !s.contains("Blåbær i skogen") {
		t.Errorf("got\n%s", s.screen())
	}
	s.press("down")
	if !s.contains("search (1 of 2)") {
		t.Errorf("got\n%s", s.screen())
	}
	s.press("esc")
	s.types("/search from:ann skog")
	s.enter()
	if !s.contains("search (1 of 1)") {
		t.Errorf("got\n%s", s.screen())
	}
	if len(s.b.sent) > 0 {
		t.Error("a search was sent")
	}
	f := parseFilter("from:ann before:2026-11-24 after:2026-11-01 two words http://x")
	if f.from != "ann" || f.words != "two words http://x" || f.before.Day() != 24 || f.after.Day() != 2 {
		t.Errorf("parsed %+v", f)
	}
}

// TestComplete: Tab completes commands, names and files.
func TestComplete(t *testing.T) {
	s := newStage(t, 80, 12)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	for _, c := range []struct{ typed, want string }{
		{"/whoi", "/whois "}, {"an", "ann: "}, {"hei pr", "hei prof "}, {"/whois pr", "/whois prof "}, {"zz", "zz"},
		{"ka", "ka"},
	} {
		s.m.input.clear()
		s.types(c.typed)
		s.press("tab")
		if got := s.m.input.String(); got != c.want {
			t.Errorf("%q completes to %q, want %q", c.typed, got, c.want)
		}
	}
	s.m.input.clear()
	s.types("/who")
	s.press("tab", "tab")
	if got := s.m.input.String(); got != "/whois " {
		t.Errorf("the second is %q", got)
	}
	s.press("shift+tab")
	if got := s.m.input.String(); got != "/who " {
		t.Errorf("back is %q", got)
	}
	s.m.input.clear()
	s.types("/scrollback no")
	s.press("tab")
	if c, ok := asked[CompleteFile](s.b); !ok || c.Begin != "no" {
		t.Errorf("asked %+v", c)
	}
	s.do(Files{"notes.txt"})
	if got := s.m.input.String(); got != "/scrollback notes.txt" {
		t.Errorf("got %q", got)
	}
}

// TestEditing are readline's keys.
func TestEditing(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"a b c ctrl+a x", "xabc|1"},
		{"a b left left x ctrl+e y", "xaby|4"},
		{"o n e space t w o ctrl+w", "one |4"},
		{"o n e space t w o alt+b ctrl+k", "one |4"},
		{"o n e space t w o alt+b ctrl+u", "two|0"},
		{"o n e space t w o ctrl+w ctrl+y ctrl+y", "one twotwo|10"},
		{"o n e space t w o ctrl+a alt+d", " two|0"},
		{"o n e space t w o ctrl+a alt+f x", "onex two|4"},
		{"a b ctrl+w ctrl+_", "ab|2"},
		{"a b ctrl+j c ctrl+a x", "ab\nxc|4"},
		{"a b alt+enter c up x", "axb\nc|2"},
		{"å æ ø backspace left delete", "å|1"},
	} {
		s := newStage(t, 80, 12)
		for _, k := range strings.Fields(c.keys) {
			if k == "space" {
				k = " "
			}
			s.press(k)
		}
		if got := fmt.Sprintf("%s|%d", s.m.input.String(), s.m.input.at); got != c.want {
			t.Errorf("%s: %q, want %q", c.keys, got, c.want)
		}
	}
}

// TestInputGrows to eight rows, then scrolls.
func TestInputGrows(t *testing.T) {
	s := newStage(t, 80, 24)
	for i := range 20 {
		s.types(fmt.Sprintf("row %d", i))
		s.press("ctrl+j")
	}
	rows, _ := s.m.inputRows()
	if len(rows) != maxInput {
		t.Errorf("%d rows", len(rows))
	}
	if !s.contains("row 19") || s.contains("row 2\n") {
		t.Errorf("got\n%s", s.screen())
	}
}

// TestQuestion: somebody asks for a proof; only a yes is one.
func TestQuestion(t *testing.T) {
	s := newStage(t, 100, 12)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	s.do(room.Asked{ID: "q1", Member: mAnn, Policy: `"Professor"`})
	if !s.contains(`asks you to prove "Professor".`) {
		t.Errorf("got\n%s", s.screen())
	}
	s.types("what?")
	s.enter()
	if _, ok := asked[chat.Allow](s.b); ok {
		t.Fatal("answered")
	}
	s.now = s.now.Add(readTime)
	s.types("y")
	s.enter()
	if a, ok := asked[chat.Allow](s.b); !ok || a.ID != "q1" || !a.Allow {
		t.Errorf("answered %+v", a)
	}
	if len(s.b.sent) != 1 {
		t.Errorf("sent %q", s.b.sent)
	}
	s.do(room.Asked{ID: "q2", Member: mAnn, Policy: `x`})
	s.now = s.now.Add(readTime)
	s.types("n")
	s.enter()
	if a, _ := asked[chat.Allow](s.b); a.ID != "q2" || a.Allow {
		t.Errorf("answered %+v", a)
	}
	s.do(room.Asked{ID: "q3", Member: mAnn, Policy: `x`})
	s.enter() // of before it could be read
	if a, _ := asked[chat.Allow](s.b); a.ID == "q3" {
		t.Errorf("answered %+v", a)
	}
	s.now = s.now.Add(readTime)
	s.enter()
	if a, _ := asked[chat.Allow](s.b); a.ID != "q3" || a.Allow {
		t.Errorf("answered %+v", a)
	}
}

// TestQuestionWhileTyping: a y that was begun before the question stood there, or just when it
// came, was meant for something else.
func TestQuestionWhileTyping(t *testing.T) {
	answers := func(s *stage, want string, allow bool) {
		t.Helper()
		a, ok := asked[chat.Allow](s.b)
		if got := a.ID; got != want || ok != (want != "") || a.Allow != allow {
			t.Errorf("answered %+v, want %q", a, want)
		}
	}
	s := newStage(t, 100, 12)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	s.types("y")
	s.do(room.Asked{ID: "q1", Member: mAnn, Policy: `"Professor"`})
	s.now = s.now.Add(time.Minute)
	s.enter()
	answers(s, "", false)
	s.types("y")
	s.enter()
	answers(s, "q1", true)

	// Another's question takes the place of one that is over.
	s = newStage(t, 100, 12)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	s.do(room.Asked{ID: "q1", Member: mAnn, Policy: `"Professor"`}, room.Asked{ID: "q2", Member: mProf, Policy: `"NTNU"`})
	s.now = s.now.Add(time.Minute)
	s.do(room.Attested{Member: mAnn, Policy: `"Professor"`, Given: true, Reason: "who asked is not here any more"})
	s.types("/yes")
	s.enter()
	answers(s, "", false)
	s.now = s.now.Add(readTime)
	s.types("/no")
	s.enter()
	answers(s, "q2", false)

	// What is asked for by the user comes before what others ask, and /yes is for what is shown.
	s = newStage(t, 100, 12)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari, mProf)
	s.do(room.Asked{ID: "q1", Member: mAnn, Policy: `"Professor"`}, room.Asked{ID: "q2", Member: mProf, Policy: `"NTNU"`})
	s.now = s.now.Add(time.Minute)
	s.types("/scrollback x")
	s.enter()
	s.types("n")
	s.enter()
	answers(s, "", false)
	s.now = s.now.Add(readTime)
	s.types("/yes")
	s.enter()
	answers(s, "q1", true)
}

// TestBare has no frames, and any key returns.
func TestBare(t *testing.T) {
	s := morning(t, 100, 24)
	s.press("alt+l")
	if s.contains("│") || s.contains("──") && !s.contains("new since") || s.contains("kari>") {
		t.Errorf("got\n%s", s.screen())
	}
	s.press("x")
	if !s.contains("kari>") || !s.m.input.empty() {
		t.Errorf("got\n%s", s.screen())
	}
}

// TestLongMessage opens with Alt+O.
func TestLongMessage(t *testing.T) {
	s := morning(t, 80, 40)
	if s.contains("message of ann") {
		t.Fatal("open")
	}
	s.press("alt+o")
	if !s.contains("message of ann") {
		t.Errorf("got\n%s", s.screen())
	}
	s.press("alt+o")
	if s.m.panel != nil {
		t.Error("Alt+O does not close it")
	}
}

// TestSaidBehindPanel: who says something, or asks for something else, sees what comes of it, and not
// the answer before it.
func TestSaidBehindPanel(t *testing.T) {
	for _, line := range []string{"/link copy", "anybody here?"} {
		s := morning(t, 80, 24)
		s.command("/help")
		if s.m.panel == nil {
			t.Fatal("no help")
		}
		s.command(line)
		if s.m.panel != nil {
			t.Errorf("%s: help is still there:\n%s", line, s.screen())
		}
	}
}

// TestTo: words for some show for whom they are, what cannot be read says so, and what was
// opened later stands where it belongs. What cannot be said so stays in the input and goes out
// to nobody.
func TestTo(t *testing.T) {
	s := newStage(t, 100, 24)
	s.epoch(1, room.ReasonFirst, nil, nil, mKari, mAnn, mProf)
	s.command("/to (Professor or) the questions")
	if say, ok := asked[chat.Say](s.b); ok {
		t.Fatalf("said: %+v", say)
	}
	if got := s.m.input.String(); got != "/to (Professor or) the questions" {
		t.Errorf("the input has %q", got)
	}
	s.m.input.clear()
	s.command("/to NTNU and Professor the questions")
	if say, ok := asked[chat.Say](s.b); ok {
		t.Fatalf("said: %+v", say)
	}
	s.m.input.clear()
	s.command(" /to Professor the questions")
	if say, ok := asked[chat.Say](s.b); ok {
		t.Fatalf("said: %+v", say)
	}
	s.m.input.clear()
	s.command("/to Professor the questions")
	say, ok := asked[chat.Say](s.b)
	if !ok || say.To != "Professor" || say.Text != "the questions" {
		t.Fatalf("said: %+v", say)
	}
	s.do(room.Sent{Ref: say.Ref, ID: ake.Hash{1}, Counter: 1, Epoch: ake.Hash{0, 1}, Readers: []peer.ID{ann, prof},
		To: `"Professor"`})
	words := func() string { return strings.Join(strings.Fields(s.screen()), " ") }
	some := func(id byte, reading room.Reading, words string) room.Delivered {
		return s.say(mAnn, words, func(d *room.Delivered) {
			d.ID, d.To, d.Reading, d.Message.Kind = ake.Hash{id}, `"Professor"`, reading, record.KindTo
		})
	}
	some(2, room.Read, "the answers")
	some(3, room.Unread, "")
	later := some(4, room.NotOpened, "")
	s.say(mAnn, "for all")
	screen := words()
	for _, want := range []string{`kari to "Professor" the questions`, `ann to "Professor" the answers`,
		`ann to "Professor" (your key does not open it)`, `ann to "Professor" (not opened yet)`, `for "Professor" alone;`} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q in\n%s", want, screen)
		}
	}
	later.Message.Text, later.Reading = "opened late", room.Read
	s.do(room.Opened{Delivered: later})
	if screen = words(); !strings.Contains(screen, `ann to "Professor" opened late`) || strings.Contains(screen, "not opened yet") ||
		strings.Index(screen, "opened late") > strings.Index(screen, "for all") {
		t.Errorf("after it was opened:\n%s", screen)
	}
	s.command("/readers 5")
	if screen = words(); !strings.Contains(screen, `for "Professor" alone: of those below`) || strings.Contains(screen, "could read it") {
		t.Errorf("/readers:\n%s", screen)
	}
	s.press("esc")
	s.command("/to Professor again")
	say, _ = asked[chat.Say](s.b)
	s.do(chat.Rejected{Ref: say.Ref, Err: cli.Fail("too-long", "too long")})
	s.press("up")
	if got := s.m.input.String(); got != "/to (Professor) again" {
		t.Errorf("the text comes back as %q", got)
	}
}
