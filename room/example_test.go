package room_test

import (
	"crypto/ed25519"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/room"
	"coterie/room/record"
)

// Two members of a room in virtual time. A room does nothing by itself: whoever drives it says what
// happened, and does what it wants. This driver carries all from one to the other in 25 milliseconds.
func Example() {
	w := &world{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), rand: rand.NewChaCha8([32]byte{})}
	w.meet("ann", "bob")
	w.run(2 * time.Second)
	w.check(w.rooms[0].Send(w.now, nil, record.KindText, "hello"))
	w.run(time.Second)
	// Output:
	// bob: 2 can read
	// ann: 2 can read
	// ann reads "hello" from ann
	// bob reads "hello" from ann
}

type world struct {
	now     time.Time
	rand    *rand.ChaCha8
	rooms   [2]*room.Room
	names   [2]string
	coming  []happening                        // by time
	streams [2]map[room.StreamID]room.StreamID // of each room, and what the other calls them
	opened  room.StreamID
}

type happening struct {
	at  time.Time
	run func()
}

// meet makes a domain, two keys and two rooms, and connects these.
func (w *world) meet(names ...string) {
	authority, err := abe.Setup(w.rand, "NTNU")
	w.check(err)
	policy, err := abe.ParsePolicy(`NTNU or Professor`)
	w.check(err)
	descriptor, err := room.NewDescriptor(authority.Domain(), "exam", policy, 0)
	w.check(err)
	attributes, err := abe.ParseAttributes([]string{"NTNU"})
	w.check(err)
	for i, name := range names {
		key, err := authority.Issue(w.rand, abe.Grant{
			Serial: uint64(i + 1), Attributes: attributes, From: abe.DayOf(w.now), Expires: abe.DayOf(w.now) + 30,
		})
		w.check(err)
		_, identity, err := ed25519.GenerateKey(w.rand)
		w.check(err)
		w.names[i], w.streams[i] = name, make(map[room.StreamID]room.StreamID)
		w.rooms[i], err = room.New(room.Config{
			Descriptor: descriptor, Identity: identity, Encapsulator: room.NewABE(key, policy),
			ValidOn: key.ValidOn, Serial: key.Serial(), Rand: w.rand, Now: w.now, Name: name,
		})
		w.check(err)
	}
	for i, r := range w.rooms {
		r.PeerConnected(w.now, w.rooms[1-i].Self())
	}
}

// run lets time pass, and does what the rooms want done.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		for w.do(0) || w.do(1) {
		}
		if len(w.coming) == 0 || w.coming[0].at.After(end) {
			w.now = end
			return
		}
		next := w.coming[0]
		w.coming, w.now = w.coming[1:], next.at
		next.run()
	}
}

// soon has something happen when what a room sends has arrived.
func (w *world) soon(run func()) { w.at(w.now.Add(25*time.Millisecond), run) }

func (w *world) at(t time.Time, run func()) {
	i, _ := slices.BinarySearchFunc(w.coming, t, func(h happening, t time.Time) int {
		if h.at.After(t) {
			return 1
		}
		return -1
	})
	w.coming = slices.Insert(w.coming, i, happening{t, run})
}

// do does what one of the rooms wants, and reports whether there was anything.
func (w *world) do(i int) bool {
	me, other, mine, its := w.rooms[i], w.rooms[1-i], w.streams[i], w.streams[1-i]
	ready := me.Ready()
	for _, c := range ready.Channels { // a real one is TLS, and each end asks Admits
		w.soon(func() {
			me.ChannelOpened(w.now, other.Self(), c.Working)
			other.ChannelOpened(w.now, me.Self(), working(me))
		})
	}
	for _, o := range ready.Open {
		w.opened += 2 // even: the other did not open it
		id := w.opened
		mine[o.Stream], its[id] = id, o.Stream
		var inside [32]byte // whose channel the stream is in; zeros: in none
		if o.Working != inside {
			inside = working(me)
		}
		w.soon(func() { other.StreamOpened(w.now, id, me.Self(), inside, o.Protocol) })
	}
	for _, f := range ready.Send {
		id := mine[f.Stream]
		w.soon(func() { other.StreamFrame(w.now, id, f.Data) })
	}
	for _, h := range ready.Hang {
		id := mine[h.Stream]
		w.soon(func() { other.StreamClosed(w.now, id) })
	}
	for _, p := range ready.Publish {
		w.soon(func() { other.Publication(w.now, me.Self(), p) })
	}
	for _, t := range ready.Tasks {
		result := t.Run()
		w.soon(func() { me.Computed(w.now, t.ID, result) })
	}
	for _, e := range ready.Events {
		w.show(w.names[i], e)
	}
	if ready.Wake.After(w.now) {
		w.at(ready.Wake, func() { me.Tick(w.now) })
	}
	return len(ready.Channels)+len(ready.Open)+len(ready.Send)+len(ready.Hang)+len(ready.Publish)+
		len(ready.Tasks)+len(ready.Events) > 0
}

func (w *world) show(name string, e room.Event) {
	switch e := e.(type) {
	case room.EpochStarted:
		fmt.Printf("%s: %d can read\n", name, len(e.Members))
	case room.Delivered:
		fmt.Printf("%s reads %q from %s\n", name, e.Message.Text, e.Author.Name)
	}
}

// working is the key of a room's process, which its channels are between.
func working(r *room.Room) [32]byte { return [32]byte(r.WorkingKey().Public().(ed25519.PublicKey)) }

func (w *world) check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
