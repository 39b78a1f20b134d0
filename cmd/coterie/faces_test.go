//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
	"coterie/cmd/internal/screen"
)

var facesMessages = flag.Int("faces.messages", 150, "messages through each of three rooms in TestFacesOfThreeRooms")

// A pageFeed is what a page is told, read as its script reads it.
type pageFeed struct {
	mu    sync.Mutex
	texts map[string][]string // what others said, by room
	ended error
}

// feedOf signs in at a page's address, and follows it.
func feedOf(ctx context.Context, t *testing.T, link string) *pageFeed {
	t.Helper()
	at, token, _ := strings.Cut(link, "/#")
	ask := func(method, path string, body any, key string, cookies []*http.Cookie) *http.Response {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(ctx, method, at+path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", at)
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("Coterie-Key", key)
		}
		for _, c := range cookies {
			r.AddCookie(c)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil || got.StatusCode != http.StatusOK {
			t.Fatal(path, got, err)
		}
		return got
	}
	in := ask(http.MethodPost, "/session", map[string]string{"token": token}, "", nil)
	var got struct{ Key string }
	if err := json.NewDecoder(in.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	in.Body.Close()
	events := ask(http.MethodGet, "/events", nil, got.Key, in.Cookies())
	f := &pageFeed{texts: make(map[string][]string)}
	go func() {
		defer events.Body.Close()
		lines := bufio.NewReaderSize(events.Body, 1<<20)
		for {
			line, err := lines.ReadSlice('\n')
			if err != nil {
				f.mu.Lock()
				f.ended = err
				f.mu.Unlock()
				return
			}
			var happened struct {
				Room   string
				Events []drive.Event
			}
			if err := json.Unmarshal(line, &happened); err != nil {
				continue // it is of another kind
			}
			f.mu.Lock()
			for _, e := range happened.Events {
				if e.Event == "message" && !e.Self {
					f.texts[happened.Room] = append(f.texts[happened.Room], e.Text)
				}
			}
			f.mu.Unlock()
		}
	}()
	return f
}

// TestFacesOfThreeRooms: while much is said in three rooms of one process at once, a page, a window
// for programs and a terminal have all of it, in one order.
func TestFacesOfThreeRooms(t *testing.T) {
	t.Parallel()
	_, dir := stage(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(*facesMessages)*30*time.Millisecond)
	defer cancel()
	short := shortDir(t)
	rooms := []string{"one", "two", "three"}
	roomsOf(t, dir, short, rooms...)
	env := home(short)
	up(t, env)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var windows, bobs []*drive.Peer
	ids := make(map[string]string)
	for _, name := range rooms {
		w := windowOn(ctx, t, env, name)
		ready, err := w.Ready(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = ready.RoomID
		bob := started(ctx, t, "bob in "+name, append([]string{asProcess + "=1"}, home(filepath.Join(dir, "bob", name))...),
			exe, "join", name, "--json", "--key", filepath.Join(dir, "bob.key"), "--nick", "bob", "--policy", thePolicy,
			"--listen", "/ip4/127.0.0.1/tcp/0", "--bootstrap", ready.Addrs[0])
		aliveIn(ctx, t, w, bob)
		windows, bobs = append(windows, w), append(bobs, bob)
	}
	_, link := webAt(t, env)
	page := feedOf(ctx, t, link)
	s := screen.Start(t, 120, 24, append([]string{asProcess + "=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=",
		"NO_COLOR=1"}, env...), exe)
	s.Shows(">1 ")

	began := time.Now()
	text := func(room string, i int) string { return fmt.Sprintf("%s %d", room, i) }
	for i := range *facesMessages {
		for r, bob := range bobs {
			if err := bob.Say(text(rooms[r], i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := *facesMessages - 1
	for r, w := range windows {
		if _, err := w.Heard(ctx, text(rooms[r], last)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d messages through each of three rooms in %v", *facesMessages, time.Since(began).Round(time.Millisecond))
	for r, w := range windows {
		name := rooms[r]
		var want, got []string
		for i := range *facesMessages {
			want = append(want, text(name, i))
		}
		events, _ := w.Events()
		for _, e := range events {
			if e.Event == "message" && !e.Self && strings.HasPrefix(e.Text, name+" ") {
				got = append(got, e.Text)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the window has %d messages, or another order", name, len(got))
		}
		for {
			page.mu.Lock()
			got = slices.Clone(page.texts[ids[name]])
			err := page.ended
			page.mu.Unlock()
			got = slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, name+" ") })
			if len(got) >= len(want) {
				break
			}
			if err != nil || ctx.Err() != nil {
				t.Fatalf("%s: the page has %d messages of %d: %v", name, len(got), len(want), err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the page has %d messages, or another order", name, len(got))
		}
	}
	for i := range rooms {
		s.Keys(fmt.Sprintf("\x1b%d", i+1))
		rows := strings.Join(s.Shows(fmt.Sprintf(" %d", last)), "\n")
		if !strings.Contains(rows, fmt.Sprintf(" %d", last-1)) {
			t.Errorf("room %d on the terminal:\n%s", i+1, rows)
		}
	}
}
