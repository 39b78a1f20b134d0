//go:build linux

package house

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/room"
)

// served is a house with a room, that answers on its socket.
func served(t *testing.T) (h *House, o *Open, at string) {
	t.Helper()
	key := alone(t)
	h = houseOf(t, "")
	s, err := h.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	go s.Serve()
	dir, err := h.RuntimeDir()
	if err != nil {
		t.Fatal(err)
	}
	return h, open(t, h, "den", key), filepath.Join(dir, socketName)
}

// A caller has connected to a socket, and was greeted.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func call(t *testing.T, at string) (c caller, greeting string) {
	t.Helper()
	conn, err := net.Dial("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	c = caller{conn, bufio.NewReaderSize(conn, 1<<20)}
	greeting, _ = c.in.ReadString('\n')
	return c, greeting
}

func (c caller) asks(line string) (answer string) {
	fmt.Fprintln(c, line)
	answer, _ = c.in.ReadString('\n')
	return answer
}

// waits reads lines until one has a text.
func (c caller) waits(t *testing.T, text string) string {
	t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			t.Fatalf("no %s: %v", text, err)
		}
		if strings.Contains(line, text) {
			return line
		}
	}
}

// well has a face say something, and hear it.
func well(t *testing.T, o *Open) {
	t.Helper()
	g := visit(t, o)
	if !g.TryDo(chat.Who{}) {
		t.Error("too much is waiting to be done")
		return
	}
	follow(t, g, func(e chat.Event) bool { _, ok := e.What.(chat.Answer); return ok })
}

// TestGarbage: what is no question is answered with an error or not at all, and a face that
// writes what is no command is told, or let go. The room goes on.
func TestGarbage(t *testing.T) {
	_, o, at := served(t)
	for _, q := range []string{
		"", "x", "{}", "[]", "null", `{"list":1}`, `{"list":true} {"list":true}`, `{"nothing":true}`, "\x00\xff\xfe",
		`{"attach":"nosuch"}`, `{"attach":"den"}`, `{"attach":"den","as":"x"}`, `{"close":"nosuch"}`,
		`{"open":{}}`, `{"open":{"room":"-"}}`, `{"open":{"room":"den2","flags":{"Key":"/nosuch"},"given":["key"]}}`,
		`{"open":{"room":"den","flags":{"Ephemeral":true}}}`, strings.Repeat("[", 10_000), strings.Repeat("x", 1<<20),
	} {
		c, _ := call(t, at)
		if a := c.asks(q); a != "" && !strings.HasPrefix(a, `{"error":{"code":"`) {
			t.Errorf("%.40q is answered by %s", q, a)
		}
		c.Close()
	}
	c, _ := call(t, at)
	if a := c.asks(`{"attach":"den","as":"events"}`); !strings.HasPrefix(a, `{"ok":true,"welcome":`) {
		t.Fatal(a)
	}
	for _, l := range []string{"x", `{"do":"x"}`, `{"do":"say","with":{"Text":7}}`, "\x00", `{"do":"quit"}`} {
		fmt.Fprintln(c, l)
	}
	r := chat.NewEventReader(c.in)
	refused := 0
	for refused < 5 {
		events, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if _, ok := e.What.(chat.NotDone); ok {
				refused++
			}
		}
	}
	fmt.Fprintln(c, strings.Repeat("x", 1<<20))
	for {
		if _, err := r.Read(); err != nil {
			break // it was let go
		}
	}
	well(t, o)
}

// TestCrowd: of one process so many are let in and no more, and they are in nobody's way for
// longer than a question takes.
func TestCrowd(t *testing.T) {
	_, o, at := served(t)
	var all []caller
	for range maxShare {
		c, greeting := call(t, at)
		if !strings.Contains(greeting, `"pid":`) {
			t.Fatalf("%d of %d are let in", len(all), maxShare)
		}
		all = append(all, c)
	}
	if _, greeting := call(t, at); greeting != "" {
		t.Error("there is no end to them")
	}
	well(t, o)
	for _, c := range all {
		c.Close()
	}
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, greeting := call(t, at)
		if greeting != "" {
			if a := c.asks(`{"list":true}`); !strings.Contains(a, `"room":"den"`) {
				t.Errorf("%s", a)
			}
			return
		}
		if time.Now().After(until) {
			t.Fatal("nobody is let in any more")
		}
	}
}

// TestUnreadFace: a face that reads nothing is let go when too much waits for it, and holds up
// nobody.
func TestUnreadFace(t *testing.T) {
	_, o, at := served(t)
	for _, as := range []string{"events", "lines"} {
		c, _ := call(t, at)
		fmt.Fprintf(c, `{"attach":"den","as":%q}`+"\n", as)
	}
	guests := func() int {
		o.mu.Lock()
		defer o.mu.Unlock()
		n := 0
		for g := range o.guests {
			g.mu.Lock()
			if g.failed == nil {
				n++
			}
			g.mu.Unlock()
		}
		return n
	}
	for until := time.Now().Add(patience); guests() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("they did not come")
		}
	}
	s := chat.NewState(o.room.About(), time.Now())
	d := room.Delivered{ID: [32]byte{1}, Author: room.Member{Peer: somePeer(1)}}
	d.Message.Text = strings.Repeat("x", 8000)
	for until := time.Now().Add(patience); guests() > 0; {
		o.Show(s, chat.Event{Room: s.ID, At: time.Now(), What: d}, nil)
		if time.Now().After(until) {
			t.Fatal("they are not let go")
		}
	}
	well(t, o)
}

// TestQuestionsAtOnce: a face that asks without end has its share of answers, and others have
// theirs.
func TestQuestionsAtOnce(t *testing.T) {
	_, o, at := served(t)
	c, _ := call(t, at)
	if a := c.asks(`{"attach":"den","as":"lines"}`); !strings.HasPrefix(a, `{"event":"hello"`) {
		t.Fatal(a)
	}
	go func() {
		for {
			if _, err := fmt.Fprintln(c, `{"status":true}`); err != nil {
				return
			}
		}
	}()
	go func() {
		for {
			if _, err := c.in.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	for range 10 {
		well(t, o)
	}
	c.Close()
	well(t, o)
}

// TestLinesOnTheSocket: a program that attaches has the JSON lines of join: hello first, bye
// last, and every message answered once.
func TestLinesOnTheSocket(t *testing.T) {
	_, o, at := served(t)
	c, _ := call(t, at)
	if a := c.asks(`{"attach":"` + "den" + `","as":"lines"}`); !strings.HasPrefix(a, `{"event":"hello"`) {
		t.Fatal(a)
	}
	c.waits(t, `"event":"ready"`)
	fmt.Fprintln(c, `{"send":"to nobody","ref":{"a":1}}`)
	c.waits(t, `{"event":"held","ref":{"a":1}`)
	fmt.Fprintln(c, `{"nosuch":true}`)
	c.waits(t, `"code":"bad-input"`)
	fmt.Fprintln(c, `{"quit":true}`)
	if l := c.waits(t, `"kept"`); l != `{"event":"kept","ref":{"a":1}}`+"\n" {
		t.Error(l)
	}
	line, _ := c.in.ReadString('\n')
	var bye struct {
		Event, Reason string
		Kept          int
	}
	if json.Unmarshal([]byte(line), &bye) != nil || bye.Event != "bye" || bye.Reason != "quit" || bye.Kept != 1 {
		t.Error(line)
	}
	if more, err := c.in.ReadString('\n'); err == nil {
		t.Error(more)
	}
	well(t, o)
}

// TestAnotherUser: who is another user is told nothing, even if folder and socket let them in.
func TestAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	_, o, at := served(t)
	for name, mode := range map[string]os.FileMode{filepath.Dir(filepath.Dir(at)): 0o777, filepath.Dir(at): 0o777,
		at: 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	told := make(chan string, 1)
	go func() {
		// This thread alone is another user's; it ends with the goroutine.
		runtime.LockOSThread()
		const nobody = 65534
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); e != 0 {
			told <- "not another user: " + e.Error()
			return
		}
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: at})
		}
		if err != nil {
			told <- "not connected: " + err.Error()
			return
		}
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		f.WriteString(`{"list":true}` + "\n")
		b := make([]byte, 1000)
		n, _ := f.Read(b)
		told <- string(b[:n])
	}()
	if got := <-told; got != "" {
		t.Errorf("a stranger is told %q", got)
	}
	well(t, o)
}
