package ui

import (
	"flag"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/screen"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/crypto/golden"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // screens show local time
	flag.Parse()
	os.Exit(m.Run())
}

// backend notes what it is asked for. What the state can answer it does; the answer is
// there with the next message.
type backend struct {
	room    func() *chat.State
	now     func() time.Time
	sent    []string
	refs    []any
	did     []any
	answers []any
}

func (b *backend) Do(c chat.Command) {
	b.did = append(b.did, c)
	if say, ok := c.(chat.Say); ok {
		text := say.Text
		if say.Action {
			text = "* " + text
		}
		b.sent, b.refs = append(b.sent, text), append(b.refs, say.Ref)
	}
	if a, ok := b.room().Answer(c, b.now()); ok {
		b.answers = append(b.answers, a)
	}
}

func (b *backend) Run(e Errand) { b.did = append(b.did, e) }

// asked returns the last command of a type.
func asked[T any](b *backend) (T, bool) {
	for i := len(b.did) - 1; i >= 0; i-- {
		if c, ok := b.did[i].(T); ok {
			return c, true
		}
	}
	var none T
	return none, false
}

const (
	kari = peer.ID("kari's id")
	ann  = peer.ID("ann's id")
	prof = peer.ID("prof's id")
	anon = peer.ID("one without a name")
	fake = peer.ID("one who looks like ann")
	mute = peer.ID("a relay")
)

// a stage is a model and what is around it.
type stage struct {
	t   testing.TB
	m   *Model
	b   *backend
	now time.Time
	seq map[peer.ID]uint64
	// lamport is that of the last message
	lamport uint64
	members []room.Member
}

func newStage(t testing.TB, width, height int, change ...func(*Config)) *stage {
	s := &stage{t: t, now: time.Date(2026, 11, 23, 8, 54, 0, 0, time.UTC), seq: make(map[peer.ID]uint64)}
	cfg := Config{
		About: chat.About{
			ID: ake.Hash{0x4c, 0x1e, 0x88, 0xa0, 0x1d, 0x92, 0x07, 0xfe}, Name: "exam", Domain: "NTNU", DomainID: [32]byte{0x4f,
				0x1c, 0x9a, 0xb2, 0x77, 0xd0, 0xe3, 0x1a},
			Policy: `("NTNU" and "5th year") or "Professor"`, Through: `"NTNU" and "5th year"`, Expires: abe.DayOf(s.now) + 90,
			Self: kari, Nick: "kari",
		},
		Now: func() time.Time { return s.now },
	}
	for _, c := range change {
		c(&cfg)
	}
	s.b = &backend{room: func() *chat.State { return s.m.room }, now: cfg.Now}
	s.m = New(cfg, s.b)
	s.m.Init()
	s.do(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// do gives the model messages, and what is answered to them. Events need no envelope.
func (s *stage) do(msgs ...tea.Msg) {
	for _, msg := range msgs {
		s.m.Update(s.enveloped(msg))
	}
	answers := s.b.answers
	s.b.answers = nil
	for _, a := range answers {
		s.m.Update(s.enveloped(a))
	}
}

func (s *stage) enveloped(msg tea.Msg) tea.Msg {
	switch e := msg.(type) {
	case Events:
		for i := range e {
			e[i] = s.enveloped(e[i])
		}
	case chat.Event:
	case nil:
	default:
		if from := reflect.TypeOf(msg).PkgPath(); from == "coterie/room" || from == "coterie/node" ||
			from == "coterie/cmd/coterie/chat" {
			return chat.Event{Room: s.m.room.ID, At: s.now, What: msg}
		}
	}
	return msg
}

func (s *stage) at(clock string) {
	t, err := time.Parse("15:04:05", clock+":00"[:8-len(clock)])
	if err != nil {
		s.t.Fatal(err)
	}
	y, mo, d := s.now.Date()
	s.now = time.Date(y, mo, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// wait lets time pass, with the ticks in it.
func (s *stage) wait(d time.Duration) {
	for ; d > 0; d -= time.Second {
		s.now = s.now.Add(min(d, time.Second))
		s.do(tick{s.now})
	}
}

func (s *stage) epoch(id uint16, reason string, joined, left []room.Member, members ...room.Member) {
	e := room.EpochStarted{Members: members, Joined: joined, Left: left, Reason: reason, Committer: members[0].Peer}
	e.ID = ake.Hash{byte(id >> 8), byte(id)}
	s.members = members
	s.do(e)
}

func (s *stage) say(from room.Member, text string, change ...func(*room.Delivered)) room.Delivered {
	s.seq[from.Peer]++
	s.lamport++
	d := room.Delivered{
		Author: from, Self: from.Peer == kari, Received: s.now,
		Epoch: s.m.room.Epoch.ID,
		Message: record.Body{Counter: s.seq[from.Peer], Time: uint64(s.now.UnixMilli()), Lamport: s.lamport,
			Kind: record.KindText, Text: text},
	}
	copy(d.ID[:], fmt.Sprintf("%s %d", from.Peer, s.seq[from.Peer]))
	for _, c := range change {
		c(&d)
	}
	s.do(d)
	return d
}

// type_ presses the keys of a text.
func (s *stage) types(text string) {
	for _, r := range text {
		s.press(string(r))
	}
}

// press presses keys by name: enter, ctrl+c, alt+u, a.
func (s *stage) press(keys ...string) tea.Cmd {
	var cmd tea.Cmd
	for _, k := range keys {
		_, cmd = s.m.Update(keyOf(k))
		s.do()
	}
	return cmd
}

func keyOf(name string) tea.KeyPressMsg {
	special := map[string]rune{
		"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace, "up": tea.KeyUp,
		"down": tea.KeyDown,
		"left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp,
		"pgdown": tea.KeyPgDown,
		"delete": tea.KeyDelete, "f1": tea.KeyF1, "space": tea.KeySpace,
	}
	var k tea.Key
	rest := name
	for {
		mod, after, ok := strings.Cut(rest, "+")
		if !ok || after == "" {
			break
		}
		switch mod {
		case "ctrl":
			k.Mod |= tea.ModCtrl
		case "alt":
			k.Mod |= tea.ModAlt
		case "shift":
			k.Mod |= tea.ModShift
		default:
			after = ""
		}
		if after == "" {
			break
		}
		rest = after
	}
	if code, ok := special[rest]; ok {
		k.Code = code
		return tea.KeyPressMsg(k)
	}
	k.Code = []rune(rest)[0]
	if k.Mod&^tea.ModShift == 0 {
		k.Text = rest
	}
	return tea.KeyPressMsg(k)
}

// enter sends what is on the input line.
func (s *stage) enter() { s.press("enter") }

// cells are the screen as it is drawn: one string a row, styles left out.
func (s *stage) cells() []string {
	return cellsOf(s.m.View().Content, s.m.width, s.m.height, s.m.method)
}

func cellsOf(content string, width, height int, method text.Method) []string {
	buf := uv.NewScreenBuffer(width, height)
	buf.Method = method
	uv.NewStyledString(content).Draw(buf, buf.Bounds())
	return screen.Rows(buf)
}

func (s *stage) screen() string { return strings.Join(s.cells(), "\n") + "\n" }

func (s *stage) contains(want string) bool { return strings.Contains(s.screen(), want) }

// golden compares the screen with testdata/NAME.txt.
func (s *stage) golden(name string) {
	s.t.Helper()
	compare(s.t, name, s.screen())
}

func compare(t testing.TB, name, got string) {
	t.Helper()
	golden.Compare(t, filepath.Join("testdata", "screens", name+".txt"), []byte(got))
}

func member(p peer.ID, name string) room.Member { return room.Member{Peer: p, Name: name} }

var (
	mKari = member(kari, "kari")
	mAnn  = member(ann, "ann")
	mProf = member(prof, "prof")
	mAnon = member(anon, "")
	mFake = member(fake, "аnn") // a Cyrillic а
)

// fine is a snapshot in which all is well.
func fine(members ...room.Member) chat.Snapshot {
	var s chat.Snapshot
	for _, m := range members {
		s.Status.Room.Members = append(s.Status.Room.Members, room.MemberStatus{Member: m, Self: m.Peer == kari})
		switch m.Peer {
		case ann:
			s.Status.Peers = append(s.Status.Peers, node.Path{Peer: ann, Kind: node.Direct, Transport: "quic",
				RTT: 12 * time.Millisecond})
		case prof:
			s.Status.Peers = append(s.Status.Peers, node.Path{Peer: prof, Kind: node.Relayed, Relay: mute,
				RTT: 84 * time.Millisecond})
		case anon:
			s.Status.Peers = append(s.Status.Peers, node.Path{Peer: anon, Kind: node.Direct, Transport: "tcp",
				RTT: 31 * time.Millisecond})
		}
	}
	s.Status.Peers = append(s.Status.Peers, node.Path{Peer: mute, Kind: node.Direct, IsRelay: true,
		RTT: 18 * time.Millisecond})
	return s
}

// wrong tells the facts of a moment as what is wrong.
func (s *stage) wrong(f health.Facts) {
	for _, i := range health.Now(f) {
		s.do(chat.HealthChanged{Item: i, On: true, Shown: health.Now(f)})
	}
}

// morning is the conversation of the specification.
func morning(t testing.TB, width, height int, change ...func(*Config)) *stage {
	s := newStage(t, width, height, change...)
	s.at("08:55")
	s.epoch(0x20d1, room.ReasonFirst, nil, nil, mAnn, mKari)
	s.say(mAnn, "who has the old exam sets?")
	s.at("08:57")
	s.say(mProf, "2019 to 2022 are on the shelf")
	s.at("09:12")
	s.epoch(0x5e07, room.ReasonJoined, []room.Member{mProf}, nil, mAnn, mKari, mProf)
	s.at("09:14")
	s.types("thanks!")
	s.enter()
	s.sentAll()
	s.at("09:20")
	s.say(mAnn, "page 14:\na_i = H(room, i, serial)\n"+strings.Repeat("and so on\n", 40))
	s.at("09:31")
	s.epoch(0x91ab, room.ReasonJoined, []room.Member{mAnon}, nil, mAnn, mKari, mProf, mAnon)
	s.do(fine(mAnn, mKari, mProf, mAnon))
	s.at("09:33")
	s.do(tea.BlurMsg{})
	s.at("09:34")
	s.say(mAnon, "hei fra biblioteket")
	s.at("09:35")
	s.say(mFake, "send me your key please")
	return s
}

// sentAll sends what is pending; every reader has it.
func (s *stage) sentAll() {
	s.sendPending()
	for _, e := range s.m.log.entries {
		if e.state == stateSent {
			s.do(room.Reached{ID: e.id, Have: e.own.of, Of: e.own.of})
		}
	}
}

func (s *stage) sendPending() {
	for _, ref := range s.b.refs {
		s.seq[kari]++
		s.lamport++
		sent := room.Sent{Ref: ref, Counter: s.seq[kari], Epoch: s.m.room.Epoch.ID}
		copy(sent.ID[:], fmt.Sprintf("kari %d", s.seq[kari]))
		for _, m := range s.members {
			if m.Peer != kari {
				sent.Readers = append(sent.Readers, m.Peer)
			}
		}
		s.do(sent)
	}
	s.b.refs = nil
}

// TestNickColours: the first eight who come differ, and whoever comes next has a colour that is
// free; each can be read on black and on white.
func TestNickColours(t *testing.T) {
	s := newStage(t, 80, 24)
	members := []room.Member{mKari}
	for i := range 8 {
		members = append(members, member(peer.ID(fmt.Sprint("peer", i)), fmt.Sprint("p", i)))
	}
	s.epoch(1, room.ReasonFirst, nil, nil, members...)
	seen := make(map[string]bool)
	for _, m := range members[1:] {
		seen[s.m.nick("x", m.Peer)] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d colours for eight", len(seen))
	}
	freed := s.m.nick("x", members[3].Peer)
	left := members[3]
	members[3] = member("late", "late")
	s.epoch(2, room.ReasonJoined, []room.Member{members[3]}, []room.Member{left}, members...)
	if got := s.m.nick("x", "late"); got != freed {
		t.Errorf("%q, want %q, which is free", got, freed)
	}
	for _, c := range append([]ansi.IndexedColor{amber, red}, nickColours[:]...) {
		l := luminance(c)
		if black, white := (l+0.05)/0.05, 1.05/(l+0.05); black < 3 || white < 3 {
			t.Errorf("colour %d has a contrast of %.1f on black and %.1f on white", c, black, white)
		}
	}
}

// luminance is that of WCAG 2.1, relative luminance.
func luminance(c color.Color) float64 {
	linear := func(v uint32) float64 {
		x := float64(v) / 0xffff
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	r, g, b, _ := c.RGBA()
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}
