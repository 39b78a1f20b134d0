package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"coterie/cmd/internal/cli"
)

// Who may ask. Any program of any user of this computer can connect to a port of it, and any page
// in the user's browser can have that send requests here. So:
//
//   - the name under which we are asked is our own address: a name that somebody else's DNS has
//     lead here (rebinding) is another;
//   - a request that a page of another origin causes is refused, by Origin and Sec-Fetch-Site;
//   - a session begins with a token that is good once, and for two minutes. It is in the part of
//     the address that browsers send to nobody;
//   - a session has a cookie, and a key that the page keeps and sends as a header. A cookie goes to
//     all ports of this address, whoever listens there; what a page keeps belongs to its port.
const (
	tokenTime = 2 * time.Minute
	// sessionTime is how long a session lasts of which nothing is heard.
	sessionTime = 24 * time.Hour
	maxTokens   = 8
	maxSessions = 16
	// maxStreams is how many pages are told what happens, all together; maxPages, how many of one browser.
	// A browser has six connections to an address, for all its pages: more, and none could ask anything.
	maxStreams = 32
	maxPages   = 3

	keyHeader = "Coterie-Key"
)

// policy is the page's own: it loads nothing but its own files, is in no frame, and makes no
// markup out of texts.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// A secret is the hash of one: what is compared says nothing of it.
type secret [sha256.Size]byte

func secretOf(s string) secret { return sha256.Sum256([]byte(s)) }

func (s secret) is(other secret) bool { return subtle.ConstantTimeCompare(s[:], other[:]) == 1 }

type token struct {
	secret
	until time.Time
}

type session struct {
	cookie, key secret
	heard       time.Time
	streams     int           // of it that are open: while there is one, it does not grow old
	ended       chan struct{} // closed when it is over
}

// A stream tells a page what happens.
type stream struct {
	*session
	moved chan struct{} // closed when it makes room for another page of the same browser
}

// A guard knows who may ask.
type guard struct {
	host, cookie string
	now          func() time.Time
	random       io.Reader

	mu       sync.Mutex
	tokens   []token
	sessions []*session
	streams  []*stream // the oldest first
}

func newGuard(host string, now func() time.Time, random io.Reader) *guard {
	_, port, _ := net.SplitHostPort(host)
	return &guard{host: host, cookie: "coterie-" + port, now: now, random: random}
}

// draw makes a new secret.
func (g *guard) draw() string {
	b := make([]byte, 32)
	if _, err := io.ReadFull(g.random, b); err != nil {
		panic("coterie: " + err.Error()) // crypto/rand does not fail
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// invite makes a token.
func (g *guard) invite() string {
	t := g.draw()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens = append(g.tokens, token{secretOf(t), g.now().Add(tokenTime)})
	g.tokens = g.tokens[max(len(g.tokens)-maxTokens, 0):]
	return t
}

// spend takes a token, once.
func (g *guard) spend(said string) bool {
	s, now := secretOf(said), g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens = slices.DeleteFunc(g.tokens, func(t token) bool { return !now.Before(t.until) })
	i := slices.IndexFunc(g.tokens, func(t token) bool { return t.is(s) })
	if i < 0 {
		return false
	}
	g.tokens = slices.Delete(g.tokens, i, i+1)
	return true
}

// heads is around everything: what every answer has, and who is not answered.
func (g *guard) heads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), display-capture=()")
		h.Set("Cache-Control", "no-store")
		switch {
		case r.Host != g.host:
			refuse(w, http.StatusMisdirectedRequest, cli.Fail("wrong-host", "this is http://%s alone", g.host))
		case !g.ours(r):
			refuse(w, http.StatusForbidden, cli.Fail("wrong-origin", "another page may not ask this"))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, bodyOf(r))
			next.ServeHTTP(w, r)
		}
	})
}

// ours reports whether the user or our own page asks. Somebody else's page may lead to ours, as any
// link does, and may neither load parts of it nor send anything.
func (g *guard) ours(r *http.Request) bool {
	if o := r.Header.Get("Origin"); o != "" && o != "http://"+g.host {
		return false
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
		return true
	default:
		return r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
			r.Header.Get("Sec-Fetch-Dest") == "document"
	}
}

// posted reports whether a request that changes something is from our page and of its form.
func (g *guard) posted(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return r.Header.Get("Origin") == "http://"+g.host && kind == kindOf(r)
}

// begin exchanges a token for a session.
func (g *guard) begin(w http.ResponseWriter, r *http.Request) {
	var said struct {
		Token string `json:"token"`
	}
	if !g.posted(r) || !read(r, &said) {
		refuse(w, http.StatusForbidden, cli.Fail("wrong-origin", "another page may not ask this"))
		return
	}
	if !g.spend(said.Token) {
		refuse(w, http.StatusUnauthorized, errNoSession("this link was used, or is too old"))
		return
	}
	cookie, key := g.draw(), g.draw()
	g.mu.Lock()
	// Pages of one browser share its cookie: the second one does not sign the first one out.
	if c, err := r.Cookie(g.cookie); err == nil && g.has(secretOf(c.Value)) {
		cookie = c.Value
	}
	if len(g.sessions) >= maxSessions { // the one of which least was heard lately
		slices.SortFunc(g.sessions, func(a, b *session) int { return a.heard.Compare(b.heard) })
		close(g.sessions[0].ended)
		g.sessions = g.sessions[1:]
	}
	g.sessions = append(g.sessions, &session{cookie: secretOf(cookie), key: secretOf(key), heard: g.now(),
		ended: make(chan struct{})})
	g.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: cookie, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode})
	answer(w, map[string]string{"key": key})
}

// has reports whether a session has a cookie. The caller has the lock.
func (g *guard) has(cookie secret) bool {
	return slices.ContainsFunc(g.sessions, func(s *session) bool { return s.cookie.is(cookie) })
}

// errNoSession says how to come in.
func errNoSession(why string) *cli.Error {
	return cli.Fail("no-session", "%s", why).
		Hint("press Enter in the terminal where coterie web runs: it opens this page once more")
}

// find is the session of a request; nil: there is none.
func (g *guard) find(r *http.Request) *session {
	c, err := r.Cookie(g.cookie)
	if err != nil {
		return nil
	}
	cookie, key, now := secretOf(c.Value), secretOf(r.Header.Get(keyHeader)), g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	var found *session
	g.sessions = slices.DeleteFunc(g.sessions, func(s *session) bool {
		old := s.streams == 0 && now.Sub(s.heard) > sessionTime
		if old {
			close(s.ended)
		} else if s.cookie.is(cookie) && s.key.is(key) {
			s.heard, found = now, s
		}
		return old
	})
	return found
}

type sessionKey struct{}

// private is for what a session is needed.
func (g *guard) private(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := g.find(r)
		switch {
		case s == nil:
			refuse(w, http.StatusUnauthorized, errNoSession("this page is not signed in"))
		case r.Method != http.MethodGet && !g.posted(r):
			refuse(w, http.StatusForbidden, cli.Fail("wrong-origin", "another page may not ask this"))
		default:
			h(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, s)))
		}
	}
}

// end ends the session of a request.
func (g *guard) end(w http.ResponseWriter, r *http.Request) {
	s := r.Context().Value(sessionKey{}).(*session)
	g.mu.Lock()
	if i := slices.Index(g.sessions, s); i >= 0 {
		g.sessions = slices.Delete(g.sessions, i, i+1)
		close(s.ended)
	}
	others := g.has(s.cookie)
	g.mu.Unlock()
	if !others {
		http.SetCookie(w, &http.Cookie{Name: g.cookie, Path: "/", MaxAge: -1, HttpOnly: true,
			SameSite: http.SameSiteStrictMode})
	}
	answer(w, map[string]bool{"ok": true})
}

// listens takes a place for a page that is told what happens; false: there is none. Of too many pages
// of one browser the oldest makes room.
func (g *guard) listens(s *session) (*stream, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	same, first := 0, -1
	for i, o := range g.streams {
		if o.cookie.is(s.cookie) {
			if same++; first < 0 {
				first = i
			}
		}
	}
	if same >= maxPages {
		close(g.streams[first].moved)
		g.streams = slices.Delete(g.streams, first, first+1)
	}
	if len(g.streams) >= maxStreams {
		return nil, false
	}
	st := &stream{s, make(chan struct{})}
	g.streams = append(g.streams, st)
	s.streams++
	return st, true
}

// leaves gives the place back.
func (g *guard) leaves(st *stream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.streams, st); i >= 0 {
		g.streams = slices.Delete(g.streams, i, i+1)
	}
	st.session.streams--
	st.heard = g.now()
}

// read takes a request's body: one object, with nothing in it that is not known.
func read(r *http.Request, to any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if dec.Decode(to) != nil {
		return false
	}
	_, err := dec.Token()
	return err == io.EOF
}

func answer(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(what)
}

// A fault is a cli.Error, for a page.
type fault struct {
	Code    string   `json:"code"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	Hints   []string `json:"hints,omitempty"`
}

func faultOf(err error) fault {
	e := cli.Describe(err)
	f := fault{e.Code, cli.Clean(e.Text), nil, nil}
	for _, d := range e.Details {
		f.Details = append(f.Details, cli.Clean(d))
	}
	for _, h := range e.Hints {
		f.Hints = append(f.Hints, cli.Clean(h))
	}
	return f
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]fault{"error": faultOf(err)})
}
