// Package web shows rooms as a page in a browser on this computer. It is one more face: it draws
// the events of JSON lines and the words of package chat, and passes commands on.
//
//	web.go     the server, and what it answers
//	guard.go   who may ask: tokens, sessions, hosts and origins
//	feed.go    what happens, for pages that come, go and come again
//	rooms.go   the rooms, each followed by one visit
//	source.go  where rooms come from: this process, or that of coterie up
//	asks.go    what a page asks, and what it wants done
//	attach.go  files that are sent and got
//	show.go    the browser, opened
//	run.go     the command, until it ends
//	files/     the page itself, embedded as it is
//
// The page is three kinds of files and no build. It asks nothing of any other computer.
// docs/INTERFACE.md has its requests, docs/THREATS.md what stands between it and others.
package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
)

// Config is what a page is made of.
type Config struct {
	Source Source
	Now    func() time.Time
	// Doctor looks at this computer and at a room, and writes JSON lines; nil: there is none.
	Doctor func(room string, out io.Writer) error
	// Dir is for what only its user may read; empty: the system's folder for such files.
	Dir string
	// Rooms are those that the profile remembers; nil: none.
	Rooms func() ([]profile.Room, error)

	headerTime time.Duration // of tests; 0: the usual one
}

const (
	// maxConnections is how many there are at a time: a page has two or three.
	maxConnections = 128
	// headerTime is for the head of a request, askTime for all of it, and for its answer.
	headerTime = 5 * time.Second
	askTime    = 3 * time.Minute // a room is opened, or a doctor looks
	idleTime   = time.Minute
	// maxHeader and maxBody bound what is read, in bytes: any message goes into a body.
	maxHeader = 16 << 10
	maxBody   = 128 << 10
	// beatEvery is how often a page hears that we are there, writeTime how long it may take to
	// take what was written.
	beatEvery = 15 * time.Second
	writeTime = 30 * time.Second
)

//go:embed files
var files embed.FS

// A Server shows a page.
type Server struct {
	cfg   Config
	guard *guard
	feed  *feed
	l     net.Listener
	http  *http.Server

	ctx  context.Context
	stop context.CancelFunc

	mu       sync.Mutex
	rooms    map[string]*room
	looking  sync.Mutex    // one at a time: a room is visited once
	doctored sync.Mutex    // the same
	moving   chan struct{} // places for files that come or go
}

// Listen begins to listen on a port of this computer alone; 0: on any free one.
func Listen(cfg Config, port int) (*Server, error) {
	if port < 0 || port > 65535 {
		return nil, cli.Usage("--port %d: ports are 1 to 65535", port).Hint("leave out --port: coterie takes a free one")
	}
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, portError(port, err)
	}
	s := &Server{cfg: cfg, feed: newFeed(), l: l, rooms: make(map[string]*room),
		moving: make(chan struct{}, maxUploads)}
	s.guard = newGuard(l.Addr().String(), cfg.Now, rand.Reader)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler: s.guard.heads(s.routes()), ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: cmp.Or(cfg.headerTime, headerTime), ReadTimeout: askTime, WriteTimeout: askTime,
		IdleTimeout:    idleTime,
		MaxHeaderBytes: maxHeader, BaseContext: func(net.Listener) context.Context { return s.ctx },
	}
	return s, nil
}

// portError says why a port cannot be had, and what to do.
func portError(port int, err error) *cli.Error {
	e := cli.Fail("listen", "port %d of this computer cannot be had: %s", port, cli.Clean(chat.LastLine(err)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e = cli.Fail("port-taken", "port %d of this computer is taken", port)
	case errors.Is(err, fs.ErrPermission):
		e = cli.Fail("listen", "this computer does not let you have port %d", port).
			Hint("take one from 1024 on, such as 8080")
	}
	return e.Hint("leave out --port: coterie takes a free one").Because(err)
}

// Serve answers until Close, and looks after the rooms.
func (s *Server) Serve() error {
	go s.watch()
	err := s.http.Serve(limit(s.l, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends all visits, and not the rooms.
func (s *Server) Close() {
	s.stop()
	s.http.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rooms {
		r.visit.Close()
	}
}

// Host is where it listens.
func (s *Server) Host() string { return s.guard.host }

// Link is the page's address with a token in it: whoever has it first is let in, for a while.
func (s *Server) Link() string { return "http://" + s.guard.host + "/#" + s.guard.invite() }

// routes are all that is answered. What is private wants a session.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session", s.guard.begin)
	private := func(pattern string, h http.HandlerFunc) { mux.HandleFunc(pattern, s.guard.private(h)) }
	private("GET /events", s.events)
	private("POST /logout", s.guard.end)
	private("POST /do", s.do)
	private("POST /seen", s.seen)
	private("POST /older", s.older)
	private("POST /readers", s.readers)
	private("POST /link", s.link)
	private("POST /picture", s.picture)
	private("POST /join", s.join)
	private("POST /keys", s.keys)
	private("POST /doctor", s.doctor)
	private("POST /upload", s.upload)
	private("POST /file", s.file)
	page, err := fs.Sub(files, "files")
	if err != nil {
		panic("coterie: " + err.Error()) // it is embedded
	}
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { static(page, w, r) })
	return mux
}

// kinds are those of the page's files.
var kinds = map[string]string{".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

// static gives a file of the page, by its exact name.
func static(page fs.FS, w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	kind := kinds[path.Ext(name)]
	b, err := fs.ReadFile(page, name)
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Write(b)
}

// events tells a page what happens, a JSON object a line, from where it has come to. A browser's
// own EventSource cannot send a header, and without one a cookie would be enough (guard.go).
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	var after uint64
	fmt.Sscan(r.URL.Query().Get("after"), &after)
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	st, ok := s.guard.listens(r.Context().Value(sessionKey{}).(*session))
	if !ok {
		refuse(w, http.StatusTooManyRequests, cli.Fail("busy", "%d pages show these rooms already", maxStreams))
		return
	}
	defer s.guard.leaves(st)
	out.SetReadDeadline(time.Time{})
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	put := func(lines ...[]byte) bool {
		out.SetWriteDeadline(time.Now().Add(writeTime))
		for _, l := range lines {
			if _, err := w.Write(l); err != nil {
				return false
			}
		}
		return out.Flush() == nil
	}
	if !put([]byte("\n")) { // a page that was cut off hears at once that we are there
		return
	}
	for {
		lines, upto, news := s.feed.after(after)
		if len(lines) > 0 && !put(lines...) {
			return
		}
		after = upto
		select {
		case <-news:
		case <-beat.C:
			if !put([]byte("\n")) {
				return
			}
		case <-st.moved:
			put([]byte("{\"paused\":true}\n"))
			return
		case <-st.ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// limit is a listener with so many connections at a time.
func limit(l net.Listener, most int) net.Listener {
	return &limited{l, make(chan struct{}, most)}
}

type limited struct {
	net.Listener
	places chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
