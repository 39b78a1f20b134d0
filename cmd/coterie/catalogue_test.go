package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/drive"
	"coterie/kms/keyfile"
	"coterie/room"
)

// TestErrorCatalogue reaches every error of the catalogue that a peer can meet
// before it is in a room, and compares what people read word for word; the codes
// are those that programs read.
func TestErrorCatalogue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	link, err := os.ReadFile(filepath.Join(dir, "uio.link"))
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	if err := os.Mkdir(filepath.Join(dir, "scratch"), 0o700); err != nil {
		t.Fatal(err)
	}
	const p = "ONE and TWO"
	join := func(args ...string) []string { return append([]string{"join", "den", "--json"}, args...) }
	var golden strings.Builder
	for _, test := range []struct {
		code   string
		status int
		args   []string
	}{
		{"policy-unsatisfied", 1, join("--key", "dan.key", "--policy", thePolicy)},
		{"key-expired", 1, join("--key", "old.key", "--policy", p)},
		{"key-not-yet", 1, join("--key", "early.key", "--policy", p)},
		{"wrong-domain", 1, []string{"join", strings.TrimSpace(string(link)), "--json", "--key", "ann.key"}},
		{"port-taken", 1, join("--key", "ann.key", "--policy", p, "--listen", "/ip4/127.0.0.1/tcp/"+port)},
		{"bad-policy", 2, join("--key", "ann.key", "--policy", "ONE) or (TWO")},
		{"bad-policy", 2, join("--key", "ann.key", "--policy", "ONE and 5th year")},
		{"bad-policy", 2, join("--key", "ann.key", "--policy", "not ONE")},
		{"bad-policy", 2, join("--key", "ann.key", "--policy", "12 of ("+strings.TrimSuffix(strings.Repeat("a, ", 24), ", ")+
			")")},
		{"bad-policy", 2, join("--key", "ann.key", "--policy", "age > 4294967296")},
		{"bad-policy", 2, join("--key", "ann.key", "--policy", "ONE && TWO")},
		{"permissions", 1, join("--key", "loose.key", "--policy", p)},
		{"wrong-passphrase", 1, join("--key", "sealed.key", "--policy", p, "--identity", "identity", "--passphrase-file",
			"wrong")},
		{"no-terminal", 1, join("--key", "sealed.key", "--policy", p, "--identity", "identity")},
		{"no-identity", 1, join("--key", "sealed.key", "--policy", p)},
		{"not-for-you", 1, join("--key", "sealed.key", "--policy", p, "--identity", "stranger")},
		{"link-newer", 1, []string{"join", "coterie:3:den:AAAA", "--json", "--key", "ann.key"}},
		{"link-old", 1, []string{"join", "coterie:1:den:AAAA", "--json", "--key", "ann.key"}},
		{"link-damaged", 1, []string{"join", "coterie:2:den:AAAA", "--json", "--key", "ann.key"}},
		{"link-not", 2, []string{"join", "ann.key", "--json"}},
		{"link-not", 2, []string{"join", "/ip4/10.0.0.7/tcp/4001", "--json"}},
		{"link-not", 2, []string{"join", "ONE and (TWO)", "--json"}},
		{"bad-nick", 2, join("--key", "ann.key", "--policy", p, "--nick", "~ann")},
		{"bad-nick", 2, join("--key", "ann.key", "--policy", p, "--nick", "a\u202eb")},
		{"file-missing", 1, join("--key", "anm.key", "--policy", p)},
		{"file-wrong-kind", 1, join("--key", "NTNU.domain", "--policy", p)},
		{"file-damaged", 1, join("--key", "damaged.key", "--policy", p)},
		{"usage", 2, join("--key", "ann.key")},
		{"usage", 2, join("--policy", p)},
		{"usage", 2, join("--key", "ann.key", "--policy", p, "--bootstrap", "/ip4/84.2.1.9/tcp/4001")},
		{"usage", 2, join("--key", "ann.key", "--policy", p, "--listen", "nonsense")},
		// Those before any event, and of other commands, have their text alone.
		{"", 2, []string{"join", "den", "--polcy", "x"}},
		{"", 2, []string{"join"}},
		{"", 2, []string{"jion"}},
		{"", 2, []string{"help", "jion"}},
		{"", 2, []string{"join", "den", "--json", "--plain"}},
		{"", 2, []string{"relay", "--key", "ann.key"}},
		{"", 1, []string{"demo", "--files", "scratch"}},
		{"", 2, []string{"demo", "--json"}},
		{"", 2, []string{"status"}},
		{"", 2, []string{"ping", "ann"}},
		{"", 2, []string{"ping", "den", "ann"}},
		{"", 1, []string{"link", "den"}},
		{"", 1, []string{"forget", "den"}},
	} {
		stdout, stderr, status := run(t, dir, "", test.args...)
		if status != test.status {
			t.Errorf("%q: status %d, not %d\n%s", test.args, status, test.status, stderr)
		}
		if got := errorCode(stdout); got != test.code {
			t.Errorf("%q: code %q, not %q", test.args, got, test.code)
		}
		args := test.args
		if len(args) > 1 && room.IsLink(args[1]) {
			args = append([]string{args[0], "LINK"}, args[2:]...)
		}
		fmt.Fprintf(&golden, "## coterie %s\n%s[status %d]\n\n", strings.Join(args, " "), stderr, status)
	}
	compareGolden(t, "errors.golden", stable(golden.String(), dir, port))
}

// errorCode is the code of the error among events.
func errorCode(stdout string) (code string) {
	for _, l := range strings.Split(stdout, "\n") {
		var e struct{ Event, Code string }
		if json.Unmarshal([]byte(l), &e) == nil && e.Event == "error" {
			code = e.Code
		}
	}
	return code
}

var (
	someDay   = regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`)
	somePrint = regexp.MustCompile(`\b[0-9a-f]{4}(-[0-9a-f]{4}){3}\b`)
	somePID   = regexp.MustCompile(` \([^() ]+, pid [0-9]+\)`) // where the system tells
	someAge   = regexp.MustCompile(`age1[0-9a-z]+…[0-9a-z]+`)
)

// stable takes out of a text what differs from run to run.
func stable(s, dir, port string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, dir, "DIR"), port, "PORT")
	s = strings.ReplaceAll(s, "coterie "+cli.ProgramVersion()+" is", "coterie VERSION is")
	s = somePID.ReplaceAllString(s, "")
	s = someDay.ReplaceAllString(s, "2026-11-23")
	s = somePrint.ReplaceAllString(s, "4f1c-9ab2-77d0-e31a")
	return someAge.ReplaceAllString(s, "age1…")
}

// TestRoomRunning: a second process on the same room is told so, with the other's
// pid; one that keeps nothing, or in another profile, may be there.
func TestRoomRunning(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	ann := peerAt(ctx, t, dir, dir, "ann")
	if _, err := ann.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := run(t, dir, "", "join", "den", "--json", "--key", "ann.key", "--policy", thePolicy)
	if status != 1 || errorCode(stdout) != "room-running" ||
		!strings.Contains(stderr, "is already open in another process") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, stderr, status := run(t, dir, "", "join", "den", "--json", "--key", "bob.key", "--policy", thePolicy,
		"--ephemeral"); status != 0 {
		t.Errorf("one that keeps nothing: status %d: %s", status, stderr)
	}
	if _, stderr, status := run(t, dir, "", "join", "den", "--json", "--key", "ann.key", "--policy", thePolicy,
		"--profile", "second"); status != 0 {
		t.Errorf("another profile: status %d: %s", status, stderr)
	}
	// status and ping ask it; alone is not well.
	stdout, stderr, status = run(t, dir, "", "status", "den")
	if status != 1 || !strings.HasPrefix(stdout, "den     ") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	stdout, _, _ = run(t, dir, "", "status", "--json")
	if _, err := theSchema(t).Check([]byte(stdout)); err != nil {
		t.Errorf("%v in %s", err, stdout)
	}
	if _, stderr, status := run(t, dir, "", "ping", "nobody"); status != 1 ||
		!strings.Contains(stderr, "nobody here is called nobody") {
		t.Errorf("ping: status %d: %s", status, stderr)
	}
	found := doors(t, dir)
	if len(found) != 1 {
		t.Errorf("sockets %q", found)
	}
	for _, f := range found {
		info, err := os.Lstat(f)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the socket has mode %v, %v", info.Mode(), err)
		}
	}
	if err := ann.Quit(); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Exit(ctx); err != nil {
		t.Fatal(err)
	}
	if left := doors(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func doors(t *testing.T, dir string) []string {
	found, err := filepath.Glob(filepath.Join(dir, "run", "coterie", "*.sock"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestConfig: what the settings say wrong is told with line and column; what is
// in force is told with where it is from; flags are stronger.
func TestConfig(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	path := filepath.Join(dir, "config", "coterie", "config.toml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"nick = \"a\"\nnik = \"b\"\n":               `:2:1: there is no setting "nik"`,
		"[rooms.exam]\n  colour = 1\n":              `:2:3: there is no setting "colour"`,
		"hold = \"soon\"\n":                         `: hold: "soon" is not a span of time`,
		"nick = \n":                                 `:1:8: `,
		"nick = 7\n":                                `nick`,
		"time = \"noon\"\n":                         `: time: "noon" is not short, full or none, or a layout such as 15:04:05`,
		"hold = \"10m\"\n\n[kez]\nsearch = \"f\"\n": `:3:1: there is no setting "kez"`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, status := run(t, dir, "", "config")
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %s", text, status, stderr)
		}
	}
	if err := os.WriteFile(path, []byte("nick = \"kari\"\nkey = \"ann.key\"\n[rooms.den]\nnick = \"k\"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("COTERIE_HOLD", "3m")
	stdout, stderr, status := run(t, dir, "", "config")
	if status != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{`nick +kari +.*config.toml`, `hold +3m +COTERIE_HOLD`, `time +short +default`,
		`rooms.den.nick +k +`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	for _, test := range []struct{ room, flag, nick string }{{"den", "", "k"}, {"exam", "", "kari"},
		{"den", "ann", "ann"}} {
		args := []string{"join", test.room, "--json", "--ephemeral", "--policy", thePolicy, "--listen",
			"/ip4/127.0.0.1/tcp/0"}
		if test.flag != "" {
			args = append(args, "--nick", test.flag)
		}
		stdout, stderr, _ := run(t, dir, "", args...)
		if !strings.Contains(stdout, fmt.Sprintf(`"nick":%q`, test.nick)) {
			t.Errorf("%+v: %s%s", test, stdout, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "config", "coterie", "rooms.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("--ephemeral remembered a room")
	}
}

// TestNoTTY: without a terminal nothing waits for an answer, and what needs one
// says which flag does instead.
func TestNoTTY(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	if _, stderr, status := run(t, dir, "", "join", "den", "--key", "ann.key", "--policy", thePolicy, "--listen",
		"/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, test := range []struct {
		hint string
		args []string
	}{
		{"--passphrase-file FILE", []string{"join", "den", "--key", "sealed.key", "--identity", "identity", "--policy",
			thePolicy}},
		{"--yes", []string{"forget", "den"}},
		{"--passphrase-file FILE", []string{"passphrase", "--identity", "identity"}},
		{"--new-passphrase-file FILE", []string{"passphrase", "--identity", "stranger"}},
	} {
		_, stderr, status := run(t, dir, "", test.args...)
		if status != 1 || !strings.Contains(stderr, "hint: "+test.hint) {
			t.Errorf("%q: status %d: %s", test.args, status, stderr)
		}
	}
	// A link needs no answer where nobody can be asked.
	stdout, stderr, status := run(t, dir, "", "link", "den")
	if status != 0 {
		t.Fatal(stderr)
	}
	if _, stderr, status := run(t, dir, stdout, "join", "-", "--key", "bob.key", "--listen",
		"/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// TestPassphrase: the identity stays the same under a new passphrase, and under
// none; the old one opens it no more.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "fresh"), []byte("entirely new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := run(t, dir, "", "passphrase", "--identity", "identity", "--passphrase-file", "right",
		"--new-passphrase-file", "fresh"); status != 0 {
		t.Fatal(stderr)
	}
	opens := func(file string) int {
		_, _, status := run(t, dir, "", "key", "sealed.key", "--identity", "identity", "--passphrase-file", file)
		return status
	}
	if opens("right") != 1 || opens("fresh") != 0 {
		t.Error("the old passphrase opens it, or the new one does not")
	}
	if _, stderr, status := run(t, dir, "", "passphrase", "--identity", "identity", "--passphrase-file", "right",
		"--no-passphrase"); status != 1 || !strings.Contains(stderr, "wrong passphrase") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, stderr, status := run(t, dir, "", "passphrase", "--identity", "identity", "--passphrase-file", "fresh",
		"--no-passphrase"); status != 0 {
		t.Fatal(stderr)
	}
	if _, _, status := run(t, dir, "", "key", "sealed.key", "--identity", "identity"); status != 0 {
		t.Error("without a passphrase it does not open")
	}
	if info, err := os.Stat(filepath.Join(dir, "identity")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestDemoCheck is the smoke test that everybody can run.
func TestDemoCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stdout, stderr, status := run(t, dir, "", "demo", "--check")
	if status != 0 || !regexp.MustCompile(`\nall 9 checks passed in [0-9.]+ s\n$`).MatchString(stdout) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	// The columns are under each other, and what took no time has none.
	column := -1
	for _, l := range strings.Split(stdout, "\n") {
		if at := strings.Index(l, "   keys "); strings.HasPrefix(l, "ok ") && strings.Contains(l, " keys ") &&
			regexp.MustCompile(`[0-9] can read`).MatchString(l) {
			if column < 0 {
				column = at
			}
			if at != column || at < 0 || strings.Contains(l, " 0 ms") {
				t.Errorf("%q", l)
			}
		}
	}
	stdout, _, status = run(t, dir, "", "demo", "--check", "--json")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if status != 0 || len(lines) != 12 || !strings.HasPrefix(lines[0], `{"event":"hello"`) ||
		!strings.HasPrefix(lines[11], `{"event":"bye"`) {
		t.Errorf("status %d: %s", status, stdout)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestNoSecretsInOutput: of a full run, with sealed keys, a proof, a log, status
// and doctor, no stream and no file that was written has a secret in it.
func TestNoSecretsInOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	identity, err := os.ReadFile(filepath.Join(dir, "stranger"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "ann.key"))
	if err != nil {
		t.Fatal(err)
	}
	before := make(map[string]bool)
	files := func(visit func(path string)) {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				visit(path)
			}
			return nil
		})
	}
	files(func(p string) { before[p] = true })

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const said = "the cat is in the bag"
	log := filepath.Join(dir, "log.json")
	ann, at := first(ctx, t, dir, "ann", "--log", log)
	bob := peerProcess(ctx, t, dir, "sealed", "--bootstrap", at, "--identity", filepath.Join(dir, "identity"),
		"--passphrase-file", filepath.Join(dir, "right"), "--log", log)
	aliveIn(ctx, t, ann, bob)
	if err := ann.Say(said); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, said); err != nil {
		t.Fatal(err)
	}
	self, err := bob.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := ann.Write(fmt.Sprintf(`{"prove":%q,"expr":"THREE"}`, self.Peer)); err != nil {
		t.Fatal(err)
	}
	asked, err := bob.Wait(ctx, "the question", func(e drive.Event) bool { return e.Event == "ask" })
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.Write(fmt.Sprintf(`{"answer":%q,"allow":true}`, asked.ID)); err != nil {
		t.Fatal(err)
	}
	if proof, err := ann.Wait(ctx, "the proof", func(e drive.Event) bool { return e.Event == "proof" }); err != nil ||
		!proof.OK {
		t.Fatalf("%+v %v", proof, err)
	}
	var streams []string
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"rooms"}, {"rooms", "--json"}, {"config"},
		{"doctor", "--key", "sealed.key", "--identity", "identity", "--passphrase-file", "right", "--json"},
		{"doctor", "--key", "ann.key"},
		{"join", "den", "--key", "sealed.key", "--identity", "identity", "--passphrase-file", "wrong", "--policy",
			thePolicy}} {
		stdout, stderr, _ := runAt(t, dir, homeOf(dir, "ann"), "", args...)
		streams = append(streams, stdout, stderr)
	}
	for _, p := range []*drive.Peer{ann, bob} {
		if err := p.Quit(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Exit(ctx); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, p.Stderr(), p.Stdout())
	}
	files(func(path string) {
		if before[path] {
			return
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		streams = append(streams, string(b))
		if path == log && bytes.Contains(b, []byte(said)) {
			t.Error("the log has what was said")
		}
		if path == log && !bytes.Contains(b, []byte(`"msg":"epoch"`)) {
			t.Error("the log has no epoch: the test shows nothing")
		}
		if path == log && strings.Contains(string(b), self.Peer) {
			t.Error("the log has a whole peer id")
		}
	})
	secrets := map[string]string{"the passphrase": phrase, "an identity": strings.TrimSpace(string(identity)),
		"any identity": "AGE-SECRET-KEY"}
	// The tkn20 key is at the end of the file.
	for i := 0; i < 20; i++ {
		w := key[len(key)-40*(i+2) : len(key)-40*(i+2)+24]
		secrets[fmt.Sprint("key bytes ", i)] = string(w)
		secrets[fmt.Sprint("key hex ", i)] = hex.EncodeToString(w)
		secrets[fmt.Sprint("key base64 ", i)] = base64.StdEncoding.EncodeToString(w)
	}
	for what, secret := range secrets {
		for _, s := range streams {
			if strings.Contains(s, secret) {
				t.Errorf("%s is in the output", what)
			}
		}
	}
}

// TestDomainOfTheSameName: two domains that call themselves the same are told apart.
func TestDomainOfTheSameName(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	key, err := keyfile.LoadKey(filepath.Join(dir, "ann.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := profile.Room{Name: "den", Domain: key.Domain().Name(), DomainID: strings.Repeat("ab", 32), Policy: `"ONE"`}
	if _, err := r.In(key.Domain()); cli.Describe(err).Code != "same-name-domain" {
		t.Errorf("%v", err)
	}
}
