package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/quic-go/quic-go"
)

const (
	pulseTick  = 500 * time.Millisecond
	pulseStall = 2 * time.Second // this process did not run, if it looks that late
	// pulseQuiet is after how long without a byte of anybody somebody is asked.
	pulseQuiet = 5 * time.Second
	// pulseMute is how long nobody may answer until nobody is there, pulseDead until all
	// connections are given up: at least, and longer where answers are late.
	pulseMute, pulseMuteAnswers = time.Second, 3
	pulseDead, pulseDeadAnswers = 7 * time.Second, 12

	pingGap   = time.Second      // between two peers that are asked
	pingAgain = 15 * time.Minute // the same one, though others are heard
	pingBytes = 32
)

// A pulse is whether anything is heard of anybody. A connection on which nothing comes
// any more is one for half a minute to TCP and to QUIC. So where all are quiet, somebody
// is asked, each time another one; if that one does not answer, all are, so that strangers
// who never do are not taken for everybody; and where nobody answers, nobody is there.
//
// On a slow and lossy network answers are late, now and then: the longest of late says how
// long they may take.
type pulse struct {
	mu      sync.Mutex
	bytes   int64         // received so far, or packets
	heard   time.Time     // when that grew
	asked   time.Time     // when somebody was asked after that; zero: nobody was
	all     time.Time     // .. and all were; zero: they were not
	slowest time.Duration // how long it took to hear something, the longest of late
	looked  time.Time
}

// check takes how much was received so far, and returns whether somebody is to be
// asked, whether all are, and whether all connections are dead.
func (p *pulse) check(now time.Time, bytes int64, connected bool) (ask, all, dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stalled := now.Sub(p.looked) > pulseStall
	p.looked = now
	switch {
	case !connected, stalled:
		p.bytes, p.heard, p.asked, p.all = bytes, now, time.Time{}, time.Time{}
	case bytes != p.bytes:
		if !p.asked.IsZero() {
			p.slowest = max(now.Sub(p.asked), p.slowest*31/32)
		}
		p.bytes, p.heard, p.asked, p.all = bytes, now, time.Time{}, time.Time{}
	}
	if ask = connected && now.Sub(p.heard) >= pulseQuiet; ask && p.asked.IsZero() {
		p.asked = now
	} else if ask && p.all.IsZero() && now.Sub(p.asked) >= max(pulseTick, min(p.slowest, pulseMute)) {
		p.all, all = now, true
	}
	return ask, all, p.waited(now, pulseDead, pulseDeadAnswers)
}

// mute reports whether nobody is heard of, though all were asked.
func (p *pulse) mute(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waited(now, pulseMute, pulseMuteAnswers)
}

// waited reports whether nobody has answered for so long, and for so many times the time
// that an answer took.
func (p *pulse) waited(now time.Time, least time.Duration, answers time.Duration) bool {
	return !p.all.IsZero() && now.Sub(p.all) >= max(least, answers*p.slowest)
}

// pulseTurns is whose turn it is to be asked.
type pulseTurns struct {
	asked map[peer.ID]time.Time // when each was, of those who are connected
	last  time.Time             // .. somebody was
}

// next are those who are asked now: quiet: nothing is heard of anybody; all: nor of who was asked.
func (t *pulseTurns) next(peers []peer.ID, now time.Time, quiet, all bool) (out []peer.ID) {
	next, there := peer.ID(""), make(map[peer.ID]time.Time, len(peers))
	for _, p := range peers {
		if there[p] = t.asked[p]; next == "" || t.asked[p].Before(t.asked[next]) {
			next = p
		}
	}
	t.asked = there
	switch {
	case all:
		out = peers
	case next == "" || now.Sub(t.last) < pingGap || !quiet && now.Sub(t.asked[next]) < pingAgain:
		return nil
	default:
		out = []peer.ID{next}
	}
	t.last = now
	for _, p := range out {
		t.asked[p] = now
	}
	return out
}

// packets counts what was heard of anybody: bytes on streams, and packets of QUIC, which keep
// idle connections alive and are nothing that goes over a stream.
type packets struct {
	of  map[network.Conn]uint64
	sum int64
}

// heard takes the connections that there are and the bytes that came on streams, and returns a
// number that grows whenever somebody is heard of.
func (k *packets) heard(conns []network.Conn, bytes int64) int64 {
	there := make(map[network.Conn]uint64, len(conns))
	for _, c := range conns {
		var q *quic.Conn
		if c.As(&q) {
			there[c] = q.ConnectionStats().PacketsReceived // those that could be decrypted
			k.sum += int64(there[c] - k.of[c])
		}
	}
	k.of = there
	return k.sum + bytes
}

// feelPulse asks connected peers how far away they are: each once it is there, and rarely
// again; and one after the other while nothing is heard, or all. It ends connections of which
// all are dead.
func (n *Node) feelPulse(ctx context.Context) {
	var turns pulseTurns
	var came packets
	tick := time.NewTicker(pulseTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		peers, now := n.host.Network().Peers(), time.Now()
		quiet, all, dead := n.pulse.check(now,
			came.heard(n.host.Network().Conns(), n.traffic.in.Load()), len(peers) > 0)
		if dead {
			for _, c := range n.host.Network().Conns() {
				go c.Close() // it can wait for the other end
			}
			n.wakeConnector()
			continue
		}
		for _, p := range turns.next(peers, now, quiet, all) {
			n.spawn(func() {
				ctx, cancel := context.WithTimeout(ctx, dialTime)
				defer cancel()
				n.ping(ctx, p) // how long it took is noted
			})
		}
	}
}

// repeat writes again and again, until it is stopped: each write is a packet that may get
// through where the last one did not, and that has the last one sent again.
func repeat(w io.Writer, b []byte, stop <-chan struct{}) {
	tick := time.NewTicker(pulseTick)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}
}

// ping asks a peer for an answer, over a connection that is there. ping.Ping of the library
// asks again until it is stopped.
func (n *Node) ping(ctx context.Context, p peer.ID) (time.Duration, error) {
	s, err := n.host.NewStream(network.WithAllowLimitedConn(network.WithNoDial(ctx, "ping"), "ping"), p, ping.ID)
	if err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	said, heard := make([]byte, pingBytes), make([]byte, pingBytes)
	rand.Read(said)
	began := time.Now()
	if _, err = s.Write(said); err == nil {
		stop := make(chan struct{})
		go repeat(s, said, stop)
		_, err = io.ReadFull(s, heard)
		close(stop)
	}
	if err == nil && !bytes.Equal(said, heard) {
		err = errors.New("it answered something else")
	}
	if err != nil {
		s.Reset()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return 0, err
	}
	took := time.Since(began)
	n.host.Peerstore().RecordLatency(p, took)
	s.Close()
	return took, nil
}
