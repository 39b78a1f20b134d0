package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coterie/room"
	"coterie/room/record"
)

// TestPlainLines: one of every event as people read it, word for word.
func TestPlainLines(t *testing.T) {
	t.Setenv("TZ", "UTC")
	time.Local = time.UTC
	for _, clock := range []string{"short", "full", "none", "15.04.05"} {
		s, _, _ := tape(t)
		var b bytes.Buffer
		out, err := newPlain(&b, &b, s.app.now, clock)
		if err != nil {
			t.Fatal(err)
		}
		s.out = out
		other, relay := somePeer(t, 1), somePeer(t, 2)
		s.names.take(s.node.Self(), "kari")
		events := append(everyEvent(s.node.Self(), other, relay), room.Delivered{
			Author: room.Member{Peer: other, Name: "ann"}, Received: s.app.now(),
			Message: record.Body{Counter: 2, Time: uint64(s.app.now().UnixMilli()), Kind: record.KindText, Text: "first\r\nsecond \x1b[31mred\nforged\r12:00 kari: third\u202e"},
		})
		for _, e := range events {
			s.handle(e)
		}
		for len(s.errands) > 0 {
			<-s.errands // looks at how things stand, which are another's here
		}
		for _, l := range []string{"/who", "/info", "/help prove", "/whois ann", "/search second", "/ignore ann", "/unignore ann", "/nosuch", "/prove ann", "/who me", "/nick system"} {
			in := parsePlain(l)
			if in.bad != nil {
				s.handle(refusal{err: in.bad})
			} else {
				s.want(*in.wanted)
			}
			if strings.HasPrefix(l, "/search") {
				answer(t, s)
			}
		}
		out.bye("quit", 0, 0)
		for i, l := range strings.Split(b.String(), "\n") {
			if strings.ContainsAny(l, "\x1b\r\u202e") {
				t.Errorf("line %d has a character that must not reach a terminal: %q", i+1, l)
			}
		}
		text := strings.ReplaceAll(b.String(), s.node.Self().String(), "SELF")
		text = strings.ReplaceAll(text, s.names.tag(s.node.Self()), "~self")
		text = strings.ReplaceAll(text, room.Fingerprint(s.plan.descriptor.ID()), "ROOM")
		text = strings.ReplaceAll(text, s.plan.key.Domain().Fingerprint(), "DOMAIN")
		text = strings.ReplaceAll(text, s.plan.key.Expires().String(), "EXPIRES")
		if clock == "short" {
			compareGolden(t, "plain.golden", text)
		}
		want := map[string]string{"short": "09:00 ann: first\n09:00 ann| second ", "full": "2026-11-23T09:00:00Z ann: first\n", "none": "\nann: first\nann| second ", "15.04.05": "09.00.00 ann: first\n"}[clock]
		if !strings.Contains(text, want) {
			t.Errorf("--time %s: no %q in\n%s", clock, want, text)
		}
	}
}

// answer runs a session's errands until one has an answer, and shows it.
func answer(t *testing.T, s *session) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.work(ctx)
	(<-s.mail)()
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
		{[]string{relay, near, "/ip4/10.0.0.7/udp/1", "/ip4/10.0.0.7/udp/2", "/ip4/10.0.0.7/udp/3"}, false, ". Trying: relay.ntnu.no, 127.0.0.1 tcp 7101, 10.0.0.7 udp 1, and 2 more"},
	} {
		addrs, err := addresses("", test.addrs)
		if err != nil {
			t.Fatal(err)
		}
		if got := tryingText(addrs, test.mdns); got != test.want {
			t.Errorf("%q: %q", test.addrs, got)
		}
	}
}

// TestParsePlain: a line is a message unless it begins with one slash; an unknown
// command is never sent.
func TestParsePlain(t *testing.T) {
	for _, test := range []struct{ in, text, word string }{
		{"hello", "hello", ""}, {"//x", "/x", ""}, {"\\n", "\\n", ""}, {"{\"send\":1}", "{\"send\":1}", ""},
		{"/me waves", "waves", ""}, {"/who", "", "who"}, {"/prove ann NTNU and \"5th year\"", "", "prove"}, {"/yes", "", "answer"},
	} {
		l := parsePlain(test.in)
		word := ""
		if l.wanted != nil {
			word = l.wanted.word
		}
		if l.bad != nil || l.text != test.text || word != test.word {
			t.Errorf("%q: %+v", test.in, l)
		}
	}
	for _, bad := range []string{"/", "/qiut", "/me", "/who ann", "/prove ann", "/nick"} {
		if l := parsePlain(bad); l.bad == nil {
			t.Errorf("%q is taken as %+v", bad, l)
		}
	}
	if l := parsePlain("/prove ann NTNU and \"5th year\""); l.wanted.who != "ann" || l.wanted.text != `NTNU and "5th year"` {
		t.Errorf("%+v", l.wanted)
	}
}

// TestParseJSON: exactly one verb, and nothing that is not known.
func TestParseJSON(t *testing.T) {
	for in, word := range map[string]string{
		`{"nick":"a"}`: "nick", `{"rekey":true}`: "rekey", `{"ping":"ann"}`: "ping", `{"status":true}`: "status", `{"drop":true}`: "drop",
		`{"search":"x","limit":3,"after":"2026-11-23T09:00:00Z"}`: "search", `{"prove":"ann","expr":"A"}`: "prove", `{"answer":"1","allow":false}`: "answer", `{"ignore":"ann"}`: "ignore",
	} {
		if l := parseJSON(in); l.wanted == nil || l.wanted.word != word {
			t.Errorf("%s: %+v", in, l)
		}
	}
	for _, bad := range []string{
		`{`, `{}`, `{"send":""}`, `{"send":"a","quit":true}`, `{"send":"a"}{"send":"b"}`, `{"send":"a"} x`, `{"quit":true,"linger_ms":-1}`, `{"prove":"ann"}`, `{"answer":"1"}`,
		`{"search":"x","limit":0}`, `{"search":"x","after":"noon"}`, `{"send":1}`, `{"send":"a","reff":1}`, `{"unknown":true}`, `{"quit":false}`,
	} {
		if l := parseJSON(bad); l.bad == nil || l.bad.Code != "bad-input" {
			t.Errorf("%s is taken as %+v", bad, l)
		}
	}
	if l := parseJSON(`{"quit":true,"linger_ms":1500}`); !l.quit || l.linger != 1500*time.Millisecond {
		t.Errorf("%+v", l)
	}
	if l := parseJSON("plain"); l.text != "plain" {
		t.Errorf("%+v", l)
	}
}

// TestExitStatus: 0 done, 1 it failed, 2 wrong usage, whatever the command.
func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	for _, test := range []struct {
		status int
		args   string
	}{
		{0, "version"}, {0, "help"}, {0, "help join"}, {0, "help policies"}, {0, "join --help"}, {0, "config"}, {0, "rooms"}, {0, "rooms --json"},
		{0, "completion bash"}, {0, "key ann.key"}, {0, "man pages"},
		{1, "key old.key"}, {1, "key nobody.key"}, {1, "link exam"}, {1, "forget exam"}, {1, "rooms --move exam"}, {1, "doctor --key damaged.key"},
		{2, ""}, {2, "jion"}, {2, "join"}, {2, "join a b"}, {2, "key"}, {2, "link"}, {2, "ping"}, {2, "forget"}, {2, "relay x"}, {2, "demo x"}, {2, "status"},
		{2, "join den --linger x"}, {2, "join den --time noon --key ann.key --policy ONE"}, {2, "version --x"}, {2, "help nothing"}, {2, "--profile ../x config"}, {2, "link --qr --json ann.key"},
	} {
		_, stderr, status := run(t, dir, "", strings.Fields(test.args)...)
		if status != test.status {
			t.Errorf("coterie %s: status %d, not %d\n%s", test.args, status, test.status, stderr)
		}
		if status != 0 && test.args != "" && !strings.HasPrefix(stderr, "error: ") && !strings.HasPrefix(test.args, "doctor") {
			t.Errorf("coterie %s says %q", test.args, stderr)
		}
	}
	pages, err := os.ReadDir(filepath.Join(dir, "pages"))
	if err != nil || len(pages) < 15 {
		t.Errorf("%d man pages, %v", len(pages), err)
	}
}

// TestHelpFits: at most 24 lines, examples first.
func TestHelpFits(t *testing.T) {
	dir := t.TempDir()
	for _, word := range []string{"demo", "relay", "rooms", "status", "ping", "doctor", "link", "passphrase", "forget", "config", "policies", "links", "security", "environment", "exit-codes"} {
		stdout, _, _ := run(t, dir, "", "help", word)
		if n := strings.Count(stdout, "\n"); n > 24 || n < 2 {
			t.Errorf("coterie help %s has %d lines", word, n)
		}
	}
}

// TestCompletion: rooms, key files and one's own attributes, and never a name of
// somebody's.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	if _, stderr, status := run(t, dir, "", "join", "den", "--key", "ann.key", "--policy", thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Fatal(stderr)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"join", "d"}, "den\n"}, {[]string{"forget", ""}, "den\n"}, {[]string{"join", "x"}, ":4\n"},
		{[]string{"join", "den", "--key", ""}, "key\n"}, {[]string{"join", "den", "--time", ""}, "short\nfull\nnone\n"},
		{[]string{"join", "den", "--key", "ann.key", "--policy", "ONE and T"}, "ONE and THREE\nONE and TWO\n"},
	} {
		stdout, _, status := run(t, dir, "", append([]string{"__complete"}, test.args...)...)
		if status != 0 || !strings.Contains(stdout, test.want) {
			t.Errorf("%q: %q", test.args, stdout)
		}
	}
}

// TestPassphraseCommand: the settings may say where the passphrase comes from.
func TestPassphraseCommand(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	config := filepath.Join(dir, "config", "coterie")
	if err := os.MkdirAll(config, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("passphrase_command = [\"cat\", %q]\nidentity = %q\n", filepath.Join(dir, "right"), filepath.Join(dir, "identity"))
	if err := os.WriteFile(filepath.Join(config, "config.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := run(t, dir, "", "join", "den", "--key", "sealed.key", "--policy", thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
}
