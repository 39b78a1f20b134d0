package house

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/room"
)

// patience is how long a test waits for what takes a moment.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	chat.QuietLibraries()
	os.Exit(m.Run())
}

var many = flag.Int("house.messages", 1000, "messages through each room at once")

// silentJoiner is told how rooms are opened.
type silentJoiner struct{ t *testing.T }

func (silentJoiner) Hello()                {}
func (silentJoiner) Step(_, _ string)      {}
func (silentJoiner) Warn(*cli.Error)       {}
func (silentJoiner) Fatal(err error) error { return err }

// alone gives a test folders of its own, and a key.
func alone(t *testing.T) (key string) {
	t.Helper()
	home := t.TempDir()
	run, err := os.MkdirTemp("", "c") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"} {
		t.Setenv(name, home)
	}
	t.Setenv("XDG_RUNTIME_DIR", run)
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := abe.ParseAttributes([]string{"ONE"})
	if err != nil {
		t.Fatal(err)
	}
	today := abe.DayOf(time.Now())
	k, err := master.Issue(rand.Reader, abe.Grant{Attributes: attributes, Generation: 1, From: today - 1,
		Expires: today + 30})
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	key = filepath.Join(home, "a.key")
	if err := keyfile.WriteSecret(key, b); err != nil {
		t.Fatal(err)
	}
	return key
}

// houseOf is a house of a profile, which is shut when the test ends.
func houseOf(t *testing.T, profile string) *House {
	h := &House{Now: time.Now, Stdout: io.Discard, Stderr: io.Discard}
	h.Name = profile
	h.Share()
	t.Cleanup(h.Shut)
	return h
}

// open opens a room of a house.
func open(t *testing.T, h *House, name, key string, more ...string) *Open {
	t.Helper()
	f := Flags{Key: key, Policy: "ONE", Nick: h.Name, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootstrap: more}
	given := []string{"key", "policy", "nick", "listen", "bootstrap"}
	f.Given = func(name string) bool { return slices.Contains(given, name) }
	o, fresh, err := h.Open(name, f, silentJoiner{t})
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	return o
}

// follow has f see each event of a room until it returns true.
func follow(t *testing.T, v Visit, f func(chat.Event) bool) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		for {
			events, err := v.Next()
			if err != nil {
				done <- err
				return
			}
			for _, e := range events {
				if f(e) {
					done <- nil
					return
				}
			}
		}
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * patience):
		t.Error("it did not happen")
	}
}

// visit is a face that comes to a room.
func visit(t *testing.T, o *Open) *Guest {
	t.Helper()
	g, err := o.Visit(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// paired are two houses with the same rooms, in each of which both can read.
func paired(t *testing.T, key string, names ...string) (ann, bob []*Open) {
	t.Helper()
	a, b := houseOf(t, "ann"), houseOf(t, "bob")
	for _, name := range names {
		x := open(t, a, name, key)
		y := open(t, b, name, key, x.room.node.Addresses()[0].String())
		for _, o := range []*Open{x, y} {
			follow(t, visit(t, o), func(e chat.Event) bool {
				started, ok := e.What.(room.EpochStarted)
				return ok && len(started.Members) == 2
			})
		}
		ann, bob = append(ann, x), append(bob, y)
	}
	return ann, bob
}

// TestThreeRooms: through three rooms of one process go some thousand messages each at once, and
// each face of each room has all of them, in their order. No room shares a peer with another.
func TestThreeRooms(t *testing.T) {
	key := alone(t)
	ann, bob := paired(t, key, "one", "two", "three")
	peers := make(map[string]bool)
	for _, o := range slices.Concat(ann, bob) {
		peers[o.room.About().Self.String()] = true
	}
	if len(peers) != 6 {
		t.Errorf("%d peers for 6 open rooms", len(peers))
	}
	done := make(chan string, 12)
	for i, o := range ann {
		for _, face := range []*Guest{visit(t, o), visit(t, bob[i])} {
			go func() {
				next := 0
				follow(t, face, func(e chat.Event) bool {
					d, ok := e.What.(room.Delivered)
					if !ok {
						return false
					}
					if want := fmt.Sprintf("%s %d", o.Name, next); d.Message.Text != want {
						t.Errorf("%q, not %q", d.Message.Text, want)
						return true
					}
					next++
					return next == *many
				})
				done <- o.Name
			}()
		}
		says := visit(t, o)
		go func() {
			for n := range *many {
				says.Do(context.Background(), chat.Say{Ref: uint64(n), Text: fmt.Sprintf("%s %d", o.Name, n)})
			}
		}()
		go follow(t, says, func(e chat.Event) bool {
			sent, ok := e.What.(room.Sent)
			return ok && sent.Ref == uint64(*many-1)
		})
	}
	began := time.Now()
	for range 6 {
		<-done
	}
	t.Logf("%d messages through each of three rooms in %v", *many, time.Since(began))
}

// TestAnswersAreTheAskers: what one face asks is answered to it alone, and its refs mean nothing
// to another; what happens is for both.
func TestAnswersAreTheAskers(t *testing.T) {
	key := alone(t)
	ann, _ := paired(t, key, "one")
	here, other := visit(t, ann[0]), visit(t, ann[0])
	for _, c := range []chat.Command{chat.Who{}, chat.Status{}, chat.Whois{Who: "nobody"},
		chat.Search{Ref: "s", Words: "x"},
		chat.Older{Before: time.Now(), Count: 10}, chat.Say{Ref: uint64(1), Text: "hello"}} {
		if !here.TryDo(c) {
			t.Fatal("busy")
		}
	}
	want := map[string]bool{"chat.Answer": true, "chat.NotDone": true, "chat.Found": true, "chat.Earlier": true,
		"room.Sent": true, "room.Delivered": true}
	follow(t, here, func(e chat.Event) bool {
		if e.When == chat.Now {
			delete(want, fmt.Sprintf("%T", e.What))
		}
		return len(want) == 0
	})
	follow(t, other, func(e chat.Event) bool {
		switch w := e.What.(type) {
		case chat.Answer, chat.NotDone, chat.Found, chat.Earlier, room.Sent:
			t.Errorf("%T came to another face", w)
		case room.Delivered:
			return w.Message.Text == "hello"
		}
		return false
	})
}

// TestSlowFace: a face that takes nothing is let go, and told why; the room and the other faces
// go on meanwhile.
func TestSlowFace(t *testing.T) {
	o := open(t, houseOf(t, "ann"), "one", alone(t))
	slow, quick := visit(t, o), visit(t, o)
	h := o.Hub
	s := chat.NewState(h.room.About(), time.Now())
	for i := range maxQueue + maxLog {
		h.Show(s, chat.Event{Room: s.ID, At: time.Now(), What: chat.Dropped{N: 1}}, nil)
		if i%1000 == 0 {
			if _, err := quick.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	quick.TryDo(chat.Who{})
	follow(t, quick, func(e chat.Event) bool { _, ok := e.What.(chat.Answer); return ok })
	if _, err := slow.Next(); !errors.Is(err, ErrSlow) {
		t.Errorf("%v", err)
	}
}

// drawn is what a face shows, as lines.
type drawn struct{ lines []string }

func (d *drawn) Broken() error { return nil }
func (d *drawn) Show(s *chat.State, e chat.Event, said []chat.Line) {
	if e.When == chat.Known {
		return
	}
	for _, l := range said {
		d.lines = append(d.lines, l.Text)
	}
	if w, ok := e.What.(room.Delivered); ok {
		d.lines = append(d.lines, s.Names.Show(w.Author.Peer)+": "+w.Message.Text)
	}
}

// TestLateFace: a face that comes late shows what one does that was there all the time, as far
// back as is remembered; and what is so now is known to it also if it began before that.
func TestLateFace(t *testing.T) {
	key := alone(t)
	h := houseOf(t, "ann")
	o := open(t, h, "one", key)
	room1 := o.Hub
	s := chat.NewState(o.room.About(), time.Now())
	early := visit(t, o)
	var took []chat.Event
	for len(took) < 3 {
		events, err := early.Next()
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, events...)
	}
	members := []room.Member{{Peer: o.room.About().Self, Name: "ann"}}
	for i := range 40 {
		members = append(members, room.Member{Peer: somePeer(i), Name: fmt.Sprintf("name%d", i)})
	}
	show := func(what any) { room1.Show(s, chat.Event{Room: s.ID, At: time.Now(), What: what}, nil) }
	epoch := room.EpochStarted{ID: [32]byte{1}, Members: members, Reason: room.ReasonFirst}
	show(epoch)
	show(room.Asked{ID: "q", Member: members[1], Policy: "ONE"})
	for i := range 2 * maxLog {
		d := room.Delivered{ID: [32]byte{2, byte(i), byte(i >> 8)}, Author: members[1+i%40], Epoch: epoch.ID}
		d.Message.Text, d.Received = fmt.Sprint(i), time.Now()
		show(d)
	}
	var first, second drawn
	whole, late := chat.NewState(o.room.About(), time.Now()), chat.NewState(o.room.About(), time.Now())
	take := func(g *Guest, s *chat.State, d *drawn, took []chat.Event) {
		for {
			for _, e := range took {
				said := s.Take(e)
				d.Show(s, e, said)
				if w, ok := e.What.(room.Delivered); ok && w.Message.Text == fmt.Sprint(2*maxLog-1) {
					return
				}
			}
			var err error
			if took, err = g.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	take(early, whole, &first, took)
	take(visit(t, o), late, &second, nil)
	// The room says something of its own as well, of which a late face has the last alone.
	for _, d := range []*drawn{&first, &second} {
		d.lines = slices.DeleteFunc(d.lines, func(l string) bool { return !strings.HasPrefix(l, "name") })
	}
	n := 1500
	if len(first.lines) < n || len(second.lines) < n ||
		!slices.Equal(first.lines[len(first.lines)-n:], second.lines[len(second.lines)-n:]) {
		t.Errorf("of %d and %d lines the last ones differ: %q, %q", len(first.lines), len(second.lines),
			first.lines[max(len(first.lines)-3, 0):], second.lines[max(len(second.lines)-3, 0):])
	}
	if len(late.Readers()) != 41 || len(late.Questions) != 1 || late.Questions[0].ID != "q" {
		t.Errorf("%d readers, %d questions", len(late.Readers()), len(late.Questions))
	}
	for _, m := range members {
		if a, b := whole.Names.Show(m.Peer), late.Names.Show(m.Peer); a != b {
			t.Errorf("%s and %s", a, b)
		}
	}
	if got, _, ok := late.ReadersOf(epoch.ID); !ok || len(got) != 41 {
		t.Error("who could read is not known")
	}
	if len(room1.log) > maxLog || room1.size > maxLogBytes {
		t.Errorf("%d events are remembered", len(room1.log))
	}
}

// TestLateFaceInALargeRoom: a face comes to a room with many members and many epochs, too.
func TestLateFaceInALargeRoom(t *testing.T) {
	key := alone(t)
	o := open(t, houseOf(t, "ann"), "one", key)
	s := chat.NewState(o.room.About(), time.Now())
	members := []room.Member{{Peer: o.room.About().Self, Name: "ann"}}
	for i := range 1000 {
		members = append(members, room.Member{Peer: somePeer(i), Name: fmt.Sprintf("name%d", i)})
	}
	for i := range 600 {
		o.Show(s, chat.Event{Room: s.ID, At: time.Now(), What: room.EpochStarted{ID: [32]byte{1, byte(i), byte(i >> 8)},
			Members: members, Reason: room.ReasonRotated}}, nil)
	}
	late := chat.NewState(o.room.About(), time.Now())
	follow(t, visit(t, o), func(e chat.Event) bool {
		late.Take(e)
		_, last := e.What.(chat.Waiting)
		return last
	})
	if len(late.Readers()) != len(members) {
		t.Errorf("%d can read", len(late.Readers()))
	}
}

// TestUnreadWithoutAFace: what is said while nobody looks is counted, from a mark that a face
// which comes then is told; a face that looks has nothing counted.
func TestUnreadWithoutAFace(t *testing.T) {
	key := alone(t)
	ann, bob := paired(t, key, "one")
	says := visit(t, bob[0])
	heard := visit(t, ann[0])
	say := func(text string) {
		says.TryDo(chat.Say{Text: text})
		follow(t, heard, func(e chat.Event) bool {
			d, ok := e.What.(room.Delivered)
			return ok && d.Message.Text == text
		})
	}
	say("first")
	say("second, ann")
	e := ann[0].entry()
	if e.Unread != 2 || e.Mentions != 1 || e.Readers != 2 || e.Faces == 0 {
		t.Errorf("%+v", e)
	}
	looks, err := ann[0].Visit(true)
	if err != nil {
		t.Fatal(err)
	}
	if looks.Mark.ID == [32]byte{} {
		t.Error("there is no mark")
	}
	looks.TryDo(chat.MarkUnread{})
	say("third")
	if e := ann[0].entry(); e.Unread != 0 {
		t.Errorf("%+v", e)
	}
	looks.Close()
	say("fourth")
	if e := ann[0].entry(); e.Unread != 1 {
		t.Errorf("%+v", e)
	}
}

// TestUnreadReadBack: what is new of what is read back begins at the mark, or if that message is
// not read back any more, at the mark's time.
func TestUnreadReadBack(t *testing.T) {
	o := open(t, houseOf(t, "ann"), "one", alone(t))
	s := chat.NewState(o.room.About(), time.Now())
	show := func(what any) { o.Hub.Show(s, chat.Event{Room: s.ID, At: time.Now(), What: what}, nil) }
	since := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, test := range []struct {
		mark byte // the message it is before
		want int
	}{{3, 3}, {99, 2}, {0, 0}} {
		mark := chat.MarkUnread{}
		if test.mark > 0 {
			mark = chat.MarkUnread{ID: [32]byte{test.mark}, At: since}
		}
		o.Hub.marked(mark)
		o.Hub.counting, o.Hub.unread = false, 0 // as it begins
		show(room.Past{})
		for i := range 5 {
			d := room.Delivered{ID: [32]byte{byte(i + 1)}, Author: room.Member{Peer: somePeer(1)}, History: true}
			d.Message.Text, d.Message.Time = "hei", uint64(since.Add(time.Duration(i-3)*time.Minute).UnixMilli())
			show(d)
		}
		show(room.Past{Over: true, Count: 5})
		if e := o.entry(); e.Unread != test.want {
			t.Errorf("mark %d: %d are new, want %d", test.mark, e.Unread, test.want)
		}
	}
}

// TestRoomsAreApart: what is wrong with one room, or done to it, is nothing to another.
func TestRoomsAreApart(t *testing.T) {
	key := alone(t)
	h := houseOf(t, "ann")
	first, second := open(t, h, "one", key), open(t, h, "two", key)
	one, two := visit(t, first), visit(t, second)
	first.Close()
	follow(t, one, func(e chat.Event) bool { _, bye := e.What.(chat.Bye); return bye })
	if _, err := one.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	two.TryDo(chat.Who{})
	follow(t, two, func(e chat.Event) bool { _, ok := e.What.(chat.Answer); return ok })
	if _, err := h.Find("one"); err == nil {
		t.Error("a room that was closed is open")
	}
	again := open(t, h, "one", key)
	if again.ID != first.ID {
		t.Error("another room")
	}
}

// TestMemoryOfARoom: a further room takes less than 25 MB.
func TestMemoryOfARoom(t *testing.T) {
	key := alone(t)
	h := houseOf(t, "ann")
	heap := func() float64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse+m.StackInuse) / 1e6
	}
	open(t, h, "first", key)
	before := heap()
	const rooms = 4
	for i := range rooms {
		open(t, h, fmt.Sprint("room ", i), key)
	}
	each := (heap() - before) / rooms
	t.Logf("%.1f MB for each further room", each)
	if each > 25 {
		t.Errorf("a further room takes %.1f MB", each)
	}
}

// TestNoEphemeralRoomStays: a room of which nothing is kept is no room to come back to.
func TestNoEphemeralRoomStays(t *testing.T) {
	h := houseOf(t, "ann")
	_, _, err := h.Open("one", Flags{Ephemeral: true}, silentJoiner{t})
	if err == nil || !strings.Contains(err.Error(), "--ephemeral") {
		t.Error(err)
	}
}

func somePeer(n int) peer.ID { return peer.ID(fmt.Sprintf("the peer with number %d", n)) }
