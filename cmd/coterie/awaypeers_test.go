//go:build unix

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
)

var (
	awayPeers    = flag.Int("away.peers", 0, "peers of TestAwayPeers; 0: none")
	awayMessages = flag.Int("away.messages", 60, "messages of all of them together")
	awayTime     = flag.Duration("away.time", 6*time.Second, "how long they come and go")
	awaySeed     = flag.Uint64("away.seed", 1, "the seed of what happens to them")
)

// An awayPeer is one profile, and its processes one after another.
type awayPeer struct {
	name string
	env  []string
	args []string

	mu   sync.Mutex
	runs []*drive.Peer
	here bool
}

func (p *awayPeer) now() *drive.Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs[len(p.runs)-1]
}

func (p *awayPeer) start(ctx context.Context, t *testing.T) {
	d, err := drive.Start(ctx, p.name, p.env, os.Args[0], p.args...)
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(d.Kill)
	p.mu.Lock()
	p.runs, p.here = append(p.runs, d), true
	p.mu.Unlock()
}

// say says something, if the peer is here.
func (p *awayPeer) say(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.here {
		return false
	}
	b, err := json.Marshal(map[string]any{"send": text, "ref": text})
	return err == nil && p.runs[len(p.runs)-1].Write(string(b)) == nil
}

// sent are the texts of which it was said that they went out, and when.
func (p *awayPeer) sent() (at map[string]time.Time, waits map[string]bool) {
	at, waits = make(map[string]time.Time), make(map[string]bool)
	for _, d := range p.runs {
		events, _ := d.Events()
		for _, e := range events {
			text, ok := e.Ref.(string)
			switch {
			case ok && e.Event == "sent":
				at[text] = e.At
			case ok && (e.Event == "held" || e.Event == "kept"):
				waits[text] = true
			}
		}
	}
	return at, waits
}

// has are the texts that it was shown, or found, with their ids, and which it was shown as new
// more than once.
func (p *awayPeer) has() (ids map[string]string, twice []string) {
	ids = make(map[string]string)
	asNew := make(map[string]int)
	for _, d := range p.runs {
		events, _ := d.Events()
		for _, e := range events {
			switch e.Event {
			case "message":
				ids[e.Text] = e.ID
				if asNew[e.ID]++; e.History || e.Self {
					asNew[e.ID]--
				} else if asNew[e.ID] == 2 {
					twice = append(twice, e.Text)
				}
			case "found":
				for _, m := range e.Messages {
					ids[m.Text] = m.ID
				}
			}
		}
	}
	return ids, twice
}

// TestAwayPeers: peers as processes are suspended, closed and killed at random while whoever is
// here speaks. In the end everybody has everything, once; and who left, or came later, has nothing
// that was not theirs.
func TestAwayPeers(t *testing.T) {
	t.Parallel()
	if *awayPeers == 0 {
		t.Skip("it wants a quiet machine: -away.peers 10; TestAwayDay of package room does the same in virtual time")
	}
	t.Logf("seed %d", *awaySeed)
	rng := rand.New(rand.NewPCG(*awaySeed, 0))
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 4**awayTime+3*patience)
	defer cancel()
	names := []string{"lea", "new"}
	for i := range *awayPeers {
		names = append(names, fmt.Sprint("p", i))
	}
	var listen []string
	for range names {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		listen = append(listen, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port))
		l.Close()
	}
	var all []*awayPeer
	for i, name := range names {
		at := homeOf(dir, name)
		if err := os.MkdirAll(filepath.Join(at, "run"), 0o700); err != nil {
			t.Fatal(err)
		}
		p := &awayPeer{name: name, env: append(home(at), asProcess+"=1", "COTERIE_HOLD=0s"),
			args: []string{"join", "den", "--json", "--key", filepath.Join(dir, "ann.key"), "--policy", "ONE", "--nick", name,
				"--listen", listen[i]}}
		for j := range names {
			if j != i {
				p.args = append(p.args, "--bootstrap", listen[j])
			}
		}
		all = append(all, p)
	}
	lea, fresh, ten := all[0], all[1], all[2:]
	running := func(of ...*awayPeer) (out []*drive.Peer) {
		for _, p := range of {
			out = append(out, p.now())
		}
		return out
	}
	together := func(of ...*awayPeer) {
		t.Helper()
		if _, err := drive.Together(ctx, running(of...)...); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range append(slices.Clone(ten), lea) {
		p.start(ctx, t)
	}
	together(append(slices.Clone(ten), lea)...)

	// Somebody of the ten goes now and then, for a while.
	did := make(map[string]int)
	going := func(until context.Context) {
		var wg sync.WaitGroup
		defer wg.Wait()
		for until.Err() == nil {
			p := ten[rng.IntN(len(ten))]
			how := []string{"suspended", "closed", "killed"}[rng.IntN(3)]
			span := *awayTime / 8
			if span = time.Duration(rng.Int64N(int64(span))); rng.IntN(4) == 0 {
				span *= 4
			}
			p.mu.Lock()
			free, d := p.here, p.runs[len(p.runs)-1]
			p.here = false
			p.mu.Unlock()
			if free {
				did[how]++
				wg.Go(func() {
					switch how {
					case "suspended":
						d.Signal(syscall.SIGSTOP)
					case "closed":
						d.Quit()
						if _, err := d.Exit(ctx); err != nil {
							t.Error(err)
						}
					case "killed":
						d.Kill()
					}
					select {
					case <-time.After(span):
					case <-until.Done():
					}
					if how == "suspended" {
						d.Signal(syscall.SIGCONT)
						p.mu.Lock()
						p.here = true
						p.mu.Unlock()
						return
					}
					p.start(ctx, t)
				})
			}
			select {
			case <-time.After(*awayTime / time.Duration(4*len(ten))):
			case <-until.Done():
			}
		}
	}
	said := 0
	talk := func(count int, span time.Duration, of ...*awayPeer) {
		until, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { going(until) })
		pick := rand.New(rand.NewPCG(*awaySeed, uint64(count)+1))
		for n := 0; n < count && ctx.Err() == nil; {
			if of[pick.IntN(len(of))].say(fmt.Sprintf("message %d", said)) {
				said++
				n++
			}
			select {
			case <-time.After(span / time.Duration(count)):
			case <-ctx.Done():
			}
		}
		stop()
		wg.Wait()
	}
	third := *awayMessages / 3
	talk(third, *awayTime/3, append(slices.Clone(ten), lea)...)
	together(append(slices.Clone(ten), lea)...)
	if err := lea.now().Leave(); err != nil {
		t.Fatal(err)
	}
	if _, err := lea.now().Exit(ctx); err != nil {
		t.Fatal(err)
	}
	together(ten...)
	left := time.Now()
	for i, p := range ten { // so that each disk has an epoch without lea
		p.say(fmt.Sprint("without lea ", i))
		for _, d := range running(ten...) {
			if _, err := d.Heard(ctx, fmt.Sprint("without lea ", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	talk(third, *awayTime/3, ten...)
	together(ten...)
	came := time.Now()
	lea.start(ctx, t)
	fresh.start(ctx, t)
	together(all...)
	talk(*awayMessages-2*third, *awayTime/3, all...)
	began := time.Now()
	t.Logf("all was said, with %v", did)
	together(all...)

	// What is on the disk counts as well: a process may be killed before it shows what it has saved.
	looked := time.Time{}
	for {
		var missing []string
		theirs := make(map[string]time.Time)
		waits := make(map[string]bool)
		for _, p := range all {
			at, w := p.sent()
			for text, at := range at {
				theirs[text] = at
			}
			for text := range w {
				waits[text] = true
			}
		}
		for text := range waits {
			if theirs[text].IsZero() {
				theirs[text] = began
			}
		}
		ids := make(map[string]string)
		for _, p := range all {
			has, twice := p.has()
			if len(twice) > 0 {
				t.Fatalf("%s was given %q twice", p.name, twice)
			}
			for text, id := range has {
				if was, ok := ids[text]; ok && was != id {
					t.Fatalf("%q was said twice", text)
				}
				ids[text] = id
				at := theirs[text]
				switch {
				case p == fresh && !at.IsZero() && at.Before(came),
					p == lea && at.After(left) && at.Before(came) && !waits[text]:
					t.Errorf("%s has %q, which was not said to them", p.name, text)
				}
			}
			if p == lea || p == fresh {
				continue
			}
			for text := range theirs {
				if _, ok := has[text]; !ok {
					missing = append(missing, p.name+" lacks "+text)
				}
			}
		}
		if len(missing) == 0 {
			t.Logf("all %d have all %d messages, %v after the last was back", len(ten), len(theirs),
				time.Since(began).Round(100*time.Millisecond))
			break
		}
		if time.Since(looked) > 5*time.Second {
			looked = time.Now()
			for _, d := range running(ten...) {
				d.Write(`{"search":"","limit":10000}`)
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			slices.Sort(missing)
			t.Fatalf("%d are missing, such as %q", len(missing), missing[:min(8, len(missing))])
		}
	}
	for _, p := range all {
		p.now().Quit()
	}
	for _, p := range all {
		if status, err := p.now().Exit(ctx); err != nil || status != 0 {
			t.Errorf("%s: status %d, %v\n%s", p.name, status, err, p.now().Stderr())
		}
	}
}
