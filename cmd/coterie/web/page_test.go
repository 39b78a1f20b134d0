package web

import (
	"strings"
	"testing"

	"coterie/cmd/coterie/chat"
)

// TestPageTalks: the page shows what was said and who can read, sends what is typed, and says what
// became of it.
func TestPageTalks(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	b := browse(t, s, 1200, 800, false)
	b.shows("#title", "exam")
	b.shows("#members", "2 can read")
	b.shows("#members", "kari (you)")
	g.tell(said(1, "hello from ann"))
	b.shows("#log", "hello from ann")
	b.say("hello back")
	b.shows("#log li.self", "hello back")
	b.shows("#log li.self", "0/1 have it")
	b.click("#log .menu", "hello from ann")
	b.shows("#dialog", "could read it: you, ann")
	b.click("#dialog-close", "Close")
	b.picture("first")
	if got := eval[string](b, "location.hash"); got != "" {
		t.Error("the token stays in the address:", got)
	}
	b.fine()
}

// TestPageMarkup: markup in names, texts, rooms and errors stays text, also where the page itself
// is tricked: nothing in it can become an element, and no script runs.
func TestPageMarkup(t *testing.T) {
	const evil = `<img src=x onerror="window.stolen=1"><script>window.stolen=2</script><b>bold</b>javascript:alert(1)`
	g := newStage(evil)
	s := served(t, g)
	b := browse(t, s, 1200, 800, false)
	b.shows("#members", "2 can read")
	d := said(1, evil+" https://example.com/<b>x</b> http://evil.example/\"onmouseover=\"stolen=3")
	d.Author.Name = evil
	g.tell(d, chat.Answer{To: chat.Who{}, Title: evil, Lines: []string{evil}})
	b.shows("#log", "<b>bold</b>")
	b.shows("#dialog", "<b>bold</b>")
	if n := eval[int](b, `document.querySelectorAll("img, b, #log script, [onerror], [onmouseover]").length`); n > 0 {
		t.Errorf("%d elements were made out of texts", n)
	}
	if eval[bool](b, `"stolen" in window`) {
		t.Error("a script ran")
	}
	for _, href := range eval[[]string](b, `[...document.querySelectorAll("#log a")].map((a) => a.href)`) {
		if !strings.HasPrefix(href, "https://example.com/") && !strings.HasPrefix(href, "http://evil.example/") {
			t.Error(href)
		}
	}
	for _, sink := range []string{`document.body.innerHTML = "<b>x</b>"`, `document.write("x")`,
		`document.createElement("script").text = "1"`,
		`document.body.insertAdjacentHTML("beforeend", "x")`} {
		if got := eval[string](b, `(() => { try { `+sink+`; return "done" } catch (e) { return e.name } })()`); got == "done" {
			t.Error("the page could do", sink)
		}
	}
}
