package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"coterie/kms"
	"coterie/kms/keyfile"
)

var (
	killRounds = flag.Int("kms.kills", 3, "how many times each command is ended at a random moment")
	killSeed   = flag.Uint64("kms.seed", 0, "of the moments; 0: another one each time")
)

const (
	firstPass  = "anchor-velvet-tundra"
	secondPass = "copper-orbit-lantern"
	people     = 4 // have a key before a command is ended
)

// A station is a folder with a domain, keys and a stick, in which commands are ended.
type station struct {
	t      *testing.T
	dir    string
	secret []byte // a part of the master key as it is in no file
}

// opened opens a domain's files with either passphrase, and says with which.
func (s *station) opened(prefix string) (a *kms.Authority, with string) {
	s.t.Helper()
	locked, err := kms.Read(kms.At(filepath.Join(s.dir, prefix)))
	if err != nil {
		s.t.Fatalf("%s: %v", prefix, err)
	}
	for _, with = range []string{firstPass, secondPass} {
		if a, err = locked.Open([]byte(with)); err == nil {
			return a, with
		}
	}
	s.t.Fatalf("%s: no passphrase opens it: %v", prefix, err)
	return nil, ""
}

// check reads every file there is: no secret is in clear, no number is given twice, every
// key is on record and opens. It returns what is on record, by name.
func (s *station) check(prefix string) (byName map[string][]kms.Issue, record *kms.Record) {
	s.t.Helper()
	a, _ := s.opened(prefix)
	record, err := a.Record()
	if torn := (*kms.TornError)(nil); err != nil && !errors.As(err, &torn) {
		s.t.Fatalf("%s: %v", prefix, err)
	}
	byName = make(map[string][]kms.Issue)
	for i, issue := range record.Issues {
		if issue.Number != uint64(i+1) {
			s.t.Errorf("number %d is in the place of %d", issue.Number, i+1)
		}
		if !issue.Void && !issue.Torn {
			byName[issue.Name] = append(byName[issue.Name], issue)
		}
	}
	files := make(map[uint64]string)
	s.each(func(path string, data []byte) {
		base := filepath.Base(path)
		if bytes.Contains(data, s.secret) {
			s.t.Errorf("%s has the master key in clear", path)
		}
		if strings.Contains(base, ".ledger") || strings.Contains(base, ".master") || strings.Contains(base, ".domain") {
			for _, name := range []string{"Person", "Newcomer", "Member"} {
				if bytes.Contains(data, []byte(name)) {
					s.t.Errorf("%s has a name in clear", path)
				}
			}
		}
		if strings.HasPrefix(base, ".") || filepath.Ext(base) != ".key" {
			return
		}
		k, err := keyfile.LoadKey(path, nil)
		if err != nil {
			s.t.Errorf("%s: %v", path, err)
			return
		}
		n := k.Serial()
		if n == 0 || n > uint64(len(record.Issues)) || record.Issues[n-1].Void {
			s.t.Errorf("%s has number %d, which is not on record", path, n)
		}
		if files[n] != "" {
			s.t.Errorf("%s and %s have number %d", path, files[n], n)
		}
		files[n] = path
	})
	return byName, record
}

// each reads every file below the folder.
func (s *station) each(visit func(path string, data []byte)) {
	s.t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		visit(path, data)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// tidy is what there must be when a command has ended well: nothing of one that did not.
func (s *station) tidy() {
	s.t.Helper()
	s.each(func(path string, _ []byte) {
		if strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".new") {
			s.t.Errorf("left behind: %s", path)
		}
	})
}

func (s *station) run(args ...string) (out string, err error) {
	b, err := process(s.dir, args...).CombinedOutput()
	return string(b), err
}

func (s *station) must(args ...string) {
	s.t.Helper()
	if out, err := s.run(args...); err != nil {
		s.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// newStation makes a domain with keys, a backup on a stick, and one key more.
func newStation(t *testing.T) *station {
	t.Helper()
	s := &station{t: t, dir: t.TempDir()}
	table := "name,recipient,attr\n"
	for i := range people {
		table += fmt.Sprintf("Member %d,,NTNU\n", i+1)
	}
	for path, text := range map[string]string{"pass": firstPass + "\n", "pass2": secondPass + "\n", "members.csv": table} {
		if err := os.WriteFile(filepath.Join(s.dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"stick", "keys", "other", "renewed"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// That was yesterday, since what was issued today is not renewed.
	os.Setenv("TEST_NOW", time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339))
	defer os.Unsetenv("TEST_NOW")
	s.must("init", "NTNU", "--passphrase-file", "pass")
	for i := range people {
		s.must("issue", "--name", fmt.Sprintf("Person %d", i+1), "--attr", "NTNU", "--expires", "3d",
			"-o", fmt.Sprintf("keys/person-%d.key", i+1), "--yes", "--passphrase-file", "pass")
		if i == people-2 {
			s.must("backup", "stick", "--passphrase-file", "pass")
		}
	}
	data, err := os.ReadFile(filepath.Join(s.dir, "NTNU.master"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.NewScryptIdentity(firstPass)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(data), id)
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(r); err != nil || plain.Len() < 100 {
		t.Fatalf("%d bytes, %v", plain.Len(), err)
	}
	s.secret = plain.Bytes()[plain.Len()-40 : plain.Len()-8]
	return s
}

// copy is the same folder somewhere else.
func (s *station) copy(t *testing.T) *station {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err == nil {
		dir = filepath.Join(dir, "at")
		err = os.CopyFS(dir, os.DirFS(s.dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
	return &station{t, dir, s.secret}
}

// endAt runs a command and ends it after a while, if it has not ended by itself.
func (s *station) endAt(after time.Duration, signal os.Signal, args ...string) (ended bool) {
	s.t.Helper()
	cmd := process(s.dir, args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
		return false
	case <-time.After(after):
		cmd.Process.Signal(signal)
		<-done
		return true
	}
}

// TestKilled ends each command that writes at random moments, by SIGKILL and SIGTERM. What
// is there then is whole, and the same command again completes it: nothing is lost, nothing
// is there twice, and nothing is in clear that the finished files do not have so.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such signals")
	}
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kms.seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	base := newStation(t)
	began := time.Now()
	base.run("version")
	startup := time.Since(began)
	one := func(s *station, byName map[string][]kms.Issue, names ...string) {
		s.t.Helper()
		for _, name := range names {
			if n := len(byName[name]); n != 1 {
				s.t.Errorf("%s has %d keys", name, n)
			}
		}
	}
	persons := []string{"Person 1", "Person 2", "Person 3", "Person 4"}
	for name, c := range map[string]struct {
		args   []string
		again  []string // on standard output or error, where the first run had done it
		finish func(s *station)
	}{
		"init": {[]string{"init", "OTHER", "--passphrase-file", "pass"}, []string{"exists", "is there"}, func(s *station) {
			s.opened("OTHER")
		}},
		"issue": {[]string{"issue", "--name", "Newcomer", "--attr", "NTNU", "--expires", "1d", "-o", "keys/new.key",
			"--yes"}, []string{"exists"}, func(s *station) {
			byName, _ := s.check("NTNU")
			one(s, byName, append(persons, "Newcomer")...)
			if _, err := keyfile.LoadKey(filepath.Join(s.dir, "keys/new.key"), nil); err != nil {
				s.t.Error(err)
			}
		}},
		"batch": {[]string{"issue", "--csv", "members.csv", "-o", "keys", "--yes", "--expires", "1d"}, nil, func(s *station) {
			byName, _ := s.check("NTNU")
			one(s, byName, append(persons, "Member 1", "Member 2", "Member 3", "Member 4")...)
			for i := range people {
				if _, err := keyfile.LoadKey(filepath.Join(s.dir, fmt.Sprintf("keys/member-%d.key", i+1)), nil); err != nil {
					s.t.Error(err)
				}
			}
		}},
		"renew": {[]string{"renew", "--all", "-o", "renewed", "--yes"}, []string{"nothing", "Nothing", "no key", "No key"},
			func(s *station) {
				byName, _ := s.check("NTNU")
				for _, p := range persons {
					if n := len(byName[p]); n != 2 {
						s.t.Errorf("%s has %d keys", p, n)
					}
				}
				if files, _ := filepath.Glob(filepath.Join(s.dir, "renewed", "*.key")); len(files) != people {
					s.t.Errorf("there are %q", files)
				}
			}},
		"revoke": {[]string{"revoke", "2", "--yes"}, []string{"already"}, func(s *station) {
			a, _ := s.opened("NTNU")
			_, record := s.check("NTNU")
			n, err := keyfile.LoadNotice(filepath.Join(s.dir, "NTNU.notice"))
			if err != nil || n.Verify(a.Domain()) != nil || !slices.Equal(n.Serials, []uint64{2}) ||
				n.Number != record.Revoked.Number || !record.Issues[1].Revoked {
				s.t.Errorf("the notice %+v, %v; on record %+v", n, err, record.Revoked)
			}
		}},
		"forget": {[]string{"ledger", "forget", "Person 1", "--yes"}, []string{"nobody", "no key", "No key"},
			func(s *station) {
				byName, record := s.check("NTNU")
				one(s, byName, persons[1:]...)
				if len(byName["Person 1"]) != 0 || len(record.Issues) != people || !record.Issues[0].Forgotten {
					s.t.Errorf("on record: %+v", record.Issues)
				}
			}},
		"passphrase": {[]string{"passphrase", "NTNU", "--new-passphrase-file", "pass2"}, []string{"wrong passphrase"},
			func(s *station) {
				s.check("NTNU")
				if _, with := s.opened("NTNU"); with != secondPass {
					s.t.Error("the old passphrase opens it")
				}
			}},
		// Without a passphrase the key is in clear; once it has one again, it is so nowhere.
		"plain": {[]string{"passphrase", "NTNU", "--no-passphrase"}, []string{"no passphrase", "not encrypted"},
			func(s *station) {
				s.must("passphrase", "NTNU", "--new-passphrase-file", "pass2")
				s.secretsAreSealed()
				s.check("NTNU")
				s.tidy()
			}},
		"backup": {[]string{"backup", "stick"}, nil, func(s *station) {
			_, own := s.check("NTNU")
			_, copied := s.check("stick/NTNU")
			if own.Head != copied.Head || !own.Uncopied.IsZero() {
				s.t.Errorf("the stick has %d entries, the folder %d; uncopied since %v", copied.Entries, own.Entries, own.Uncopied)
			}
		}},
		"restore": {[]string{"restore", "stick"}, nil, func(s *station) {
			byName, _ := s.check("NTNU")
			one(s, byName, persons[:people-1]...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(slices.Clone(c.args), "--passphrase-file", "pass")
			if name == "init" {
				args = c.args
			}
			prepare := func() *station {
				s := base.copy(t)
				if name == "restore" { // the computer was stolen
					for _, suffix := range []string{".domain", ".master", ".ledger"} {
						os.Remove(filepath.Join(s.dir, "NTNU"+suffix))
					}
					os.Remove(filepath.Join(s.dir, "keys", fmt.Sprintf("person-%d.key", people)))
				}
				return s
			}
			s := prepare()
			began := time.Now()
			s.must(args...)
			full := time.Since(began)
			c.finish(s)
			s.tidy()
			ended := 0
			for round := range *killRounds {
				s := prepare()
				after := startup/2 + time.Duration(rng.Int64N(int64(max(full-startup/2, 1))))
				signal := []os.Signal{syscall.SIGKILL, syscall.SIGTERM}[round%2]
				if s.endAt(after, signal, args...) {
					ended++
				}
				if name != "plain" {
					s.secretsAreSealed()
				}
				out, err := s.run(args...)
				done := err == nil || slices.ContainsFunc(c.again, func(word string) bool { return strings.Contains(out, word) })
				if !done {
					t.Errorf("round %d, %v after %v: again, it says\n%s", round, signal, after, out)
					continue
				}
				c.finish(s)
				if err == nil {
					s.tidy()
				}
				if t.Failed() {
					t.Logf("round %d, %v after %v\n%s", round, signal, after, out)
					return
				}
			}
			t.Logf("%d of %d were ended while they ran", ended, *killRounds)
		})
	}
}

// secretsAreSealed reads every file as whoever finds the folder does.
func (s *station) secretsAreSealed() {
	s.t.Helper()
	s.each(func(path string, data []byte) {
		if bytes.Contains(data, s.secret) {
			s.t.Errorf("%s has the master key in clear", path)
		}
		if strings.Contains(filepath.Base(path), ".ledger") && bytes.Contains(data, []byte("Person")) {
			s.t.Errorf("%s has a name in clear", path)
		}
	})
}
