package web

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/browse"
)

var pictures = flag.String("web.pictures", "", "write pictures of the page into this folder")

// shown is a browser with a server's page.
func shown(t testing.TB, s *Server, width, height int64, dark bool) *browse.Browser {
	t.Helper()
	b := browse.Start(t, width, height, dark)
	b.Open(s.Host(), s.Link())
	return b
}

func picture(b *browse.Browser, name string) {
	if *pictures != "" {
		b.Picture(filepath.Join(*pictures, name+".png"))
	}
}

// TestPageTalks: the page shows what was said and who can read, sends what is typed, and says what
// became of it.
func TestPageTalks(t *testing.T) {
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
	picture(b, "first")
	if got := browse.Eval[string](b, "location.hash"); got != "" {
		t.Error("the token stays in the address:", got)
	}
	b.Fine()
}

// TestPageMarkup: markup in names, texts, rooms and errors stays text, also where the page itself
// is tricked: nothing in it can become an element, and no script runs.
func TestPageMarkup(t *testing.T) {
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
