//go:build linux

package house

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

// A watched is a window of this test's on the room den, and what is shown there.
type watched struct {
	*Window
	t      *testing.T
	events chan chat.Event
	ended  chan error
}

func (w *watched) Show(_ *chat.State, e chat.Event, _ []chat.Line) { w.events <- e }
func (w *watched) Broken() error                                   { return nil }

// attached opens a window on the room den of a house that is served.
func attached(t *testing.T, h *House) *watched {
	t.Helper()
	home, err := FindHome(&h.Profile)
	if err != nil || home == nil {
		t.Fatal(home, err)
	}
	r, err := home.Attach("den", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	w := &watched{NewWindow(r), t, make(chan chat.Event, 10_000), make(chan error, 1)}
	go func() { w.ended <- w.Follow(w, time.Now) }()
	return w
}

// until waits for an event.
func (w *watched) until(what string, f func(any) bool) {
	w.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-w.events:
			if f(e.What) {
				return
			}
		case <-late:
			w.t.Fatal("it is not shown: " + what)
		case err := <-w.ended:
			w.t.Fatalf("it ended before %s: %v", what, err)
		}
	}
}

// end waits for the end, and returns all that was shown by then.
func (w *watched) end() (all []any, err error) {
	w.t.Helper()
	select {
	case err = <-w.ended:
	case <-time.After(patience):
		w.t.Fatal("there is no end")
	}
	for {
		select {
		case e := <-w.events:
			all = append(all, e.What)
		default:
			return all, err
		}
	}
}

// waiting are the messages that wait in a room.
func waiting(t *testing.T, o *Open) (lines []string) {
	t.Helper()
	g := visit(t, o)
	g.TryDo(chat.ShowHeld{})
	follow(t, g, func(e chat.Event) bool {
		a, ok := e.What.(chat.Answer)
		if ok && len(a.Held) > 0 {
			lines = a.Lines
		}
		return ok
	})
	return lines
}

// TestAnswersInAWindow: what a window asks is answered with its own refs, also where what is told
// is of messages that were said just now.
func TestAnswersInAWindow(t *testing.T) {
	h, _, _ := served(t)
	w := attached(t, h)
	ctx := t.Context()
	w.Do(ctx, chat.Say{Ref: "said", Text: "to nobody"})
	w.Do(ctx, chat.ShowHeld{Ref: "held"})
	w.until("what is held", func(what any) bool {
		a, ok := what.(chat.Answer)
		return ok && a.To == chat.ShowHeld{Ref: "held"} && len(a.Held) == 1 && a.Held[0].Text == "to nobody"
	})
	w.Do(ctx, chat.Questions{Ref: "asked"})
	w.until("questions", func(what any) bool {
		a, ok := what.(chat.Answer)
		return ok && a.To == chat.Questions{Ref: "asked"}
	})
}

// TestWindowGoesAtOnce: what was typed just before a window was closed is with the room, as is
// told; and it is answered.
func TestWindowGoesAtOnce(t *testing.T) {
	h, o, _ := served(t)
	const n = 50
	for run, quit := range []chat.Quit{{}, {End: true}} {
		w := attached(t, h)
		for i := range n {
			w.Do(t.Context(), chat.Say{Ref: i, Text: fmt.Sprint("number ", i)})
		}
		w.Do(t.Context(), chat.Who{})
		w.Do(t.Context(), quit)
		all, err := w.end()
		if err != nil {
			t.Fatal(err)
		}
		kept, answered := 0, false
		for _, what := range all {
			switch what := what.(type) {
			case chat.Kept:
				kept++
			case chat.Rejected:
				t.Errorf("%v: %v", what.Ref, what.Err)
			case chat.Answer:
				answered = true
			case chat.Bye:
				if what.Kept != n || what.Code != 0 || !what.Stays {
					t.Errorf("%+v", what)
				}
			}
		}
		if _, last := all[len(all)-1].(chat.Bye); kept != n || !answered || !last {
			t.Errorf("%d of %d are kept; /who is answered: %v; bye is last: %v", kept, n, answered, last)
		}
		if got := waiting(t, o); len(got) != n*(run+1) {
			t.Errorf("%d wait in the room, and not %d", len(got), n*(run+1))
		}
	}
}

// TestSayAtOnce: coterie say that does not wait has its message with the room.
func TestSayAtOnce(t *testing.T) {
	h, o, _ := served(t)
	home, err := FindHome(&h.Profile)
	if err != nil {
		t.Fatal(err)
	}
	const n = 10
	for i := range n {
		err := home.Say(t.Context(), o.entry(), 0, chat.Say{Text: fmt.Sprint("number ", i)})
		if e := cli.Describe(err); e == nil || e.Code != "waits" {
			t.Errorf("%v", err)
		}
	}
	if got := waiting(t, o); len(got) != n {
		t.Errorf("%d of %d wait", len(got), n)
	}
}

// TestSayWordsFirst: words that cannot be sent are refused before anything is said, and what comes
// behind words waits for them.
func TestSayWordsFirst(t *testing.T) {
	h, o, _ := served(t)
	home, err := FindHome(&h.Profile)
	if err != nil {
		t.Fatal(err)
	}
	err = home.Say(t.Context(), o.entry(), 0, chat.Say{Text: "before"}, chat.Say{Text: "a\xff"})
	if e := cli.Describe(err); e == nil || e.Code != "bad-input" {
		t.Errorf("%v", err)
	}
	// The first is refused by the room alone.
	err = home.Say(t.Context(), o.entry(), patience, chat.Say{Text: "a", To: "NOT A ("}, chat.Say{Text: "behind"})
	if e := cli.Describe(err); e == nil || e.Code == "waits" ||
		strings.Contains(strings.Join(e.Details, "\n"), "before it") {
		t.Errorf("%v", err)
	}
	if got := waiting(t, o); len(got) != 0 {
		t.Errorf("said: %q", got)
	}
}

// TestSayInAClosedRoom: what was said where the room is closed waits, and that is told.
func TestSayInAClosedRoom(t *testing.T) {
	h, o, _ := served(t)
	home, err := FindHome(&h.Profile)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- home.Say(t.Context(), o.entry(), time.Hour, chat.Say{Text: "x"}) }()
	follow(t, visit(t, o), func(e chat.Event) bool { w, ok := e.What.(chat.Waiting); return ok && w.N == 1 })
	o.Close()
	if e := cli.Describe(<-done); e == nil || e.Code != "waits" || strings.Contains(e.Text, "window") {
		t.Errorf("%+v", e)
	}
}

// TestRefusedInAWindow: when the input ends the status is 1 if a line was refused.
func TestRefusedInAWindow(t *testing.T) {
	h, _, at := served(t)
	for _, c := range []chat.Command{chat.Whois{Who: "nobody"}, chat.Parse("/nosuch"),
		chat.Say{Ref: "x", Text: strings.Repeat("x", 20_000)}} {
		w := attached(t, h)
		w.Do(t.Context(), c)
		w.Do(t.Context(), chat.Quit{End: true, Linger: patience})
		all, err := w.end()
		bye, _ := all[len(all)-1].(chat.Bye)
		if e := (*cli.Error)(nil); !errors.As(err, &e) || e.Status != 1 || e.Text != "" || bye.Code != 1 {
			t.Errorf("%T: %v, %+v", c, err, bye)
		}
	}
	c, _ := call(t, at)
	c.asks(`{"attach":"den","as":"lines"}`)
	fmt.Fprintln(c, `{"nosuch":true}`)
	c.Conn.(*net.UnixConn).CloseWrite()
	var bye struct {
		Reason string
		Code   int
	}
	if line := c.waits(t, `"bye"`); json.Unmarshal([]byte(line), &bye) != nil || bye.Reason != "eof" || bye.Code != 1 {
		t.Error(line)
	}
}

// TestLongMessageInAWindow: whatever its letters are, a message that is not too long goes to the
// room; one that is is refused, and the window stays.
func TestLongMessageInAWindow(t *testing.T) {
	h, o, _ := served(t)
	w := attached(t, h)
	w.Do(t.Context(), chat.Say{Ref: "long", Text: strings.Repeat("<", 16<<10)})
	w.Do(t.Context(), chat.Say{Ref: "longer", Text: strings.Repeat("x", 1<<20)})
	held, refused := false, false
	w.until("both", func(what any) bool {
		switch what := what.(type) {
		case room.Held:
			held = held || what.Ref == "long"
		case chat.Rejected:
			refused = refused || what.Ref == "longer" && what.Err.Code == "too-long"
		}
		return held && refused
	})
	w.Do(t.Context(), chat.Set{Name: "nick", Value: strings.Repeat("x", 1<<20)})
	w.until("that it is too long", func(what any) bool { _, ok := what.(chat.NotDone); return ok })
	well(t, o)
}

// TestRoomLeftWithAWindow: messages are answered before the window is told that the room was left.
func TestRoomLeftWithAWindow(t *testing.T) {
	h, o, _ := served(t)
	w := attached(t, h)
	go o.Close()
	for i := range 200 {
		w.Do(t.Context(), chat.Say{Ref: i, Text: "x"})
	}
	all, err := w.end()
	if err != nil {
		t.Fatal(err)
	}
	answered := make(map[any]int)
	for i, what := range all {
		switch what := what.(type) {
		case room.Sent:
			answered[what.Ref]++
		case chat.Kept:
			answered[what.Ref]++
		case chat.Rejected:
			answered[what.Ref]++
		case chat.Bye:
			if i != len(all)-1 {
				t.Errorf("%T comes after bye", all[i+1])
			}
		}
	}
	for ref, n := range answered {
		if n != 1 {
			t.Errorf("%v is answered %d times", ref, n)
		}
	}
}

// TestHouseDiesUnderAWindow: what is not known is said to be so.
func TestHouseDiesUnderAWindow(t *testing.T) {
	h, o, _ := served(t)
	w := attached(t, h)
	w.until("that it is shown", func(what any) bool { _, ok := what.(chat.Waiting); return ok })
	w.Do(t.Context(), chat.Say{Ref: "held", Text: "x"})
	w.until("held", func(what any) bool { _, ok := what.(room.Held); return ok })
	o.mu.Lock()
	for g := range o.guests {
		g.finish(ErrSlow)
	}
	o.mu.Unlock()
	all, err := w.end()
	if e := cli.Describe(err); e == nil || e.Code != "too-slow" {
		t.Error(err)
	}
	if !slices.Contains(all, any(chat.Kept{Ref: "held"})) {
		t.Errorf("what waits is not answered: %v", all)
	}
}

// TestTwoRoomsOfAName: a name that two open rooms have is nobody's.
func TestTwoRoomsOfAName(t *testing.T) {
	h, first, _ := served(t)
	f := Flags{Key: first.room.Plan.keyPath, Policy: "ONE or TWO", Listen: []string{"/ip4/127.0.0.1/tcp/0"}}
	f.Given = func(name string) bool { return slices.Contains([]string{"key", "policy", "listen"}, name) }
	if _, fresh, err := h.Open("den", f, silentJoiner{t}); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	home, err := FindHome(&h.Profile)
	if err != nil {
		t.Fatal(err)
	}
	if e, _, err := home.Find("den"); err == nil || cli.Describe(err).Code != "ambiguous" {
		t.Errorf("%+v, %v", e, err)
	}
	id := first.entry().ID
	if e, ok, err := home.Find(id); err != nil || !ok || e.ID != id {
		t.Errorf("%+v, %v, %v", e, ok, err)
	}
}

// TestLateFaceAndWhatWaited: a face that comes late is told of what waits still, and not of what
// has waited and was sent.
func TestLateFaceAndWhatWaited(t *testing.T) {
	o := open(t, houseOf(t, "ann"), "one", alone(t))
	s := chat.NewState(o.room.About(), time.Now())
	show := func(what any) { o.Show(s, chat.Event{Room: s.ID, At: time.Now(), What: what}, nil) }
	one, two := room.HeldNumber(1), room.HeldNumber(2)
	show(room.Restored{Messages: []room.HeldMessage{{Ref: one, Text: "one"}, {Ref: two, Text: "two"}}})
	show(chat.Waiting{N: 2, Unsaid: 2})
	show(room.Unsaid{Count: 2})
	told := func() (waits, unsaid int) {
		follow(t, visit(t, o), func(e chat.Event) bool {
			switch w := e.What.(type) {
			case room.Restored:
				waits = len(w.Messages)
			case room.Unsaid:
				unsaid = w.Count
			case chat.Waiting:
				return true
			}
			return false
		})
		return waits, unsaid
	}
	for _, want := range []int{2, 1, 0} {
		if waits, unsaid := told(); waits != want || unsaid != want {
			t.Errorf("%d wait, %d for a word; and not %d", waits, unsaid, want)
		}
		switch want {
		case 2:
			show(room.Sent{Ref: one})
			show(chat.Waiting{N: 1, Unsaid: 1})
		case 1:
			show(chat.Rejected{Ref: two, Err: cli.Fail("dropped", "dropped as you asked")})
			show(chat.Waiting{})
		}
	}
}

// TestLinesLinger: linger_ms has a program's quit wait.
func TestLinesLinger(t *testing.T) {
	_, _, at := served(t)
	c, _ := call(t, at)
	c.asks(`{"attach":"den","as":"lines"}`)
	fmt.Fprintln(c, `{"send":"to nobody","ref":1}`)
	c.waits(t, `"held"`)
	const linger = 400 * time.Millisecond
	began := time.Now()
	fmt.Fprintf(c, `{"quit":true,"linger_ms":%d}`+"\n", linger.Milliseconds())
	c.waits(t, `"bye"`)
	if took := time.Since(began); took < linger {
		t.Errorf("it went after %v", took)
	}
}

// TestBusyRoomLosesNoCount: a message that the room does not take is not counted as waiting.
func TestBusyRoomLosesNoCount(t *testing.T) {
	o := open(t, houseOf(t, "ann"), "one", alone(t))
	g := visit(t, o)
	taken := 0
	for i := range 5_000 {
		if g.TryDo(chat.Say{Ref: i, Text: strings.Repeat("x", 100)}) {
			taken++
		}
	}
	if n := len(g.Pending()); n > taken {
		t.Errorf("%d wait of %d that were taken", n, taken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Do(ctx, chat.Say{Ref: "x", Text: "x"})
}
