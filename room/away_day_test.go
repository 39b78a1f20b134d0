package room

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

var (
	awayTime     = flag.Duration("away.time", 20*time.Minute, "how long TestAwayDay goes on, in virtual time")
	awayMessages = flag.Int("away.messages", 200, "how many messages are said in it")
	awaySeed     = flag.Uint64("away.seed", 1, "its first seed")
	awayRuns     = flag.Int("away.runs", 1, "how many seeds")
)

// A dayPeer is somebody in TestAwayDay: one process after another, on one disk.
type dayPeer struct {
	name  string
	disk  memJournal
	valid func(abe.Day) bool
	runs  []*simNode
	joins []time.Time // when it came as somebody new: the first time, and after it had left
	ends  []time.Time // when it was out again, for each of these
}

func (p *dayPeer) now() *simNode {
	if len(p.runs) == 0 || p.runs[len(p.runs)-1].down {
		return nil
	}
	return p.runs[len(p.runs)-1]
}

// has are the texts that the peer has, and when they were said.
func (p *dayPeer) has() map[string]time.Time {
	out := make(map[string]time.Time)
	for _, s := range p.runs {
		for _, m := range s.messages {
			out[m.Message.Text] = time.UnixMilli(int64(m.Message.Time))
		}
	}
	return out
}

type day struct {
	*network
	t     *testing.T
	peers []*dayPeer
	typed map[string]*dayPeer
	lost  int // typed, and not taken
}

func (d *day) start(p *dayPeer) {
	if p.now() != nil {
		return
	}
	var s *simNode
	if len(p.runs) == 0 {
		s = d.startOn(&p.disk, p.name, p.valid, newIdentity(d.seed32()), d.seed32(), 0)
	} else {
		s = d.startOn(&p.disk, p.name, p.valid, p.runs[0].room.cfg.Identity, d.seed32(), 0)
	}
	s.peer = slices.Index(d.peers, p)
	p.runs = append(p.runs, s)
	d.connectTo(s)
}

func (d *day) connectTo(s *simNode) {
	for _, q := range d.peers {
		if o := q.now(); o != nil && o != s && !o.paused {
			d.connect(s, o)
		}
	}
}

// suspend pauses a process; after a while its connections are lost.
func (d *day) suspend(s *simNode) {
	d.pause(s)
	d.at(time.Duration(30+d.rng.IntN(60))*time.Second, func() {
		if s.paused {
			for _, o := range d.nodes {
				d.disconnect(s, o)
			}
		}
	})
}

func (d *day) wake(p *dayPeer) {
	if s := p.now(); s != nil && s.paused {
		d.resume(s)
		d.connectTo(s)
		return
	}
	d.start(p)
}

// goes lets a peer go, in one of the ways in which one does.
func (d *day) goes(p *dayPeer) (how string) {
	s := p.now()
	how = []string{"suspended", "closed", "killed", "crashed", "cut off"}[d.rng.IntN(5)]
	switch how {
	case "suspended":
		d.suspend(s)
	case "closed":
		s.room.GoAway(s.clock())
		d.drain(s)
		d.at(time.Second, func() { d.stop(s) })
	case "killed":
		d.stop(s)
	case "crashed":
		s.crash = []string{"before", "amid", "after", "unwritten", "written"}[d.rng.IntN(5)]
		d.at(time.Minute, func() { d.stop(s) })
	case "cut off":
		for _, o := range d.nodes {
			d.disconnect(s, o)
		}
	}
	return how
}

func (d *day) say(p *dayPeer) {
	s := p.now()
	if s == nil || s.paused {
		return
	}
	text := fmt.Sprintf("%s says %d", p.name, len(d.typed)+d.lost)
	if s.room.Send(s.clock(), text, record.KindText, text) == nil {
		d.typed[text] = p
	}
	d.drain(s)
	if s.down && s.crash == "unwritten" {
		delete(d.typed, text) // it died before anybody was told that it was taken
		d.lost++
	}
}

// TestAwayDay: ten peers are suspended, closed, killed and cut off at random, and whoever is
// here speaks. In the end everybody has everything that anybody said; and those who left, whose
// key lapsed or was revoked, or who came later have nothing that was not theirs. The program of
// the one with the revoked key takes no notices.
func TestAwayDay(t *testing.T) {
	for i := range *awayRuns {
		seed := *awaySeed + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { awayDay(t, seed) })
	}
}

func awayDay(t *testing.T, seed uint64) {
	n := newNetwork(t, seed)
	n.maxSteps, n.knows = 1<<40, true
	length := *awayTime
	n.now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC).Add(-length / 2)
	d := &day{network: n, t: t, typed: make(map[string]*dayPeer)}
	today := abe.DayOf(n.now)
	rng := rand.New(rand.NewPCG(seed, 9))
	for i := range 10 {
		d.peers = append(d.peers, &dayPeer{name: fmt.Sprint("p", i), valid: always})
	}
	ten := slices.Clone(d.peers)
	lea := &dayPeer{name: "lea", valid: always}
	lap := &dayPeer{name: "lap", valid: func(on abe.Day) bool { return on <= today }}
	rev := &dayPeer{name: "rev", valid: always}
	fresh := &dayPeer{name: "new", valid: always}
	n.withKeys(map[string]uint64{"rev": 17}, "rev")
	d.peers = append(d.peers, lea, lap, rev, fresh)
	for _, p := range slices.Concat(ten, []*dayPeer{lea, lap, rev}) {
		d.start(p)
		p.joins = append(p.joins, n.now)
	}
	began := n.now
	all := func() (out []*simNode) {
		for _, p := range d.peers {
			if s := p.now(); s != nil && (p != rev || len(rev.ends) == 0) {
				out = append(out, s)
			}
		}
		return out
	}
	n.until(time.Minute, "one epoch", func() bool { return together(all()...) })

	// Each of the ten is here for a while and gone for a while, up to the end.
	did := make(map[string]int)
	gone := make(map[*dayPeer]bool)
	calm := false
	var live func(p *dayPeer)
	live = func(p *dayPeer) {
		n.at(time.Duration(rng.Int64N(int64(length/6))), func() {
			if calm || p.now() == nil || p.now().paused {
				live(p)
				return
			}
			did[d.goes(p)]++
			gone[p] = true
			// For up to a third of it, and now and then to the end.
			span := length / 720 * time.Duration(1<<rng.IntN(9))
			if rng.IntN(8) == 0 {
				span = length
			}
			n.at(span, func() {
				gone[p] = false
				if s := p.now(); s != nil && !s.paused && s.crash == "" {
					d.connectTo(s)
				} else {
					if s != nil && s.crash != "" {
						d.stop(s)
					}
					d.wake(p)
				}
				live(p)
			})
		})
	}
	for _, p := range ten {
		live(p)
	}
	back := func() {
		for _, p := range ten {
			gone[p] = false
			if s := p.now(); s != nil && s.crash != "" {
				s.crash = ""
			}
			d.wake(p)
			d.connectTo(p.now())
		}
	}
	talk := func(until time.Time, count int) {
		for i := range count {
			if n.now.Before(until) {
				n.run(until.Sub(n.now) / time.Duration(count-i))
			}
			for range 100 { // somebody who is here
				p := d.peers[rng.IntN(len(d.peers))]
				if s := p.now(); s != nil && !s.paused && p.valid(abe.DayOf(n.now)) && (p != rev || len(rev.ends) == 0) {
					d.say(p)
					break
				}
			}
		}
	}
	count := *awayMessages
	talk(began.Add(length/4), count/4)
	// All are here for a moment, and lea leaves for good; whoever is away then may not hear of it.
	calm = true
	back()
	n.until(5*time.Minute, "all are here", func() bool { return together(all()...) })
	lea.now().leave()
	lea.ends = append(lea.ends, n.now)
	left := lea.now()
	n.at(time.Second, func() { n.stop(left) })
	n.run(2 * time.Minute)
	for _, p := range ten {
		d.say(p)
	}
	n.run(10 * time.Second)
	calm = false
	talk(began.Add(length/2), count/4)
	fresh.joins = append(fresh.joins, n.now)
	d.start(fresh)
	talk(began.Add(5*length/8), count/8)
	// Somebody who is here brings the notice; who is away learns of it when they are back.
	rev.ends = append(rev.ends, n.now)
	fresh.now().bring(noticeAt(n.now, 17))
	talk(began.Add(3*length/4), count/4-count/8)
	lea.joins = append(lea.joins, n.now)
	d.start(lea)
	talk(began.Add(length), count-3*(count/4))
	calm = true
	back()
	lap.ends = append(lap.ends, (today + 1).Start())

	missing := func() (out []string) {
		for _, p := range ten {
			has := p.has()
			for text := range d.typed {
				if _, ok := has[text]; !ok {
					out = append(out, p.name+" lacks "+text)
				}
			}
		}
		slices.Sort(out)
		return out
	}
	deadline := n.now.Add(20 * time.Minute)
	for len(missing()) > 0 && n.now.Before(deadline) {
		n.run(10 * time.Second)
	}
	late := n.now.Sub(deadline.Add(-20 * time.Minute))
	n.run(time.Minute)
	t.Logf("seed %d: %d typed, %v; all have all %v after the last was back", seed, len(d.typed), did, late)
	if m := missing(); len(m) > 0 {
		t.Errorf("%d are missing, such as %q\n%s", len(m), m[:min(len(m), 8)], n.describe())
	}
	if read := rev.has(); len(read) == 0 {
		t.Error("rev never read anything")
	}
	for _, p := range []*dayPeer{lea, lap, rev, fresh} {
		slack := dayGrace // until all know, and until yesterday's head is over
		if p == rev {
			slack = 10 * time.Second // until all who are here have the notice
		}
		for text, at := range p.has() {
			mine := d.typed[text] == p
			for i, from := range p.joins {
				mine = mine || !at.Before(from) && (i >= len(p.ends) || !at.After(p.ends[i].Add(slack)))
			}
			if !mine {
				t.Errorf("%s has %q, said at %v: not theirs (%v to %v)", p.name, text, at, p.joins, p.ends)
			}
		}
	}
	ids := make(map[string]ake.Hash)
	for _, p := range d.peers {
		shown := make(map[string]bool)
		for _, s := range p.runs {
			for _, m := range s.messages {
				text := m.Message.Text
				if was, ok := ids[text]; ok && was != m.ID {
					t.Errorf("%q was said twice", text)
				}
				ids[text] = m.ID
				if !m.History && shown[text] {
					t.Errorf("%s was given %q twice", p.name, text)
				}
				shown[text] = shown[text] || !m.History
			}
		}
	}
}
