package chat

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// notes is a face that keeps what it is shown.
type notes struct {
	events []Event
	said   []string
}

func (n *notes) Show(_ *State, e Event, said []Line) {
	n.events = append(n.events, e)
	for _, l := range said {
		n.said = append(n.said, l.Text)
	}
}

func (n *notes) Broken() error { return nil }

// last is the newest event of a type.
func last[T any](n *notes) (what T, ok bool) {
	for _, e := range slices.Backward(n.events) {
		if w, ok := e.What.(T); ok {
			return w, true
		}
	}
	return what, false
}

// open is a room that nobody else is in, and its face.
func open(t *testing.T) (*Room, *notes) {
	t.Helper()
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := abe.ParseAttributes([]string{"ONE"})
	if err != nil {
		t.Fatal(err)
	}
	today := abe.DayOf(time.Now())
	key, err := master.Issue(rand.Reader, abe.Grant{Attributes: attributes, Generation: 1, From: today - 1,
		Expires: today + 30})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := abe.ParsePolicy("ONE")
	if err != nil {
		t.Fatal(err)
	}
	d, err := room.NewDescriptor(master.Domain(), "den", policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(node.Config{Room: d, Key: key, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}})
	if err != nil {
		t.Fatal(err)
	}
	face := new(notes)
	return New(Config{Node: n, Descriptor: d, Key: key, KeyPath: "kari.key", Through: `"ONE"`, Nick: "kari",
		Hold: time.Minute, Face: face, Prefs: noPrefs{}, Now: time.Now}), face
}

// noPrefs keep nothing.
type noPrefs struct{}

func (noPrefs) List() []string { return []string{"notify  names"} }

func (noPrefs) Set(name, value string) (shown, how string, err error) {
	return value, "for this run alone: nothing is kept", nil
}

// running has a room run while f does something with it.
func running(t *testing.T, r *Room, f func(ctx context.Context)) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, done := make(chan error, 1), make(chan error, 1)
	go func() { ended <- r.node.Run(ctx) }()
	go func() { done <- r.Run(ctx, r.node.Events(), ended, nil) }()
	f(ctx)
	return <-done
}

const (
	ann = peer.ID("ann's id")
	per = peer.ID("per's id")
)

var (
	mAnn = room.Member{Peer: ann, Name: "ann"}
	mPer = room.Member{Peer: per, Name: "per olav"}
)

// TestEveryMessageIsAnsweredOnce, at the latest before Bye: what is too long at once, and
// what nobody came to read at the end.
func TestEveryMessageIsAnsweredOnce(t *testing.T) {
	r, face := open(t)
	if err := running(t, r, func(ctx context.Context) {
		for i := range 6 {
			text := fmt.Sprint("number ", i)
			if i%2 == 1 {
				text = strings.Repeat("x", record.MaxText+1)
			}
			r.Do(ctx, Say{Ref: i, Text: text})
		}
		r.Do(ctx, Quit{})
	}); err != nil {
		t.Fatal(err)
	}
	answers := make(map[any]string)
	for _, e := range face.events {
		if w, ok := e.What.(Rejected); ok {
			answers[w.Ref] += w.Err.Code + " "
		}
		if e.Room != r.state.ID {
			t.Fatalf("%T is of the room %x", e.What, e.Room)
		}
	}
	for i := range 6 {
		want := "undelivered "
		if i%2 == 1 {
			want = "too-long "
		}
		if answers[i] != want {
			t.Errorf("message %d: %q, not %q", i, answers[i], want)
		}
	}
	bye, ok := face.events[len(face.events)-1].What.(Bye)
	if !ok || bye.Reason != "quit" || bye.Undelivered != 3 {
		t.Errorf("it ended with %+v", face.events[len(face.events)-1].What)
	}
}

// TestEndOfInput: with somebody to read it missing, the end of input is a failure, once it was
// waited for them.
func TestEndOfInput(t *testing.T) {
	r, face := open(t)
	err := running(t, r, func(ctx context.Context) {
		r.Do(ctx, Say{Text: "hello"})
		r.Do(ctx, Quit{Linger: time.Millisecond, End: true})
	})
	bye, _ := last[Bye](face)
	if err == nil || bye.Reason != "eof" || bye.Code != 1 || bye.Undelivered != 1 {
		t.Errorf("%v, %+v", err, bye)
	}
}

// TestCommands: each is answered by its event, or by what is wrong with it.
func TestCommands(t *testing.T) {
	r, face := open(t)
	if err := running(t, r, func(ctx context.Context) {
		r.post(func() {
			r.handle(room.EpochStarted{ID: ake.Hash{1}, Members: []room.Member{{Peer: r.state.Self, Name: "kari"}, mAnn, mPer},
				Reason: room.ReasonFirst})
			r.handle(room.Delivered{ID: ake.Hash{2}, Author: mAnn, Message: record.Body{Text: "a word"}, Received: time.Now()})
		})
		for _, line := range []string{"/ignore per olav", "/ignore kari", "/whois ann", "/whois nobody here", "/ping nobody",
			"/prove per olav 'NTNU'", "/prove nobody NTNU", "/yes", "/cut ann", "/search word",
			"/nick system", "/nosuch", "/ignores", "/who"} {
			r.Do(ctx, Parse(line))
		}
		r.Do(ctx, Set{Name: "mouse", Value: "on"})
		r.post(func() { r.handle(room.Delivered{Author: mPer, Message: record.Body{Text: "unseen"}}) })
		r.post(func() { r.handle(room.Refused{Peer: ann}) })
		found := make(chan bool, 1)
		for ok := false; !ok; {
			r.post(func() { _, ok := last[Found](face); found <- ok })
			ok = <-found
		}
		r.Do(ctx, Quit{})
	}); err != nil {
		t.Fatal(err)
	}
	if _, ok := last[Ignored](face); !ok {
		t.Error("nobody is ignored")
	}
	for _, e := range face.events {
		if d, ok := e.What.(room.Delivered); ok && d.Message.Text == "unseen" {
			t.Error("who is ignored is shown")
		}
	}
	if f, _ := last[Found](face); f.Total != 1 {
		t.Errorf("found %+v", f)
	}
	said := strings.Join(face.said, "\n")
	for _, want := range []string{"nothing more of per olav ~", "that is you", "nobody here is called nobody here",
		"nobody here is called nobody", "nobody asks you to prove anything",
		`"system" cannot be a nickname`, "there is no command /nosuch", "mouse: on; for this run alone: nothing is kept"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	whois := ""
	for _, e := range face.events {
		if a, ok := e.What.(Answer); ok {
			whois += a.Title + " " + strings.Join(a.Lines, " ") + "\n"
		}
	}
	for _, want := range []string{"whois ann name       ann", "  per olav ~", "who can read 3 can read this room now"} {
		if !strings.Contains(whois, want) {
			t.Errorf("no %q in\n%s", want, whois)
		}
	}
}

// TestRefusedIsWarnedOfOnce: and only while nobody has let us in.
func TestRefusedIsWarnedOfOnce(t *testing.T) {
	r, face := open(t)
	for range 3 {
		r.handle(room.Refused{Peer: ann})
	}
	n := 0
	for _, e := range face.events {
		if w, ok := e.What.(Warning); ok && w.Err.Code == "refused" && strings.Contains(w.Err.Hints[0], "kari.key") {
			n++
		}
	}
	if n != 1 || strings.Count(strings.Join(face.said, "\n"), "did not prove itself") != 1 {
		t.Errorf("%d warnings; said %q", n, face.said)
	}
	r.node.Leave()
	r.node.Run(t.Context())
}

// TestDescribe: what goes wrong in a room has a code and a text without a full stop.
func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		err  error
		code string
	}{
		{room.ErrAlone, "alone"}, {room.ErrTooSoon, "too-soon"}, {room.ErrNotMember, "not-member"},
		{room.ErrAsking, "asking"}, {room.ErrNoQuestion, "no-question"},
		{node.ErrNotConnected, "not-connected"}, {node.ErrEnded, "left"}, {context.DeadlineExceeded, "not-connected"},
		{room.ErrYourself, "yourself"},
	} {
		e := Describe(fmt.Errorf("asking: %w", test.err))
		if e.Code != test.code || e.Text == "" || strings.HasSuffix(e.Text, ".") {
			t.Errorf("%v: %s %q", test.err, e.Code, e.Text)
		}
	}
}

// TestAddressesForTheNextTime: what is remembered is where somebody answered, and where others
// are now: not only what was remembered, of which all may be gone.
func TestAddressesForTheNextTime(t *testing.T) {
	at := func(i int) ma.Multiaddr { return ma.StringCast(fmt.Sprint("/ip4/10.0.0.1/tcp/", i)) }
	var began []ma.Multiaddr
	for i := range 8 {
		began = append(began, at(1000+i))
	}
	r := &Room{state: inRoom()}
	r.state.Take(Event{What: node.Bootstrapped{Address: began[5]}})
	for i := range 4 {
		_, key, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		r.state.Status.Fellows = append(r.state.Status.Fellows, peer.AddrInfo{ID: id,
			Addrs: []ma.Multiaddr{at(2000 + i), at(3000 + i)}})
	}
	all := r.Addresses(began)
	if !all[0].Equal(began[5]) {
		t.Errorf("the first is %v", all[0])
	}
	fellows := 0
	for _, a := range all[:8] {
		if port, _ := a.ValueForProtocol(ma.P_TCP); port >= "2000" {
			fellows++
		}
	}
	if fellows != 4 || len(all) != 8+8 {
		t.Errorf("%d of the first eight are of those who are here, %d in all: %v", fellows, len(all), all)
	}
}

// TestLeaveAsks: what is given up is said to who leaves for good, and of nothing else: not if
// another window was told, nor if more waits by then.
func TestLeaveAsks(t *testing.T) {
	r, face := open(t)
	one, two := visit{r, "one"}, visit{r, "two"}
	asks := func(v visit) bool {
		t.Helper()
		before := len(face.events)
		Quit{Leave: true}.do(v)
		asked := len(face.events) > before
		if asked == (r.quit != nil) {
			t.Errorf("asked: %v, goes: %v", asked, r.quit != nil)
		}
		r.quit = nil
		return asked
	}
	if asks(one) {
		t.Error("asked, and nothing waits")
	}
	r.box.waiting = []*outgoing{{ref: 1}}
	if !asks(one) || !asks(two) {
		t.Error("not everybody was asked")
	}
	if asks(two) {
		t.Error("asked twice")
	}
	r.box.waiting = []*outgoing{{ref: 1}, {ref: 2}}
	if !asks(two) {
		t.Error("not asked of what was typed since")
	}
	r.node.Leave()
	r.node.Run(t.Context())
}

// TestWatchers: each face that wants the log has it, until it wants it no more.
func TestWatchers(t *testing.T) {
	r, face := open(t)
	watched := func() (by []any) {
		face.events = nil
		r.cfg.Log.event(room.Sent{Counter: 1})
		for _, e := range face.events {
			if _, ok := e.What.(Logged); ok {
				by = append(by, e.For)
			}
		}
		return by
	}
	Debug{On: true}.do(visit{r, "one"})
	Debug{On: true}.do(visit{r, "two"})
	if by := watched(); len(by) != 2 {
		t.Errorf("told to %v", by)
	}
	Debug{}.do(visit{r, "one"})
	if by := watched(); len(by) != 1 || by[0] != "two" {
		t.Errorf("told to %v", by)
	}
	r.node.Leave()
	r.node.Run(t.Context())
}
