package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/crypto/ake"
)

// A listener is a page that is told what happens: it knows up to where it has come, and which
// messages it was told.
type listener struct {
	*page
	after uint64
	had   []string
}

// hears listens until it has so many messages, and is cut off then: cut says after how many lines at
// the latest.
func (l *listener) hears(messages, cut int) {
	l.t.Helper()
	got, err := http.DefaultClient.Do(l.request(http.MethodGet, fmt.Sprintf("/events?after=%d", l.after), nil))
	if err != nil {
		l.t.Fatal(err)
	}
	defer got.Body.Close()
	stop := time.AfterFunc(20*time.Second, func() { got.Body.Close() })
	defer stop.Stop()
	in := bufio.NewScanner(got.Body)
	in.Buffer(nil, 1<<20)
	for ; len(l.had) < messages && cut > 0 && in.Scan(); cut-- {
		if len(in.Bytes()) == 0 {
			continue
		}
		var h struct {
			N     uint64
			Begin bool
			Drawn *drawn
		}
		if err := json.Unmarshal(in.Bytes(), &h); err != nil {
			l.t.Fatal(err)
		}
		if h.Begin {
			l.had = nil // it is told all anew
		}
		if h.Drawn != nil {
			l.had = append(l.had, h.Drawn.Text)
		}
		if h.N > 0 {
			l.after = h.N
		}
	}
}

func (l *listener) wants(n int) {
	l.t.Helper()
	if len(l.had) != n {
		l.t.Fatalf("%d messages, not %d", len(l.had), n)
	}
	for i, text := range l.had {
		if want := fmt.Sprint("message ", i+1); text != want {
			l.t.Fatalf("%q in the place of %q", text, want)
		}
	}
}

// TestCutOff: a page that is cut off, wherever that is, goes on where it was: nothing is lost, and
// nothing comes twice.
func TestCutOff(t *testing.T) {
	for cut := 1; cut <= 12; cut++ {
		g := newStage("exam")
		s := served(t, g)
		s.has(t)
		l := &listener{page: signedIn(t, s)}
		n := 0
		for range 4 {
			for range 10 {
				n++
				g.tell(said(n, fmt.Sprint("message ", n)))
			}
			l.hears(n, cut) // and is cut off in the middle
		}
		for len(l.had) < n {
			before := l.after
			l.hears(n, 1000)
			if l.after == before && len(l.had) < n {
				t.Fatalf("it stands still at %d with %d messages", before, len(l.had))
			}
		}
		l.wants(n)
	}
}

// TestTooLate: a page that comes when what it had last is forgotten is told how things stand, with the
// last messages; those before them it can ask for.
func TestTooLate(t *testing.T) {
	f := newFeed()
	f.begin("r", []byte(`{"room":"r"}`), []byte(`{"room":"r"}`))
	_, at, _ := f.after(0)
	for i := range maxFeed + 10 {
		f.put("r", fmt.Appendf(nil, `{"room":"r","i":%d}`, i), true)
	}
	lines, upto, _ := f.after(at)
	if len(lines) != maxRecent+4 || !strings.Contains(string(lines[0]), "begin") || upto != at+maxFeed+10 {
		t.Fatal(len(lines), string(lines[0]), upto)
	}
	if last := string(lines[len(lines)-2]); !strings.Contains(last, fmt.Sprint(maxFeed+9)) {
		t.Error(last)
	}
	if lines, _, _ := f.after(upto); len(lines) != 0 {
		t.Error(len(lines))
	}
	if lines, _, _ := f.after(upto + 1000); !strings.Contains(string(lines[0]), "begin") {
		t.Error("a number that was never given is gone on with")
	}
}

// TestFeedIsBounded: what is kept for pages has an end, in bytes too, for each room and for all.
func TestFeedIsBounded(t *testing.T) {
	f := newFeed()
	f.begin("r", []byte(`{}`), []byte(`{}`))
	large := []byte(`{"x":"` + strings.Repeat("x", 60_000) + `"}`)
	for range 1000 {
		f.put("r", large, true)
	}
	if f.size > maxFeedBytes || f.rooms["r"].size > maxRecentBytes || len(f.rooms["r"].recent) == 0 {
		t.Error(f.size, f.rooms["r"].size)
	}
}

// TestHungPage: a page that takes nothing does not hold the room up, nor other pages.
func TestHungPage(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	hung, err := http.DefaultClient.Do(p.request(http.MethodGet, "/events", nil)) // and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Body.Close()
	const n = 600
	for i := range n {
		g.tell(said(i+1, strings.Repeat("x", 8000)))
	}
	l := &listener{page: p}
	g.tell(said(n+1, "last"))
	for until := time.Now().Add(time.Minute); len(l.had) == 0 || l.had[len(l.had)-1] != "last"; {
		if time.Now().After(until) {
			t.Fatal("another page is not told")
		}
		l.hears(len(l.had)+1, 1000)
	}
}

// TestKinds: each kind of line has a name, and what a message answers is shown there alone.
func TestKinds(t *testing.T) {
	for k := chat.Note; k <= chat.Below; k++ {
		if got := lineKinds[k]; got == "" || (got == "about") != (k == chat.Above || k == chat.Below) {
			t.Errorf("kind %d is %q", k, got)
		}
	}
}

// TestUnread: what comes while nobody looks is counted, from the first on; who looks takes that back,
// in the room too.
func TestUnread(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	r, err := s.find(roomID)
	if err != nil {
		t.Fatal(err)
	}
	is := func(unread, named int, mark ake.Hash) {
		t.Helper()
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			r.mu.Lock()
			ok := r.unread == unread && r.named == named && r.mark == mark
			got := fmt.Sprint(r.unread, " ", r.named, " ", r.mark)
			r.mu.Unlock()
			if ok {
				return
			}
			if time.Now().After(until) {
				t.Fatal(got)
			}
		}
	}
	g.tell(said(1, "hello"), said(2, "hello kari"), said(3, "are you there?"))
	is(3, 1, idOf(1))
	if status, _, _ := p.post("/seen", map[string]string{"room": roomID}); status != http.StatusOK {
		t.Fatal(status)
	}
	is(0, 0, ake.Hash{})
	told := false
	for _, c := range g.wanted() {
		m, ok := c.(chat.MarkUnread)
		told = told || ok && m.ID == (ake.Hash{})
	}
	if !told {
		t.Error("the room was not told that somebody looked")
	}
	g.tell(said(4, "more"))
	is(1, 0, idOf(4))
}

// TestOlder: a page asks for what was said before, piece by piece, and gets each message once.
func TestOlder(t *testing.T) {
	g := newStage("exam")
	begin := time.Now().Add(-24 * time.Hour)
	for i := range 2500 {
		d := said(i+1, fmt.Sprint("message ", i+1))
		d.Message.Time = uint64(begin.Add(time.Duration(i) * time.Second).UnixMilli())
		g.past = append(g.past, d)
	}
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	before, seen := time.Now(), make(map[string]bool)
	for round := 0; ; round++ {
		status, body, _ := p.post("/older", map[string]any{"room": roomID, "before": before, "count": 1000})
		var got struct {
			Messages []drawn
			All      bool
		}
		if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK {
			t.Fatal(status, string(body), err)
		}
		for _, m := range got.Messages {
			seen[m.Text] = true
			var e struct{ Time time.Time }
			if err := json.Unmarshal(m.Event, &e); err != nil {
				t.Fatal(err)
			}
			if e.Time.Before(before) {
				before = e.Time
			}
		}
		if got.All {
			break
		}
		if round > 5 {
			t.Fatal("it does not end")
		}
	}
	if len(seen) != 2500 {
		t.Error(len(seen))
	}
}
