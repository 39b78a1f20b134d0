package node

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/room"
)

var (
	campusMembers = flag.Int("campus.members", 5, "members of the room of TestCampusThroughRelay")
	campusOthers  = flag.Int("campus.others", 40, "how many others are behind their address")
)

// roleOf is what a process of a test is, in its namespace.
const roleOf = "COTERIE_TEST_ROLE"

// TestCampusThroughRelay: a room whose members are all behind one address, with many
// others, and reach each other through one relay alone, over TCP and over QUIC; while
// another address has taken all the places it can get, with connections that say
// nothing.
func TestCampusThroughRelay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("network namespaces need ip, of iproute2")
	}
	if testing.Short() {
		*campusOthers = min(*campusOthers, 12)
	}
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	name := func(what string) string { return fmt.Sprintf("campus%d-%s", os.Getpid(), what) }
	space := func(what string) string {
		ip("netns", "add", name(what))
		t.Cleanup(func() { exec.Command("ip", "netns", "del", name(what)).Run() })
		ip("-n", name(what), "link", "set", "lo", "up")
		return name(what)
	}
	hub := space("hub")
	ip("-n", hub, "link", "add", "br0", "type", "bridge")
	ip("-n", hub, "addr", "add", "10.78.0.1/24", "dev", "br0")
	ip("-n", hub, "link", "set", "br0", "up")
	for i, what := range []string{"members", "taker"} {
		ns, port := space(what), fmt.Sprint("v", i)
		ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		ip("-n", hub, "link", "set", port, "master", "br0", "up")
		ip("-n", ns, "addr", "add", fmt.Sprintf("10.78.0.%d/24", i+2), "dev", "eth0")
		ip("-n", ns, "link", "set", "eth0", "up")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	relay := role(ctx, t, hub, "relay")
	addrs := strings.Fields(relay.await(t, "listens "))
	taker := role(ctx, t, name("taker"), "taker")
	if got := taker.await(t, "holds "); got != "256" {
		t.Errorf("one address holds %s of 512 places", got)
	}
	if got := relay.await(t, "refused "); got != "10.78.0.3: its address has all 256 connections that one may have" {
		t.Errorf("the relay says %q", got)
	}
	for _, a := range addrs {
		members := role(ctx, t, name("members"), "members", a)
		t.Logf("%d others over %s are in %s", *campusOthers, transportOf(ma.StringCast(a)), members.await(t, "in "))
		t.Logf("%d members are in one epoch %s", *campusMembers, members.await(t, "together "))
		members.end(t)
	}
}

// A rolePlayer is a process of a test in a namespace.
type rolePlayer struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	what  string
	path  string // what it said last of how it reaches the other
}

// role starts this test's binary once more, in a namespace; it plays until its
// standard input ends.
func role(ctx context.Context, t *testing.T, ns, what string, args ...string) *rolePlayer {
	t.Helper()
	p := &rolePlayer{what: what, lines: make(chan string, 1024)}
	p.cmd = exec.CommandContext(ctx, "ip", "netns", "exec", ns, os.Args[0], "-test.run", "^TestCampusRole$",
		"-campus.members", fmt.Sprint(*campusMembers), "-campus.others", fmt.Sprint(*campusOthers))
	p.cmd.Env = append(os.Environ(), roleOf+"="+strings.Join(append([]string{what}, args...), " "))
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			p.lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		p.in.Close()
		p.cmd.Process.Kill()
		for range p.lines {
		}
		p.cmd.Wait()
	})
	return p
}

// await waits for a line that begins so, and returns the rest.
func (p *rolePlayer) await(t *testing.T, prefix string) string {
	t.Helper()
	var seen []string
	for l := range p.lines {
		if strings.HasPrefix(l, "direct ") || strings.HasPrefix(l, "relayed ") {
			p.path = l
		}
		if rest, ok := strings.CutPrefix(l, prefix); ok {
			return rest
		}
		seen = append(seen, l)
	}
	t.Fatalf("%s ended without %q; it said\n%s", p.what, prefix, strings.Join(seen, "\n"))
	return ""
}

// reaches waits until it reaches the other so, which may have been said while something else
// was waited for.
func (p *rolePlayer) reaches(t *testing.T, how string) string {
	t.Helper()
	if rest, ok := strings.CutPrefix(p.path, how); ok {
		return rest
	}
	return p.await(t, how)
}

// end lets it end, and waits for that.
func (p *rolePlayer) end(t *testing.T) {
	t.Helper()
	p.in.Close()
	for range p.lines {
	}
}

// TestCampusRole is a process of another test.
func TestCampusRole(t *testing.T) {
	what := strings.SplitN(os.Getenv(roleOf), " ", 2)
	if what[0] == "" {
		t.Skip("a part of other tests, which start it")
	}
	switch what[0] {
	case "relay":
		playRelay(t)
	case "taker":
		playTaker(t)
	case "part":
		playPart(t, what[1])
	case "members":
		playMembers(t, ma.StringCast(what[1]))
	}
}

// untilTold waits until the test wants it to end.
func untilTold() { io.Copy(io.Discard, os.Stdin) }

func playRelay(t *testing.T) {
	var listen []ma.Multiaddr
	for _, a := range []string{"/ip4/10.78.0.1/tcp/4001", "/ip4/10.78.0.1/udp/4001/quic-v1"} {
		listen = append(listen, ma.StringCast(a))
	}
	var told atomic.Int32
	playOneRelay(t, "listens", RelayConfig{Listen: listen, Limits: Limits{Connections: 512}, Refused: func(x Refusal) {
		if told.Add(1) <= 10 {
			fmt.Printf("refused %s: %s\n", x.From, x.Why)
		}
	}})
}

// playTaker opens connections until no more are taken, and says how many are held;
// it opens others in the place of those that end.
func playTaker(t *testing.T) {
	var held []net.Conn
	for {
		c, err := net.Dial("tcp", "10.78.0.1:4001")
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(patience))
		// Who is let in hears the relay speak first.
		if _, err := c.Read(make([]byte, 1)); err != nil {
			c.Close()
			break
		}
		held = append(held, c)
	}
	fmt.Println("holds", len(held))
	go func() {
		for {
			time.Sleep(100 * time.Millisecond)
			for i, c := range held {
				c.SetReadDeadline(time.Now().Add(time.Millisecond))
				for err := error(nil); err == nil; {
					if _, err = c.Read(make([]byte, 64)); err == io.EOF || err != nil && !os.IsTimeout(err) {
						c.Close()
						if again, err := net.Dial("tcp", "10.78.0.1:4001"); err == nil {
							held[i] = again
						}
					}
				}
			}
		}
	}()
	untilTold()
}

// playMembers is a room of members that listen nowhere, and others who connect and do
// no more. It says in what time all were connected, and all members in one epoch.
func playMembers(t *testing.T, at ma.Multiaddr) {
	d, key := descriptor(t, "ONE"), issue(t, "ONE")
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range *campusOthers {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h, err := newHost(key, []ma.Multiaddr{})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if _, err := (&Node{host: h}).dial(ctx, at); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
	}
	fmt.Println("in after", time.Since(began).Round(10*time.Millisecond))
	began = time.Now()
	var all []*member
	for i := range *campusMembers {
		n, err := New(Config{Room: d, Key: key, Name: fmt.Sprint("m", i), Listen: []ma.Multiaddr{},
			Bootstrap: []ma.Multiaddr{at}})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, follow(t, n, fmt.Sprint("m", i)))
	}
	for _, m := range all {
		see[room.EpochStarted](t, m, "an epoch of all", func(e room.EpochStarted) bool { return len(e.Members) == len(all) })
	}
	fmt.Println("together after", time.Since(began).Round(10*time.Millisecond))
	untilTold()
}
