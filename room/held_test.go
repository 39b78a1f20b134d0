package room

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/room/record"
)

// startHeld starts a process of a peer that has a disk, and holds what it says for a while.
func (n *network) startHeld(disk *memJournal, of *simNode, hold time.Duration) *simNode {
	n.hold = hold
	defer func() { n.hold = 0 }()
	if of == nil {
		return n.startOn(disk, "kari", always, newIdentity(n.seed32()), n.seed32(), 0)
	}
	return n.startOn(disk, of.name+"'", always, of.room.cfg.Identity, n.seed32(), 0)
}

// held is how many messages wait on the disk.
func (j *memJournal) held() int {
	all, _ := j.Named(HeldPrefix)
	return len(all)
}

func (s *simNode) texts() (out []string) {
	for _, m := range s.messages {
		out = append(out, m.Message.Text)
	}
	return out
}

// TestHeldSurvives: what waits for a reader when a process ends, however that ends, is sent by
// the next one, in order and once.
func TestHeldSurvives(t *testing.T) {
	for _, ends := range []string{"away", "killed"} {
		t.Run(ends, func(t *testing.T) {
			n := newNetwork(t, 700)
			var disk memJournal
			kari := n.startHeld(&disk, nil, 10*time.Minute)
			for i := range 3 {
				kari.say(fmt.Sprint("held ", i))
			}
			n.run(time.Minute)
			if ends == "away" {
				kari.goAway()
				n.run(2 * time.Second)
			} else {
				n.stop(kari)
			}
			n.run(time.Minute)
			again := n.startHeld(&disk, kari, 10*time.Minute)
			restored := events[Restored](again)
			if len(restored) != 1 || len(restored[0].Messages) != 3 || restored[0].Messages[2].Text != "held 2" ||
				restored[0].Messages[0].Asks || again.room.Held() != 3 {
				t.Fatalf("told of %+v", restored)
			}
			again.say("held 3")
			ann := n.add("ann", true)
			n.connectAll()
			n.allHear(30*time.Second, "held 3", ann)
			if want := []string{"held 0", "held 1", "held 2", "held 3"}; !slices.Equal(ann.texts(), want) {
				t.Errorf("ann heard %q", ann.texts())
			}
			if disk.held() > 0 {
				t.Errorf("%d are on the disk still", disk.held())
			}
			var refs []any
			for _, s := range again.sent {
				refs = append(refs, s.Ref)
			}
			if !slices.Equal(refs[:3], []any{HeldNumber(1), HeldNumber(2), HeldNumber(3)}) {
				t.Errorf("answered %v", refs)
			}
		})
	}
}

// TestHeldOnce: wherever a process dies while it sends what it held, each of its messages is
// said once.
func TestHeldOnce(t *testing.T) {
	for _, crash := range []string{"unwritten", "written", "before", "amid", "after"} {
		t.Run(crash, func(t *testing.T) {
			n := newNetwork(t, 701)
			var disk memJournal
			kari := n.startHeld(&disk, nil, 0)
			kari.say("one")
			kari.say("two")
			n.stop(kari)
			n.run(2 * time.Minute)
			ann, bob := n.add("ann", true), n.add("bob", true)
			n.connect(ann, bob)
			n.until(20*time.Second, "they are together", func() bool { return together(ann, bob) })
			// The first of these sends them, and dies of it; those after it find what it left.
			last := kari
			for i := range 3 {
				again := n.startHeld(&disk, last, time.Minute)
				n.connect(again, ann)
				n.connect(again, bob)
				n.until(time.Minute, "they are together", func() bool { return together(ann, bob, again) })
				n.run(10 * time.Second)
				again.crash = crash
				again.room.SendHeld(n.now)
				n.drain(again)
				if i == 0 && !again.down {
					t.Fatal("it did not die of it: the test shows nothing")
				}
				n.run(20 * time.Second)
				n.stop(again)
				last = again
				n.run(3 * time.Minute)
			}
			again := n.startHeld(&disk, last, 0) // for ever: it needs no word
			n.connect(again, ann)
			n.connect(again, bob)
			n.allHear(2*time.Minute, "two", ann, bob)
			n.run(time.Minute)
			for _, s := range []*simNode{ann, bob} {
				if got := s.texts(); !slices.Equal(got, []string{"one", "two"}) {
					t.Errorf("%s heard %q", s.name, got)
				}
			}
			if disk.held() > 0 {
				t.Error("something waits still")
			}
		})
	}
}

// TestHeldAsks: what was written long before is not said without a word of the user, whoever
// comes: they are told that it waits, and that somebody is here.
func TestHeldAsks(t *testing.T) {
	for _, restart := range []bool{false, true} {
		for _, drop := range []bool{false, true} {
			t.Run(fmt.Sprint("restart ", restart, ", drop ", drop), func(t *testing.T) {
				n := newNetwork(t, 702)
				var disk memJournal
				kari := n.startHeld(&disk, nil, 10*time.Minute)
				kari.say("lunch?")
				n.run(8 * time.Minute)
				kari.say("anybody?")
				if restart {
					kari.goAway()
					n.run(time.Minute)
					kari = n.startHeld(&disk, kari, 10*time.Minute)
				}
				n.run(5 * time.Minute)
				if u := events[Unsaid](kari); len(u) != 1 || u[0].Count != 1 || u[0].Here {
					t.Errorf("told %+v", u)
				}
				ann := n.add("ann", true)
				n.connectAll()
				n.until(30*time.Second, "they are together", func() bool { return together(kari, ann) })
				kari.say("here we are")
				n.allHear(5*time.Second, "here we are", ann)
				n.run(time.Minute)
				if got := ann.texts(); !slices.Equal(got, []string{"anybody?", "here we are"}) {
					t.Fatalf("ann heard %q", got)
				}
				if u := events[Unsaid](kari); len(u) != 2 || !u[1].Here || u[1].Count != 1 {
					t.Errorf("told %+v", u)
				}
				if m := kari.room.HeldMessages(); len(m) != 1 || !m[0].Asks || m[0].Text != "lunch?" {
					t.Errorf("waiting: %+v", m)
				}
				if drop {
					if out := kari.room.Drop(n.now, nil); len(out) != 1 {
						t.Errorf("dropped %+v", out)
					}
				} else if kari.room.SendHeld(n.now) != 1 {
					t.Error("nothing was waiting for that word")
				}
				n.drain(kari)
				n.run(5 * time.Second)
				if ann.heard("lunch?") == drop {
					t.Errorf("ann heard it: %v", !drop)
				}
				if kari.room.Held() > 0 || disk.held() > 0 {
					t.Error("it waits still")
				}
			})
		}
	}
}

// TestHeldBounded: what waits is bounded, in count and in bytes, on the disk as in memory; what
// waits for a word keeps nobody from talking.
func TestHeldBounded(t *testing.T) {
	n := newNetwork(t, 703)
	var disk memJournal
	kari := n.startHeld(&disk, nil, time.Minute)
	long := strings.Repeat("a", record.MaxText)
	count := 0
	for kari.room.Send(n.now, nil, record.KindText, long) == nil {
		if count++; count > maxHeldBytes/record.MaxText {
			t.Fatal("without end")
		}
	}
	for kari.room.Send(n.now, nil, record.KindText, "") == nil {
		if count++; count > maxHeld {
			t.Fatal("without end")
		}
	}
	n.drain(kari)
	if err := kari.room.Send(n.now, nil, record.KindText, "x"); !errors.Is(err, ErrHeldFull) || count < 100 || disk.held() != count {
		t.Errorf("%d held, %d on the disk: %v", count, disk.held(), err)
	}
	n.run(2 * time.Minute)
	again := n.startHeld(&disk, kari, time.Minute)
	n.stop(kari)
	ann := n.add("ann", true)
	n.connectAll()
	n.until(30*time.Second, "they are together", func() bool { return together(again, ann) })
	again.say("hello")
	n.allHear(5*time.Second, "hello", ann)
	if len(ann.messages) != 1 || again.room.Held() != count {
		t.Errorf("ann heard %d, %d are held", len(ann.messages), again.room.Held())
	}
	again.leave()
	if disk.held() > 0 {
		t.Error("who left for good has something to say")
	}
}

// TestHeldSaved: what cannot be saved is so later, and what cannot be erased is.
func TestHeldSaved(t *testing.T) {
	n := newNetwork(t, 704)
	var disk memJournal
	kari := n.startHeld(&disk, nil, 0)
	fails := func() {
		out := kari.room.Ready()
		kari.room.NotSaved(out.Save)
	}
	if err := kari.room.Send(n.now, nil, record.KindText, "x"); err != nil {
		t.Fatal(err)
	}
	fails()
	n.run(2 * time.Second)
	kari.room.Tick(n.now)
	n.drain(kari)
	if disk.held() != 1 {
		t.Fatal("not saved later")
	}
	kari.room.Drop(n.now, nil)
	fails()
	if disk.held() != 1 {
		t.Fatal("the test shows nothing")
	}
	kari.room.Tick(n.now)
	n.drain(kari)
	if disk.held() != 0 {
		t.Error("not erased later")
	}
}
