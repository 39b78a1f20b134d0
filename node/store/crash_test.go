package store

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const childVar = "COTERIE_STORE_CHILD"

// child is another process: it opens the store at the path in childVar, says so,
// and appends until it is killed, saying each time how far it is.
func child() {
	cfg := Config{Path: os.Getenv(childVar), Key: testKey, Room: testRoom, SyncEvery: time.Millisecond, LogSize: 4096}
	s, err := Open(cfg)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	defer s.Close()
	fmt.Println("open")
	if os.Getenv(childVar+"_WAIT") != "" {
		bufio.NewReader(os.Stdin).ReadString('\n')
		return
	}
	next := uint64(1)
	shortens := os.Getenv(childVar+"_REST") != ""
	if l := s.index.byID[epochA]; l != nil {
		next += l.rest(1) + uint64(len(l.authors[1]))
	}
	for {
		if err := s.Append([]Entry{message(epochA, 1, next), {Kind: MetaEntry, Name: "at",
			Data: []byte(strconv.FormatUint(next, 10))}}); err != nil {
			fmt.Println("error", err)
			return
		}
		if shortens && next%16 == 0 {
			if err := s.Append([]Entry{rest(epochA, 1, next-8)}); err != nil {
				fmt.Println("error", err)
				return
			}
		}
		fmt.Println(next)
		next++
	}
}

func startChild(t *testing.T, path string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childVar+"="+path), env...)
	out, err := cmd.StdoutPipe()
	must(t, err)
	_, err = cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("child: %q", lines.Text())
	}
	return cmd, lines
}

// TestKilled: a process is killed (SIGKILL) at a random moment, again and again;
// whatever it was told is stored is there, in order and once.
func TestKilled(t *testing.T) {
	cfg := testConfig(t.TempDir())
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	told := 0
	for round := range rounds {
		cmd, lines := startChild(t, cfg.Path)
		for range 1 + rand.IntN(400) {
			if !lines.Scan() {
				t.Fatal("child ended by itself")
			}
			n, err := strconv.Atoi(lines.Text())
			must(t, err)
			told = n
		}
		must(t, cmd.Process.Kill())
		for lines.Scan() { // what it said before it died
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				told = n
			}
		}
		cmd.Wait()

		s := mustOpen(t, cfg)
		all := texts(t, s)
		if len(all) < told {
			t.Fatalf("round %d: %d stored, %d appended", round, len(all), told)
		}
		for i, text := range all {
			if want := fmt.Sprintf("text %d of author 1", i+1); text != want {
				t.Fatalf("round %d: %q, want %q", round, text, want)
			}
		}
		at, err := s.Meta("at")
		must(t, err)
		if string(at) != strconv.Itoa(len(all)) {
			t.Fatalf("round %d: half a batch: meta %s, %d messages", round, at, len(all))
		}
		if round%2 == 0 { // not always made durable in between
			must(t, s.Close())
		} else {
			crash(s)
		}
	}
}

// crash closes the files as the death of the process does.
func crash(s *Store) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.stop)
	<-s.done
	s.release()
}

// TestCrashInWrite: whatever part of the last write reached the file, all batches
// before it are there, it is not, and the store goes on.
func TestCrashInWrite(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	roll(t, s)
	var ends []int64
	for i := range uint64(2) {
		must(t, s.Append([]Entry{message(epochA, 1, 2+2*i), message(epochA, 1, 3+2*i)}))
		ends = append(ends, s.segments[1].size)
	}
	base := copyFiles(t, cfg)
	at := base.path(s.segments[1].number, logSuffix)
	whole, err := os.ReadFile(at)
	must(t, err)
	for cut := range len(whole) + 1 {
		for _, filled := range []bool{false, true} { // zeros are what a power cut leaves
			if filled && cut%3 > 0 {
				continue
			}
			data := slices.Clone(whole[:cut])
			if filled {
				data = append(data, make([]byte, 4096)...)
			}
			must(t, os.WriteFile(at, data, 0o600))
			s, err := Open(base)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			want := 1
			for _, end := range ends {
				if int64(cut) >= end {
					want += 2
				}
			}
			if all := texts(t, s); len(all) != want {
				t.Fatalf("cut at %d: %d messages, want %d", cut, len(all), want)
			}
			crash(s)
			if cut%16 != 0 {
				continue
			}
			on := copyFiles(t, base)
			s = mustOpen(t, on)
			must(t, s.Append([]Entry{message(epochB, 1, 1)}))
			again := copyFiles(t, on)
			must(t, s.Close())
			if all := texts(t, mustOpen(t, again)); len(all) != want+1 {
				t.Fatalf("cut at %d, gone on: %d messages, want %d", cut, len(all), want+1)
			}
		}
	}
}

// leftBy are the files that a crash can leave between two states, of which the second has a
// database of its own: before that is written some of what it needs is there, and after that
// some of what the first one had.
func leftBy(before, after map[string][]byte) (old, changed []map[string][]byte) {
	subsets := func(of, without map[string][]byte) (all []map[string][]byte) {
		var names []string
		for name := range of {
			if _, ok := without[name]; !ok {
				names = append(names, name)
			}
		}
		for bits := range 1 << len(names) {
			m := maps.Clone(without)
			for i, name := range names {
				if bits>>i&1 == 1 {
					m[name] = of[name]
				}
			}
			all = append(all, m)
		}
		for _, name := range names {
			m := maps.Clone(without)
			m[name+unfinished] = of[name][:len(of[name])/2]
			all = append(all, m)
		}
		return all
	}
	half := maps.Clone(before)
	half[databaseSuffix+unfinished] = after[databaseSuffix][:aboutSize+3]
	return append(subsets(after, before), half), subsets(before, after)
}

// TestCrashInChange: whatever files a crash leaves where a log is closed, logs are written anew, or
// epochs are forgotten, all is there as it was before or as it is after, and it goes on.
func TestCrashInChange(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.LogSize = 2000
	s := mustOpen(t, cfg)
	n := uint64(0)
	say := func(epoch [32]byte, author uint32) {
		n++
		must(t, s.Append([]Entry{message(epoch, author, n), {Kind: MetaEntry, Name: "n", Data: []byte{byte(n)}}}))
	}
	checks := 0
	check := func(name string, files map[string][]byte, want string) {
		t.Helper()
		checks++
		to := writeFiles(t, testConfig(""), files)
		for round := range 2 { // opening, crashing and working changes nothing
			o, err := Open(to)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := stateText(t, o); got != want {
				t.Fatalf("%s, round %d: there is\n%s, want\n%s", name, round, got, want)
			}
			if v, err := o.Meta("n"); err != nil || v[0] != byte(n) {
				t.Fatalf("%s, round %d: meta %v %v, want %d", name, round, v, err, n)
			}
			if round == 0 {
				crash(o)
			} else {
				must(t, o.tidy())
				must(t, o.Close())
			}
		}
	}
	change := func(name string, f func()) {
		t.Helper()
		text, files := stateText(t, s), readFiles(t, cfg)
		f()
		old, changed := leftBy(files, readFiles(t, cfg))
		for _, m := range old {
			check(name+", not yet", m, text)
		}
		text = stateText(t, s)
		for _, m := range changed {
			check(name+", done", m, text)
		}
	}
	locked := func(f func() error) func() {
		return func() {
			s.work.Lock()
			defer s.work.Unlock()
			must(t, f())
		}
	}
	for range 3 {
		must(t, s.Append([]Entry{{Kind: EpochEntry, Epoch: epochA, Data: []byte("a")}}))
		for range 3 {
			say(epochA, 1)
			say(epochB, 2)
		}
		change("a log is closed", func() { roll(t, s) })
	}
	must(t, s.Append([]Entry{rest(epochB, 2, n-2)}))
	change("two are made one", locked(func() error { return s.rewrite(s.segments[:2:2]) }))
	change("one is made shorter", locked(func() error { return s.rewrite(s.segments[1:2:2]) }))
	change("an epoch is forgotten", locked(func() error { return s.forgetInMemory([][32]byte{epochA}) }))
	say(epochA, 3) // it may come again
	for s.wasteful() != nil {
		change("what was forgotten is erased", locked(func() error { return s.rewrite(s.wasteful()) }))
	}
	change("all is forgotten", func() { must(t, s.Forget([][32]byte{epochA, epochB})) })
	if len(s.st.erasing) > 0 || checks < 50 {
		t.Errorf("%d checks, and to be erased is %v", checks, s.st.erasing)
	}
}

// TestCrashInCreation: what a crash while the files are made leaves is no
// obstacle.
func TestCrashInCreation(t *testing.T) {
	cfg := testConfig(t.TempDir())
	must(t, os.WriteFile(cfg.Path+unfinished, make([]byte, 5000), 0o600))
	must(t, os.WriteFile(prefix(cfg.Path)+keySuffix+unfinished, make([]byte, keySize), 0o600))
	must(t, os.WriteFile(cfg.path(7, indexSuffix)+unfinished, nil, 0o600))
	must(t, os.WriteFile(prefix(cfg.Path)+lockSuffix, []byte("1"), 0o600))
	if left := Unfinished(cfg.Path); len(left) != 3 {
		t.Errorf("found %q", left)
	}
	mustOpen(t, cfg)
	if left := Unfinished(cfg.Path); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	// A key that was being drawn is neither used nor in the way.
	cfg = testConfig(t.TempDir())
	must(t, os.WriteFile(prefix(cfg.Path)+keySuffix+unfinished, make([]byte, keySize), 0o600))
	_, _, err := DataKey(cfg.Path, testRoom, nil)
	must(t, err)
	if left := Unfinished(cfg.Path); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}

// TestRunning: a second process, and a second opener in this one, are told who
// has the room; when that one dies, the room is free.
func TestRunning(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cmd, _ := startChild(t, cfg.Path, childVar+"_WAIT=1")
	_, err := Open(cfg)
	var running *RunningError
	if !errors.As(err, &running) || !errors.Is(err, ErrRunning) || running.PID != cmd.Process.Pid {
		t.Fatalf("%v, want pid %d", err, cmd.Process.Pid)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("is already open in another process (pid %d)", cmd.Process.Pid)) {
		t.Errorf("%q", err)
	}
	if _, err := LockRoom(cfg.Path); !errors.Is(err, ErrRunning) {
		t.Errorf("locking: %v", err)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait()
	s := mustOpen(t, cfg)
	if _, err := Open(cfg); !errors.As(err, &running) || running.PID != os.Getpid() {
		t.Errorf("second opener: %v", err)
	}
	must(t, s.Close())
	mustOpen(t, cfg)
}
