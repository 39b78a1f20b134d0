package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	proto "coterie/room"
	"coterie/room/record"
)

// A stage is a room without a network: the test says what happens in it.
type stage struct {
	id    ake.Hash
	about chat.About
	// told is what happens, done what was wanted. Both are under mu.
	mu   sync.Mutex
	told []chat.Event
	done []chat.Command
	past []proto.Delivered // for Older, oldest first
	sent []sentFile
	kept []byte // the file that is here
	// full: too much is waiting. damaged: the file was sealed wrongly.
	full, damaged bool
	// conns are all connections that there were.
	conns []net.Conn
	news  chan struct{}
	over  chan struct{}
	shut  sync.Once
}

// A sentFile is one that the room was given.
type sentFile struct {
	path string
	data []byte
	err  error
}

var self, ann = peer.ID("self is here"), peer.ID("ann is here, too")

func newStage(name string) *stage {
	g := &stage{id: ake.Hash{1}, news: make(chan struct{}, 1), over: make(chan struct{})}
	g.about = chat.About{ID: g.id, Name: name, Domain: "NTNU", Policy: "ONE", Self: self, Nick: "kari",
		Kept: true}
	g.tell(chat.Ready{Joined: true}, proto.EpochStarted{ID: ake.Hash{9}, Reason: proto.ReasonFirst,
		Members: []proto.Member{{Peer: self, Name: "kari"}, {Peer: ann, Name: "ann"}}})
	return g
}

func (g *stage) tell(what ...any) {
	g.mu.Lock()
	for _, w := range what {
		g.told = append(g.told, chat.Event{Room: g.id, At: time.Now(), What: w})
	}
	g.mu.Unlock()
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// cut cuts all connections.
func (g *stage) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.Close()
	}
	g.conns = nil
}

// said is a message of ann's.
func said(n int, text string) proto.Delivered {
	at := time.Now().Add(-time.Hour)
	return proto.Delivered{ID: idOf(n), Author: proto.Member{Peer: ann, Name: "ann"}, Epoch: ake.Hash{9}, Received: at,
		Message: record.Body{Counter: uint64(n), Lamport: uint64(n), Time: uint64(at.UnixMilli()), Text: text}}
}

func idOf(n int) (h ake.Hash) {
	copy(h[:], fmt.Sprintf("%032d", n))
	return h
}

func (g *stage) Next() ([]chat.Event, error) {
	for {
		g.mu.Lock()
		out := g.told
		g.told = nil
		g.mu.Unlock()
		if len(out) > 0 {
			return out, nil
		}
		select {
		case <-g.news:
		case <-g.over:
			return nil, io.EOF
		}
	}
}

func (g *stage) TryDo(c chat.Command) bool {
	g.mu.Lock()
	past, full, damaged := g.past, g.full, g.damaged
	if !full {
		g.done = append(g.done, c)
	}
	g.mu.Unlock()
	if full {
		return false
	}
	switch c := c.(type) {
	case chat.Older:
		n := len(past)
		for n > 0 && !chat.TimeOf(past[n-1].Message.Time).Before(c.Before) {
			n--
		}
		from := max(n-c.Count, 0)
		g.tell(chat.Earlier{Messages: past[from:n], All: from == 0})
	case chat.File:
		b, err := os.ReadFile(c.Path)
		g.mu.Lock()
		g.sent = append(g.sent, sentFile{c.Path, b, err})
		g.mu.Unlock()
		g.tell(proto.Sent{Ref: c.Ref, ID: idOf(7)})
	case chat.Save:
		if damaged {
			g.tell(chat.NotDone{Err: cli.Fail("file-damaged", "the file does not open")})
		} else if err := os.WriteFile(c.Path, g.kept, 0o600); err == nil {
			g.tell(chat.Saved{ID: c.ID, Path: c.Path})
		}
	case chat.Say:
		d := said(1_000_000+len(g.wanted()), c.Text)
		d.Author, d.Self = proto.Member{Peer: self, Name: "kari"}, true
		g.tell(proto.Sent{Ref: c.Ref, ID: d.ID, Readers: []peer.ID{ann}}, d)
	}
	return true
}

func (g *stage) wanted() []chat.Command {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]chat.Command(nil), g.done...)
}

func (g *stage) Do(_ context.Context, c chat.Command) { g.TryDo(c) }
func (g *stage) Hello() house.Welcome                 { return house.Welcome{About: g.about} }
func (g *stage) Close()                               { g.shut.Do(func() { close(g.over) }) }

// stages are a source of such rooms.
type stages struct {
	mu  sync.Mutex
	all map[string]*stage
}

func (s *stages) Open() (out []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.all {
		out = append(out, id)
	}
	return out, nil
}

func (s *stages) Visit(id string) (house.Visit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id], nil
}

func (s *stages) Join(string, house.Flags, house.Joiner) (string, error) {
	return "", cli.Fail("not-here", "no room can be joined on a stage")
}

// roomID is that of a stage.
var roomID = fmt.Sprintf("%x", ake.Hash{1})

// served is a server with a room.
func served(t testing.TB, g *stage) *Server {
	t.Helper()
	return servedWith(t, g, Config{})
}

func servedWith(t testing.TB, g *stage, cfg Config) *Server {
	t.Helper()
	cfg.Source, cfg.Now = &stages{all: map[string]*stage{roomID: g}}, time.Now
	cfg.Dir = filepath.Join(t.TempDir(), "run")
	s, err := Listen(cfg, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.http.ConnState = func(c net.Conn, is http.ConnState) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if is == http.StateNew {
			g.conns = append(g.conns, c)
		}
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// A page is what a browser knows that is signed in.
type page struct {
	t       testing.TB
	s       *Server
	cookie  *http.Cookie
	key     string
	headers map[string]string // that are otherwise than a browser has them
	refs    int               // of files that were sent
}

// signedIn is a page that has come in by a token.
func signedIn(t testing.TB, s *Server) *page {
	t.Helper()
	return signedInBy(t, s, nil)
}

// signedInBy is one in a browser that has a cookie; nil: it has none.
func signedInBy(t testing.TB, s *Server, has *http.Cookie) *page {
	t.Helper()
	p := &page{t: t, s: s, cookie: has}
	status, body, cookies := p.post("/session", map[string]string{"token": strings.Split(s.Link(), "#")[1]})
	var got struct{ Key string }
	if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK || len(cookies) != 1 {
		t.Fatal(status, string(body), cookies, err)
	}
	p.key, p.cookie = got.Key, cookies[0]
	return p
}

func (p *page) request(method, path string, body io.Reader) *http.Request {
	p.t.Helper()
	r, err := http.NewRequest(method, "http://"+p.s.Host()+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		r.Header.Set("Origin", "http://"+p.s.Host())
		r.Header.Set("Content-Type", "application/json")
	}
	if p.cookie != nil {
		r.AddCookie(p.cookie)
	}
	if p.key != "" {
		r.Header.Set(keyHeader, p.key)
	}
	for name, value := range p.headers {
		if name == "Host" {
			r.Host = value
		} else if r.Header.Del(name); value != "" {
			r.Header.Set(name, value)
		}
	}
	return r
}

func (p *page) send(r *http.Request) (status int, body []byte, cookies []*http.Cookie) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		p.t.Fatal(err)
	}
	defer got.Body.Close()
	if r.URL.Path == "/events" && got.StatusCode == http.StatusOK {
		return got.StatusCode, nil, nil // it does not end
	}
	if body, err = io.ReadAll(got.Body); err != nil {
		p.t.Fatal(err)
	}
	return got.StatusCode, body, got.Cookies()
}

func (p *page) post(path string, what any) (int, []byte, []*http.Cookie) {
	p.t.Helper()
	b, err := json.Marshal(what)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(p.request(http.MethodPost, path, bytes.NewReader(b)))
}

// say has a page say something, and reports whether the room was told.
func (p *page) say(text string) (status int) {
	p.t.Helper()
	status, _, _ = p.post("/do", map[string]any{"room": roomID, "typed": text})
	return status
}

// has waits until the server has its room.
func (s *Server) has(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := s.find(roomID); err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatal(errors.New("the room was not visited"))
		}
	}
}
