package store

import (
	"bufio"
	"errors"
	"fmt"
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
	cfg := Config{Path: os.Getenv(childVar), Key: testKey, Room: testRoom, FoldEvery: time.Millisecond, FoldBytes: 4096}
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
	next := uint64(len(s.index.order)) + 1
	shortens := os.Getenv(childVar+"_REST") != ""
	if l := s.index.byID[epochA]; l != nil {
		next += l.rest(1)
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
		if round%2 == 0 { // not always folded in between
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
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	must(t, s.Sync())
	var ends []int64
	for i := range uint64(4) {
		must(t, s.Append([]Entry{message(epochA, 1, 2+2*i), message(epochA, 1, 3+2*i)}))
		ends = append(ends, s.tails[s.active].size)
	}
	path := s.tails[s.active].path
	base := copyFiles(t, cfg)
	whole, err := os.ReadFile(path)
	must(t, err)
	at := paths(base)[slices.Index(paths(cfg), path)]
	for cut := range len(whole) + 1 {
		for _, filled := range []bool{false, true} { // zeros are what a power cut leaves
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

// TestCrashInFold: every combination of files that a crash between two steps of a
// fold can leave has everything once.
func TestCrashInFold(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	read := func() [][]byte {
		var all [][]byte
		for _, p := range paths(cfg) {
			data, err := os.ReadFile(p)
			must(t, err)
			all = append(all, data)
		}
		return all
	}
	batch := func(n uint64) []Entry {
		return []Entry{message(epochA, 1, 2*n), message(epochA, 1, 2*n+1), {Kind: MetaEntry, Name: "n",
			Data: []byte{byte(n)}}}
	}
	check := func(name string, files [][]byte, want int) {
		t.Helper()
		to := testConfig(t.TempDir())
		for i, p := range paths(to) {
			must(t, os.WriteFile(p, files[i], 0o600))
		}
		for round := range 3 { // opening, crashing and folding changes nothing
			s, err := Open(to)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all := texts(t, s)
			if len(all) != want {
				t.Fatalf("%s, round %d: %d messages, want %d", name, round, len(all), want)
			}
			if v, err := s.Meta("n"); err != nil || int(v[0]) != want/2-1 {
				t.Fatalf("%s, round %d: meta %v %v", name, round, v, err)
			}
			if round == 0 {
				crash(s)
			} else {
				must(t, s.Close())
			}
		}
	}
	must(t, s.Append(batch(0)))
	check("first batch", read(), 2)
	for n := uint64(1); n < 6; n++ {
		before := read()
		must(t, s.Sync())
		after := read()
		// db, one tail being folded, the other written to meanwhile
		check("before the fold", before, int(2*n))
		check("folded, not emptied", [][]byte{after[0], before[1], before[2]}, int(2*n))
		check("folded and emptied", after, int(2*n))
		must(t, s.Append(batch(n)))
		more := read()
		check("appended after the turn, not folded", mixed(before, more), int(2*n+2))
		check("appended after the turn, folded, not emptied", func() [][]byte {
			m := mixed(before, more)
			m[0] = after[0]
			return m
		}(), int(2*n+2))
		check("appended", more, int(2*n+2))
	}
}

// mixed has the database of before, and of each tail what is there before or, if
// it is empty then, more.
func mixed(before, more [][]byte) [][]byte {
	m := slices.Clone(before)
	for i := 1; i < 3; i++ {
		if len(m[i]) == 0 {
			m[i] = more[i]
		}
	}
	return m
}

// TestPowerCut: if a tail is lost while the next one is not, what is left is a
// beginning, and the numbers that are given again do not bring the lost ones back.
func TestPowerCut(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	must(t, s.Sync())
	must(t, s.Append([]Entry{message(epochA, 1, 2), message(epochA, 1, 3)}))
	before := copyFiles(t, cfg)
	first := s.active
	must(t, s.Sync())
	must(t, s.Append([]Entry{message(epochA, 1, 4)}))
	if s.active == first {
		t.Fatal("the tails did not take turns")
	}
	later, err := os.ReadFile(s.tails[s.active].path)
	must(t, err)
	must(t, os.WriteFile(paths(before)[1+first], nil, 0o600))
	must(t, os.WriteFile(paths(before)[2-first], later, 0o600))

	s = mustOpen(t, before)
	if all := texts(t, s); len(all) != 1 {
		t.Fatalf("%q", all)
	}
	must(t, s.Append([]Entry{message(epochB, 1, 1), message(epochB, 1, 2)}))
	again := copyFiles(t, before)
	if all := texts(t, mustOpen(t, again)); len(all) != 3 || all[2] != "text 2 of author 1" {
		t.Errorf("%q", all)
	}
}

// TestCrashInCreation: what a crash while the files are made leaves is no
// obstacle.
func TestCrashInCreation(t *testing.T) {
	cfg := testConfig(t.TempDir())
	must(t, os.WriteFile(cfg.Path+unfinished, make([]byte, 5000), 0o600))
	must(t, os.WriteFile(prefix(cfg.Path)+keySuffix+unfinished, make([]byte, keySize), 0o600))
	must(t, os.WriteFile(prefix(cfg.Path)+tailSuffixes[0], nil, 0o600))
	must(t, os.WriteFile(prefix(cfg.Path)+lockSuffix, []byte("1"), 0o600))
	if left := Unfinished(cfg.Path); len(left) != 2 {
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
