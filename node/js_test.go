package node

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/room"
	"coterie/room/record"
)

// npmTime is how long npm may take to fetch what the peer in JavaScript needs.
const npmTime = 5 * time.Minute

// jsPeer starts testdata/js/peer.mjs, and returns where it is.
func jsPeer(ctx context.Context, t *testing.T) (ma.Multiaddr, func() int) {
	t.Helper()
	if testing.Short() {
		t.Skip("npm fetches more than a hundred packages")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("a peer in JavaScript needs %s", program)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "peer.mjs"} {
		b, err := os.ReadFile(filepath.Join("testdata", "js", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fetch, cancel := context.WithTimeout(ctx, npmTime)
	defer cancel()
	npm := exec.CommandContext(fetch, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Skipf("npm cannot fetch what the peer in JavaScript needs: %v\n%s", err, out)
	}
	js := exec.CommandContext(ctx, "node", "peer.mjs")
	js.Dir = dir
	js.Stderr = os.Stderr
	in, err := js.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := js.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := js.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	at := make(chan string, 1)
	forwarded := make(chan string, 1<<14)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
			case "ADDR":
				at <- strings.Fields(rest)[0]
			case "FORWARDED":
				select {
				case forwarded <- rest:
				default:
				}
			default:
				t.Log(lines.Text())
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		<-done
		js.Wait()
	})
	select {
	case a := <-at:
		return ma.StringCast(a), func() int { return len(forwarded) }
	case <-done:
		t.Fatal("the peer in JavaScript ended")
	case <-ctx.Done():
		t.Fatal("the peer in JavaScript did not begin")
	}
	return nil, nil
}

// TestJavaScriptPeer: members that reach nobody but a js-libp2p peer find each other and
// chat through it as their relay; and what they publish comes, through it alone, to who
// listens on the topic elsewhere.
func TestJavaScriptPeer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), npmTime+patience)
	defer cancel()
	at, forwarded := jsPeer(ctx, t)
	d := descriptor(t, "ONE")

	far := bare(t)
	ps, err := newGossip(ctx, far, newForwarders(), pubsub.NewAllowlistSubscriptionFilter(d.Topic()))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(d.Topic())
	if err != nil {
		t.Fatal(err)
	}
	heard, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	js, err := peer.AddrInfoFromP2pAddr(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := far.Connect(ctx, *js); err != nil {
		t.Fatal(err)
	}

	var both []*member
	for _, name := range []string{"ann", "bob"} {
		n, err := New(Config{
			Room: d, Key: issue(t, "ONE"), Name: name, Listen: []ma.Multiaddr{}, Bootstrap: []ma.Multiaddr{at},
		})
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, follow(t, n, name))
	}
	ann, bob := both[0], both[1]
	for _, m := range both {
		see[room.EpochStarted](t, m, "an epoch of two", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	}
	if path := ann.Path(bob.Self()); path.Kind != Relayed || path.Relay != js.ID {
		t.Errorf("ann reaches bob by %+v", path)
	}
	const text = "through JavaScript"
	if err := ann.Send(nil, record.KindText, text); err != nil {
		t.Fatal(err)
	}
	see[room.Delivered](t, bob, "the message", func(e room.Delivered) bool { return e.Message.Text == text })
	for {
		m, err := heard.Next(ctx)
		if err != nil {
			t.Fatalf("nothing came through the peer in JavaScript, which forwarded %d: %v", forwarded(), err)
		}
		if m.ReceivedFrom != js.ID {
			t.Fatalf("it came from %s", m.ReceivedFrom)
		}
		if room.WellFormed(m.Data) {
			break
		}
	}
	if forwarded() == 0 {
		t.Error("the peer in JavaScript says that it forwarded nothing")
	}
}
