//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"coterie/cmd/internal/drive"
)

// TestSixJoinsAtOnce: six rooms that are joined in one moment are remembered, all six.
func TestSixJoinsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			_, stderr, status := run(t, dir, "", "join", fmt.Sprint("room", i), "--plain", "--key", "ann.key", "--policy",
				thePolicy,
				"--listen", "/ip4/127.0.0.1/tcp/0")
			if status != 0 {
				t.Errorf("room%d: status %d: %s", i, status, stderr)
			}
		})
	}
	all.Wait()
	stdout, stderr, _ := run(t, dir, "", "rooms")
	for i := range 6 {
		if !strings.Contains(stdout, fmt.Sprint("room", i, " ")) {
			t.Errorf("room%d is not remembered: %s%s", i, stdout, stderr)
		}
	}
}

// TestUnfinishedHistory: what a process that was killed while it made a room's files has left
// is removed at the next start, and said; so is what was left of the list of rooms.
func TestUnfinishedHistory(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	join := func() string {
		t.Helper()
		stdout, stderr, status := run(t, dir, "", "join", "den", "--json", "--key", "ann.key", "--policy", thePolicy,
			"--listen",
			"/ip4/127.0.0.1/tcp/0")
		if status != 0 {
			t.Fatal(stdout, stderr)
		}
		return stdout
	}
	if said := join(); strings.Contains(said, `"leftover"`) {
		t.Errorf("at first: %s", said)
	}
	keys, err := filepath.Glob(filepath.Join(dir, "data", "coterie", "rooms", "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	left := []string{keys[0] + ".new", filepath.Join(dir, "config", "coterie", ".rooms.toml.00112233445566ff.tmp")}
	for _, name := range left {
		if err := os.WriteFile(name, []byte("a secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := join()
	for _, name := range left {
		if !strings.Contains(said, `"leftover","text":"removed `+name) {
			t.Errorf("%s is not said to be removed: %s", name, said)
		}
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if said := join(); strings.Contains(said, `"leftover"`) {
		t.Errorf("at last: %s", said)
	}
}

// TestManyVisitors: hundreds of connections to the socket of a room, each of which asks and
// never reads, keep nobody else from asking, also where the process may have few files open;
// nor does what they leave behind.
func TestManyVisitors(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ann := started(ctx, t, "ann", append([]string{asProcess + "=1"}, home(dir)...), "sh", "-c",
		`ulimit -n 200; exec "$0" "$@"`, exe,
		"join", "den", "--json", "--key", filepath.Join(dir, "ann.key"), "--policy", thePolicy, "--listen",
		"/ip4/127.0.0.1/tcp/0")
	if _, err := ann.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	socket := doors(t, dir)
	if len(socket) != 1 {
		t.Skip("too long a path for a socket")
	}
	ask := func(when string) {
		t.Helper()
		if stdout, stderr, status := run(t, dir, "", "status"); status != 1 || !strings.Contains(stdout, "den ") {
			t.Errorf("%s: status %d: %s%s", when, status, stdout, stderr)
		}
		if stdout, stderr, status := run(t, dir, "", "link", "den"); status != 0 || !strings.HasPrefix(stdout, "coterie:") {
			t.Errorf("%s: link: %d: %s%s", when, status, stdout, stderr)
		}
	}
	var visitors []net.Conn
	for range 400 {
		conn, err := net.Dial("unix", socket[0])
		if err != nil {
			t.Fatal(err)
		}
		visitors = append(visitors, conn)
		conn.Write([]byte(`{"status":true}` + "\n"))
	}
	ask("with visitors")
	for _, conn := range visitors {
		conn.Close()
	}
	ask("after them")
	leave(ctx, t, ann)
}

// odd are environments in which there is no home to be had, or no folder for sockets.
func odd(t *testing.T, dir string) map[string][]string {
	none := []string{"HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_STATE_HOME=", "XDG_RUNTIME_DIR="}
	all := map[string][]string{
		"no HOME":                     none,
		"a HOME that cannot be made":  append([]string{"HOME=/proc/none"}, none[1:]...),
		"a HOME that is a file":       append([]string{"HOME=" + filepath.Join(dir, "ann.key")}, none[1:]...),
		"no XDG_RUNTIME_DIR":          {"XDG_RUNTIME_DIR=/proc/none"},
		"an XDG_RUNTIME_DIR too long": {"XDG_RUNTIME_DIR=" + filepath.Join(dir, strings.Repeat("x", 100))},
	}
	foreign := filepath.Join(dir, "foreign")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(foreign, 4242, -1); err == nil { // takes root
		all["another user's XDG_RUNTIME_DIR"] = []string{"XDG_RUNTIME_DIR=" + foreign}
	}
	return all
}

// TestNoHome: what keeps nothing needs no home folder; where there can be no socket that is
// all that is missing, and it is said.
func TestNoHome(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	join := []string{"join", "den", "--plain", "--key", "ann.key", "--policy", thePolicy, "--listen",
		"/ip4/127.0.0.1/tcp/0"}
	for what, env := range odd(t, dir) {
		stdout, stderr, status := runWith(t, dir, dir, "", env, append(join, "--ephemeral")...)
		if status != 0 || !strings.Contains(stdout, "you satisfy it through") {
			t.Errorf("%s: join --ephemeral: status %d: %s%s", what, status, stdout, stderr)
		}
		if !strings.Contains(stderr, "warning: coterie status, ping and link will not find this room: ") ||
			strings.Contains(stderr, "error:") {
			t.Errorf("%s: join --ephemeral says %q", what, stderr)
		}
		if stdout, stderr, status = runWith(t, dir, dir, "", env, "key", "ann.key"); status != 0 {
			t.Errorf("%s: key: status %d: %s%s", what, status, stdout, stderr)
		}
		_, stderr, status = runWith(t, dir, dir, "", env, "key", "sealed.key", "--identity", "identity",
			"--passphrase-file", "right")
		if status != 0 {
			t.Errorf("%s: a sealed key: status %d: %s", what, status, stderr)
		}
		stdout, stderr, status = runWith(t, dir, dir, "", env, join...)
		switch {
		case strings.Contains(what, "XDG"):
			if status != 0 || !strings.Contains(stderr, "warning: coterie status, ping and link will not find this room: ") {
				t.Errorf("%s: join: status %d: %s%s", what, status, stdout, stderr)
			}
		case status != 1 || !strings.Contains(stderr, "hint: ") || !strings.Contains(stderr, "--ephemeral"):
			t.Errorf("%s: join: status %d: %s%s", what, status, stdout, stderr)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "foreign")); err == nil && len(entries) > 0 {
		t.Errorf("left in another user's folder: %v", entries)
	}
}

// TestLooseSettings: settings that others can change are refused, as is all else; a link to
// settings that only their owner can change is not, nor are settings that others can read.
func TestLooseSettings(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	folder := filepath.Join(dir, "config", "coterie")
	path := filepath.Join(folder, "config.toml")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("passphrase_command = [\"touch\", %q]\nidentity = %q\n", filepath.Join(dir, "obeyed"),
		filepath.Join(dir, "identity"))
	config := func() (string, int) {
		t.Helper()
		_, stderr, status := run(t, dir, "", "config")
		_, stderr2, status2 := run(t, dir, "", "join", "den", "--plain", "--key", "sealed.key", "--policy", thePolicy)
		if stderr2 != stderr && status == 1 || status2 != 1 {
			t.Errorf("join: status %d: %s", status2, stderr2)
		}
		return stderr, status
	}
	write := func(mode os.FileMode) {
		t.Helper()
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	obeyed := func() bool {
		_, err := os.Lstat(filepath.Join(dir, "obeyed"))
		os.Remove(filepath.Join(dir, "obeyed"))
		return err == nil
	}
	for _, mode := range []os.FileMode{0o666, 0o620, 0o602, 0o664} {
		write(mode)
		stderr, status := config()
		if want := fmt.Sprintf("config.toml can be changed by others (mode %04o)\nhint: chmod go-w ", mode); status != 1 ||
			!strings.Contains(stderr, want) {
			t.Errorf("mode %o: status %d: %s", mode, status, stderr)
		}
		if obeyed() {
			t.Errorf("mode %o: its command was run", mode)
		}
	}
	write(0o644)
	if stderr, status := config(); status != 0 || !obeyed() {
		t.Errorf("mode 644: status %d: %s", status, stderr)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if stderr, status := config(); status != 1 || !strings.Contains(stderr, "anybody can replace files in ") || obeyed() {
		t.Errorf("an open folder: status %d: %s", status, stderr)
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Chown(path, 4242, -1) == nil { // takes root
		if stderr, status := config(); status != 1 || !strings.Contains(stderr, "belongs to ") || obeyed() {
			t.Errorf("another user's: status %d: %s", status, stderr)
		}
	}
	write(0o600)
	// A link into a folder that is its owner's, and into one that is everybody's.
	for mode, want := range map[os.FileMode]int{0o700: 0, 0o777: 1} {
		dot := filepath.Join(dir, fmt.Sprintf("dot%o", mode))
		if err := os.Mkdir(dot, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dot, "c.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dot, mode); err != nil {
			t.Fatal(err)
		}
		os.Remove(path)
		if err := os.Symlink(filepath.Join(dot, "c.toml"), path); err != nil {
			t.Fatal(err)
		}
		if stderr, status := config(); status != want || obeyed() != (want == 0) {
			t.Errorf("linked into mode %o: status %d: %s", mode, status, stderr)
		}
	}
	os.Remove(path)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if stderr, status := config(); status != 1 || !strings.Contains(stderr, "is not a regular file") {
		t.Errorf("a pipe: status %d: %s", status, stderr)
	}
	os.Remove(path)
	if err := os.WriteFile(path, []byte(strings.Repeat("# a long remark\n", 30000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if stderr, status := config(); status != 1 || !strings.Contains(stderr, "far too large") {
		t.Errorf("a large file: status %d: %s", status, stderr)
	}
}

// TestFullOutput: standard output on a full disk is an error, in a room and of whatever else
// prints; it is said on standard error, and the status is 1.
func TestFullOutput(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no full device here: ", err)
	}
	defer full.Close()
	dir := t.TempDir()
	fixtures(t, dir)
	join := []string{"join", "den", "--key", "ann.key", "--policy", thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0"}
	if _, stderr, status := run(t, dir, "", append(join, "--plain")...); status != 0 {
		t.Fatal(stderr)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	ann := peerAt(ctx, t, dir, dir, "ann", "--ephemeral")
	if _, err := ann.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		append(join, "--plain", "--stay"), append(join, "--json", "--stay"),
		{"relay", "--listen", "/ip4/127.0.0.1/tcp/0", "--print-address"}, {"demo", "--files", filepath.Join(dir, "scratch")},
		{"request", "--want", "ONE", "--no-passphrase", "-o", "x.request"}, {"key", "ann.key"}, {"key", "ann.key", "--json"},
		{"rooms"}, {"rooms", "--json"}, {"rooms", "--move", "den"}, {"status"}, {"status", "--json"},
		{"doctor"}, {"doctor", "--json"},
		{"link", "den"}, {"link", "den", "--json"}, {"link", "den", "--qr"}, {"passphrase", "--no-passphrase"}, {"config"},
		{"version"}, {"help"}, {"help", "policies"}, {"completion", "bash"}, {"forget", "den", "--yes"},
	} {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		once, cancel := context.WithTimeout(ctx, 2*patience)
		defer cancel()
		cmd := exec.CommandContext(once, exe, args...)
		cmd.Dir, cmd.Stdout = dir, full
		cmd.Env = append(append(os.Environ(), asProcess+"=1"), home(dir)...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		detach(cmd)
		cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("coterie %s: status %d: %s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), stderr.String())
		}
	}
	leave(ctx, t, ann)
}

// TestHangup: a terminal that goes away is a reason to leave, as Ctrl-C is: with bye, and so
// that the others see it; nohup keeps the room open.
func TestHangup(t *testing.T) {
	t.Parallel()
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("these tests run under nohup: what they start ignores SIGHUP, and is to")
	}
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	ann := peerProcess(ctx, t, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at.Addrs[0])
	aliveIn(ctx, t, ann, bob)
	if err := bob.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if status, err := bob.Exit(ctx); err != nil || status != 0 {
		t.Errorf("status %d, %v: %s", status, err, bob.Stderr())
	}
	events, _ := bob.Events()
	if last := events[len(events)-1]; last.Event != "bye" || last.Reason != "signal" {
		t.Errorf("the last event is %q %q", last.Event, last.Reason)
	}
	if _, err := ann.Wait(ctx, "bob's leave", func(e drive.Event) bool {
		return e.Event == "member" &&
			e.State == "away"
	}); err != nil {
		t.Error(err)
	}
	leave(ctx, t, ann)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cyn := started(ctx, t, "cyn", append([]string{asProcess + "=1"}, home(homeOf(dir, "cyn"))...), "sh", "-c",
		`trap "" HUP; exec "$0" "$@"`, exe, "join", "den", "--json", "--key", filepath.Join(dir, "ann.key"), "--policy", thePolicy,
		"--listen", "/ip4/127.0.0.1/tcp/0")
	if _, err := cyn.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cyn.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cyn.Write(`{"status":true}`); err != nil {
		t.Fatal(err)
	}
	if _, err := cyn.Wait(ctx, "an answer after SIGHUP",
		func(e drive.Event) bool { return e.Event == "status" }); err != nil {
		t.Error(err)
	}
	leave(ctx, t, cyn)
}
