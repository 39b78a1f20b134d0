package chat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/ake"
	"coterie/room"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const kari = peer.ID("kari's id")

func inRoom(members ...room.Member) *State {
	s := NewState(About{Name: "den", Domain: "NTNU", Self: kari, Nick: "kari"}, noon)
	s.Take(Event{What: room.EpochStarted{ID: ake.Hash{1}, Members: append(members, room.Member{Peer: kari, Name: "kari"}),
		Reason: room.ReasonFirst}, At: noon})
	return s
}

// TestWhom: the longest name counts, those who are here come first, and two of one name are
// told apart by their tags.
func TestWhom(t *testing.T) {
	s := inRoom(mAnn, mPer, room.Member{Peer: "other", Name: "Ann"})
	for said, want := range map[string]peer.ID{
		"per olav": per, s.Names.Tag(ann): ann, "PER OLAV": per,
		"12D3KooW9tHTtS3inCZiYykw4u5G4frbjVFqhkmJX12gSNCVeH3e": mustPeer(t),
	} {
		if p, _, err := s.Whom(said, false); err != nil || p != want {
			t.Errorf("%s: %s, %v", said, p, err)
		}
	}
	if p, rest, err := s.Whom(`per olav NTNU and "5th year"`, true); err != nil || p != per ||
		rest != `NTNU and "5th year"` {
		t.Errorf("%s, %q, %v", p, rest, err)
	}
	if _, _, err := s.Whom("ann", false); err == nil || err.Code != "ambiguous" {
		t.Errorf("ann: %v", err)
	}
	for said, named := range map[string]string{"liv NTNU": "liv", "": ""} {
		if _, _, err := s.Whom(said, true); err == nil || err.Code != "not-member" ||
			err.Text != strings.TrimRight("nobody here is called "+named, "") {
			t.Errorf("%q: %v", said, err)
		}
	}
	// Who has left is found all the same.
	s.Take(Event{What: room.EpochStarted{ID: ake.Hash{2}, Members: []room.Member{{Peer: kari, Name: "kari"}},
		Left: []room.Member{mPer}, Reason: room.ReasonLeft}, At: noon})
	if p, _, err := s.Whom("per olav", false); err != nil || p != per {
		t.Errorf("%s, %v", p, err)
	}
}

func mustPeer(t *testing.T) peer.ID {
	p, err := peer.Decode("12D3KooW9tHTtS3inCZiYykw4u5G4frbjVFqhkmJX12gSNCVeH3e")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWhois has what a peer proved, and what they were caught at.
func TestWhois(t *testing.T) {
	s := inRoom(mAnn)
	s.Take(Event{What: room.Equivocated{Author: mAnn, Counter: 41}, At: noon})
	s.Take(Event{What: room.Attested{Member: mAnn, Policy: `"Professor"`, OK: true}, At: noon})
	s.Take(Event{What: room.Renamed{Member: room.Member{Peer: ann, Name: "anna"}}, At: noon})
	lines := strings.Join(s.whois(ann, noon).Lines, "\n")
	for _, want := range []string{"name       anna", "sent two different messages as number 41 under keys",
		`proved "Professor" of NTNU to you at 12:00`, "used       ann", "here since 12:00"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
}

// TestSaidOnce: what is given up all at once, a name that looks like another's, and three
// refusals are not said again and again.
func TestSaidOnce(t *testing.T) {
	s := inRoom(mAnn)
	count := func(events ...any) (n int) {
		for _, e := range events {
			n += len(s.Take(Event{What: e, At: noon}))
		}
		return n
	}
	gone := Rejected{Err: Describe(room.ErrAlone)}
	if n := count(gone, Waiting{N: 2}, gone, Snapshot{}, gone); n != 1 {
		t.Errorf("given up: %d lines", n)
	}
	if n := count(room.Gap{First: 1, Last: 1}, gone); n != 2 {
		t.Errorf("after something else: %d lines", n)
	}
	fake := room.Member{Peer: "fake", Name: "аnn"} // a Cyrillic а
	if n := count(room.Renamed{Member: fake}, room.Delivered{Author: fake}, room.Delivered{Author: fake}); n != 2 {
		t.Errorf("a name like another's: %d lines", n)
	}
	if n := count(room.Refused{Peer: "1"}, room.Refused{Peer: "1"}, room.Refused{Peer: "2"}, room.Refused{Peer: "3"},
		room.Refused{Peer: "4"}); n != maxRefused {
		t.Errorf("refused: %d lines", n)
	}
	if n := count(room.Departed{Member: mAnn}, room.Departed{Member: mAnn}); n != 1 {
		t.Errorf("left: %d lines", n)
	}
}

// TestQuestions: one that was answered waits no more.
func TestQuestions(t *testing.T) {
	s := inRoom(mAnn)
	s.Take(Event{What: room.Asked{ID: "1", Member: mAnn, Policy: "A"}})
	if len(s.Questions) != 1 {
		t.Fatal("it does not wait")
	}
	s.Take(Event{What: room.Attested{Member: mAnn, Policy: "A", Given: true}})
	if len(s.Questions) != 0 {
		t.Error("it waits still")
	}
}

// TestYesIsForOne: a yes without a name is for the only question there is. Who asks while one
// types, or just when another's question is over, does not get a yes that was meant for that.
func TestYesIsForOne(t *testing.T) {
	s := inRoom(mAnn, mPer)
	now := time.Unix(1_800_000_000, 0)
	about := func(who string, after time.Duration) string {
		id, bad := s.question(Allow{Who: who, Allow: true}, now.Add(after))
		if bad != nil {
			return bad.Code
		}
		return id
	}
	s.Take(Event{At: now, What: room.Asked{ID: "of ann", Member: mAnn, Policy: "A"}})
	if got := about("", 0); got != "of ann" {
		t.Errorf("the only one: %s", got)
	}
	s.Take(Event{At: now, What: room.Asked{ID: "of per", Member: mPer, Policy: "B"}})
	for who, want := range map[string]string{
		"": "ambiguous", "ann": "of ann", s.Names.Tag(mPer.Peer): "of per", "nobody": "not-member", "kari": "no-question",
	} {
		if got := about(who, 0); got != want {
			t.Errorf("/yes %s with two: %s, want %s", who, got, want)
		}
	}
	s.Take(Event{At: now, What: room.Attested{Member: mAnn, Policy: "A", Given: true}})
	if got := about("", questionPause-1); got != "ambiguous" {
		t.Errorf("just after the other was over: %s", got)
	}
	if got := about("", questionPause); got != "of per" {
		t.Errorf("a while after the other was over: %s", got)
	}
}

// TestTrying: what is tried is said by what people know it by, each once.
func TestTrying(t *testing.T) {
	relay, near := "/dns4/relay.ntnu.no/udp/4001/quic-v1", "/ip4/127.0.0.1/tcp/7101"
	for _, test := range []struct {
		addrs []string
		mdns  bool
		want  string
	}{
		{nil, true, ". Trying: local network"},
		{[]string{relay}, true, ". Trying: relay.ntnu.no, local network"},
		{nil, false, "; no address is known to try: --bootstrap gives one, or others come here"},
		{[]string{relay, near, "/dns4/relay.ntnu.no/tcp/4001"}, false, ". Trying: relay.ntnu.no, 127.0.0.1 tcp 7101"},
		{[]string{relay, near, "/ip4/10.0.0.7/udp/1", "/ip4/10.0.0.7/udp/2", "/ip4/10.0.0.7/udp/3"}, false,
			". Trying: relay.ntnu.no, 127.0.0.1 tcp 7101, 10.0.0.7 udp 1, and 2 more"},
	} {
		var addrs []ma.Multiaddr
		for _, a := range test.addrs {
			addrs = append(addrs, ma.StringCast(a))
		}
		if got := tryingText(addrs, test.mdns); got != test.want {
			t.Errorf("%q: %q", test.addrs, got)
		}
	}
}

// TestParse: a line is a message unless it begins with one slash; an unknown command is never
// sent.
func TestParse(t *testing.T) {
	for in, want := range map[string]Command{
		"hello": Say{Text: "hello"}, "//x": Say{Text: "/x"}, "\\n": Say{Text: "\\n"}, `{"send":1}`: Say{Text: `{"send":1}`},
		"/me waves": Say{Text: "waves", Action: true},
		"/who":      Who{}, "/prove ann NTNU": Prove{Who: "ann NTNU"}, "/yes": Allow{Allow: true}, "/quit": Quit{},
		"/help": Help{}, "/help who": Help{"who"},
	} {
		if got := Parse(in); got != want {
			t.Errorf("%q: %+v", in, got)
		}
	}
	for _, bad := range []string{"/", "/qiut", "/me", "/who ann", "/prove ann", "/nick"} {
		if got, ok := Parse(bad).(Bad); !ok || got.Err.Code != "bad-input" {
			t.Errorf("%q is taken as %+v", bad, Parse(bad))
		}
	}
}

// TestOtherProgramsCommands: what is typed as in another program is answered by what there is here,
// which exists.
func TestOtherProgramsCommands(t *testing.T) {
	is := func(name string) bool {
		return slices.ContainsFunc(Slashes, func(c Slash) bool { return c.Name == name })
	}
	for word, has := range instead {
		bad, ok := Parse("/" + word + " x").(Bad)
		if !ok || len(bad.Err.Hints) != 1 || bad.Err.Hints[0] != has {
			t.Errorf("/%s: %+v", word, bad)
		}
		for _, m := range regexp.MustCompile(`/([a-z]+)`).FindAllStringSubmatch(has, -1) {
			if !is(m[1]) {
				t.Errorf("/%s: there is no /%s", word, m[1])
			}
		}
	}
}

// TestMadeUpNames: a member who serves made-up history makes nobody who is here look like
// somebody else.
func TestMadeUpNames(t *testing.T) {
	s := inRoom(mAnn, mPer)
	tell := func(i int, name string) {
		s.Take(Event{At: noon, What: room.Delivered{Author: room.Member{Peer: peer.ID(fmt.Sprint("made up ", i)), Name: name},
			History: true, Hearsay: true, By: mPer.Peer}})
	}
	for i := range 5000 {
		tell(i, fmt.Sprint("nobody ", i))
	}
	eve := room.Member{Peer: "eve", Name: "ann"}
	said := s.Take(Event{At: noon, What: room.EpochStarted{ID: ake.Hash{2}, Joined: []room.Member{eve},
		Members: []room.Member{{Peer: kari, Name: "kari"}, eve, mPer}, Left: []room.Member{mAnn}}})
	said = append(said, s.Take(Event{At: noon, What: room.Delivered{Author: mAnn}})...)
	var marked []string
	for _, l := range said {
		if l.Kind == Aside {
			marked = append(marked, l.Text)
		}
	}
	if len(marked) != 1 || !strings.HasPrefix(marked[0], "ann"+s.Names.Tag("eve")) {
		t.Errorf("marked: %q", marked)
	}
}

// TestWhoWaited: who waited for another is not told that they came late; who came to more is.
func TestWhoWaited(t *testing.T) {
	const late = "What was said before you came is not for you"
	for _, test := range []struct {
		waited bool
		others []room.Member
		says   string
		late   bool
	}{
		{false, []room.Member{mAnn}, "you joined; 2 can read. ", true},
		{true, []room.Member{mAnn}, "somebody came; 2 can read", false},
		{true, []room.Member{mAnn, mPer}, "you joined; 3 can read. ", true},
	} {
		s := NewState(About{Name: "den", Domain: "NTNU", Self: kari, Nick: "kari"}, noon)
		if test.waited {
			said := s.Take(Event{What: StillAlone{Text: "nobody answered yet (8 s)"}, At: noon})
			if len(said) != 1 || !strings.Contains(said[0].Details[0], "To invite them: /link.") {
				t.Errorf("alone: %v", said)
			}
		}
		said := s.Take(Event{What: room.EpochStarted{ID: ake.Hash{1}, Reason: room.ReasonFirst,
			Members: append(test.others, room.Member{Peer: kari, Name: "kari"})}, At: noon})
		if text := said[1].Text; !strings.Contains(text, test.says) || strings.Contains(text, late) != test.late {
			t.Errorf("waited %t for %d: %q", test.waited, len(test.others), text)
		}
	}
}

// TestAwayIsSaid: who went away is counted, named and spoken of as that everywhere, whether
// an epoch without them began or nobody was left to begin one; and is back with their name.
func TestAwayIsSaid(t *testing.T) {
	kari, ann, bob := room.Member{Peer: kari, Name: "kari"}, mAnn, room.Member{Peer: "bob's id", Name: "bob"}
	s := inRoom(ann, bob)
	now := time.Now()
	take := func(what any) string {
		var all []string
		for _, l := range s.Take(Event{Room: s.ID, At: now, What: what}) {
			all = append(all, l.Text)
		}
		return strings.Join(all, "\n")
	}
	epoch := func(reason string, e room.EpochStarted) string {
		e.ID, e.Reason = ake.Hash{byte(s.Started + 1)}, reason
		return take(e)
	}
	contains := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	for reason, want := range map[string]string{
		room.ReasonAway: "ann went away", room.ReasonLapsed: "ann vanished", room.ReasonExpired: "ann expired",
	} {
		contains(epoch(reason, room.EpochStarted{Members: []room.Member{kari, bob}, WentAway: []room.Member{ann},
			Away: []room.Member{ann}}), want+"; 2 can read, 1 when back")
		contains(strings.Join(s.info(now), "\n"), "because "+want)
	}
	if _, away, ok := s.ReadersOf(s.Epoch.ID); !ok || len(away) != 1 || away[0] != ann.Peer {
		t.Errorf("away in it: %v", away)
	}
	contains(take(room.Departed{Member: bob, Away: true}), "bob went away; nobody else is here")
	contains(strings.Join(s.who(), "\n"), "2 away: ann and bob")
	contains(s.StatusLines(now)[0], "nobody else can read, 2 when back")
	if got := s.parted(); got != "bob went away" {
		t.Errorf("parted: %q", got)
	}
	bob.Name = "" // it has not been said yet
	contains(epoch(room.ReasonJoined, room.EpochStarted{Members: []room.Member{kari, bob}, Joined: []room.Member{bob},
		Back: []room.Member{bob}, Away: []room.Member{ann}}), "bob came back; 2 can read, 1 when back")
}
