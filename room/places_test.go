package room

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// TestChannelsTakeTurns: where not all can have a channel, those that one insider made
// up, however many and however early, are in the way of each other alone: seen from
// whoever let her in, and from who hangs on another.
func TestChannelsTakeTurns(t *testing.T) {
	n := newNetwork(t, 510)
	all := n.party("ann", "bob", "eve")
	k := &crowd{n: n, eve: all[2], honest: slices.Clone(all[:2])}
	n.pause(k.eve)
	k.add(40, 255)
	for _, name := range []string{"cyn", "dan"} {
		s := n.add(name, true)
		n.connect(s, all[0])
		n.connect(s, all[1])
		k.honest = append(k.honest, s)
		n.run(5 * time.Second)
	}
	puppet := func(i int) peer.ID { return peerOf(k.puppets[i].c.Identity) }
	for _, s := range k.honest {
		r := s.room
		var has []peer.ID
		for i := range 16 {
			has = append(has, puppet(i))
		}
		take := func(p peer.ID) bool {
			i := r.GivesWay(append(slices.Clone(has), p))
			if i == len(has) {
				return false
			}
			has = append(slices.Delete(has, i, i+1), p)
			return true
		}
		for _, o := range k.honest {
			if o != s && !take(o.actor.Self()) {
				t.Errorf("%s has no place for %s", s.name, o.name)
			}
		}
		for i := 16; i < 40; i++ {
			take(puppet(i))
		}
		stranger := n.strangers(1)[0].node.actor.Self()
		if take(stranger) {
			t.Errorf("%s has a place for a stranger", s.name)
		}
		has[len(has)/2] = stranger
		if !take(puppet(0)) || slices.Contains(has, stranger) {
			t.Errorf("%s keeps a stranger's place", s.name)
		}
		for _, o := range k.honest {
			if o != s && !slices.Contains(has, o.actor.Self()) {
				t.Errorf("%s lost their place at %s", o.name, s.name)
			}
		}
	}
}

// TestQuestionsTakeTurns: those that one insider made up, who ask ann as much as is
// answered at once, do not keep bob from asking.
func TestQuestionsTakeTurns(t *testing.T) {
	n := newNetwork(t, 515)
	all := n.party("ann", "bob", "eve")
	k := &crowd{n: n, eve: all[2], honest: slices.Clone(all[:2])}
	n.pause(k.eve)
	k.add(maxQuestions+4, 255)
	ann := all[0].room
	if g := all[0].day(); g.branch(all[1].own()) != all[1].own() {
		t.Fatal("bob hangs on eve: nobody can tell him from those that she made up")
	}
	ask := func(p peer.ID, working [32]byte) (taken bool) {
		id := all[0].next
		all[0].next += 2
		streamOpened(ann, all[0].clock(), id, p, working, ProtocolAsk)
		return ann.streams.byID[id] != nil
	}
	for i, p := range k.puppets {
		if taken := ask(peerOf(p.c.Identity), p.c.Working); !taken && i < maxQuestions {
			t.Fatalf("number %d is not answered", i)
		}
	}
	bob := all[1].room
	if !ask(bob.self, bob.workingID) {
		t.Error("bob is not answered")
	}
	for _, p := range k.puppets {
		ask(peerOf(p.c.Identity), p.c.Working)
	}
	open, bobs := 0, 0
	for _, x := range ann.streams.byID {
		if x.protocol == ProtocolAsk {
			if open++; x.peer == bob.self {
				bobs++
			}
		}
	}
	if open != maxQuestions || bobs != 1 {
		t.Errorf("%d are answered, %d of bob's", open, bobs)
	}
}
