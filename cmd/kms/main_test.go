package main

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// The scripts run this very test program as kms, with a clock and randomness of
// their own (TEST_NOW, TEST_SEED) and cheap passphrases: none of that is in the
// real one.
func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		os.Exit(testApp().run(os.Args[1:], os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"kms": func() { os.Exit(testApp().run(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

func testApp() *app {
	a := &app{now: time.Now, rand: rand.Reader, workFactor: 4}
	if at, err := time.Parse(time.RFC3339, os.Getenv("TEST_NOW")); err == nil {
		a.now = func() time.Time { return at }
	}
	if seed := os.Getenv("TEST_SEED"); seed != "" {
		var key [32]byte
		copy(key[:], seed)
		a.rand = mathrand.NewChaCha8(key)
	}
	return a
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TEST_NOW", "2026-11-23T08:55:00Z")
			e.Setenv("TEST_SEED", "a seed for tests")
			return os.Chmod(e.WorkDir, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":    status,
			"at":        at,
			"identity":  identity,
			"damage":    damage,
			"loop":      loop,
			"hostile":   hostile,
			"clean":     clean,
			"different": different,
			"request":   makeRequest,
			"recipient": makeRecipient,
			"expand":    expand,
			"swap":      swapRecipient,
			"ttytype":   typeWords,
		},
		RequireExplicitExec: true,
		// A question that no script answers would wait for ever.
		Deadline: time.Now().Add(10 * time.Minute),
	})
}

// status runs a command that must end with a status:  status 2 kms policy ...
func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%q ended with status %d, want %s", args[1:], got, args[0])
	}
}

// at sets the clock:  at 2027-02-24
func at(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("TEST_NOW", args[0]+"T08:55:00Z")
}

// identity makes an age identity file, with a passphrase if one is given, and
// sets RECIPIENT and RECIPIENT_SHORT:  identity FILE [PASSPHRASE]
func identity(ts *testscript.TestScript, _ bool, args []string) {
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	data := []byte("# public key: " + id.Recipient().String() + "\n" + id.String() + "\n")
	if len(args) > 1 {
		data, err = keyfile.EncryptPassphrase(data, []byte(args[1]), 4)
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
	ts.Setenv("RECIPIENT", id.Recipient().String())
	ts.Setenv("RECIPIENT_SHORT", keyfile.ShortRecipient(id.Recipient().String()))
}

// makeRequest writes a request of a new identity, and sets RECIPIENT,
// RECIPIENT_SHORT, CODE, and TYPED, which are keys that type the code with Tab:
// request FILE NAME WANT... [domain=FINGERPRINT]
func makeRequest(ts *testscript.TestScript, _ bool, args []string) {
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	now, err := time.Parse(time.RFC3339, ts.Getenv("TEST_NOW"))
	ts.Check(err)
	r := &request.Request{Name: args[1], Recipient: id.Recipient().String(), Made: abe.DayOf(now)}
	for _, text := range args[2:] {
		if domain, ok := strings.CutPrefix(text, "domain="); ok {
			r.Domain = domain
			continue
		}
		a, err := abe.ParseAttribute(text)
		ts.Check(err)
		r.Want = append(r.Want, a)
	}
	data, err := r.Marshal()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
	setRequest(ts, r)
}

// makeRecipient sets environment variables to age recipients of nobody.
func makeRecipient(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		id, err := age.GenerateX25519Identity()
		ts.Check(err)
		ts.Setenv(name, id.Recipient().String())
	}
}

// expand writes a file, out of one of that name and .in, with its environment
// variables filled in.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]+".in"), ts.Getenv)), 0o644))
}

func setRequest(ts *testscript.TestScript, r *request.Request) {
	code, err := r.Code()
	ts.Check(err)
	var typed strings.Builder
	for _, w := range strings.Split(code, "-") {
		typed.WriteString(w[:min(4, len(w))])
		// Tab completes four letters; a word of fewer may begin another.
		if len(w) >= 4 {
			typed.WriteString("\t")
		} else {
			typed.WriteString("-")
		}
	}
	ts.Setenv("CODE", code)
	ts.Setenv("TYPED", strings.TrimSuffix(typed.String(), "-"))
	ts.Setenv("RECIPIENT", r.Recipient)
	ts.Setenv("RECIPIENT_SHORT", keyfile.ShortRecipient(r.Recipient))
}

// swapRecipient does what somebody on the way of a request would do, and sets
// SWAPPED to the code of what arrives.
func swapRecipient(ts *testscript.TestScript, _ bool, args []string) {
	r, err := request.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	r.Recipient = id.Recipient().String()
	data, err := r.Marshal()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
	code, err := r.Code()
	ts.Check(err)
	ts.Setenv("SWAPPED", code)
}

// typeWords writes what is typed on the terminal: the passphrase, and the words.
func typeWords(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("anchor-velvet-tundra\n"+args[1]+"\n"), 0o600))
}

// damage changes a file:  damage FILE flip|cut|utf16
func damage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	switch args[1] {
	case "flip":
		data[len(data)-100] ^= 1
	case "cut":
		data = data[:len(data)-10]
	case "utf16":
		wide := []byte{0xff, 0xfe}
		for _, b := range data {
			wide = append(wide, b, 0)
		}
		data = wide
	}
	ts.Check(os.WriteFile(path, data, 0o600))
}

// loop sets an environment variable to a repeated text, with each # replaced by
// the turn:  loop NAME TIMES TEXT
func loop(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(args[2], "#", strconv.Itoa(i)))
	}
	ts.Setenv(args[0], b.String())
}

// hostile sets environment variables to characters that must never reach a
// terminal raw.
func hostile(ts *testscript.TestScript, _ bool, names []string) {
	for i, c := range []string{"\x1b[2J\x1b]0;x\a", "\u202e", "\r", "\u009b31m"} {
		ts.Setenv(names[i], c)
	}
}

// clean checks that the last command printed nothing but visible characters.
func clean(ts *testscript.TestScript, _ bool, _ []string) {
	for _, stream := range []string{"stdout", "stderr"} {
		for _, r := range ts.ReadFile(stream) {
			if r != '\n' && !unicode.IsPrint(r) {
				ts.Fatalf("%s has %U in it", stream, r)
			}
		}
	}
}

// different checks that key files have the numbers from 1, each once:
// different 4 FILE...
func different(ts *testscript.TestScript, _ bool, args []string) {
	seen := make(map[uint64]bool)
	for _, file := range args[1:] {
		k, err := keyfile.LoadKey(ts.MkAbs(file), nil)
		ts.Check(err)
		seen[k.Serial()] = true
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		if !seen[uint64(i)+1] {
			ts.Fatalf("no key has number %d: %v", i+1, seen)
		}
	}
}

// commands are all commands there are, with their arguments.
func commands(cmd *cobra.Command) (all []*cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.Hidden {
			continue
		}
		all = append(all, sub)
		all = append(all, commands(sub)...)
	}
	return all
}

// TestExitStatus: 0 done, 1 it failed, 2 wrong usage, for every command.
func TestExitStatus(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("pass", []byte("anchor-velvet-tundra\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status := func(args ...string) (int, string) {
		var out, errs strings.Builder
		got := testApp().run(args, &out, &errs)
		// policy explains what it was given, whoever satisfies it.
		if got != 0 && len(args) > 0 && args[0] != "policy" &&
			(out.Len() > 0 || !strings.HasPrefix(errs.String(), "error: ") && !strings.Contains(errs.String(), "\nusage: ")) {
			t.Errorf("%q ended with %d and said %q, %q", args, got, out.String(), errs.String())
		}
		return got, errs.String()
	}
	for _, cmd := range commands(testApp().root()) {
		words := strings.Fields(cmd.CommandPath())[1:]
		// An unknown flag, and more arguments than any command takes.
		for _, more := range [][]string{{"--no-such-flag"}, {"a", "b", "c"}} {
			if got, errs := status(append(slices.Clone(words), more...)...); got != 2 {
				t.Errorf("%q ended with %d: %s", append(words, more...), got, errs)
			}
		}
		// Whatever needs an argument or a flag says which.
		needs := regexp.MustCompile(`^\w+ (['(A-Z]|--)`).MatchString(cmd.Use)
		if got, errs := status(words...); needs && got != 2 {
			t.Errorf("%q ended with %d: %s", words, got, errs)
		}
	}
	for _, c := range []struct {
		status int
		args   string
	}{
		{2, ""}, {2, "isue"}, {2, "ledger"}, {2, "ledger verfy"}, {0, "--help"}, {0, "help issue"}, {2, "help isue"},
		{0, "version"}, {0, "completion bash"},
		{0, "init NTNU --passphrase-file pass"}, {1, "init NTNU --passphrase-file pass"}, {2, "init"},
		{0, "issue --attr NTNU --expires 1d -o a.key --passphrase-file pass"},
		{1, "issue --attr NTNU --expires 1d -o a.key --passphrase-file pass"},
		{2, "issue --attr NTNU"}, {2, "issue -o x"}, {2, "issue --attr NTNU --expires never -o x --passphrase-file pass"},
		{0, "list --passphrase-file pass"}, {1, "list"}, {1, "list --domain none --passphrase-file pass"},
		{1, "list --passphrase-file a.key"},
		{0, "policy NTNU --key a.key"}, {1, "policy ntnu --key a.key"}, {2, "policy NTNU) --key a.key"},
		{1, "policy NTNU --key none"},
		{0, "inspect a.key"}, {1, "inspect none"}, {0, "ledger verify --passphrase-file pass"},
		{1, "renew 7 --passphrase-file pass"}, {2, "restore none"},
	} {
		if got, errs := status(strings.Fields(c.args)...); got != c.status {
			t.Errorf("%q ended with %d, want %d: %s", c.args, got, c.status, errs)
		}
	}
}

// Each command has a page in the manual, and the shells complete them all.
func TestManualAndCompletion(t *testing.T) {
	t.Chdir(t.TempDir())
	var out, errs strings.Builder
	if got := testApp().run([]string{"man", "man1"}, &out, &errs); got != 0 {
		t.Fatal(errs.String())
	}
	for _, cmd := range commands(testApp().root()) {
		page, err := os.ReadFile("man1/" + strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1")
		if err != nil || !strings.Contains(string(page), ".SH SYNOPSIS") {
			t.Errorf("%s: %v, %d bytes", cmd.CommandPath(), err, len(page))
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var script strings.Builder
		if got := testApp().run([]string{"completion", shell}, &script, &errs); got != 0 || !strings.Contains(script.String(),
			"kms") {
			t.Errorf("%s: %d, %s", shell, got, errs.String())
		}
	}
	// What completes depends on the folder.
	for _, name := range []string{"NTNU", "UiO"} {
		if err := os.WriteFile(name+".master", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ typed, want string }{
		{"iss", "issue\t"}, {"list --domain ", "NTNU\nUiO\n"}, {"ledger ", "verify\t"}, {"issue --uncheck", "--unchecked\t"},
		{"issue --csv ", ":8\n"},
	} {
		var found strings.Builder
		testApp().run(append([]string{"__complete"}, strings.Split(c.typed, " ")...), &found, &errs)
		if !strings.Contains(found.String(), c.want) {
			t.Errorf("%q completes to %q", c.typed, found.String())
		}
	}
}

func TestHelpFitsAScreen(t *testing.T) {
	helps := []string{""}
	for _, cmd := range commands(testApp().root()) {
		helps = append(helps, strings.TrimPrefix(cmd.CommandPath(), "kms "))
	}
	for _, command := range helps {
		var out, errs strings.Builder
		args := append(strings.Fields(command), "--help")
		if got := testApp().run(args, &out, &errs); got != 0 || errs.Len() > 0 {
			t.Errorf("%q ended with %d and said %q", args, got, errs.String())
		}
		if lines := strings.Count(out.String(), "\n"); lines < 3 || lines > 24 {
			t.Errorf("%q prints %d lines", args, lines)
		}
	}
}
