package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A pulsed is a pulse of which the time is made up.
type pulsed struct {
	pulse
	now   time.Time
	bytes int64
	asks  int
	dead  bool
	muted time.Duration // since when it is mute without a break
	most  time.Duration // .. the longest
}

// tick lets half a second pass.
func (p *pulsed) tick() {
	p.now = p.now.Add(pulseTick)
	ask, _, dead := p.check(p.now, p.bytes, true)
	if ask {
		p.asks++
	}
	p.dead = p.dead || dead
	if p.muted += pulseTick; !p.mute(p.now) {
		p.muted = 0
	}
	p.most = max(p.most, p.muted)
}

// run lets time pass in which something comes every so often; never, if every is 0.
func (p *pulsed) run(d, every time.Duration) {
	for t := time.Duration(0); t < d; t += pulseTick {
		if every > 0 && t%every == 0 {
			p.bytes++
		}
		p.tick()
	}
}

// TestPulse: nobody is asked while something comes; once nothing does, nobody is there
// within seven seconds, and connections are dead within thirteen. A process that slept waits anew.
func TestPulse(t *testing.T) {
	p := &pulsed{now: time.Unix(1e9, 0)}
	p.run(time.Minute, 2*time.Second)
	if p.asks > 0 || p.mute(p.now) || p.dead {
		t.Errorf("while something comes %d are asked", p.asks)
	}
	quiet := p.now
	for !p.mute(p.now) && p.now.Sub(quiet) < time.Minute {
		p.tick()
	}
	if d := p.now.Sub(quiet); d > 7*time.Second {
		t.Errorf("it is noticed after %v that nobody is there", d)
	}
	for !p.dead && p.now.Sub(quiet) < time.Minute {
		p.tick()
	}
	if d := p.now.Sub(quiet); d > 13*time.Second {
		t.Errorf("connections are dead after %v", d)
	}
	p = &pulsed{now: time.Unix(1e9, 0)}
	p.run(time.Minute, 2*time.Second)
	p.now = p.now.Add(time.Hour)
	p.tick()
	if p.run(2*time.Second, 0); p.asks > 0 || p.dead || p.mute(p.now) {
		t.Error("who slept takes that for the others' silence")
	}
	p = &pulsed{now: time.Unix(1e9, 0)}
	if ask, all, dead := p.check(p.now.Add(time.Minute), 0, false); ask || all || dead {
		t.Error("who is connected to nobody waits for an answer")
	}
}

// TestPulseOfSlowNetwork: where one of five packets is lost in each direction, and the way
// there and back takes half a second, an answer is never so late that people are told that
// nobody is there, nor are connections given up: a week of it.
func TestPulseOfSlowNetwork(t *testing.T) {
	const trip, shown, asks = 500 * time.Millisecond, 2 * time.Second, 7 * 24 * 360
	rng := rand.New(rand.NewPCG(1, 2))
	p := &pulsed{now: time.Unix(1e9, 0)}
	p.run(time.Minute, 2*time.Second)
	alarms := 0
	for range asks {
		for p.asked.IsZero() {
			p.tick()
		}
		// The first that gets there, and whose answer gets back, has what was lost before it
		// sent again: there, and back.
		wait := trip
		for i := 0; rng.Float64() < .36; i++ {
			wait += pulseTick
			if i == 0 {
				wait += 2 * trip
			}
		}
		for ; wait > 0; wait -= pulseTick {
			p.tick()
		}
		if p.most > shown {
			alarms++
		}
		p.bytes++
		p.most, p.muted = 0, 0
		p.tick()
	}
	t.Logf("%d false alarms of %d", alarms, asks)
	if alarms > 0 || p.dead {
		t.Errorf("%d false alarms; connections given up: %v", alarms, p.dead)
	}
}

// TestPulseOfStrangers: strangers who are connected and never answer, and whose turn it is to be
// asked, are not taken for everybody: as long as one answers, nobody is told that none does, and no
// connection is given up.
func TestPulseOfStrangers(t *testing.T) {
	p := &pulsed{now: time.Unix(1e9, 0)}
	var turns pulseTurns
	honest, strangers, asked := []peer.ID{"ann", "bob"}, 0, 0
	peers := append([]peer.ID(nil), honest...)
	for i := range 2 * 3600 { // an hour
		if i%20 == 0 && len(peers) < 42 { // .. that come one after the other, and are asked first
			strangers++
			peers = append(peers, peer.ID(fmt.Sprint("stranger ", strangers)))
		}
		p.now = p.now.Add(pulseTick)
		quiet, all, dead := p.check(p.now, p.bytes, true)
		if dead || p.mute(p.now) {
			t.Fatalf("after %v: dead %v", p.now.Sub(time.Unix(1e9, 0)), dead)
		}
		for _, to := range turns.next(peers, p.now, quiet, all) {
			if asked++; to == honest[0] || to == honest[1] {
				p.bytes++
			}
		}
	}
	if strangers < 40 || asked < 500 {
		t.Errorf("%d strangers, %d questions: the test shows nothing", strangers, asked)
	}
	// Where none answers, all were asked before that is said.
	turns = pulseTurns{}
	was := make(map[peer.ID]bool)
	for !p.dead && !p.mute(p.now) {
		p.now = p.now.Add(pulseTick)
		quiet, all, dead := p.check(p.now, p.bytes, true)
		p.dead = dead
		for _, to := range turns.next(peers, p.now, quiet, all) {
			was[to] = true
		}
	}
	if p.dead || len(was) != len(peers) {
		t.Errorf("%d of %d were asked; dead: %v", len(was), len(peers), p.dead)
	}
}

// TestPulseHearsPackets: what keeps a connection alive is heard, though nothing is said on it;
// and nothing is, once the network is cut.
func TestPulseHearsPackets(t *testing.T) {
	virtual(t, func(s *sim) {
		a, b := s.make(), s.make()
		if err := a.host.Connect(context.Background(), peer.AddrInfo{ID: b.Self(), Addrs: b.host.Addrs()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // identify, and what finds the size of packets
		var came packets
		heard := func() int64 { return came.heard(a.host.Network().Conns(), 0) }
		was := heard()
		time.Sleep(20 * time.Second)
		if now := heard(); now <= was {
			t.Errorf("in 20 s %d packets were heard", now-was)
		}
		s.apart.Store(&map[string]bool{a.ip: true})
		time.Sleep(time.Second) // what was under way
		was = heard()
		time.Sleep(time.Minute)
		if now := heard(); now != was {
			t.Errorf("%d packets were heard of a network that is cut", now-was)
		}
	})
}
