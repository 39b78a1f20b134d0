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
	"testing"

	"coterie/cmd/internal/drive"
	"coterie/crypto/golden"
	"coterie/room/record"
)

func theSchema(t *testing.T) drive.Schema {
	t.Helper()
	s, err := drive.ReadSchema("lines/testdata/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compareGolden compares with a file in testdata.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	golden.Compare(t, filepath.Join("testdata", name), []byte(got))
}

// run runs coterie as a process, with input, and returns what it wrote.
func run(t *testing.T, dir, input string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return runAt(t, dir, dir, input, args...)
}

// runAt runs coterie with another home.
func runAt(t *testing.T, dir, at, input string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return runWith(t, dir, at, input, nil, args...)
}

// runWith runs coterie with more in its environment.
func runWith(t *testing.T, dir, at, input string, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Dir = dir
	cmd.Env = append(append(append(os.Environ(), asProcess+"=1"), home(at)...), env...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	detach(cmd)
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
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	sch := theSchema(t)
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
		{"unknown input", "{\"x\":1}\n{\n" + strings.Repeat("y", 70000) + "\n", "eof", join("--key", "ann.key", "--policy",
			thePolicy), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, status := run(t, dir, test.input, test.args...)
			lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
			var events []string
			for _, l := range lines {
				event, err := sch.Check([]byte(l))
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
	ctx, dir := stage(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe, "join", "den", "--json", "--stay", "--key", "ann.key", "--policy", thePolicy,
		"--listen", "/ip4/127.0.0.1/tcp/0")
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
	t.Parallel()
	ctx, dir := stage(t)
	ann, at := first(ctx, t, dir, "ann")
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
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob)
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
	t.Parallel()
	ctx, dir := stage(t)
	ann, at := first(ctx, t, dir, "ann")
	for i := range 20 {
		if err := ann.Say(fmt.Sprint("held ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ann.Wait(ctx, "the last one held", func(e drive.Event) bool {
		return e.Event == "held" &&
			e.Reason == "alone"
	}); err != nil {
		t.Fatal(err)
	}
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
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

// TestHeldAsks: what nobody came to read in time is not sent without a word: the program is told,
// and says it.
func TestHeldAsks(t *testing.T) {
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
	ann, at := first(ctx, t, dir, "ann")
	if err := ann.Write(`{"send":"too early","ref":"x"}`); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Wait(ctx, "that it waits", func(e drive.Event) bool { return e.Event == "unsaid" }); err != nil {
		t.Fatal(err)
	}
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob)
	if err := ann.Say("in time"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, "in time"); err != nil {
		t.Fatal(err)
	}
	events, _ := bob.Events()
	for _, e := range events {
		if e.Event == "message" && e.Text == "too early" {
			t.Error("it went out without a word")
		}
	}
	if err := ann.Write(`{"send_held":true}`); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, "too early"); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Wait(ctx, "that it was sent", func(e drive.Event) bool {
		return e.Event == "sent" && e.Ref == "x"
	}); err != nil {
		t.Error(err)
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
