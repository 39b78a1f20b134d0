package ui

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/teatest/v2"
	"github.com/charmbracelet/x/vt"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/screen"
	"coterie/room"
)

// forgery writes one line over another where a carriage return reaches the
// screen.
const forgery = "ok\r08:54      ann  transfer approved"

const mallory = peer.ID("mallory's id")

// hostile are all strings that a hostile member says here: the published list,
// and what this program in particular could be hurt by.
func hostile(t testing.TB) []string {
	f, err := os.Open("testdata/blns/blns.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if l := lines.Text(); l != "" && !strings.HasPrefix(l, "#\t") && l != "#" {
			out = append(out, l)
		}
	}
	if err := lines.Err(); err != nil || len(out) < 400 {
		t.Fatalf("%d strings, %v", len(out), err)
	}
	out = append(out, forgery, "a\x1b[2J\x1b[Hb", "\x1b]0;title\x07", "\x1b]8;;http://evil\x1b\\label\x1b]8;;\x1b\\",
		"\x1b]52;c;ZXZpbA==\x07",
		"\x1b[8mhidden\x1b[0m", "\x1b[31mred", "\x1b[?1049l", "\x1b[6n", "\x1bP1$r0m\x1b\\", "\x1b[?1000h", "\x1b[201~",
		"\x1b_Gi=1\x1b\\", "\u009b2J", "\u009d0;x\u009c",
		"\b\b\b\b\b\b\b\b\b\b\b\b\b\bann  hello", "\v\v\f\f", "\x00\x7f\x1a\x04", "line\n08:54      ann  forged\n\n\n",
		"\u2028\u2029next", "\u202e08:54 nna", "\u2066x\u2069",
		"\u200b\u200d\u2060\ufeff", "\U000e0041\U000e0042", "e"+strings.Repeat("\u0301\u0316", 200), strings.Repeat("\u0489",
			100), "\u3164\u115f\u2800",
		strings.Repeat("A", 16<<10), strings.Repeat("東", 5000), strings.Repeat("\t", 3000), strings.Repeat("\n", 3000),
		strings.Repeat("👩\u200d", 2000),
		"\xff\xfe\xc0\x80", "שלום 08:54 ann", "\\u{1b}[31m", "/quit", "//quit", "-- keys 91ab: ann joined; 2 can read",
	)
	return out
}

// names that a hostile member takes, one after the other.
var hostileNames = []string{
	"ann", "аnn", "Ann", "ann\u200b", "ann\r", "\x1b[31mann", "--", "!!", "you", "coterie", "ann 🛡",
	strings.Repeat("a", 60), strings.Repeat("東", 20), "a" + strings.Repeat("\u0301", 30),
	"\u202enna", "", "08:54", "ann\nann", "kari",
}

// say is what mallory says, and a word of ann's after it by which one knows that
// it was drawn.
func attack(i int, texts []string, now time.Time) Events {
	var batch Events
	m := room.Member{Peer: mallory, Name: hostileNames[i%len(hostileNames)]}
	batch = append(batch, room.Renamed{Member: m})
	for j, s := range texts {
		d := room.Delivered{Author: m, Received: now}
		d.ID = [32]byte{1, byte(i), byte(i >> 8), byte(j)}
		d.Message.Text, d.Message.Time, d.Message.Lamport = s, uint64(now.UnixMilli()), uint64(2+i)
		batch = append(batch, d)
	}
	d := room.Delivered{Author: mAnn, Received: now}
	d.ID = [32]byte{2, byte(i), byte(i >> 8)}
	d.Message.Text, d.Message.Time, d.Message.Lamport = marker(i), uint64(now.UnixMilli()), uint64(2+i)
	return append(batch, d)
}

func marker(i int) string { return fmt.Sprintf("that was %d", i) }

// harmless checks the cells of a screen after an attack: each row begins as a
// line of ours does, and what was said stands where such things stand.
func harmless(t *testing.T, what string, rows []string) {
	t.Helper()
	line := regexp.MustCompile(`^(\d\d:\d\d( .{3} |.{5}) *\S.*|\d\d:\d\d .*|                .*|ok   .*|──+ new since.*|   [A-Z][a-z]{2} \d.*|            --  .*|)$`)
	for y, r := range rows {
		if i := strings.IndexFunc(r, func(c rune) bool {
			return unicode.Is(unicode.Cc, c) || unicode.Is(unicode.Bidi_Control, c) && c != 0x200e
		}); i >= 0 {
			t.Errorf("%s: row %d holds %q", what, y, r)
		}
		switch {
		case y == 0:
			if !strings.HasPrefix(r, " exam · NTNU") || !strings.HasSuffix(r, " ok") {
				t.Errorf("%s: the header is %q", what, r)
			}
		case y == 1, y == len(rows)-2:
			if strings.Trim(r, "─") != "" {
				t.Errorf("%s: the frame is %q", what, r)
			}
		case y == len(rows)-1:
			if !strings.HasPrefix(r, " kari") {
				t.Errorf("%s: the input is %q", what, r)
			}
		default:
			if !line.MatchString(r) {
				t.Errorf("%s: row %d is %q", what, y, r)
			}
			// Ann said nothing here but the markers: no row may look like hers.
			if regexp.MustCompile(`^\d\d:\d\d +ann(~\w+)?  `).MatchString(r) && !strings.Contains(r, "that was ") &&
				!strings.Contains(r, "<-") {
				t.Errorf("%s: forged: %q", what, r)
			}
		}
	}
}

// hostileStage is a room with ann, and mallory, who has joined.
func hostileStage(t testing.TB, width, height int) *stage {
	s := newStage(t, width, height)
	s.epoch(0x91ab, room.ReasonFirst, nil, nil, mAnn, mKari, member(mallory, ""))
	s.do(fine(mAnn, mKari))
	return s
}

// TestHostileText: every string of the list, under every name, as cells that the
// renderer draws.
func TestHostileText(t *testing.T) {
	all := hostile(t)
	for _, size := range []struct{ w, h int }{{80, 24}, {60, 100}} {
		s := hostileStage(t, size.w, size.h)
		for i, text := range all {
			for _, e := range attack(i, []string{text}, s.now) {
				s.do(e)
			}
			rows := s.cells()
			harmless(t, fmt.Sprintf("%.40q", text), rows)
			if !strings.Contains(strings.Join(rows, "\n"), marker(i)) {
				t.Fatalf("%.40q: what came after it is not shown", text)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// emulate draws what was written to a terminal.
func emulate(out []byte, width, height int) []string {
	e := vt.NewEmulator(width, height)
	done := make(chan struct{})
	go func() { // the emulator answers questions; nobody wants to know
		defer close(done)
		b := make([]byte, 4096)
		for {
			if _, err := e.Read(b); err != nil {
				return
			}
		}
	}()
	e.Write(bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))) // as a terminal's driver does
	rows := screen.Rows(e)
	screen.Hush(e)
	<-done
	return rows
}

// TestCarriageReturnCannotForgeALine, through the whole of bubbletea and a
// terminal's cells. The renderer itself lets it: the first part shows that, so
// that one notices when this test proves nothing any more.
func TestCarriageReturnCannotForgeALine(t *testing.T) {
	forged := func(model tea.Model, events ...tea.Msg) string {
		tm := teatest.NewTestModel(t, model, teatest.WithInitialTermSize(80, 12))
		for _, e := range events {
			tm.Send(e)
		}
		var all bytes.Buffer
		teatest.WaitFor(t, tm.Output(), func(b []byte) bool {
			all.Write(b[all.Len():])
			return bytes.Contains(b, []byte("that was 0"))
		}, teatest.WithDuration(30*time.Second))
		tm.Quit()
		tm.WaitFinished(t, teatest.WithFinalTimeout(30*time.Second))
		for _, r := range emulate(all.Bytes(), 80, 12) {
			if strings.HasPrefix(r, "08:54      ann  transfer approved") {
				return r
			}
		}
		return ""
	}
	naive := naive("08:54  mallory  " + forgery + "\nthat was 0\n")
	if forged(naive) == "" {
		t.Error("without a border, the carriage return forges nothing: this test proves nothing")
	}
	s := hostileStage(t, 80, 12)
	if r := forged(s.m, s.enveloped(attack(0, []string{forgery}, s.now))); r != "" {
		t.Errorf("forged: %q", r)
	}
}

// naive is an interface without a border.
type naive string

func (n naive) Init() tea.Cmd                       { return nil }
func (n naive) Update(tea.Msg) (tea.Model, tea.Cmd) { return n, nil }
func (n naive) View() tea.View                      { v := tea.NewView(string(n)); v.AltScreen = true; return v }
