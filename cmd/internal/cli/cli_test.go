package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// program is a small program that uses all of Run.
func program(ran *string) *cobra.Command {
	root := &cobra.Command{Use: "coterie", Short: "group chat"}
	join := &cobra.Command{
		Use: "join ROOM", Short: "enter a room", Args: Args("ROOM"),
		Example: "  coterie join exam --key FILE\n  coterie join LINK",
		RunE: func(_ *cobra.Command, args []string) error {
			*ran = "join " + args[0]
			if args[0] == "broken" {
				return errors.New("It broke")
			}
			return nil
		},
	}
	join.Flags().String("key", "", "the key `FILE`")
	join.Flags().String("policy", "", "the `POLICY`")
	join.Flags().Int("history", 0, "how much")
	join.MarkFlagRequired("key")
	room := &cobra.Command{Use: "room", Short: "rooms"}
	room.AddCommand(&cobra.Command{Use: "list", Short: "list them", Run: func(*cobra.Command, []string) { *ran = "list" }})
	root.AddCommand(join, room, Version("coterie"))
	return root
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		stderr string
	}{
		{"join exam --key k", 0, ""},
		{"join broken --key k", 1, "error: It broke\n"},
		{"room list", 0, ""},
		{"version", 0, ""},
		{"--version", 0, ""},
		{"join --key k", 2, "error: missing ROOM\nhint: coterie join exam --key FILE\n"},
		{"join exam", 2, "error: missing --key\nhint: coterie join exam --key FILE\n"},
		{"join exam den --key k", 2, "error: unexpected argument \"den\"\nhint: coterie join exam --key FILE\n"},
		{"jion exam", 2, "error: unknown command \"jion\"\nhint: did you mean coterie join?\n"},
		{"frobnicate", 2, "error: unknown command \"frobnicate\"\nhint: coterie --help\n"},
		{"room lst", 2, "error: unknown command \"lst\"\nhint: did you mean coterie room list?\n"},
		{"room list all", 2, "error: unexpected argument \"all\"\nhint: coterie room list --help\n"},
		{"version now", 2, "error: unexpected argument \"now\"\nhint: coterie version --help\n"},
		{"help jion", 2, "error: unknown command \"jion\"\nhint: did you mean coterie join?\n"},
		{"join exam --polcy x", 2, "error: unknown flag --polcy\nhint: did you mean --policy?\n"},
		{"join exam --zzz", 2, "error: unknown flag --zzz\nhint: coterie join --help\n"},
		{"join exam -q", 2, "error: unknown flag -q\nhint: coterie join --help\n"},
		{"join exam --key", 2, "error: --key needs a value\nhint: coterie join exam --key FILE\n"},
		{"join exam --history x", 2, "error: --history: \"x\" is not a number\n"},
		{"completion cobol", 2, ""},
	} {
		var ran string
		var out, errs bytes.Buffer
		root := program(&ran)
		root.SetOut(&out)
		if got := Run(root, strings.Fields(c.args), &errs); got != c.status {
			t.Errorf("%q ended with %d, want %d", c.args, got, c.status)
		}
		if c.stderr != "" && errs.String() != c.stderr {
			t.Errorf("%q said\n%swant\n%s", c.args, errs.String(), c.stderr)
		}
		if c.status == 0 && errs.Len() > 0 {
			t.Errorf("%q said %q and succeeded", c.args, errs.String())
		}
		if c.status == 2 && ran != "" {
			t.Errorf("%q ran %s", c.args, ran)
		}
	}
}

func TestNoCommandIsWrongUsage(t *testing.T) {
	for _, args := range []string{"", "room"} {
		var ran string
		var out, errs bytes.Buffer
		root := program(&ran)
		root.SetOut(&out)
		if got := Run(root, strings.Fields(args), &errs); got != StatusUsage {
			t.Errorf("%q ended with %d", args, got)
		}
		if out.Len() > 0 || !strings.Contains(errs.String(), "usage: coterie") {
			t.Errorf("%q: stdout %q, stderr %q", args, out.String(), errs.String())
		}
	}
}

func TestHelpHasExamplesFirst(t *testing.T) {
	for _, args := range []string{"join --help", "help join", "join -h"} {
		var ran string
		var out, errs bytes.Buffer
		root := program(&ran)
		root.SetOut(&out)
		if got := Run(root, strings.Fields(args), &errs); got != 0 || errs.Len() > 0 {
			t.Errorf("%q ended with %d and said %q", args, got, errs.String())
		}
		want := "enter a room\n\n  coterie join exam --key FILE\n  coterie join LINK\n\nusage: coterie join ROOM\n"
		if !strings.HasPrefix(out.String(), want) || !strings.Contains(out.String(), "--policy POLICY") {
			t.Errorf("%q prints\n%s", args, out.String())
		}
	}
}

func TestReport(t *testing.T) {
	var b bytes.Buffer
	err := fmt.Errorf("issuing: %w", Fail("x", "it %s\x1b[2J", "broke").Detail("why\r", "how").Hint("do %s",
		"this").Hint("or that"))
	if got := Report(&b, err); got != 1 {
		t.Errorf("status %d", got)
	}
	want := "error: it broke\u241b[2J\n  why\u240d\n  how\nhint: do this\nhint: or that\n"
	if b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
	b.Reset()
	if Report(&b, nil) != 0 || Report(&b, Silent(1)) != 1 || Report(&b, &Error{}) != 1 || b.Len() > 0 {
		t.Errorf("printed %q", b.String())
	}
}

// The catalogue, word for word.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
		want string
	}{
		{&keyfile.ExistsError{Path: "kari.key"}, "exists", "error: kari.key exists\nhint: nothing is overwritten; choose " +
			"another name, or move that file away\n"},
		{&keyfile.NotExistError{Path: "kari.key", Near: []string{"karin.key"}}, "file-missing",
			"error: kari.key: no such file\nhint: did you mean karin.key?\n"},
		{&keyfile.NotExistError{Path: "kari.key"}, "file-missing", "error: kari.key: no such file\n"},
		{&keyfile.PermissionError{Path: "kari.key", Mode: 0o644}, "permissions",
			"error: kari.key can be read by others (mode 0644)\nhint: chmod 600 kari.key\n"},
		{&keyfile.PermissionError{Path: "my key", Mode: 0o622}, "permissions",
			"error: my key can be changed by others (mode 0622)\nhint: chmod 600 'my key'\n"},
		{&keyfile.PermissionError{Path: "keys", Mode: 0o777 | fs.ModeDir, Folder: true}, "permissions",
			"error: anybody can replace files in keys (mode 0777)\nhint: chmod o-w keys\n"},
		{&keyfile.OwnerError{Path: "kari.key", Owner: "root"}, "wrong-owner",
			"error: kari.key belongs to root\nhint: sudo chown \"$(id -un)\" kari.key\n"},
		{&keyfile.KindError{Path: "NTNU.domain", Got: keyfile.Domain, Want: keyfile.Key}, "file-wrong-kind",
			"error: NTNU.domain is a domain's public parameters, not a key\nhint: --key wants the file the operator sent you\n"},
		{&keyfile.KindError{Path: "kari.identity", Got: keyfile.Identity, Want: keyfile.Key}, "file-wrong-kind",
			"error: kari.identity is an age identity, not a key\nhint: an identity opens a sealed key: --key wants the key, " +
				"--identity this file\n"},
		{&keyfile.DamagedError{Path: "kari.key", Size: 9412, Err: abe.ErrFormat}, "file-damaged",
			"error: kari.key is damaged; 9,412 bytes\nhint: it was cut short or changed on the way; copy kari.key again from " +
				"where it was made\n"},
		{&keyfile.DamagedError{Path: "kari.key", Size: 18826, UTF16: true}, "file-damaged",
			"error: kari.key is damaged; 18,826 bytes, starts as UTF-16 text does\nhint: PowerShell's '>' rewrote it; copy " +
				"the file instead\n"},
		{&keyfile.VersionError{Path: "kari.key", Kind: keyfile.Key}, "file-newer",
			"error: kari.key is a key of a format this version does not know\nhint: it was made by a newer version; get that " +
				"one\n"},
		{&keyfile.SizeError{Path: "kari.key", Size: 5_000_000}, "file-wrong-kind",
			"error: kari.key is far too large (5.0 MB)\nhint: no file of Coterie's is larger than 1.0 MB\n"},
		{&keyfile.NotRegularError{Path: "keys", Mode: fs.ModeDir}, "file-wrong-kind",
			"error: keys is a folder, not a file\n"},
		{&keyfile.PassphraseError{Path: "NTNU.master"}, "wrong-passphrase", "error: wrong passphrase for NTNU.master\n"},
		{&keyfile.NotForYouError{Path: "kari.key", Yours: []string{"age1x0k2…99fv"}}, "not-for-you",
			"error: kari.key is sealed for somebody else; your identity is age1x0k2…99fv\nhint: --identity FILE if you made " +
				"the request on another computer\n"},
		{&keyfile.SealedError{Path: "kari.key"}, "no-identity", "error: kari.key is sealed for its owner\nhint: give the " +
			"identity it was sealed for:  --identity FILE\n"},
		{errors.New("something else"), "failed", "error: something else\n"},
	} {
		var b bytes.Buffer
		wrapped := fmt.Errorf("opening key file: %w", c.err)
		if got := Describe(wrapped).Code; got != c.code {
			t.Errorf("%v: code %s, want %s", c.err, got, c.code)
		}
		if c.code == "failed" {
			wrapped = c.err
		}
		Report(&b, wrapped)
		if b.String() != c.want {
			t.Errorf("printed\n%swant\n%s", b.String(), c.want)
		}
	}
}

func TestDescribePolicy(t *testing.T) {
	_, err := abe.ParsePolicy("")
	e := Describe(fmt.Errorf("room: %w", err))
	if e.Code != "bad-policy" || e.Status != StatusUsage || !strings.HasPrefix(e.Text, "policy: ") {
		t.Errorf("%+v", e)
	}
}

func TestClean(t *testing.T) {
	// Package text says how.
	if got, want := Clean("ok\r12:00 alice:\x1b[2J\u202e\n"), "ok\u240d12:00 alice:\u241b[2J\\u{202e}\u240a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPassphraseFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	for _, c := range []struct{ text, want string }{
		{"anchor velvet", "anchor velvet"},
		{"anchor velvet\n", "anchor velvet"},
		{"anchor velvet\r\nnext line", "anchor velvet"},
		{" spaces stay ", " spaces stay "},
	} {
		os.WriteFile(path, []byte(c.text), 0o600)
		got, err := Passphrase("", PassphraseOptions{File: path})
		if err != nil || string(got) != c.want {
			t.Errorf("%q gives %q, %v", c.text, got, err)
		}
	}
	for _, text := range []string{"", "\nsecond line", "\r\n"} {
		os.WriteFile(path, []byte(text), 0o600)
		if _, err := Passphrase("", PassphraseOptions{File: path, AllowEmpty: true}); err == nil || Describe(err).
			Code != "no-passphrase" {
			t.Errorf("%q gives %v", text, err)
		}
	}
	os.WriteFile(path, []byte("anchor"), 0o600)
	os.Chmod(path, 0o644)
	var loose *keyfile.PermissionError
	if _, err := Passphrase("", PassphraseOptions{File: path}); !errors.As(err, &loose) {
		t.Errorf("a passphrase file others can read gives %v", err)
	}
}

func TestPassphraseFileIsTriedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	os.WriteFile(path, []byte("anchor"), 0o600)
	calls := 0
	var seen []byte
	err := WithPassphrase("", PassphraseOptions{File: path}, func(p []byte) error {
		calls++
		seen = p
		return &keyfile.PassphraseError{Path: "NTNU.master"}
	})
	if calls != 1 || !errors.Is(err, keyfile.ErrWrongPassphrase) {
		t.Errorf("%d tries, %v", calls, err)
	}
	if !bytes.Equal(seen, make([]byte, len("anchor"))) {
		t.Error("the passphrase was not cleared")
	}
}

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		Count(0): "0", Count(999): "999", Count(9412): "9,412", Count(2704156): "2,704,156",
		Size(1): "1 byte", Size(999): "999 bytes", Size(9412): "9.4 kB", Size(5_000_000): "5.0 MB",
		Plural(1, "day"): "1 day", Plural(90, "day"): "90 days", Plural(2, "address"): "2 addresses",
		Quote("kari.key"): "kari.key", Quote("my key"): "'my key'", Quote("it's"): `'it'\''s'`, Quote(""): "''",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestHelpCannotBeWritten: where nobody reads the help, that is an error like any
// other.
func TestHelpCannotBeWritten(t *testing.T) {
	for _, args := range []string{"--help", "help", "help join", "join --help", "room list --help"} {
		var ran string
		var errs bytes.Buffer
		root := program(&ran)
		root.SetOut(closed{})
		if status := Run(root, strings.Fields(args), &errs); status != StatusFailed ||
			!strings.HasPrefix(errs.String(), "error: ") {
			t.Errorf("%q: status %d, %q", args, status, errs.String())
		}
	}
}

// closed is a pipe whose other end is gone.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestLinesAreBrokenBetweenWords: at every width no word is cut, none is lost, and
// what a caret points into stays as it is.
func TestLinesAreBrokenBetweenWords(t *testing.T) {
	e := Fail("x", "history of exam cannot be opened with this identity and blåbærsyltetøy").
		Detail("policy   (\"NTNU\" and \"5th year\") or \"Professor\" or \"a rather long attribute\"").
		Hint("coterie join exam --key /home/kari/keys/a-very-long-file-name-that-fits-nowhere.key --policy 'EXPR'")
	whole := lines("error", e, 0)
	if len(whole) != 3 {
		t.Fatalf("%q", whole)
	}
	words := strings.Fields(strings.Join(whole, " "))
	for width := 1; width < 120; width++ {
		out := lines("error", e, width)
		if got := strings.Fields(strings.Join(out, " ")); !slices.Equal(got, words) {
			t.Fatalf("%d: %q", width, out)
		}
		for _, l := range out {
			if n := len([]rune(l)); n > width && len(strings.Fields(l)) > 1 {
				t.Errorf("%d: %q has %d", width, l, n)
			}
		}
	}
	if got, want := strings.Join(lines("error", e, 40), "|"), "error: history of exam cannot be opened|  with this "+
		"identity and blåbærsyltetøy|"; !strings.HasPrefix(got, want) {
		t.Errorf("%q", got)
	}
	caret := Fail("bad-policy", "policy: expected").Detail("NTNU) or (admin or somebody else", "    ^")
	if got := lines("error", caret, 30); len(got) != 3 || got[2] != "      ^" {
		t.Errorf("%q", got)
	}
}
