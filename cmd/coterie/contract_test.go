package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/drive"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// A schema says which fields each event has: name to type, "?" behind the type
// for those that may be absent.
type schema map[string]map[string]string

func readSchema(t testing.TB) schema {
	b, err := os.ReadFile("testdata/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// check validates one line and returns its event.
func (s schema) check(line []byte) (string, error) {
	var o map[string]any
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&o); err != nil {
		return "", err
	}
	event, _ := o["event"].(string)
	fields, ok := s[event]
	if !ok {
		return event, fmt.Errorf("no event %q in the schema", event)
	}
	for name, typ := range fields {
		v, has := o[name]
		typ, optional := strings.CutSuffix(typ, "?")
		switch {
		case !has && !optional:
			return event, fmt.Errorf("%s has no %s", event, name)
		case has && !isType(v, typ):
			return event, fmt.Errorf("%s: %s is no %s: %v", event, name, typ, v)
		}
	}
	for name := range o {
		if _, ok := fields[name]; !ok && name != "event" {
			return event, fmt.Errorf("%s has a field %q that the schema does not know", event, name)
		}
	}
	return event, nil
}

func isType(v any, typ string) bool {
	if rest, ok := strings.CutPrefix(typ, "["); ok {
		all, ok := v.([]any)
		for _, x := range all {
			ok = ok && isType(x, strings.TrimSuffix(rest, "]"))
		}
		return ok
	}
	text, isText := v.(string)
	switch typ {
	case "any":
		return true
	case "string":
		return isText
	case "bool":
		_, ok := v.(bool)
		return ok
	case "int":
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		i, err := n.Int64()
		return err == nil && i < 1<<53
	case "number":
		_, ok := v.(json.Number)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "peer":
		_, err := peer.Decode(text)
		return isText && err == nil
	case "id":
		return isText && len(text) == 64 && strings.ToLower(text) == text
	case "time":
		_, err := time.Parse("2006-01-02T15:04:05.000Z", text)
		return isText && err == nil
	case "date":
		_, err := time.Parse("2006-01-02", text)
		return isText && err == nil
	}
	for _, word := range strings.Split(typ, "|") {
		if word == text {
			return true
		}
	}
	return false
}

// A tape is a session whose reporter writes into a buffer.
func tape(t testing.TB) (*session, *jsonOut, *bytes.Buffer) {
	t.Helper()
	master, keys, err := (&app{now: time.Now}).demoKeys()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := abe.ParsePolicy(demoPolicy)
	if err != nil {
		t.Fatal(err)
	}
	d, err := room.NewDescriptor(master.Domain(), "demo", policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(node.Config{Room: d, Key: keys["you"], Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	now := func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }
	var b bytes.Buffer
	out := newJSON(&b, io.Discard, now)
	a := &app{now: now, stdout: &b, stderr: io.Discard}
	s := newSession(a, &plan{key: keys["you"], descriptor: d, nick: "kari", through: "x", hold: time.Minute}, n, out)
	return s, out, &b
}

func hashOf(s string) ake.Hash { return ake.Sum("test", []byte(s)) }

// everyEvent is one of each event that can be told.
func everyEvent(self, other, relay peer.ID) []node.Event {
	me, ann := room.Member{Peer: self, Name: "kari"}, room.Member{Peer: other, Name: "ann"}
	at := time.Date(2026, 11, 23, 8, 59, 0, 0, time.UTC)
	said := room.Delivered{
		ID: hashOf("message"), Author: ann, Epoch: hashOf("epoch"), Received: at,
		Message: record.Body{Counter: 1, Time: uint64(at.UnixMilli()), Lamport: 3, Kind: record.KindAction, Text: "hei kari \x1b[2J\u202e"},
	}
	history := said
	history.History, history.By, history.Late = true, other, true
	return []node.Event{
		room.Proved{Peer: other, Took: 61 * time.Millisecond},
		room.Refused{Peer: other}, stillAlone{"nobody answered yet (8 s). Trying: 1 address"},
		room.EpochStarted{ID: hashOf("first"), SID: hashOf("sid"), Members: []room.Member{me, ann}, Joined: []room.Member{ann}, Committer: self, Reason: room.ReasonFirst},
		room.EpochStarted{ID: hashOf("epoch"), Previous: hashOf("first"), SID: hashOf("sid"), Members: []room.Member{me}, Left: []room.Member{ann}, Committer: self, Reason: room.ReasonLeft},
		room.Departed{Member: ann}, room.Renamed{Member: ann}, said, history,
		room.Held{Ref: &outgoing{ref: json.Number("7")}, Bytes: 5, Alone: true},
		room.Reached{ID: hashOf("message"), Have: 1, Of: 2, Missing: []peer.ID{other}},
		room.Gap{Author: ann, First: 2, Last: 3}, room.Gap{Author: ann, First: 2, Last: 3, Filled: true},
		room.LeftOut{By: ann, Member: ann, Times: 2},
		room.Cut{Member: ann, On: true, With: []room.Member{me}}, room.Cut{Member: ann},
		room.Equivocated{Author: ann, Counter: 4, IDs: [2]ake.Hash{hashOf("a"), hashOf("b")}},
		room.Past{By: other}, room.Past{Over: true, Count: 2, Oldest: at, By: other},
		room.Asked{ID: "0011223344556677", Member: ann, Policy: `"Professor"`},
		room.Attested{Member: ann, Policy: `"Professor"`, OK: true},
		room.Attested{Member: ann, Policy: `"Professor"`, Given: true, Reason: "you did not allow it"},
		room.Failed{Doing: "publishing", Err: io.ErrUnexpectedEOF},
		node.Bootstrapped{Address: ma.StringCast("/ip4/10.0.0.7/tcp/4001"), Peer: other, Took: 18 * time.Millisecond},
		node.BootstrapFailed{Addresses: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.7/tcp/4001")}, Errors: []error{io.ErrUnexpectedEOF}},
		refusal{true, "r", cli.Fail("too-long", "too long").Hint("split it")}, refusal{err: cli.Fail("bad-input", "no")},
		found{ref: "r", total: 1, messages: []room.Delivered{said}},
		pathChanged{node.Path{Peer: other, Kind: node.Direct, Transport: "quic", RTT: 12 * time.Millisecond}},
		pathChanged{node.Path{Peer: other, Kind: node.Relayed, Relay: relay}}, pathChanged{node.Path{Peer: other, Kind: node.NoPath}},
		pinged{node.Path{Peer: other, Kind: node.Direct, Transport: "tcp", RTT: time.Millisecond}},
		healthChanged{health.Check(health.Facts{KeyDays: 90})[0], true}, healthChanged{health.Item{Code: health.Alone, Severity: health.Warn, Text: "x"}, false},
		memberState{ann, true}, memberState{ann, false},
		reported{node.Status{Room: room.Status{Epoch: hashOf("epoch"), Since: at, Members: []room.MemberStatus{{Member: me, Self: true}, {Member: ann, Have: 1, Known: 2}}},
			Peers: []node.Path{{Peer: other, Kind: node.Direct, Transport: "tcp", RTT: time.Millisecond, Address: ma.StringCast("/ip4/10.0.0.7/tcp/4001")}}}},
	}
}

// TestJSONContract: one of every event, as it is written, fits the schema and is
// as it was: a change that nobody meant shows as a difference.
func TestJSONContract(t *testing.T) {
	s, out, b := tape(t)
	sch := readSchema(t)
	out.hello()
	out.state("key", "NTNU")
	out.ready(s)
	golden := b.Len()
	other, relay := somePeer(t, 1), somePeer(t, 2)
	o := &outgoing{ref: "sent ref"}
	s.box.add(o)
	for _, e := range append(everyEvent(s.node.Self(), other, relay), room.Sent{Ref: o, ID: hashOf("message"), Counter: 1, Epoch: hashOf("epoch"), Readers: []peer.ID{other}}) {
		s.handle(e)
	}
	out.fatal(cli.Fail("key-expired", "kari.key expired").Hint("ask for a renewal"))
	seen := make(map[string]bool)
	for line := range bytes.Lines(b.Bytes()) {
		event, err := sch.check(line)
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
	text := strings.ReplaceAll(b.String()[golden:], s.node.Self().String(), "SELF")
	text = strings.ReplaceAll(text, s.names.tag(s.node.Self()), "~self")
	compareGolden(t, "events.golden", text)
	if strings.ContainsAny(b.String(), "\x1b\u202e") {
		t.Error("a control character is written as it is")
	}
}

// somePeer is a peer id drawn from a number.
func somePeer(t testing.TB, n byte) peer.ID {
	// The identity hash of an Ed25519 key's protobuf: 36 bytes.
	raw := append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, bytes.Repeat([]byte{n}, 32)...)
	p, err := peer.IDFromBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// compareGolden compares with a file in testdata; with UPDATE=1 it writes it.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range max(len(g), len(w)) {
			if i >= len(g) || i >= len(w) || g[i] != w[i] {
				t.Errorf("%s differs in line %d (UPDATE=1 go test writes it anew)\n got %s\nwant %s", path, i+1, at(g, i), at(w, i))
				return
			}
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// run runs coterie as a process, with input, and returns what it wrote.
func run(t *testing.T, dir, input string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return runAt(t, dir, dir, input, args...)
}

// runAt runs coterie with another home.
func runAt(t *testing.T, dir, at, input string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), asProcess+"=1"), home(at)...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
	err = cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("coterie %q did not end", args)
	}
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

const thePolicy = `((ONE or THREE) and (TWO or FOUR))`

// TestJSONFraming: the first line is hello and the last is bye, and bye has the
// exit status, however a run ends; nothing else is on standard output.
func TestJSONFraming(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	sch := readSchema(t)
	join := func(args ...string) []string {
		return append([]string{"join", "den", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"}, args...)
	}
	for _, test := range []struct {
		name, input, reason string
		args                []string
		status              int
	}{
		{"eof", "", "eof", join("--key", "ann.key", "--policy", thePolicy), 0},
		{"eof with a held message", "lost\n", "eof", join("--key", "ann.key", "--policy", thePolicy, "--linger", "100ms"), 1},
		{"quit", `{"quit":true}` + "\n", "quit", join("--key", "ann.key", "--policy", thePolicy), 0},
		{"no such key", "", "error", join("--key", "nobody.key", "--policy", thePolicy), 1},
		{"no key", "", "error", []string{"join", "hall", "--json", "--policy", thePolicy}, 2},
		{"bad policy", "", "error", join("--key", "ann.key", "--policy", "ONE and"), 2},
		{"unknown input", "{\"x\":1}\n{\n" + strings.Repeat("y", 70000) + "\n", "eof", join("--key", "ann.key", "--policy", thePolicy), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, status := run(t, dir, test.input, test.args...)
			lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
			var events []string
			for _, l := range lines {
				event, err := sch.check([]byte(l))
				if err != nil {
					t.Errorf("%v in %s", err, l)
				}
				events = append(events, event)
			}
			if events[0] != "hello" || slices.Index(events, "bye") != len(events)-1 {
				t.Errorf("events %q", events)
			}
			var bye struct {
				Reason string
				Code   int
			}
			json.Unmarshal([]byte(lines[len(lines)-1]), &bye)
			if status != test.status || bye.Code != status || bye.Reason != test.reason {
				t.Errorf("status %d, bye %+v\n%s", status, bye, stderr)
			}
		})
	}
}

// TestBrokenPipe: whoever stops reading gets the room left, as by a signal.
func TestBrokenPipe(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe, "join", "den", "--json", "--stay", "--key", "ann.key", "--policy", thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), asProcess+"=1"), home(dir)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	out.Close()
	for range 3 {
		io.WriteString(in, `{"status":true}`+"\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestEverySendAnsweredOnce: whatever is sent, before others come, while they are
// there, and when it is too long, has one answer; what goes out does so in order.
func TestEverySendAnsweredOnce(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann := peerProcess(ctx, t, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	send := func(from, to int) {
		for i := from; i < to; i++ {
			text := fmt.Sprint("number ", i)
			if i%50 == 7 {
				text = strings.Repeat("x", record.MaxText+1)
			}
			if err := ann.Write(fmt.Sprintf(`{"send":%q,"ref":%d}`, text, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(0, n/2)
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at.Addrs[0])
	if _, err := drive.Together(ctx, ann, bob); err != nil {
		t.Fatal(err)
	}
	send(n/2, n)
	if _, err := bob.Heard(ctx, fmt.Sprint("number ", n-1)); err != nil {
		t.Fatal(err)
	}
	if err := ann.Quit(); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Exit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := bob.Quit(); err != nil {
		t.Fatal(err)
	}
	events, _ := ann.Events()
	answers := make(map[int][]string)
	last := -1
	for _, e := range events {
		if e.Event != "sent" && e.Event != "rejected" {
			continue
		}
		ref := int(e.Ref.(float64))
		answers[ref] = append(answers[ref], e.Event)
		if e.Event == "sent" {
			if ref < last {
				t.Errorf("%d went out after %d", ref, last)
			}
			last = ref
		}
	}
	for i := range n {
		want := "[sent]"
		if i%50 == 7 {
			want = "[rejected]"
		}
		if got := fmt.Sprint(answers[i]); got != want {
			t.Errorf("message %d was answered %s", i, got)
		}
	}
}

// TestHeldThenSentInOrder: what is typed while nobody can read it is held, and
// read by the first who comes, in order.
func TestHeldThenSentInOrder(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann := peerProcess(ctx, t, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := ann.Say(fmt.Sprint("held ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ann.Wait(ctx, "the last one held", func(e drive.Event) bool { return e.Event == "held" && e.Reason == "alone" }); err != nil {
		t.Fatal(err)
	}
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at.Addrs[0])
	if _, err := bob.Heard(ctx, "held 19"); err != nil {
		t.Fatal(err)
	}
	var heard []string
	events, _ := bob.Events()
	for _, e := range events {
		if e.Event == "message" {
			heard = append(heard, e.Text)
		}
	}
	for i, text := range heard {
		if text != fmt.Sprint("held ", i) {
			t.Fatalf("heard %q", heard)
		}
	}
	if _, err := ann.Wait(ctx, "bob having it", func(e drive.Event) bool { return e.Event == "delivered" }); err != nil {
		t.Error(err)
	}
	for _, p := range []*drive.Peer{ann, bob} {
		if err := p.Quit(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHeldExpires: what nobody came to read in time is given up, with its ref and
// a reason; nobody reads it later.
func TestHeldExpires(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	config := filepath.Join(homeOf(dir, "ann"), "config", "coterie")
	if err := os.MkdirAll(config, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "config.toml"), []byte("hold = \"1s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann := peerProcess(ctx, t, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := ann.Write(`{"send":"too early","ref":"x"}`); err != nil {
		t.Fatal(err)
	}
	e, err := ann.Wait(ctx, "the message given up", func(e drive.Event) bool { return e.Event == "rejected" })
	if err != nil {
		t.Fatal(err)
	}
	if e.Code != "alone" || e.Ref != "x" || e.Text == "" {
		t.Errorf("got %+v", e)
	}
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at.Addrs[0])
	if _, err := drive.Together(ctx, ann, bob); err != nil {
		t.Fatal(err)
	}
	if err := ann.Say("in time"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, "in time"); err != nil {
		t.Fatal(err)
	}
	events, _ := bob.Events()
	for _, e := range events {
		if e.Event == "message" && e.Text == "too early" {
			t.Error("what was given up went out")
		}
	}
	for _, p := range []*drive.Peer{ann, bob} {
		if err := p.Quit(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ann.Exit(ctx); err != nil {
		t.Fatal(err)
	}
	if b, _ := ann.Events(); b[len(b)-1].Event != "bye" {
		t.Error("no bye")
	}
}
