package web

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/browse"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	proto "coterie/room"
	"coterie/room/record"
)

// ready is a stage's page in a browser, with the room on it.
func ready(t *testing.T, g *stage) (*Server, *browse.Browser) {
	t.Helper()
	s := served(t, g)
	b := shown(t, s, 1200, 800, false)
	b.Until(`!document.getElementById("words").disabled`)
	return s, b
}

// set has the stage be otherwise.
func (g *stage) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// TestPageNotTaken: of what the program does not take the page says so, and gives the words back. It does
// not stay "on its way".
func TestPageNotTaken(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	_, b := ready(t, g)
	g.set(func() { g.full = true })
	b.Say("nobody takes this")
	b.Shows("#log .state", "not sent: too much is waiting")
	b.Say("/who")
	b.Until(`document.getElementById("words").value === "/who"`)
	b.Fill("#words", "")
	b.Say(" /to Professor words")
	b.Shows("#log .state", "not sent: a blank stands before /to")
	b.Click("#log li.self button", "Take it back")
	b.Until(`document.getElementById("words").value.includes("nobody takes this")`)
	b.Until(`!document.getElementById("log").innerText.includes("nobody takes this")`)
	b.Fill("#words", strings.Repeat("x", 30_000))
	b.Until(`document.getElementById("words").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"})) || true`)
	b.Shows("#log", "too long for a message")
	b.Until(`document.getElementById("words").value.length === 30000`)
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, record.MaxFile+1); err != nil {
		t.Fatal(err)
	}
	b.Upload("#file", large)
	b.Shows("#log .state", "not sent: a file has at most 32 MiB")
	b.Fine()
}

// TestPageBeginsAnew: a page that was away for too long is told all anew. What somebody has typed is still
// there, and what was before is not read out again.
func TestPageBeginsAnew(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	s, b := ready(t, g)
	g.tell(said(1, "one"), said(2, "two"))
	b.Shows("#live", "two")
	b.Fill("#words", "half a thought")
	browse.Eval[bool](b, `(document.getElementById("live").replaceChildren(), true)`)
	g.cut()
	for range maxFeed + 10 {
		s.feed.put("elsewhere", []byte(`{"room":""}`), false)
	}
	g.tell(said(3, "three"))
	b.Shows("#log", "three")
	b.Until(`document.getElementById("notices").textContent === ""`)
	g.tell(said(4, "four"))
	b.Shows("#live", "four")
	if got := b.Text("#live"); strings.Contains(got, "one") || strings.Contains(got, "two") {
		t.Errorf("it reads out again: %q", got)
	}
	if got := browse.Eval[string](b, `document.getElementById("words").value`); got != "half a thought" {
		t.Errorf("of what was typed there is %q", got)
	}
}

// TestPageOldClock: a member whose clock is wrong, or who says so, hides nothing that is older.
func TestPageOldClock(t *testing.T) {
	t.Parallel()
	for _, clock := range []uint64{0, 1 << 60} {
		g := newStage("exam")
		begin := time.Now().Add(-24 * time.Hour)
		for i := range 600 {
			d := said(i+1, fmt.Sprintf("message %d.", i+1))
			d.Received = begin.Add(time.Duration(i) * time.Second)
			d.Message.Time = uint64(d.Received.UnixMilli())
			g.past = append(g.past, d)
		}
		_, b := ready(t, g)
		d := said(601, "from another time")
		d.Message.Time = clock
		g.tell(d)
		b.Shows("#log", "from another time")
		b.Until(`document.getElementById("scroller").focus() || true`)
		b.Until(`document.getElementById("scroller").dispatchEvent(new KeyboardEvent("keydown", {key: "Home"})) || true`)
		b.Shows("#before", "Nothing older")
		b.Key("Home", 36)
		b.Shows("#log", "message 1.")
	}
}

// TestPageQuotes: of a message that is withdrawn nothing is left in the answers to it either.
func TestPageQuotes(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	_, b := ready(t, g)
	one, two, three := said(1, "regretted words"), said(2, "an answer"), said(3, "another")
	two.ReplyTo = one.ID
	three.ReplyTo, three.Quote = idOf(77), &proto.Quote{Author: one.Author, Text: "words that are not here"}
	g.tell(one, two, three)
	b.Shows("#log .quote", "regretted words")
	b.Shows("#log .quote", "words that are not here")
	g.tell(proto.Changed{Target: one.ID, Kind: record.KindWithdrawal, By: one.Author},
		proto.Changed{Target: idOf(77), Kind: record.KindWithdrawal, By: one.Author})
	b.Until(`[...document.querySelectorAll("#log .quote")].every((e) => e.innerText === "ann (withdrawn)")`)
	b.Fine()
}

// TestPageFocus: who is at a message, or at a button, with the keyboard stays there when something happens.
func TestPageFocus(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	_, b := ready(t, g)
	g.tell(said(1, "first"))
	b.Shows("#log", "first")
	for i, at := range []string{"#room-list button", "#members li button", "#log li[data-id]"} {
		b.Until(fmt.Sprintf(`document.querySelector(%q).focus() || document.activeElement.matches(%[1]q)`, at))
		g.tell(said(i+2, fmt.Sprint("number ", i+2)),
			proto.Changed{Target: idOf(1), Kind: record.KindReaction, By: proto.Member{Peer: ann, Name: "ann"}, Text: at[1:4]})
		b.Shows("#log .reactions", at[1:4])
		if is := browse.Eval[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, at)); !is {
			t.Errorf("who was at %s is at %s", at, browse.Eval[string](b, `document.activeElement.outerHTML.slice(0, 80)`))
		}
	}
	b.Fine()
}

// TestPageUnseen: the title says how much is new while the page is behind others, where nothing is drawn.
func TestPageUnseen(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	_, b := ready(t, g)
	browse.Eval[bool](b, `(window.requestAnimationFrame = () => 1,
		Object.defineProperty(document, "visibilityState", {get: () => "hidden"}), true)`)
	g.tell(said(1, "one"), said(2, "two"))
	b.Until(`document.title.startsWith("(2)")`)
}

// TestPageAnotherRoom: what is asked about one room is not done in another.
func TestPageAnotherRoom(t *testing.T) {
	t.Parallel()
	g, other := newStage("exam"), newStage("other")
	other.id, other.about.ID = ake.Hash{2}, ake.Hash{2}
	s := servedWith(t, g, Config{})
	all := s.cfg.Source.(*stages)
	all.mu.Lock()
	all.all[fmt.Sprintf("%x", other.id)] = other
	all.mu.Unlock()
	b := shown(t, s, 1200, 800, false)
	b.Shows("#room-list", "other")
	b.Shows("#title", "exam")
	b.Click("#more", "More")
	b.Click("#dialog button", "Leave for good")
	b.Shows("#dialog", "Leave exam for good?")
	b.Until(`document.dispatchEvent(new KeyboardEvent("keydown", {key: "2", altKey: true})) || true`)
	const drawn = `new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() =>
		go(document.getElementById("title").textContent))))`
	if got := browse.Eval[string](b, drawn); got != "exam" {
		t.Errorf("%s is shown below a question about exam", got)
	}
	b.Click("#room-list button", "other") // as a room is shown that was joined just now
	b.Shows("#title", "other")
	if browse.Eval[bool](b, `document.getElementById("dialog").open`) {
		t.Error("the question about exam stands above another room")
	}
	for _, c := range slices.Concat(g.wanted(), other.wanted()) {
		if _, left := c.(chat.Quit); left {
			t.Error("a room was left")
		}
	}
}

// TestPagePeers: what is done about a member is done by their id: a tag can be another's, too.
func TestPagePeers(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	_, b := ready(t, g)
	b.Click("#members li button", "ann")
	b.Click("#dialog button", "Ignore")
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if i := slices.IndexFunc(g.wanted(), func(c chat.Command) bool { _, is := c.(chat.Ignore); return is }); i >= 0 {
			if c := g.wanted()[i].(chat.Ignore); c.Who != ann.String() {
				t.Error(c)
			}
			return
		}
		if time.Now().After(until) {
			t.Fatal("nobody is ignored")
		}
	}
}

// TestPagePictures: all pictures of a room are shown, however many, and who reads the newest message goes
// on to see it.
func TestPagePictures(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	var one bytes.Buffer
	if err := png.Encode(&one, image.NewGray(image.Rect(0, 0, 300, 300))); err != nil {
		t.Fatal(err)
	}
	g.kept = one.Bytes()
	_, b := ready(t, g)
	const n = 3 * maxUploads
	for i := range n {
		d := said(i+1, "")
		d.File = &proto.FileInfo{Name: fmt.Sprint(i, ".png"), Size: int64(one.Len()), State: proto.FileHere}
		g.tell(d)
	}
	b.Until(fmt.Sprintf(`document.querySelectorAll("#log .picture").length === %d`, n))
	const below = `document.getElementById("scroller").scrollHeight - document.getElementById("scroller").scrollTop - ` +
		`document.getElementById("scroller").clientHeight`
	if got := browse.Eval[float64](b, below); got > 80 {
		t.Errorf("the newest is %v pixels below what is seen", got)
	}
	b.Fine()
}

// TestPageStops: a file that is being fetched can be stopped, and is fetched again by a word.
func TestPageStops(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	_, b := ready(t, g)
	d := said(1, "")
	d.File = &proto.FileInfo{Name: "talk.mp4", Size: 2 << 20, State: proto.FileFetching}
	g.tell(d)
	b.Shows("#log .file", "talk.mp4")
	b.Click("#log .file button", "Stop")
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if slices.Contains(g.wanted(), chat.Command(chat.Stop{ID: d.ID})) {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("wanted: %v", g.wanted())
		}
	}
	g.tell(proto.FileChanged{ID: d.ID, FileInfo: proto.FileInfo{Name: "talk.mp4", Size: 2 << 20, State: proto.FileThere}})
	b.Shows("#log .file button", "Fetch")
	b.Fine()
}

// TestPagePixels: of pictures of 25 million pixels each a page holds no more than is seen, and a screen
// above and below: each as large as it is shown. One that somebody comes back to is drawn again.
func TestPagePixels(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	var one bytes.Buffer
	if err := png.Encode(&one, image.NewGray(image.Rect(0, 0, 5000, 5000))); err != nil {
		t.Fatal(err)
	}
	g.kept = one.Bytes()
	_, b := ready(t, g)
	const n = 16
	for i := range n {
		d := said(i+1, "")
		d.File = &proto.FileInfo{Name: fmt.Sprint(i, ".png"), Size: int64(one.Len()), State: proto.FileHere}
		g.tell(d)
	}
	b.Until(fmt.Sprintf(`document.querySelectorAll("#log .picture").length === %d`, n))
	const all = `[...document.querySelectorAll("#log .picture")]`
	drawn := func(from, to int) string {
		return fmt.Sprintf("%s.slice(%d, %d).every((c) => c.width === 320 && c.height === 320)", all, from, to)
	}
	gone := func(from, to int) string {
		return fmt.Sprintf("%s.slice(%d, %d).every((c) => c.width === 0 && c.clientHeight === 320)", all, from, to)
	}
	b.Until(drawn(n-1, n))
	b.Until(gone(0, n-8))
	if got := browse.Eval[float64](b, all+`.reduce((sum, c) => sum + c.width * c.height, 0)`); got > 8*320*320 {
		t.Errorf("%v pixels are held", got)
	}
	b.Until(`(document.getElementById("scroller").scrollTop = 0) === 0`)
	b.Until(drawn(0, 1))
	b.Until(gone(8, n))
	b.Fine()
}

// TestPageAnswers: what a page asks is answered there, and in no other one of the same room; also where the
// same was asked before in another and was refused.
func TestPageAnswers(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	s, one := ready(t, g)
	other := shown(t, s, 1200, 800, false)
	other.Until(`!document.getElementById("words").disabled`)
	shut := `!document.getElementById("dialog").open`
	asked := func(b *browse.Browser, typed string, c chat.Command) {
		t.Helper()
		before := len(g.wanted())
		b.Say(typed)
		for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if slices.Contains(g.wanted()[before:], c) {
				return
			}
			if time.Now().After(until) {
				t.Fatalf("wanted: %v", g.wanted())
			}
		}
	}
	asked(one, "/whois zoe", chat.Whois{Who: "zoe"})
	g.tell(chat.NotDone{Err: cli.Fail("no-peer", "nobody is called zoe")})
	one.Shows("#log", "nobody is called zoe")
	asked(other, "/whois zoe", chat.Whois{Who: "zoe"})
	g.tell(chat.Answer{To: chat.Whois{Who: "zoe"}, Title: "zoe", Lines: []string{"here she is"}})
	other.Shows("#dialog", "here she is")
	if !browse.Eval[bool](one, shut) {
		t.Errorf("it opens where it was not asked: %s", one.Text("#dialog"))
	}
	asked(one, "/who", chat.Who{})
	g.tell(chat.Answer{To: chat.Who{}, Title: "who", Lines: []string{"ann and you"}})
	one.Shows("#dialog", "ann and you")
	if text := other.Text("#dialog"); strings.Contains(text, "ann and you") {
		t.Errorf("it opens in the other, too: %s", text)
	}
	one.Fine()
	other.Fine()
}
