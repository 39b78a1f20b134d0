package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
)

var (
	stormPeers    = flag.Int("storm.peers", 10, "peers of TestStorm")
	stormMessages = flag.Int("storm.messages", 10000, "messages of all of them together")
	stormSeed     = flag.Uint64("storm.seed", 1, "the seed of what happens to them")
)

// TestStorm: ten peers, each a process in a network of its own, say ten thousand
// things, while they are killed and started again, leave and come back, and lose
// their links, in both directions or in one. Of every epoch, every message is
// shown to every member of it, once, and in its author's order; or, if its process
// was killed between saving and showing it, is found in what that peer has saved.
func TestStorm(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes minutes")
	}
	t.Logf("seed %d", *stormSeed)
	w := newStorm(t, *stormPeers)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for _, p := range w.peers {
		p.start(ctx, w)
	}
	aliveIn(ctx, t, w.running()...)
	began := time.Now()
	chaos, stop := context.WithCancel(ctx)
	var talking, troubled sync.WaitGroup
	for _, p := range w.peers {
		talking.Go(func() { p.talk(ctx, *stormMessages / *stormPeers) })
	}
	troubled.Go(func() { w.trouble(chaos) })
	talking.Wait()
	stop()
	troubled.Wait()
	t.Logf("all was said after %v, with %v", time.Since(began).Round(time.Second), w.did)
	w.calm(ctx)
	began = time.Now()
	var asked time.Time
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		missing := w.missing()
		if len(missing) == 0 {
			break
		}
		if asked.IsZero() || time.Since(asked) > 15*time.Second {
			asked = time.Now()
			w.search()
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			w.explain()
			t.Fatalf("%d are missing, such as %v", len(missing), missing[:min(5, len(missing))])
		}
	}
	t.Logf("everybody had everything %v after that", time.Since(began).Round(100*time.Millisecond))
	w.check()
}

type storm struct {
	t     *testing.T
	rng   *rand.Rand
	dir   string
	hub   string
	peers []*stormPeer
	did   map[string]int
}

// A stormPeer is one profile, in one network namespace, and its processes one
// after another.
type stormPeer struct {
	index    int
	ns, addr string
	env      []string
	args     []string

	mu    sync.Mutex
	runs  []*drive.Peer
	up    bool
	acked map[int]bool
	lacks map[string]bool // of whom, when it was last looked
}

// needNamespaces skips a test where there can be no network namespaces.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("network namespaces need ip, of iproute2")
	}
}

func newStorm(t *testing.T, peers int) *storm {
	needNamespaces(t)
	w := &storm{t: t, rng: rand.New(rand.NewPCG(*stormSeed, 0)), dir: t.TempDir(), did: make(map[string]int)}
	fixtures(t, w.dir)
	w.hub = fmt.Sprintf("coterie%d-%s", os.Getpid(), t.Name())
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	namespace := func(name string) {
		ip("netns", "add", name)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
		ip("-n", name, "link", "set", "lo", "up")
	}
	namespace(w.hub)
	ip("-n", w.hub, "link", "add", "br0", "type", "bridge")
	ip("-n", w.hub, "link", "set", "br0", "up")
	for i := range peers {
		p := &stormPeer{
			index: i, ns: fmt.Sprint(w.hub, i), addr: fmt.Sprintf("10.77.0.%d", i+1),
			acked: make(map[int]bool),
		}
		namespace(p.ns)
		port := fmt.Sprint("v", i)
		ip("-n", w.hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", p.ns)
		ip("-n", w.hub, "link", "set", port, "master", "br0", "up")
		ip("-n", p.ns, "addr", "add", p.addr+"/24", "dev", "eth0")
		ip("-n", p.ns, "link", "set", "eth0", "up")
		home := filepath.Join(w.dir, fmt.Sprint("home", i))
		p.env = []string{
			asProcess + "=1", "HOME=" + home, "XDG_CONFIG_HOME=" + home + "/config", "XDG_DATA_HOME=" + home + "/data",
			"XDG_STATE_HOME=" + home + "/state", "XDG_RUNTIME_DIR=" + home + "/run",
		}
		if err := os.MkdirAll(home+"/run", 0o700); err != nil {
			t.Fatal(err)
		}
		p.args = []string{
			"netns", "exec", p.ns, os.Args[0], "join", "den", "--json", "--key", filepath.Join(w.dir, "ann.key"), "--policy",
			"ONE",
			"--nick", fmt.Sprint("p", i), "--listen", "/ip4/" + p.addr + "/tcp/4001",
		}
		for j := range peers {
			if j != i {
				p.args = append(p.args, "--bootstrap", fmt.Sprintf("/ip4/10.77.0.%d/tcp/4001", j+1))
			}
		}
		w.peers = append(w.peers, p)
	}
	return w
}

func (w *storm) running() (out []*drive.Peer) {
	for _, p := range w.peers {
		out = append(out, p.now())
	}
	return out
}

func (p *stormPeer) now() *drive.Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs[len(p.runs)-1]
}

func (p *stormPeer) start(ctx context.Context, w *storm) {
	d, err := drive.Start(ctx, fmt.Sprint("p", p.index), p.env, "ip", p.args...)
	if err != nil {
		w.t.Error(err)
		return
	}
	p.mu.Lock()
	p.runs, p.up = append(p.runs, d), true
	p.mu.Unlock()
}

// end ends the process: by a signal, or by asking it to leave.
func (p *stormPeer) end(ctx context.Context, w *storm, kill bool) {
	p.mu.Lock()
	d := p.runs[len(p.runs)-1]
	p.up = false
	p.mu.Unlock()
	if kill {
		d.Signal(syscall.SIGKILL)
	} else {
		d.Quit()
	}
	if _, err := d.Exit(ctx); err != nil {
		w.t.Error(err)
	}
}

// talk says things until so many of them were sent; what a process took with it
// when it ended is said again.
func (p *stormPeer) talk(ctx context.Context, want int) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var on *drive.Peer
	next, seen := 0, 0
	asked := make(map[int]bool)
	for {
		p.mu.Lock()
		d, up := p.runs[len(p.runs)-1], p.up
		p.mu.Unlock()
		if d != on {
			if on != nil {
				p.take(on, seen)
			}
			on, seen, asked, next = d, 0, make(map[int]bool), 0
		}
		seen = p.take(d, seen)
		p.mu.Lock()
		done := len(p.acked) >= want
		p.mu.Unlock()
		if done {
			return
		}
		for next < want && (p.acked[next] || asked[next]) {
			next++
		}
		if up && next < want {
			b, err := json.Marshal(map[string]any{"send": fmt.Sprintf("p%d says %d", p.index, next), "ref": next})
			if err == nil && d.Write(string(b)) == nil {
				asked[next] = true
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// take notes what was sent.
func (p *stormPeer) take(d *drive.Peer, from int) int {
	events, _ := d.Events()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events[from:] {
		if ref, ok := e.Ref.(float64); ok && e.Event == "sent" {
			p.acked[int(ref)] = true
		}
	}
	return len(events)
}

// trouble lets things happen to the peers until ctx ends.
func (w *storm) trouble(ctx context.Context) {
	var mu sync.Mutex
	busy := make(map[*stormPeer]bool)
	var wg sync.WaitGroup
	defer wg.Wait()
	for ctx.Err() == nil {
		mu.Lock()
		p, q := w.peers[w.rng.IntN(len(w.peers))], w.peers[w.rng.IntN(len(w.peers))]
		what := []string{"kill", "kill", "leave", "unplug", "cut"}[w.rng.IntN(5)]
		for_ := time.Duration(500+w.rng.IntN(4000)) * time.Millisecond
		free := !busy[p] && len(busy) < len(w.peers)/2 && (what != "cut" || p != q)
		if free {
			busy[p] = true
			w.did[what]++
		}
		mu.Unlock()
		if free {
			wg.Go(func() {
				defer func() { mu.Lock(); delete(busy, p); mu.Unlock() }()
				w.happen(ctx, p, q, what, for_)
			})
		}
		select {
		case <-time.After(700 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (w *storm) happen(ctx context.Context, p, q *stormPeer, what string, d time.Duration) {
	pause := func() {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	quiet := context.WithoutCancel(ctx)
	ip := func(args ...string) {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			w.t.Errorf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	switch what {
	case "kill", "leave":
		p.end(quiet, w, what == "kill")
		pause()
		p.start(w.t.Context(), w)
	case "unplug":
		ip("-n", w.hub, "link", "set", fmt.Sprint("v", p.index), "down")
		pause()
		ip("-n", w.hub, "link", "set", fmt.Sprint("v", p.index), "up")
	case "cut": // what p sends to q is lost
		ip("-n", p.ns, "route", "add", "blackhole", q.addr)
		pause()
		ip("-n", p.ns, "route", "del", "blackhole", q.addr)
	}
}

// calm waits until all are in one epoch.
func (w *storm) calm(ctx context.Context) {
	if _, err := drive.Together(ctx, w.running()...); err != nil {
		w.t.Fatal(err)
	}
}

// A saying is a message as somebody was told of it.
type saying struct {
	id, epoch, from string
	seq             int
	// told: its author's process said that it was sent, and so before in which epoch. Who was shown it may have
	// been killed before they said that, and have read it from their disk in the next run.
	told bool
}

// heard is all that was sent or shown anywhere, and who was in which epoch.
func (w *storm) heard() (all map[string]saying, members map[string][]string) {
	all, members = make(map[string]saying), make(map[string][]string)
	for _, p := range w.peers {
		for _, d := range p.runs {
			events, _ := d.Events()
			self := ""
			for _, e := range events {
				switch e.Event {
				case "ready":
					self = e.Peer
				case "epoch":
					members[e.ID] = e.Members
				case "message":
					all[e.ID] = saying{e.ID, e.Epoch, e.From, e.Seq, all[e.ID].told}
				case "sent":
					all[e.ID] = saying{e.ID, e.Epoch, self, e.Seq, true}
				}
			}
		}
	}
	return all, members
}

// shown counts, for each message, how often a peer was shown it as new, and
// whether it was at all.
func (p *stormPeer) shown() (self string, asNew map[string]int, ever map[string]bool) {
	asNew, ever = make(map[string]int), make(map[string]bool)
	for _, d := range p.runs {
		events, _ := d.Events()
		for _, e := range events {
			switch e.Event {
			case "ready":
				self = e.Peer
			case "message":
				ever[e.ID] = true
				if !e.History {
					asNew[e.ID]++
				}
			case "found":
				for _, m := range e.Messages {
					ever[m.ID] = true
				}
			}
		}
	}
	return self, asNew, ever
}

// missing are the messages that a member of their epoch was not shown.
func (w *storm) missing() (out []string) {
	all, members := w.heard()
	for _, p := range w.peers {
		self, _, ever := p.shown()
		p.lacks = make(map[string]bool)
		for id, m := range all {
			if !ever[id] && slices.Contains(members[m.epoch], self) {
				p.lacks[m.from] = true
				out = append(out, fmt.Sprintf("p%d was not shown message %d of %s in epoch %.8s", p.index, m.seq,
					m.from[len(m.from)-4:], m.epoch))
			}
		}
	}
	return out
}

// search has those who lack something look for it on their disks.
func (w *storm) search() {
	for _, p := range w.peers {
		for _, q := range w.peers {
			if self, _, _ := q.shown(); p.lacks[self] {
				p.now().Write(fmt.Sprintf(`{"search":"p%d says ","limit":10000}`, q.index))
			}
		}
	}
}

// explain logs, of each epoch in which something is missing, who lacks how much of
// whom, who was shown it, and in which of its runs each was in the epoch.
func (w *storm) explain() {
	all, members := w.heard()
	lacks := make(map[string]map[string]int)
	holders := make(map[string]map[int]int)
	for _, p := range w.peers {
		self, _, ever := p.shown()
		for id, m := range all {
			if !ever[id] && slices.Contains(members[m.epoch], self) {
				if lacks[m.epoch] == nil {
					lacks[m.epoch], holders[m.epoch] = make(map[string]int), make(map[int]int)
				}
				lacks[m.epoch][fmt.Sprintf("p%d of %s", p.index, m.from[len(m.from)-4:])]++
				for _, q := range w.peers {
					if _, _, has := q.shown(); has[id] {
						holders[m.epoch][q.index]++
					}
				}
			}
		}
	}
	for epoch, who := range lacks {
		w.t.Logf("epoch %.8s of %d: lacking %v, shown to %v", epoch, len(members[epoch]), who, holders[epoch])
		for _, p := range w.peers {
			for i, d := range p.runs {
				events, _ := d.Events()
				for _, e := range events {
					if e.Event == "epoch" && e.ID == epoch {
						w.t.Logf("  p%d was in it in run %d of %d, from %s", p.index, i, len(p.runs), e.At.Format("05.000"))
					}
				}
			}
		}
	}
}

// check looks at the whole run.
func (w *storm) check() {
	all, members := w.heard()
	readers := 0
	for _, m := range all {
		readers += len(members[m.epoch])
		if members[m.epoch] == nil && m.told {
			w.t.Errorf("nobody was told of epoch %.8s", m.epoch)
		}
	}
	w.t.Logf("%d messages in %d epochs, for %d readers", len(all), len(members), readers)
	if len(all) < *stormMessages {
		w.t.Errorf("%d messages, want %d", len(all), *stormMessages)
	}
	for _, p := range w.peers {
		_, asNew, _ := p.shown()
		for id, n := range asNew {
			if n > 1 {
				w.t.Errorf("p%d was shown %s %d times as new", p.index, id, n)
			}
		}
		peer := ""
		for i, d := range p.runs {
			events, bad := d.Events()
			if len(bad) > 0 {
				w.t.Errorf("p%d wrote %q", p.index, bad[0])
			}
			last := make(map[string]int)
			once := make(map[string]bool)
			for _, e := range events {
				switch {
				case e.Event == "ready" && peer != "" && peer != e.Peer:
					w.t.Errorf("p%d came back as another peer", p.index)
				case e.Event == "ready":
					peer = e.Peer
				case e.Event == "error":
					w.t.Errorf("p%d, run %d: %s", p.index, i, e.Text)
				case e.Event == "message":
					if once[e.ID] {
						w.t.Errorf("p%d was shown %.8s twice in one run", p.index, e.ID)
					}
					once[e.ID] = true
					key := e.Epoch + e.From
					if !e.Late && e.Seq <= last[key] {
						w.t.Errorf("p%d was shown message %d after %d of one author and epoch", p.index, e.Seq, last[key])
					}
					last[key] = max(last[key], e.Seq)
				}
			}
		}
	}
}
