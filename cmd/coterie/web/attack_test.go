package web

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
)

// wants has a request answered by a status, and the room told of nothing but the first word.
func wants(t *testing.T, g *stage, p *page, status int, what string) {
	t.Helper()
	before := len(g.wanted())
	if got := p.say("stolen words"); got != status {
		t.Errorf("%s: status %d, not %d", what, got, status)
	}
	if n := len(g.wanted()) - before; (status == http.StatusOK) != (n == 1) {
		t.Errorf("%s: the room was told %d things", what, n)
	}
}

// TestRebinding: a name that somebody's DNS leads to this computer is not answered, whatever else
// the request has: not even the page itself.
func TestRebinding(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	wants(t, g, p, http.StatusOK, "our own name")
	_, port, _ := net.SplitHostPort(s.Host())
	for _, host := range []string{"evil.example:" + port, "evil.example", "localhost:" + port, "127.0.0.1",
		"127.0.0.1:1", "[::1]:" + port, "127.0.0.1.evil.example:" + port, "0.0.0.0:" + port} {
		p.headers = map[string]string{"Host": host}
		wants(t, g, p, http.StatusMisdirectedRequest, host)
		if status, body, _ := p.send(p.request(http.MethodGet, "/", nil)); status != http.StatusMisdirectedRequest ||
			bytes.Contains(body, []byte("<html")) {
			t.Errorf("%s is shown the page: %d", host, status)
		}
		p.headers["Origin"] = "http://" + host // as a browser would
		wants(t, g, p, http.StatusMisdirectedRequest, host)
	}
}

// TestForeignPages: another page in the user's browser, which sends their cookie with it, has
// nothing done: by script, by form, or by an element that loads something.
func TestForeignPages(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	for what, headers := range map[string]map[string]string{
		"a script of another origin": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
		"another port":               {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
		"a page without an origin":   {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
		"an old browser":             {"Origin": "https://evil.example", "Sec-Fetch-Site": ""},
		"a form": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site",
			"Content-Type": "text/plain", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
		"a form in a frame of ours": {"Content-Type": "application/x-www-form-urlencoded"},
		"no origin at all":          {"Origin": ""},
		"a page that claims ours":   {"Sec-Fetch-Site": "cross-site"},
	} {
		p.headers = headers
		wants(t, g, p, http.StatusForbidden, what)
	}
	p.headers = nil
	for _, path := range []string{"/events", "/app.js", "/style.css"} {
		r := p.request(http.MethodGet, path, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "no-cors")
		if status, _, _ := p.send(r); status != http.StatusForbidden {
			t.Errorf("%s is given to another page: %d", path, status)
		}
	}
	// A link from elsewhere leads to the page, and a frame does not.
	r := p.request(http.MethodGet, "/", nil)
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate",
		"Sec-Fetch-Dest": "document"} {
		r.Header.Set(name, value)
	}
	if status, _, _ := p.send(r); status != http.StatusOK {
		t.Errorf("a link does not lead to the page: %d", status)
	}
	r = p.request(http.MethodGet, "/", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "iframe")
	if status, _, _ := p.send(r); status != http.StatusForbidden {
		t.Errorf("a frame has the page: %d", status)
	}
}

// TestTokens: one is good once, and not for long; without one nobody comes in.
func TestTokens(t *testing.T) {
	now := time.Now()
	g := newGuard("127.0.0.1:1", func() time.Time { return now }, rand.Reader)
	first := g.invite()
	if g.spend("") || g.spend("x") || g.spend(first[:len(first)-1]) || g.spend(first+"x") {
		t.Error("what is no token is taken for one")
	}
	if !g.spend(first) {
		t.Error("a token is not taken")
	}
	if g.spend(first) {
		t.Error("a token is good twice")
	}
	old := g.invite()
	now = now.Add(tokenTime)
	if g.spend(old) {
		t.Error("an old token is taken")
	}
	many := make([]string, maxTokens+1)
	for i := range many {
		many[i] = g.invite()
	}
	if g.spend(many[0]) || !g.spend(many[1]) {
		t.Error("there are more tokens than that")
	}

	stage := newStage("exam")
	s := served(t, stage)
	s.has(t)
	stranger := &page{t: t, s: s}
	status, _, cookies := stranger.post("/session", map[string]string{"token": "guess"})
	if status != http.StatusUnauthorized || len(cookies) > 0 {
		t.Error(status, cookies)
	}
	wants(t, stage, stranger, http.StatusUnauthorized, "nobody")
}

// TestStolenCookie: a cookie goes to all ports of an address, and so to another user's program that
// the user's browser is led to. It has the cookie then, and gets nothing for it: what the page keeps
// for itself is needed as well.
func TestStolenCookie(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	if c := p.cookie; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" || c.Path != "/" {
		t.Error(c)
	}
	if _, port, _ := net.SplitHostPort(s.Host()); p.cookie.Name != "coterie-"+port {
		t.Error("the cookie of another port's page would be replaced: " + p.cookie.Name)
	}
	thief := &page{t: t, s: s, cookie: p.cookie}
	wants(t, g, thief, http.StatusUnauthorized, "the cookie alone")
	thief.key = signedIn(t, s).key // of another session
	wants(t, g, thief, http.StatusUnauthorized, "a cookie and another's key")
	wants(t, g, &page{t: t, s: s, key: p.key}, http.StatusUnauthorized, "the key alone")
	wants(t, g, p, http.StatusOK, "both")
}

// TestPagesOfABrowser: a second page in the same browser does not sign the first one out, and neither does
// its signing out. What another program has made the browser's cookie is not taken for one.
func TestPagesOfABrowser(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	first := signedIn(t, s)
	second := signedInBy(t, s, first.cookie)
	first.cookie = second.cookie // a browser has one
	wants(t, g, first, http.StatusOK, "the first page")
	wants(t, g, second, http.StatusOK, "the second page")
	status, _, cookies := second.post("/logout", map[string]string{})
	if status != http.StatusOK || len(cookies) > 0 {
		t.Error(status, cookies)
	}
	wants(t, g, second, http.StatusUnauthorized, "the second page, signed out")
	wants(t, g, first, http.StatusOK, "the first page, after that")
	if _, _, cookies := first.post("/logout", map[string]string{}); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Error(cookies)
	}
	chosen := &http.Cookie{Name: first.cookie.Name, Value: "chosen"}
	if p := signedInBy(t, s, chosen); p.cookie.Value == chosen.Value {
		t.Error("a cookie that somebody chose is taken")
	}
}

// TestPrivate: nothing but the page's own files is answered without a session: no events, no
// questions.
func TestPrivate(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	stranger := &page{t: t, s: s}
	for _, path := range []string{
		"/do", "/seen", "/older", "/readers", "/link", "/picture", "/join", "/keys", "/doctor", "/logout",
	} {
		if status, body, _ := stranger.post(path, map[string]string{"room": roomID}); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _, _ := stranger.send(stranger.request(http.MethodGet, "/events", nil)); status != http.StatusUnauthorized {
		t.Errorf("events: %d", status)
	}
	p := signedIn(t, s)
	if status, _, _ := p.send(p.request(http.MethodGet, "/events", nil)); status != http.StatusOK {
		t.Error("a page that is signed in is not told what happens")
	}
	if status, _, _ := p.post("/logout", map[string]string{}); status != http.StatusOK {
		t.Error(status)
	}
	wants(t, g, p, http.StatusUnauthorized, "after signing out")
}

// TestLogoutEndsEvents: who signs out is told nothing more, on a connection that is open.
func TestLogoutEndsEvents(t *testing.T) {
	s := served(t, newStage("exam"))
	p := signedIn(t, s)
	got, err := http.DefaultClient.Do(p.request(http.MethodGet, "/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	p.post("/logout", map[string]string{})
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, got.Body); ended <- err }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("events go on")
	}
}

// TestHeads: every answer, of an error too, has what keeps a browser from doing more with it.
func TestHeads(t *testing.T) {
	s := served(t, newStage("exam"))
	p := &page{t: t, s: s}
	for _, path := range []string{"/", "/app.js", "/nothing", "/events", "/../web.go"} {
		got, err := http.DefaultClient.Do(p.request(http.MethodGet, path, nil))
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		csp := got.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
			"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, part+";") && !strings.Contains(csp, part) {
				t.Errorf("%s: no %s", path, part)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || strings.Contains(csp, "*") {
			t.Errorf("%s: %s", path, csp)
		}
		for name, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": ""} {
			if h := got.Header.Get(name); h != value {
				t.Errorf("%s: %s is %q", path, name, h)
			}
		}
	}
}

// TestTraversal: only the page's own files are there, by their exact names.
func TestTraversal(t *testing.T) {
	s := served(t, newStage("exam"))
	for _, path := range []string{"/../web.go", "/..%2fweb.go", "/%2e%2e/web.go", "//etc/passwd", "/files/app.js",
		"/./app.js", "/app.js/", "/%2fetc%2fpasswd", "/index.html%00", "/.."} {
		c, err := net.Dial("tcp", s.Host())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: "+s.Host()+"\r\nConnection: close\r\n\r\n")
		got, _ := io.ReadAll(c)
		c.Close()
		head, _, _ := strings.Cut(string(got), "\r\n")
		if strings.Contains(head, " 200 ") || bytes.Contains(got, []byte("package web")) ||
			bytes.Contains(got, []byte("root:")) {
			t.Errorf("%s: %s", path, head)
		}
	}
}

// TestTooMuch: bodies, heads, sessions and streams are bounded.
func TestTooMuch(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	if status := p.say(strings.Repeat("x", maxBody)); status != http.StatusBadRequest {
		t.Error("a body without end is taken:", status)
	}
	r := p.request(http.MethodGet, "/", nil)
	r.Header.Set("X-Large", strings.Repeat("x", 2*maxHeader))
	if got, err := http.DefaultClient.Do(r); err == nil && got.StatusCode == http.StatusOK {
		t.Error("a head without end is taken")
	}
	var open []io.Closer
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range maxStreams + 1 {
		if i%maxPages == 0 {
			p = signedIn(t, s) // in another browser
		}
		got, err := http.DefaultClient.Do(p.request(http.MethodGet, "/events", nil))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, got.Body)
		want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < maxStreams]
		if got.StatusCode != want {
			t.Fatalf("stream %d: %d", i, got.StatusCode)
		}
	}
	for range maxSessions {
		signedIn(t, s)
	}
	wants(t, g, p, http.StatusUnauthorized, "the oldest of too many sessions")
}

// TestSlowHead: a program of another user that connects and says nothing is let go.
func TestSlowHead(t *testing.T) {
	s := servedWith(t, newStage("exam"), Config{headerTime: 50 * time.Millisecond})
	c, err := net.Dial("tcp", s.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\n")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(c); err != nil {
		t.Error("it is waited for:", err)
	}
}

// TestLoopbackAlone: nobody outside this computer can connect.
func TestLoopbackAlone(t *testing.T) {
	s := served(t, newStage("exam"))
	host, port, _ := net.SplitHostPort(s.l.Addr().String())
	if ip := net.ParseIP(host); !ip.IsLoopback() {
		t.Fatal(host)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			if c, err := net.DialTimeout("tcp", net.JoinHostPort(n.IP.String(), port), time.Second); err == nil {
				c.Close()
				t.Error("it answers on", n.IP)
			}
		}
	}
}

// TestTokenIsPrivate: the token stands in a file that its user alone can read, and on no program's
// command line.
func TestTokenIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	link := "http://127.0.0.1:7000/#secret"
	var opened string
	if err := Show(dir, link, func(path string) error { opened = path; return nil }); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(opened, "secret") {
		t.Error(opened)
	}
	b, err := os.ReadFile(opened)
	if err != nil || !bytes.Contains(b, []byte(link)) {
		t.Error(string(b), err)
	}
	for path, mode := range map[string]os.FileMode{opened: 0o600, dir: 0o700} {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != mode {
			t.Error(path, info.Mode(), err)
		}
	}
	Forget(dir)
	if _, err := os.Stat(opened); !os.IsNotExist(err) {
		t.Error("it stays:", err)
	}
}

// TestNoFilesOfThisComputer: a page, or what has crept into it, names no files, and does not end the
// rooms.
func TestNoFilesOfThisComputer(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	for _, typed := range []string{"/notice /etc/passwd", "/export /tmp/all.txt", "/quit", "/nosuch"} {
		if status := p.say(typed); status != http.StatusUnprocessableEntity {
			t.Error(typed, status)
		}
	}
	for _, c := range []string{`{"notice":"/etc/passwd"}`, `{"quit":true}`, `{"export":"/tmp/all.txt"}`, `{"file":"/etc/passwd"}`,
		`{"save":"00","path":"/tmp/x"}`, `"a text"`, `[]`, `{"send":"a"}{"send":"b"}`, `{"send":"a","quit":true}`} {
		body := `{"room":"` + roomID + `","command":` + c + `}`
		r := p.request(http.MethodPost, "/do", strings.NewReader(body))
		if status, got, _ := p.send(r); status < 400 {
			t.Error(c, status, string(got))
		}
	}
	for _, c := range chat.Slashes { // none takes a file
		p.say("/" + c.Name + " /etc/passwd")
		p.say("/" + c.Name)
	}
	for _, c := range g.wanted() {
		switch w := c.(type) {
		case chat.Notice, chat.Export, chat.Bad:
			t.Errorf("the room was told %T", c)
		case chat.Quit:
			if !w.Leave {
				t.Error("the room was told to go away")
			}
		}
	}
}

// TestMarkupStaysText: what others say reaches the page as a text in JSON in which nothing can be
// taken for markup, and with what would turn a line around made harmless.
func TestMarkupStaysText(t *testing.T) {
	const evil = "<img src=x onerror=alert(1)></script>\u202egnp.exe\x1b[31m"
	g := newStage(evil)
	s := served(t, g)
	s.has(t)
	d := said(1, evil)
	d.Author.Name = "<b>eve</b>"
	g.tell(d)
	var got [][]byte
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if got, _, _ = s.feed.after(0); bytes.Contains(bytes.Join(got, nil), []byte(`"drawn"`)) {
			break
		}
	}
	all := bytes.Join(got, nil)
	if bytes.ContainsAny(all, "<>\u202e\x1b") {
		t.Error("markup is in the feed")
	}
	i := slices.IndexFunc(got, func(l []byte) bool { return bytes.Contains(l, []byte(`"drawn"`)) })
	if i < 0 {
		t.Fatalf("%s", all)
	}
	var h happening
	if err := json.Unmarshal(got[i], &h); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(h.Drawn.Text+h.Drawn.Name, "\u202e\x1b") || !strings.Contains(h.Drawn.Text, "<img src=x") {
		t.Errorf("%+v", h.Drawn)
	}
}
