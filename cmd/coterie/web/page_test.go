package web

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/browse"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	proto "coterie/room"
)

var pictures = flag.String("web.pictures", "", "write pictures of the page into this folder")

// shown is a browser with a server's page.
func shown(t testing.TB, s *Server, width, height int64, dark bool) *browse.Browser {
	t.Helper()
	b := browse.Start(t, width, height, dark)
	b.Open(s.Host(), s.Link())
	return b
}

func shoot(b *browse.Browser, name string) {
	if *pictures != "" {
		b.Picture(filepath.Join(*pictures, name+".png"))
	}
}

// TestPageTalks: the page shows what was said and who can read, sends what is typed, and says what
// became of it.
func TestPageTalks(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	s := served(t, g)
	b := shown(t, s, 1200, 800, false)
	b.Shows("#title", "exam")
	b.Shows("#members", "2 can read")
	b.Shows("#members", "kari (you)")
	g.tell(said(1, "hello from ann"))
	b.Shows("#log", "hello from ann")
	b.Say("hello back")
	b.Shows("#log li.self", "hello back")
	b.Shows("#log li.self", "0/1 have it")
	b.Click("#log .menu", "hello from ann")
	b.Shows("#dialog", "could read it: you, ann")
	b.Click("#dialog-close", "Close")
	shoot(b, "first")
	if got := browse.Eval[string](b, "location.hash"); got != "" {
		t.Error("the token stays in the address:", got)
	}
	b.Fine()
}

// TestBrowserIsLed: the private file that a browser is given leads it to the page, signed in, once.
func TestBrowserIsLed(t *testing.T) {
	t.Parallel()
	s := served(t, newStage("exam"))
	b := browse.Start(t, 1200, 800, false)
	if err := Show(s.cfg.Dir, s.Link(), func(path string) error {
		b.Open(s.Host(), "file://"+path)
		b.Shows("#title", "exam")
		b.Open(s.Host(), "file://"+path) // it was used, and the page goes on
		b.Shows("#title", "exam")
		browse.Eval[bool](b, `(sessionStorage.clear(), true)`)
		b.Open(s.Host(), "file://"+path)
		b.Shows("#notices", "this link was used")
		b.Shows("#notices", "press Enter in the terminal")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.Fine()
}

// TestPageCutOff: a page whose connection is cut says so, comes back by itself, and has each message
// once.
func TestPageCutOff(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	s := served(t, g)
	b := shown(t, s, 1200, 800, false)
	b.Until(`!document.getElementById("words").disabled`)
	n := 0
	for range 5 {
		for range 10 {
			n++
			g.tell(said(n, fmt.Sprintf("message %d.", n)))
			if n%10 == 5 {
				g.cut()
			}
		}
		b.Shows("#log", fmt.Sprintf("message %d.", n))
	}
	got := browse.Eval[[]string](b, `[...document.querySelectorAll("#log .text")].map((e) => e.textContent)`)
	if len(got) != n {
		t.Errorf("%d messages, not %d", len(got), n)
	}
	for i, text := range got {
		if want := fmt.Sprintf("message %d.", i+1); text != want {
			t.Fatalf("%q in the place of %q", text, want)
		}
	}
	b.Until(`document.getElementById("notices").textContent === ""`)
	s.Close()
	b.Shows("#notices", "the program does not answer")
	b.Shows("#notices", "coterie web")
}

// TestPageStays: who reads what was said earlier is not moved along by what comes; who reads the newest
// is, and what they have seen is not new.
func TestPageStays(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	s := served(t, g)
	b := shown(t, s, 1200, 800, false)
	b.Until(`!document.getElementById("words").disabled`)
	n := 0
	more := func(count int) {
		for range count {
			n++
			g.tell(said(n, fmt.Sprintf("message %d.", n)))
		}
	}
	more(250)
	b.Shows("#log", "message 250.")
	const top = `[...document.querySelectorAll("#log .text")].find((e) => e.getBoundingClientRect().top > ` +
		`document.getElementById("scroller").getBoundingClientRect().top).textContent`
	b.Until(`(document.getElementById("scroller").scrollTop -= 2500) > 0`)
	b.Until(`!document.getElementById("newest").hidden`)
	time.Sleep(100 * time.Millisecond) // the list has moved along with that
	before := browse.Eval[string](b, top)
	more(200)
	b.Shows("#live", fmt.Sprintf("message %d.", n))
	time.Sleep(100 * time.Millisecond) // it is drawn
	if after := browse.Eval[string](b, top); after != before {
		t.Errorf("%s is where %s was", after, before)
	}
	b.Click("#newest", "newest")
	b.Shows("#log", fmt.Sprintf("message %d.", n))
	more(1)
	b.Shows("#log", fmt.Sprintf("message %d.", n))
	r, err := s.find(roomID)
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		unread := r.unread
		r.mu.Unlock()
		if unread == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("what was seen is new: ", unread)
		}
	}
}

// TestPageFolds: nobody fills the page with one message.
func TestPageFolds(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	s := served(t, g)
	b := shown(t, s, 1200, 800, false)
	g.tell(said(1, "begin"+strings.Repeat("\n", 5000)+"end"), said(2, strings.Repeat("words ", 2500)), said(3, "short"))
	b.Shows("#log", "short")
	for i, high := range browse.Eval[[]int](b, `[...document.querySelectorAll("#log li[data-id]")].map((e) => e.clientHeight)`) {
		if high > 700 {
			t.Errorf("message %d is %d pixels high", i+1, high)
		}
	}
	b.Click("#log button", "5001 lines")
	b.Shows("#log", "end")
	b.Fine()
}

// TestPageMarkup: markup in names, texts, rooms and errors stays text, also where the page itself
// is tricked: nothing in it can become an element, and no script runs.
func TestPageMarkup(t *testing.T) {
	t.Parallel()
	const evil = `<img src=x onerror="window.stolen=1"><script>window.stolen=2</script><b>bold</b>javascript:alert(1)`
	g := newStage(evil)
	s := served(t, g)
	b := shown(t, s, 1200, 800, false)
	b.Shows("#members", "2 can read")
	d := said(1, evil+" https://example.com/<b>x</b> http://evil.example/\"onmouseover=\"stolen=3")
	d.Author.Name = evil
	g.tell(d, chat.Answer{To: chat.Who{}, Title: evil, Lines: []string{evil}})
	b.Shows("#log", "<b>bold</b>")
	b.Shows("#dialog", "<b>bold</b>")
	if n := browse.Eval[int](b, `document.querySelectorAll("img, b, #log script, [onerror], [onmouseover]").length`); n > 0 {
		t.Errorf("%d elements were made out of texts", n)
	}
	if browse.Eval[bool](b, `"stolen" in window`) {
		t.Error("a script ran")
	}
	for _, href := range browse.Eval[[]string](b, `[...document.querySelectorAll("#log a")].map((a) => a.href)`) {
		if !strings.HasPrefix(href, "https://example.com/") && !strings.HasPrefix(href, "http://evil.example/") {
			t.Error(href)
		}
	}
	for _, sink := range []string{`document.body.innerHTML = "<b>x</b>"`, `document.write("x")`,
		`document.createElement("script").text = "1"`,
		`document.body.insertAdjacentHTML("beforeend", "x")`} {
		if got := browse.Eval[string](b, `(() => { try { `+sink+`; return "done" } catch (e) { return e.name } })()`); got == "done" {
			t.Error("the page could do", sink)
		}
	}
}

// long is a room in which 100,000 messages were said, of which the house tells the last.
func long(n, last int) *stage {
	g := newStage("exam")
	begin := time.Now().Add(-time.Duration(n) * time.Second)
	for i := range n {
		d := said(i+1, fmt.Sprintf("message %d of many, with some words in it so that lines are of a usual length", i+1))
		d.Received = begin.Add(time.Duration(i) * time.Second)
		d.Message.Time = uint64(d.Received.UnixMilli())
		g.past = append(g.past, d)
	}
	for _, d := range g.past[n-last:] {
		g.tell(d)
	}
	return g
}

const (
	// firstPaint is how long the page of a room with many messages may take until those are seen.
	firstPaint = 1000 // milliseconds
	// mostElements is how many elements it may have then, and mostHeap how many bytes.
	mostElements, mostHeap = 3000, 400 << 20
)

// TestManyMessages: a page of a room with 100,000 messages is there at once, reads back all of them as
// somebody scrolls, and has elements for a few: it goes on to show at once what is said.
func TestManyMessages(t *testing.T) {
	const n = 100_000
	g := long(n, 2000)
	s := served(t, g)
	s.has(t)
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if lines, _, _ := s.feed.after(0); len(lines) > maxRecent {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the room was not told")
		}
	}
	b := shown(t, s, 1200, 800, false)
	b.Shows("#log", fmt.Sprintf("message %d of", n))
	paint := math.Inf(1)
	for range 3 { // this computer may have had something else to do
		b.Shows("#log", fmt.Sprintf("message %d of", n))
		took := browse.Eval[float64](b, `performance.getEntriesByName("shown")[0].startTime`)
		t.Logf("messages are seen after %.0f ms", took)
		paint = min(paint, took)
		b.Reload()
	}
	b.Shows("#log", fmt.Sprintf("message %d of", n))
	if paint > firstPaint {
		t.Errorf("messages are seen after %.0f ms", paint)
	}
	b.Until(`document.getElementById("scroller").focus() || true`)
	for round := 0; !browse.Eval[bool](b, `document.getElementById("before").textContent.includes("Nothing older")`); round++ {
		if round > 200 {
			t.Fatal(b.Text("#before"))
		}
		b.Key("Home", 36)
		b.Until(`!document.getElementById("before").textContent.startsWith("Reading")`)
	}
	b.Key("Home", 36)
	b.Shows("#log", "message 1 of")
	if got := browse.Eval[int](b, `document.querySelectorAll("*").length`); got > mostElements {
		t.Errorf("%d elements", got)
	}
	heap := browse.Eval[int](b, `performance.memory?.usedJSHeapSize ?? 0`)
	t.Logf("%d MB of heap", heap>>20)
	if heap > mostHeap {
		t.Error(heap)
	}
	// Scrolled down from the oldest, each message comes once, in its order.
	order := browse.Eval[string](b, `(async () => {
		const s = document.getElementById("scroller"), seen = [];
		for (let i = 0; i < 40; i++) {
			for (const e of document.querySelectorAll("#log .text")) {
				const k = Number(e.textContent.split(" ")[1]);
				if (!seen.length || k > seen.at(-1)) {
					if (seen.length && k !== seen.at(-1) + 1) return "after " + seen.at(-1) + " comes " + k;
					seen.push(k);
				}
			}
			s.scrollTop += 2000;
			await new Promise((go) => requestAnimationFrame(() => setTimeout(go, 5)));
		}
		return seen.length > 500 ? "" : "only " + seen.length;
	})()`)
	if order != "" {
		t.Error(order)
	}
	b.Key("End", 35)
	b.Shows("#log", fmt.Sprintf("message %d of", n))
	g.tell(said(n+1, "and one more"))
	b.Shows("#log", "and one more")
	took := browse.Eval[float64](b, `(async () => {
		const w = document.getElementById("words"), from = performance.now();
		for (let i = 0; i < 20; i++) {
			w.value += "x";
			w.dispatchEvent(new Event("input"));
			await new Promise((go) => requestAnimationFrame(go));
		}
		return (performance.now() - from) / 20;
	})()`)
	t.Logf("a letter takes %.1f ms", took)
	if took > 50 {
		t.Errorf("a letter takes %.1f ms", took)
	}
	b.Fine()
}

// axe is the script of axe-core, from npm.
func axe(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("axe-core comes by npm, which is not here")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error",
		"--prefix", dir, "axe-core@"+axeVersion)
	if out, err := npm.CombinedOutput(); err != nil {
		t.Skipf("npm cannot fetch axe-core: %v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const axeVersion = "4.10.2"

// TestAccessible: axe-core finds nothing serious, in light and in dark, at the width of a phone and of
// a desk, in the room and in each dialog.
func TestAccessible(t *testing.T) {
	t.Parallel()
	script := axe(t)
	for _, look := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{"light", 1200, 800, false}, {"dark", 360, 740, true}} {
		g := newStage("exam")
		s := served(t, g)
		b := shown(t, s, look.width, look.height, look.dark)
		b.Until(`!document.getElementById("words").disabled`)
		d := said(1, "hello kari, look at https://example.com/notes")
		d.Reactions = []proto.Reaction{{By: self, Text: "+1"}}
		answer := said(2, "what is it?")
		answer.ReplyTo, answer.Edited = d.ID, true
		gone := said(3, "")
		gone.Withdrawn = true
		some := said(4, "")
		some.To, some.Reading = `"Professor"`, proto.Unread
		g.tell(d, answer, gone, some, proto.Held{Alone: true, Bytes: 3}, chat.Waiting{N: 1, Unsaid: 1},
			proto.Asked{ID: "1", Member: proto.Member{Peer: ann, Name: "ann"}, Policy: "Professor"},
			chat.NotDone{Err: cli.Fail("x", "something was not done").Hint("do another thing")})
		b.Shows("#log", "something was not done")
		b.Say("and one of ours")
		b.Shows("#log li.self", "and one of ours")
		check := func(where string) {
			t.Helper()
			found := browse.Eval[[]string](b, script+`;axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations
				.filter((v) => v.impact === "serious" || v.impact === "critical")
				.map((v) => v.id + ": " + v.help + " " + v.nodes.map((n) => n.html.slice(0, 200) + " " + n.failureSummary).join("; ")))`)
			for _, f := range found {
				t.Errorf("%s, %s: %s", look.name, where, f)
			}
		}
		check("the room")
		shoot(b, "axe-"+look.name)
		for _, open := range []struct{ button, shows string }{{"#join", "Its link"}, {"#more", "Search"}, {"#health", ""},
			{"#log .menu", "Who can read this message"}} {
			if look.width < 700 && open.button == "#join" {
				b.Click("#show-rooms", "Rooms")
			}
			b.Click(open.button, "")
			b.Shows("#dialog", open.shows)
			check(open.button)
			b.Click("#dialog-close", "Close")
		}
		browse.Eval[bool](b, `(document.body.append(new Image()), true)`)
		if blind := browse.Eval[int](b, `axe.run(document).then((r) => r.violations.length)`); blind == 0 {
			t.Error("axe-core finds nothing where something is wrong")
		}
	}
}

// TestKeyboard: all can be done without a mouse: to a message, what there is to do with it, another
// room, out of a dialog.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	g := newStage("exam")
	s := served(t, g)
	b := shown(t, s, 1200, 800, false)
	b.Until(`!document.getElementById("words").disabled`)
	g.tell(said(1, "first"), said(2, "second"))
	b.Shows("#log", "second")
	b.Until(`document.getElementById("scroller").focus() || true`)
	b.Key("ArrowUp", 38)
	b.Until(`document.activeElement.innerText.includes("second")`)
	b.Key("ArrowUp", 38)
	b.Until(`document.activeElement.innerText.includes("first")`)
	b.Key("Enter", 13)
	b.Shows("#dialog", "could read it")
	b.Key("Escape", 27)
	b.Until(`!document.getElementById("dialog").open`)
	b.Until(`document.activeElement.innerText.includes("first")`)
	if tabs := browse.Eval[int](b, `[...document.querySelectorAll("#log button, #log a")].filter((e) => e.tabIndex >= 0).length`); tabs > 1 {
		t.Errorf("%d stops with Tab in the list of messages", tabs)
	}
}

// TestPictures makes the pictures in docs/ of the page, with -web.pictures ../../../docs.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("no folder is given (-web.pictures)")
	}
	for _, look := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{"screen-web", 1100, 560, false}, {"screen-web-phone", 360, 640, true}} {
		g := newStage("exam")
		g.about.Policy = `("NTNU" and "5th year") or "Professor"`
		prof := peer.ID("prof is here, too")
		g.told = g.told[:1]
		g.tell(proto.EpochStarted{ID: ake.Hash{9}, Members: []proto.Member{{Peer: self, Name: "kari"},
			{Peer: ann, Name: "ann"}, {Peer: prof, Name: "prof"}}, Reason: proto.ReasonFirst})
		b := shown(t, served(t, g), look.width, look.height, look.dark)
		b.Until(`!document.getElementById("words").disabled`)
		at := time.Now()
		say := func(n int, who peer.ID, name, text string) proto.Delivered {
			d := said(n, text)
			d.Author, d.Received, d.Self = proto.Member{Peer: who, Name: name}, at, who == self
			d.Message.Time = uint64(at.UnixMilli())
			return d
		}
		one := say(1, ann, "ann", "who has the old exam sets?")
		two := say(2, self, "kari", "they are on the shelf in the library")
		two.ReplyTo, two.Quote = one.ID, &proto.Quote{Author: one.Author, Text: one.Message.Text}
		two.Reactions = []proto.Reaction{{By: ann, Text: "🎉"}}
		three := say(3, prof, "prof", "kari, put the new one there as well")
		some := say(4, ann, "ann", "")
		some.To, some.Reading = `"Professor"`, proto.Unread
		g.tell(one, two, three, some)
		b.Shows("#log", "your key does not open it")
		b.Shows("#log .reactions", "1")
		shoot(b, look.name)
	}
}
