package lines_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/drive"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/crypto/golden"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC")
	time.Local = time.UTC
	os.Exit(m.Run())
}

var (
	nine = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	self = somePeer(9)
	ann  = room.Member{Peer: somePeer(1), Name: "ann"}
	me   = room.Member{Peer: self, Name: "kari"}
)

func now() time.Time { return nine }

// somePeer is a peer id drawn from a number.
func somePeer(n byte) peer.ID {
	// The identity hash of an Ed25519 key's protobuf: 36 bytes.
	raw := append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, bytes.Repeat([]byte{n}, 32)...)
	p, err := peer.IDFromBytes(raw)
	if err != nil {
		panic(err)
	}
	return p
}

func hashOf(s string) ake.Hash { return ake.Sum("test", []byte(s)) }

// aRoom is the room in which it all happens.
func aRoom() chat.About {
	expires, err := abe.ParseDay("2027-02-21")
	if err != nil {
		panic(err)
	}
	return chat.About{
		ID: hashOf("room"), Name: "demo", Domain: "demo", DomainID: hashOf("domain"), Policy: `"NTNU" or "Professor"`,
		Through:    `"NTNU"`,
		Attributes: []string{"NTNU"}, Expires: expires, Self: self, Nick: "kari",
	}
}

// everyEvent is one of each event that can be told, and what is said of it at once.
func everyEvent() []any {
	other, relay := ann.Peer, somePeer(2)
	at := nine.Add(-time.Minute)
	said := room.Delivered{
		ID: hashOf("message"), Author: ann, Epoch: hashOf("epoch"), Received: at,
		Message: record.Body{Counter: 1, Time: uint64(at.UnixMilli()), Lamport: 3, Kind: record.KindAction,
			Text: "hei kari \x1b[2J\u202e"},
	}
	history := said
	history.ID, history.History, history.By, history.Late = hashOf("history"), true, other, true
	some := said
	some.ID, some.To, some.Message.Kind, some.Message.Text = hashOf("some"), `"Professor"`, record.KindTo, "kari, the questions"
	some.Reading = room.Read
	closed := some
	closed.ID, closed.Message.Text, closed.Reading = hashOf("closed"), "", room.Unread
	later := closed
	later.ID, later.Reading = hashOf("later"), room.NotOpened
	opened := some
	opened.ID = later.ID
	sent := said
	sent.ID, sent.Message.Kind, sent.Message.Text = hashOf("file"), record.KindFile, "../plan\u202e.pdf"
	sent.File = &room.FileInfo{Name: sent.Message.Text, Size: 1_200_000, State: room.FileThere, Number: 1}
	own := sent
	own.ID, own.Self, own.Author = hashOf("own file"), true, me
	own.File = &room.FileInfo{Name: "notes.txt", Size: 12, State: room.FileHere, Have: 12, Number: 2}
	fileIn := func(state string, have int64) room.FileInfo {
		return room.FileInfo{Name: sent.Message.Text, Size: 1_200_000, State: state, Have: have, Number: 1}
	}
	reply, unasked, question, withdrawn := said, said, said, said
	reply.ID, reply.Message.Kind, reply.Message.Text = hashOf("reply"), record.KindReply, "at nine, kari\x1b[2J"
	unasked.Message = reply.Message
	reply.ReplyTo, reply.Quote = said.ID, &room.Quote{Author: me, Self: true, Text: "when is it?\nand where \u202e?"}
	unasked.ID, unasked.ReplyTo, unasked.Late = hashOf("unasked"), hashOf("question"), true
	question.ID, question.Edited = hashOf("question"), true
	question.Message.Kind, question.Message.Text = record.KindText, "why, kari?"
	question.Reactions = []room.Reaction{{By: other, Text: "👍"}, {By: self, Text: "👍"},
		{By: relay, Text: "\x1b[2Jx\u202e"}}
	withdrawn.ID, withdrawn.Withdrawn, withdrawn.Message.Text = hashOf("withdrawn"), true, ""
	of := room.Quote{Author: ann, Text: "hei kari", Time: said.Message.Time}
	change := func(kind byte, by room.Member, text string) room.Changed {
		return room.Changed{Target: said.ID, Kind: kind, By: by, Self: by == me, Text: text, Time: said.Message.Time,
			Received: at, Of: of}
	}
	alone := health.Item{Code: health.Alone, Severity: health.Warn, Text: "x"}
	checked := health.Check(health.Facts{KeyDays: 90})
	status := node.Status{
		Room: room.Status{Epoch: hashOf("epoch"), Since: at, Members: []room.MemberStatus{{Member: me, Self: true},
			{Member: ann, Have: 1, Known: 2}}},
		Disk: 104_000_000, Keep: 2_000_000_000,
		Peers: []node.Path{{Peer: other, Kind: node.Direct, Transport: "tcp", RTT: time.Millisecond,
			Address: ma.StringCast("/ip4/10.0.0.7/tcp/4001")},
			{Peer: relay, Kind: node.Direct, Transport: "quic", IsRelay: true}},
	}
	return []any{
		chat.Ready{Addresses: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.8/tcp/4001")}, Link: "coterie:2:demo:abc"},
		room.Proved{Peer: other, Took: 61 * time.Millisecond},
		room.Refused{Peer: other}, chat.StillAlone{Text: "nobody answered yet (8 s). Trying: 1 address"},
		node.Bootstrapped{Address: ma.StringCast("/ip4/10.0.0.7/tcp/4001"), Peer: other, Took: 18 * time.Millisecond},
		room.EpochStarted{ID: hashOf("first"), SID: hashOf("sid"), Members: []room.Member{me, ann},
			Joined: []room.Member{ann}, Committer: self, Reason: room.ReasonFirst},
		chat.Waiting{N: 1},
		room.Held{Ref: json.Number("7"), Bytes: 5},
		room.EpochStarted{ID: hashOf("epoch"), Previous: hashOf("first"), SID: hashOf("sid"), Members: []room.Member{me},
			Left: []room.Member{ann}, Committer: self, Reason: room.ReasonLeft},
		room.Renamed{Member: room.Member{Peer: self, Name: "kari2"}}, room.Renamed{Member: me}, // ends the run of changes
		room.EpochStarted{ID: hashOf("third"), Previous: hashOf("epoch"), SID: hashOf("sid"), Members: []room.Member{me, ann},
			Joined: []room.Member{ann}, Committer: self, Reason: room.ReasonJoined},
		room.EpochStarted{ID: hashOf("fourth"), Previous: hashOf("third"), SID: hashOf("sid"), Members: []room.Member{me,
			ann}, Committer: self, Reason: room.ReasonRekey},
		room.EpochStarted{ID: hashOf("fifth"), Previous: hashOf("fourth"), SID: hashOf("sid"), Members: []room.Member{me,
			ann}, Committer: self, Reason: room.ReasonRotated},
		room.Renamed{Member: room.Member{Peer: other, Name: "anna"}}, room.Renamed{Member: ann},
		sent, own, room.FileChanged{ID: sent.ID, FileInfo: fileIn(room.FileFetching, 600_000)},
		chat.Fetching{ID: sent.ID, File: fileIn(room.FileFetching, 0)},
		room.FileChanged{ID: sent.ID, FileInfo: fileIn(room.FileHere, 1_200_000)},
		chat.Saved{ID: sent.ID, File: fileIn(room.FileHere, 1_200_000), Path: "/home/kari/plan.pdf"},
		room.FileChanged{ID: sent.ID, FileInfo: fileIn(room.FileGone, 0)},
		said, history, some, closed, later, room.Opened{Delivered: opened},
		room.OutsideQuestion{Number: 1, ID: hashOf("asked"), By: ann, At: at, For: `"Professor"`, Text: "when\nis it\u202e?"},
		room.OutsideQuestion{Number: 2, ID: hashOf("asked before"), By: ann, At: at, Text: "before", History: true,
			Answers: []room.OutsideAnswer{{Number: 2}}},
		room.OutsideAnswer{Number: 1, ID: hashOf("asked"), By: ann, At: at, Text: "on Monday"},
		room.OutsideAnswer{Number: 1, ID: hashOf("asked"), By: me, Self: true, At: at, Text: "or Tuesday"},
		room.OutsideAnswer{Number: 2, ID: hashOf("asked before"), By: ann, At: at, Text: "x", History: true},
		reply, unasked, question, withdrawn,
		change(record.KindReaction, ann, "👍"), change(record.KindReaction, me, "\x1b[2J\u202e"),
		change(record.KindReaction, ann, ""),
		change(record.KindEdit, ann, "hei, kari\nforged\x1b[2J"), change(record.KindWithdrawal, ann, ""),
		chat.Exported{File: "a\u202e.txt", Count: 3, Gone: 1}, chat.Exported{File: "b.json", Count: 1, Memory: true},
		room.Held{Ref: json.Number("8"), Bytes: 5, Alone: true},
		room.Restored{Messages: []room.HeldMessage{{Ref: room.HeldNumber(4), Text: "from before\u202e",
			At: at.Add(-time.Hour), Asks: true}, {Ref: room.HeldNumber(5), Text: "waves", Kind: record.KindAction, At: at},
			{Ref: room.HeldNumber(6), Text: "new words", Kind: record.KindEdit, Target: said.ID, At: at}}},
		room.Absence{From: at.Add(-20 * time.Hour), Missing: true, MissingFrom: at.Add(-20 * time.Hour)},
		room.Absence{From: at.Add(-20 * time.Hour), To: at, Count: 1, Missing: true, MissingFrom: at.Add(-9 * time.Hour),
			MissingTo: at},
		room.Absence{From: at.Add(-20 * time.Hour), To: at, Count: 12},
		room.Absence{From: at.Add(-99 * time.Hour), To: at, Count: 2, Lost: true},
		room.Unsaid{Count: 1, Oldest: at.Add(-time.Hour)}, room.Unsaid{Count: 1, Oldest: at.Add(-time.Hour), Here: true},
		chat.SendingHeld{N: 1}, chat.SendingHeld{}, chat.Kept{Ref: "kept ref"},
		room.Sent{Ref: room.HeldNumber(4), ID: hashOf("waited"), Counter: 1, Epoch: hashOf("epoch"),
			Readers: []peer.ID{other}},
		room.Sent{Ref: "sent ref", ID: hashOf("mine"), Counter: 1, Epoch: hashOf("epoch"), Readers: []peer.ID{other}},
		room.Sent{Ref: "to", ID: hashOf("to"), Counter: 2, Epoch: hashOf("epoch"), Readers: []peer.ID{other}, To: `"Profesor"`},
		room.Reached{ID: hashOf("mine"), Have: 1, Of: 2, Missing: []peer.ID{other}},
		room.Gap{Author: ann, First: 2, Last: 3}, room.Gap{Author: ann, First: 2, Last: 3, Filled: true},
		room.Shortened{Author: ann, First: 1, Last: 3, Count: 3, Since: at.Add(-time.Hour), Until: at},
		room.Shortened{Author: ann, First: 1, Last: 1, Count: 1, Before: true},
		room.NoticeTaken{Notice: &abe.Notice{Number: 1795424400, Serials: []uint64{17}}},
		room.NoticeTaken{Notice: &abe.Notice{Number: 1795424400, Serials: []uint64{17}}, Own: true},
		room.LeftOut{By: ann, Member: ann, Times: 2},
		room.Cut{Member: ann, On: true, With: []room.Member{me}}, room.Cut{Member: ann},
		room.Equivocated{Author: ann, Counter: 4, IDs: [2]ake.Hash{hashOf("a"), hashOf("b")}},
		room.Past{By: other}, room.Past{Over: true, Count: 2, Oldest: at, By: other}, room.Past{Over: true, Count: 1,
			Oldest: at.Add(-48 * time.Hour)},
		room.Asked{ID: "0011223344556677", Member: ann, Policy: `"Professor"`},
		room.Attested{Member: ann, Policy: `"Professor"`, OK: true}, room.Attested{Member: ann, Policy: `"Professor"`},
		room.Attested{Member: ann, Policy: `"Professor"`, Given: true, Reason: "you did not allow it"},
		room.Attested{Member: ann, Policy: `"Professor"`, Given: true, OK: true},
		room.Contributed{},
		room.Failed{Doing: "publishing", Err: io.ErrUnexpectedEOF},
		node.BootstrapFailed{Addresses: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.7/tcp/4001")},
			Errors: []error{io.ErrUnexpectedEOF}},
		node.BootstrapFailed{Addresses: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.7/tcp/4001")},
			Errors: []error{fmt.Errorf("%w: expected a, found b", node.ErrWrongPeer)}},
		node.RelayRefused{Relay: relay, What: "place", Why: "it is full"},
		node.RelayRefused{Relay: relay, What: "circuit", Why: "it is full"},
		chat.LinkChanged{Link: "coterie:2:demo:abc", Reach: chat.OwnNetwork},
		node.NotSaving{Err: io.ErrShortWrite}, node.NotSaving{}, node.Connected{Peer: other},
		chat.Warning{Err: cli.Fail("key-expiring", "the key expires in 3 days").Detail("or sooner").Hint(
			"ask for a renewal")},
		chat.Rejected{Ref: "r", Err: cli.Fail("too-long", "too long").Hint("split it")},
		chat.NotDone{Err: cli.Fail("bad-input", "no")},
		chat.Found{Ref: "r", Total: 1, Messages: []room.Delivered{said}},
		chat.PathChanged{Path: node.Path{Peer: other, Kind: node.Direct, Transport: "quic", RTT: 12 * time.Millisecond}},
		chat.PathChanged{Path: node.Path{Peer: other, Kind: node.Relayed, Relay: relay}},
		chat.PathChanged{Path: node.Path{Peer: other, Kind: node.NoPath}},
		chat.Pinged{Path: node.Path{Peer: other, Kind: node.Direct, Transport: "tcp", RTT: 4500 * time.Microsecond}},
		chat.HealthChanged{Item: checked[0], On: true, Shown: checked}, chat.HealthChanged{Item: alone},
		chat.MemberState{Member: ann, Suspect: true}, chat.MemberState{Member: ann},
		chat.ProofAsked{Peer: other}, chat.Ignored{Peer: other, On: true}, chat.Ignored{Peer: other},
		chat.Dropped{N: 2}, chat.Dropped{}, chat.SettingKept{Name: "mouse", Value: "on", How: "for this run alone"},
		chat.Snapshot{Status: status, Link: "coterie:2:demo:abc", Wrong: health.Now(health.Facts{KeyDays: 90, Direct: 1,
			Members: 2, MaySend: true, Others: 1, Missing: 1})},
		room.Departed{Member: ann},
		chat.Earlier{All: true}, chat.Logged{Line: "msg=x"},
	}
}

// whatever are the events of packages room, node and chat, by their types' names. One that is
// missing in everyEvent fails the tests of all faces.
var whatever = []any{
	room.EpochStarted{}, room.NoticeTaken{}, room.LeftOut{}, room.Cut{}, room.Departed{}, room.Renamed{},
	room.Delivered{}, room.Sent{}, room.Held{}, room.Restored{}, room.Unsaid{}, room.Absence{}, room.Proved{},
	room.Refused{},
	room.Contributed{}, room.Failed{}, room.Reached{}, room.Gap{}, room.Shortened{}, room.Equivocated{}, room.Past{},
	room.Asked{},
	room.Attested{}, room.Opened{}, room.FileChanged{}, chat.Fetching{}, chat.Saved{},
	room.OutsideQuestion{}, room.OutsideAnswer{},
	node.Bootstrapped{}, node.BootstrapFailed{}, node.Connected{}, node.NotSaving{}, node.RelayRefused{},
	chat.LinkChanged{},
	chat.Ready{}, chat.Warning{}, chat.NotDone{}, chat.Rejected{}, chat.Waiting{}, chat.StillAlone{}, chat.Snapshot{},
	chat.MemberState{}, chat.PathChanged{},
	chat.HealthChanged{}, chat.Pinged{}, chat.ProofAsked{}, chat.Ignored{}, chat.Dropped{}, chat.SettingKept{},
	chat.Kept{}, chat.SendingHeld{},
	chat.Found{}, chat.Earlier{}, chat.Logged{}, chat.Exported{}, room.Changed{},
}

// TestEveryEventIsThere: the list of events is whole.
func TestEveryEventIsThere(t *testing.T) {
	var there []string
	for _, e := range everyEvent() {
		there = append(there, reflect.TypeOf(e).String())
	}
	for _, e := range whatever {
		if name := reflect.TypeOf(e).String(); !slices.Contains(there, name) {
			t.Errorf("no %s", name)
		}
	}
	source, err := os.ReadFile("../../../room/ready.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^func \((\w+)\) event\(\)`).FindAllSubmatch(source, -1) {
		if !slices.Contains(there, "room."+string(m[1])) {
			t.Errorf("no room.%s", m[1])
		}
	}
}

// a face that a test has, and its state.
type shown struct {
	*chat.State
	chat.Face
}

func (s *shown) show(what any) []chat.Line {
	e := chat.Event{Room: s.ID, At: nine, What: what}
	said := s.Take(e)
	s.Show(s.State, e, said)
	return said
}

// TestJSONContract: one of every event, as it is written, fits the schema and is as it was:
// a change that nobody meant shows as a difference.
func TestJSONContract(t *testing.T) {
	sch, err := drive.ReadSchema("testdata/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := lines.NewJSON(&b, now)
	s := &shown{chat.NewState(aRoom(), nine), out}
	out.Hello()
	out.Step("key", "NTNU")
	golden := b.Len()
	for _, e := range everyEvent() {
		s.show(e)
	}
	answer, _ := s.Answer(chat.Status{}, nine)
	s.show(answer)
	s.show(s.Waits(chat.ShowHeld{Ref: "held ref"}, []room.HeldMessage{{Text: "hei", At: nine, Asks: true}}, nine))
	s.show(chat.Answer{To: chat.Questions{Ref: "asked ref"}, Questions: []room.OutsideQuestion{{Number: 1,
		ID: hashOf("asked"), By: ann, At: nine, For: `"Professor"`, Text: "when?", Answers: []room.OutsideAnswer{{By: me, Self: true, At: nine,
			Text: "on Monday"}}}}})
	out.Fatal(cli.Fail("key-expired", "kari.key expired").Hint("ask for a renewal"))
	seen := make(map[string]bool)
	for line := range bytes.Lines(b.Bytes()) {
		event, err := sch.Check(line)
		if err != nil {
			t.Errorf("%v in %s", err, line)
		}
		seen[event] = true
	}
	for event := range sch {
		if !seen[event] {
			t.Errorf("no %s was written", event)
		}
	}
	compareGolden(t, "events.golden", b.String()[golden:])
	if strings.ContainsAny(b.String(), "\x1b\u202e") {
		t.Error("a control character is written as it is")
	}
}

// TestPlainLines: one of every event as people read it, word for word.
func TestPlainLines(t *testing.T) {
	for _, clock := range []string{"short", "full", "none", "15.04.05"} {
		var b bytes.Buffer
		out, err := lines.NewPlain(&b, &b, clock)
		if err != nil {
			t.Fatal(err)
		}
		s := &shown{chat.NewState(aRoom(), nine), out}
		for _, e := range everyEvent() {
			s.show(e)
		}
		s.show(room.Delivered{
			Author: ann, Received: nine,
			Message: record.Body{Counter: 2, Time: uint64(nine.UnixMilli()), Kind: record.KindText,
				Text: "first\r\nsecond \x1b[31mred\nforged\r12:00 kari: third\u202e\nHTTPS://аpple.com"},
		})
		s.show(room.EpochStarted{ID: hashOf("last"), SID: hashOf("sid"), Members: []room.Member{me, ann},
			Joined: []room.Member{ann}, Committer: self, Reason: room.ReasonJoined})
		for _, c := range []chat.Command{chat.Who{}, chat.Info{}, chat.Status{}, chat.Peers{}, chat.Ignores{}, chat.Link{},
			chat.Help{Word: "prove"}} {
			answer, ok := s.Answer(c, nine)
			if !ok {
				t.Fatalf("no answer to %T", c)
			}
			s.show(answer)
		}
		s.show(s.Waits(chat.ShowHeld{}, []room.HeldMessage{{Text: "hei \x1b[2J\nyou", At: nine, Asks: true}}, nine))
		for _, l := range []string{"/nosuch", "/prove ann", "/who me"} {
			s.show(chat.NotDone{Err: chat.Parse(l).(chat.Bad).Err})
		}
		s.show(chat.Bye{Reason: "quit"})
		for i, l := range strings.Split(b.String(), "\n") {
			if strings.ContainsAny(l, "\x1b\r\u202e") {
				t.Errorf("line %d has a character that must not reach a terminal: %q", i+1, l)
			}
		}
		if clock == "short" {
			compareGolden(t, "plain.golden", b.String())
		}
		want := map[string]string{"short": "09:00 ann: first\n09:00 ann| second ",
			"full": "2026-11-23T09:00:00Z ann: first\n", "none": "\nann: first\nann| second ",
			"15.04.05": "09.00.00 ann: first\n"}[clock]
		if !strings.Contains(b.String(), want) {
			t.Errorf("--time %s: no %q in\n%s", clock, want, b.String())
		}
	}
}

// outside is where the interface of a test leads.
type outside struct{}

func (outside) Do(chat.Command) {}
func (outside) Run(ui.Errand)   {}

// onScreen is a text of the interface as one line of words.
func onScreen(m *ui.Model) string {
	return strings.Join(strings.Fields(ansi.Strip(m.View().Content)), " ")
}

// TestFacesAgree: what is said of an event is the same in plain lines and in the terminal, word
// for word, and the JSON line of it says nothing else. Only where a face can show more than
// words it need not say them.
func TestFacesAgree(t *testing.T) {
	for i, what := range everyEvent() {
		t.Run(fmt.Sprintf("%d %T", i, what), func(t *testing.T) {
			var plain, asJSON bytes.Buffer
			p, err := lines.NewPlain(&plain, &plain, "none")
			if err != nil {
				t.Fatal(err)
			}
			faces := []*shown{{chat.NewState(aRoom(), nine), p}, {chat.NewState(aRoom(), nine), lines.NewJSON(&asJSON, now)}}
			m := ui.New(ui.Config{About: aRoom(), Now: now}, outside{})
			m.Update(tea.WindowSizeMsg{Width: 400, Height: 200})
			var said []chat.Line
			for _, before := range everyEvent()[:i+1] {
				plain.Reset()
				asJSON.Reset()
				for _, f := range faces {
					said = f.show(before)
				}
				m.Update(chat.Event{Room: hashOf("room"), At: nine, What: before})
			}
			screen, printed := onScreen(m), strings.Join(strings.Fields(plain.String()), " ")
			for _, l := range said {
				if l.Kind == chat.Calm { // one line; /peers has the rest
					l.Details, l.Hints = nil, nil
				}
				for _, text := range append(append([]string{l.Text}, l.Details...), l.Hints...) {
					text = strings.Join(strings.Fields(cli.Clean(text)), " ")
					if !strings.Contains(strings.ReplaceAll(printed, "!! ", ""), text) {
						t.Errorf("plain lines say %q, not %q", printed, text)
					}
					drawn := []chat.Kind{chat.Mark, chat.Standing, chat.Above, chat.Below} // otherwise
					if !slices.Contains(drawn, l.Kind) && !strings.Contains(screen, text) {
						t.Errorf("the terminal says %s, not %q", screen, text)
					}
				}
			}
			if len(said) == 0 && strings.Contains(printed, "--") && !isText(what) {
				t.Errorf("plain lines say %q of their own", printed)
			}
			var e struct{ Event, Code, Text, Hint string }
			first, _, _ := strings.Cut(asJSON.String(), "\n")
			if json.Unmarshal([]byte(first), &e); e.Event == "warning" || e.Event == "error" || e.Event == "rejected" {
				if len(said) == 0 || e.Text != strings.Join(append([]string{said[0].Text}, said[0].Details...), "\n") ||
					e.Hint != strings.Join(said[0].Hints, "\n") {
					t.Errorf("JSON says %q %q of %+v", e.Text, e.Hint, said)
				}
			}
			switch w := what.(type) {
			case room.Opened:
				if text := cli.Clean(w.Message.Text); !strings.Contains(printed, text) || !strings.Contains(screen, text) {
					t.Errorf("plain %q\nscreen %s", printed, screen)
				}
			case room.Delivered:
				text := cli.Clean(w.Message.Text)
				if w.File != nil {
					text = chat.FileText(w.File, w.Self, "/save")
					if !strings.Contains(printed, text) || !strings.Contains(screen, text) {
						t.Errorf("plain %q\nscreen %s", printed, screen)
					}
					break
				}
				if w.To != "" && (!strings.Contains(printed, "ann to "+w.To) || !strings.Contains(screen, "ann to "+w.To)) {
					t.Errorf("for whom? %q\n%s", printed, screen)
				}
				if closed := chat.Closed(w); closed != "" {
					if !strings.Contains(printed, closed) || !strings.Contains(screen, closed) {
						t.Errorf("plain %q\nscreen %s", printed, screen)
					}
					break
				}
				if w.Withdrawn {
					if !strings.Contains(printed, "(withdrawn)") || !strings.Contains(screen, "(withdrawn)") {
						t.Errorf("plain %q\nscreen %s", printed, screen)
					}
					break
				}
				if !strings.Contains(printed, text) || !strings.Contains(screen, strings.Join(strings.Fields(text), " ")) ||
					!strings.Contains(asJSON.String(), `"names_me":true`) {
					t.Errorf("plain %q\nJSON %s", printed, asJSON.String())
				}
			case chat.HealthChanged:
				if w.On && !strings.Contains(screen, string(w.Item.Code)) {
					t.Errorf("the terminal's header has no %s", w.Item.Code)
				}
			}
		})
	}
}

// TestHistoryHasItsTime: what was said before somebody came has the time when it was said, on every
// face, and not that at which it was read.
func TestHistoryHasItsTime(t *testing.T) {
	d := room.Delivered{Author: ann, Received: nine, History: true, Message: record.Body{Counter: 1,
		Time: uint64(nine.Add(-5 * time.Hour).UnixMilli()), Kind: record.KindText, Text: "said long ago"}}
	var plain, asJSON bytes.Buffer
	p, err := lines.NewPlain(&plain, &plain, "full")
	if err != nil {
		t.Fatal(err)
	}
	(&shown{chat.NewState(aRoom(), nine), p}).show(d)
	(&shown{chat.NewState(aRoom(), nine), lines.NewJSON(&asJSON, now)}).show(d)
	m := ui.New(ui.Config{About: aRoom(), Now: now}, outside{})
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 24})
	m.Update(chat.Event{Room: hashOf("room"), At: nine, What: d})
	for _, c := range [][2]string{
		{plain.String(), "2026-11-23T04:00:00Z ann: said long ago"}, {asJSON.String(), `"2026-11-23T04:00:00`},
		{onScreen(m), "04:00 ann said long ago"},
	} {
		if !strings.Contains(c[0], c[1]) {
			t.Errorf("no %q in %s", c[1], c[0])
		}
	}
}

// isText reports whether an event is itself a text, that is shown as it is.
func isText(what any) bool {
	switch what.(type) {
	case chat.Found, room.Delivered:
		return true
	}
	return false
}

// compareGolden compares with a file in testdata.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	golden.Compare(t, filepath.Join("testdata", name), []byte(got))
}

// TestParseJSON: exactly one verb, and nothing that is not known.
func TestParseJSON(t *testing.T) {
	for in, want := range map[string]chat.Command{
		`{"nick":"a"}`: chat.Nick{Name: "a"}, `{"rekey":true}`: chat.Rekey{}, `{"ping":"ann"}`: chat.Ping{Who: "ann"},
		`{"status":true}`: chat.Status{}, `{"drop":true}`: chat.Drop{},
		`{"search":"x","limit":3,"after":"2026-11-23T09:00:00Z"}`: chat.Search{Words: "x", Limit: 3, After: nine},
		`{"prove":"ann","expr":"A"}`:                              chat.Prove{Who: "ann", Expr: "A"},
		`{"answer":"1","allow":false}`:                            chat.Allow{ID: "1"},
		`{"ignore":"ann"}`:                                        chat.Ignore{Who: "ann", On: true},
		`{"quit":true,"linger_ms":1500}`:                          chat.Quit{Linger: 1500 * time.Millisecond},
		`plain`:                                                   chat.Say{Text: "plain"},
		`{"send":"x","ref":7,"action":true}`:                      chat.Say{Text: "x", Ref: json.Number("7"), Action: true},
		`{"cut":"ann"}`:                                           chat.Cut{Who: "ann", On: true},
		`{"uncut":"ann"}`:                                         chat.Cut{Who: "ann"},
	} {
		if got := lines.ParseJSON(in); got != want {
			t.Errorf("%s: %+v", in, got)
		}
	}
	for _, bad := range []string{
		`{`, `{}`, `{"send":""}`, `{"send":"a","quit":true}`, `{"send":"a"}{"send":"b"}`, `{"send":"a"} x`,
		`{"quit":true,"linger_ms":-1}`, `{"prove":"ann"}`, `{"answer":"1"}`,
		`{"search":"x","limit":0}`, `{"search":"x","after":"noon"}`, `{"send":1}`, `{"send":"a","reff":1}`,
		`{"unknown":true}`, `{"quit":false}`,
	} {
		if b, ok := lines.ParseJSON(bad).(chat.Bad); !ok || b.Err.Code != "bad-input" {
			t.Errorf("%s is taken as %+v", bad, lines.ParseJSON(bad))
		}
	}
}
