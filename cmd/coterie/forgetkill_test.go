//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/drive"
)

var (
	killRounds = flag.Int("kill.rounds", 12, "how often a process that forgets a room is killed")
	killSeed   = flag.Uint64("kill.seed", 0, "the seed of when; 0: another one each time")
)

// A forgetter is a profile with two rooms, as it was before one of them is forgotten.
type forgetter struct {
	dir, at  string            // of the fixtures; of the profile
	files    map[string]string // of it, by their paths within
	den, key string            // the id of the room that goes, and its data key
	said     string            // in it
}

// newForgetter makes a profile with a room in which something was said, and with another one.
func newForgetter(t *testing.T) *forgetter {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	f := &forgetter{dir: t.TempDir(), said: "the canary sings in the coal mine"}
	fixtures(t, f.dir)
	f.at = homeOf(f.dir, "ann")
	bob := peerProcess(ctx, t, f.dir, "bob")
	to, err := bob.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.den = to.RoomID
	ann := peerProcess(ctx, t, f.dir, "ann", "--bootstrap", to.Addrs[0])
	if _, err := drive.Together(ctx, ann, bob); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := ann.Say(f.said); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bob.Wait(ctx, "all", func(e drive.Event) bool {
		return e.Event == "message" &&
			e.Seq >= 20
	}); err != nil {
		t.Fatal(err)
	}
	leave(ctx, t, ann, bob)
	if _, stderr, status := runAt(t, f.dir, f.at, "", "join", "hall", "--plain", "--key", "ann.key", "--policy", "ONE",
		"--listen", "/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Fatal(stderr)
	}
	f.files = f.read(t)
	for path, text := range f.files {
		if strings.HasSuffix(path, f.den+".key") {
			f.key = text[len(text)-32:]
		}
	}
	if f.key == "" || len(f.den) != 64 {
		t.Fatalf("no key of %s", f.den)
	}
	return f
}

// read reads every file of the profile.
func (f *forgetter) read(t *testing.T) map[string]string {
	out := make(map[string]string)
	for path, text := range contents(t, f.at) {
		rel, err := filepath.Rel(f.at, path)
		if err != nil {
			t.Fatal(err)
		}
		out[rel] = text
	}
	return out
}

// restore puts the profile back as it was.
func (f *forgetter) restore(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(f.at); err != nil {
		t.Fatal(err)
	}
	for path, text := range f.files {
		path = filepath.Join(f.at, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// listed are the rooms that are remembered.
func (f *forgetter) listed(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(f.at, "config"))
	rooms, err := new(profile.Profile).Rooms()
	if err != nil {
		t.Error(err)
	}
	var names []string
	for _, r := range rooms {
		names = append(names, r.Name)
	}
	return strings.Join(names, " ")
}

// check reads every file. The other room is as it was; the one that goes is as it was as long
// as it has its key, is on the list as long as there is anything of it, and nothing of it is
// in clear anywhere. It returns what is left.
func (f *forgetter) check(t *testing.T, what string) (den, others []string) {
	t.Helper()
	now := f.read(t)
	listed := f.listed(t)
	if listed != "den hall" && listed != "hall" {
		t.Errorf("%s: remembered: %q", what, listed)
	}
	hasKey := false
	for path, text := range now {
		name := filepath.Base(path)
		switch {
		case strings.HasPrefix(name, f.den):
			den = append(den, name)
		case !strings.HasPrefix(name, "rooms.toml") && f.files[path] == "" && text != "":
			others = append(others, name)
		}
		hasKey = hasKey || name == f.den+".key"
		if strings.Contains(text, f.said) || strings.Contains(text, "canary") {
			t.Errorf("%s: %s has what was said in clear", what, path)
		}
		for _, key := range []string{f.key, hex.EncodeToString([]byte(f.key))} {
			if name != f.den+".key" && strings.Contains(text, key) {
				t.Errorf("%s: %s has the key", what, path)
			}
		}
	}
	for path, text := range f.files {
		mine := strings.HasPrefix(filepath.Base(path), f.den)
		if filepath.Ext(path) == ".lock" || filepath.Base(path) == "rooms.toml" || mine && !hasKey {
			continue
		}
		if after, ok := now[path]; !ok || after != text {
			t.Errorf("%s: %s is not as it was", what, path)
		}
	}
	if len(den) > 0 && listed == "hall" {
		t.Errorf("%s: not on the list, and there are %q", what, den)
	}
	return den, others
}

// TestKilledForget: coterie forget is killed at random moments. Whatever is there then is
// right, and forgetting once more leaves nothing of the room, and the other one as it was.
func TestKilledForget(t *testing.T) {
	seed := *killSeed
	for seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kill.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	f := newForgetter(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		cmd := exec.Command(exe, "forget", "den", "--yes")
		cmd.Env = append(append(os.Environ(), asProcess+"=1"), home(f.at)...)
		return cmd
	}
	f.restore(t)
	began := time.Now()
	if out, err := command().CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole := time.Since(began)
	before, within, after := 0, 0, 0
	folder := filepath.Join(f.at, "data", "coterie", "rooms")
	for round := range *killRounds {
		f.restore(t)
		signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[round%2]
		whileThere := len(filesIn(t, folder))
		cmd := command()
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(4) == 0 {
			time.Sleep(time.Duration(rng.Int64N(int64(whole + whole/4))))
		} else {
			// The moments in which it erases are few: wait for the first of them.
			ended := time.Now().Add(patience)
			for len(filesIn(t, folder)) == whileThere && time.Now().Before(ended) {
			}
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
		}
		cmd.Process.Signal(signal)
		cmd.Wait()
		what := signal.String()
		den, _ := f.check(t, what)
		listed := f.listed(t)
		switch {
		case listed == "hall":
			after++
		case len(den) >= 4:
			before++
		default:
			within++
		}
		stdout, stderr, status := runAt(t, f.dir, f.at, "", "forget", "den", "--yes")
		if want := map[bool]int{true: 0, false: 1}[strings.Contains(listed, "den")]; status != want {
			t.Errorf("%s: once more: status %d: %s%s%s", what, status, stdout, stderr, out.String())
		}
		if den, others := f.check(t, what+", and once more"); len(den)+len(others) > 0 || f.listed(t) != "hall" {
			t.Errorf("%s: left at last: %q %q", what, den, others)
		}
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, seed)
		}
	}
	t.Logf("killed before it erased %d times, meanwhile %d, afterwards %d", before, within, after)
}

// filesIn are the names in a folder.
func filesIn(t *testing.T, folder string) []string {
	f, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestForgetRacesJoin: a room that is joined while it is forgotten is either, and can be
// joined and forgotten again.
func TestForgetRacesJoin(t *testing.T) {
	f := newForgetter(t)
	join := []string{"join", "den", "--plain", "--key", "ann.key", "--policy", thePolicy, "--listen",
		"/ip4/127.0.0.1/tcp/0"}
	for range max(2, *killRounds/4) {
		f.restore(t)
		forgotten := make(chan string)
		go func() {
			time.Sleep(rand.N(400 * time.Millisecond))
			stdout, stderr, _ := runAt(t, f.dir, f.at, "", "forget", "den", "--yes")
			forgotten <- stdout + stderr
		}()
		stdout, stderr, status := runAt(t, f.dir, f.at, "", join...)
		what := <-forgotten
		if status != 0 && !strings.Contains(stderr, "is already open in another process") {
			t.Errorf("join: status %d: %s%s; forget: %s", status, stdout, stderr, what)
		}
		if !strings.Contains(what, "Forgot den.") && !strings.Contains(what, "den is open in another process") {
			t.Errorf("forget: %s", what)
		}
		if _, stderr, status := runAt(t, f.dir, f.at, "", join...); status != 0 {
			t.Errorf("join once more: %s", stderr)
		}
		if _, stderr, status := runAt(t, f.dir, f.at, "", "forget", "den", "--yes"); status != 0 || f.listed(t) != "hall" {
			t.Errorf("forget once more: %s", stderr)
		}
		if den, _ := f.check(t, "at last"); len(den) > 0 {
			t.Errorf("left: %q", den)
		}
	}
}
