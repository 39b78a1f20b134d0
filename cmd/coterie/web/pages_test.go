package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"coterie/cmd/coterie/house"
	"coterie/cmd/internal/cli"
)

// TestQuietPage: a page that is open is signed in for as long as it is, however little happens.
func TestQuietPage(t *testing.T) {
	now := time.Now()
	g := newGuard("127.0.0.1:1", func() time.Time { return now }, rand.Reader)
	s := &session{cookie: secretOf("c"), key: secretOf("k"), heard: now, ended: make(chan struct{})}
	g.sessions = append(g.sessions, s)
	r := httptest.NewRequest(http.MethodPost, "/do", nil)
	r.AddCookie(&http.Cookie{Name: g.cookie, Value: "c"})
	r.Header.Set(keyHeader, "k")
	st, ok := g.listens(s)
	if !ok {
		t.Fatal("it is not told what happens")
	}
	now = now.Add(3 * sessionTime)
	if g.find(r) != s {
		t.Fatal("a page that was open all the time is signed out")
	}
	now = now.Add(3 * sessionTime)
	g.leaves(st)
	if g.find(r) != s {
		t.Error("it is signed out when it is cut off")
	}
	now = now.Add(sessionTime + 1)
	if g.find(r) != nil {
		t.Error("one that is closed stays signed in")
	}
}

// TestManyPages: a browser has few connections to an address, for all its pages. Of too many the oldest is
// told to rest, and those of another browser are not.
func TestManyPages(t *testing.T) {
	s := served(t, newStage("exam"))
	s.has(t)
	listen := func(p *page) *bufio.Scanner {
		got, err := http.DefaultClient.Do(p.request(http.MethodGet, "/events", nil))
		if err != nil || got.StatusCode != http.StatusOK {
			t.Fatal(got, err)
		}
		t.Cleanup(func() { got.Body.Close() })
		return bufio.NewScanner(got.Body)
	}
	p := signedIn(t, s)
	other := listen(signedIn(t, s))
	first := listen(p)
	for range maxPages {
		p = signedInBy(t, s, p.cookie)
		listen(p)
	}
	rested := make(chan bool, 2)
	ends := func(in *bufio.Scanner) {
		last := ""
		for in.Scan() {
			last = in.Text()
		}
		rested <- strings.Contains(last, `"paused":true`)
	}
	go ends(first)
	select {
	case told := <-rested:
		if !told {
			t.Error("it is not told why")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the oldest page keeps its connection")
	}
	s.guard.mu.Lock()
	n := len(s.guard.streams)
	s.guard.mu.Unlock()
	if n != maxPages+1 {
		t.Errorf("%d streams, not %d", n, maxPages+1)
	}
	go ends(other)
	select {
	case <-rested:
		t.Error("the page of another browser makes room")
	case <-time.After(100 * time.Millisecond):
	}
}

// TestHeardAtOnce: a page that comes again, to which nothing has happened, hears at once that we are there.
func TestHeardAtOnce(t *testing.T) {
	s := served(t, newStage("exam"))
	s.has(t)
	p := signedIn(t, s)
	var last uint64
	for told := false; !told; time.Sleep(time.Millisecond) {
		lines, n, _ := s.feed.after(0)
		last, told = n, bytes.Contains(bytes.Join(lines, nil), []byte("2 can read"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), beatEvery/2)
	defer cancel()
	r := p.request(http.MethodGet, fmt.Sprint("/events?after=", last), nil)
	got, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if _, err := io.ReadFull(got.Body, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// slow is a source whose rooms take a while until they are visited.
type slow struct {
	stages
	visits atomic.Int32
	came   chan bool
	leave  chan struct{}
}

func (s *slow) Visit(id string) (house.Visit, error) {
	s.visits.Add(1)
	s.came <- true
	<-s.leave
	return s.stages.Visit(id)
}

// TestVisitedOnce: a room that is joined while we look for rooms is visited once. Two visits would count
// and tell all twice.
func TestVisitedOnce(t *testing.T) {
	g := newStage("exam")
	from := &slow{stages: stages{all: map[string]*stage{roomID: g}}, came: make(chan bool, 2), leave: make(chan struct{})}
	s, err := Listen(Config{Source: from, Now: time.Now, Dir: t.TempDir()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var both sync.WaitGroup
	for range 2 {
		both.Add(1)
		go func() { defer both.Done(); s.look() }()
	}
	<-from.came
	select {
	case <-from.came:
	case <-time.After(100 * time.Millisecond): // the other one waits
	}
	close(from.leave)
	both.Wait()
	if n := from.visits.Load(); n != 1 {
		t.Errorf("%d visits", n)
	}
}

// TestSealedWrongly: a file that its sender has sealed wrongly is waited for by nobody.
func TestSealedWrongly(t *testing.T) {
	g := newStage("exam")
	g.damaged = true
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	begun := time.Now()
	status, body, _ := p.post("/file", map[string]string{"room": roomID, "id": strings.Repeat("0", 64)})
	if status != http.StatusUnprocessableEntity || time.Since(begun) > saveTime/2 {
		t.Error(status, string(body), time.Since(begun))
	}
	nothingLeft(t, s)
}

// warning is a source that warns of a room that is joined.
type warning struct{ stages }

func (w *warning) Join(_ string, _ house.Flags, out house.Joiner) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all[roomID] = newStage("exam")
	out.Warn(cli.Fail("history-plain", "the key is stored beside it").Hint("--ephemeral keeps nothing"))
	return roomID, nil
}

// TestJoinWarns: what somebody is warned of who joins stands in the room, for each page.
func TestJoinWarns(t *testing.T) {
	s, err := Listen(Config{Source: &warning{stages{all: make(map[string]*stage)}}, Now: time.Now, Dir: t.TempDir()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	defer s.Close()
	if status, body, _ := signedIn(t, s).post("/join", map[string]string{"link": "coterie:x"}); status != http.StatusOK {
		t.Fatal(status, string(body))
	}
	told, _, _ := s.feed.after(0)
	if all := bytes.Join(told, nil); !bytes.Contains(all, []byte("the key is stored beside it")) ||
		!bytes.Contains(all, []byte("--ephemeral")) {
		t.Errorf("%s", all)
	}
}

// TestOtherVersion: where coterie up is of another version there is no page, which would say that no room
// is open.
func TestOtherVersion(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	cfg := Config{Source: There{&house.Home{Version: "of yesterday"}}, Now: time.Now}
	err := Run(ctx, cfg, Options{NoBrowser: true, Dir: t.TempDir(), Out: io.Discard})
	if e := cli.Describe(err); err == nil || e.Code != "other-version" {
		t.Error(err)
	}
}

// TestPortErrors: of each port that cannot be had the error says what to do.
func TestPortErrors(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	n := taken.Addr().(*net.TCPAddr).Port
	for _, port := range []int{n, -1, 65_536} {
		_, err := Listen(Config{Source: &stages{}, Now: time.Now}, port)
		if e := cli.Describe(err); e == nil || len(e.Hints) != 1 || !strings.HasPrefix(e.Hints[0], "leave out --port") {
			t.Errorf("port %d: %v", port, err)
		}
	}
	_, bad := os.Open("") // as root there is no port that may not be had
	for why, hint := range map[error]string{
		&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}: "take one from 1024 on, such as 8080",
		bad: "leave out --port: coterie takes a free one",
	} {
		if e := portError(80, why); e.Hints[0] != hint || !strings.Contains(e.Text, "port 80") {
			t.Errorf("%v: %v, %q", why, e, e.Hints)
		}
	}
}
