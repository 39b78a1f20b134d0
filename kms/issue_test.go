package kms

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

func TestMasterOpensWithPlainAge(t *testing.T) {
	a := domain(t)
	id, err := age.NewScryptIdentity(string(password))
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(readFile(t, a.files.Master())), id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := master().MarshalBinary(); !bytes.Equal(got, want) {
		t.Error("NAME.master holds something else than the master key")
	}
}

func TestWrongPassphrase(t *testing.T) {
	a := domain(t)
	locked, err := Read(a.files)
	if err != nil || !locked.Encrypted {
		t.Fatal(locked, err)
	}
	for _, wrong := range []string{"", "anchor velvet tundr", "anchor velvet tundra\n"} {
		if _, err := locked.Open([]byte(wrong)); !errors.Is(err, keyfile.ErrWrongPassphrase) {
			t.Errorf("%q gives %v", wrong, err)
		}
	}
}

func TestInitMakesThreeFilesAndOverwritesNone(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"NTNU.domain", "NTNU.master", "NTNU.ledger"} {
		writeFile(t, filepath.Join(folder, name), []byte("theirs"))
		if _, err := Prepare(rand.Reader, At(filepath.Join(folder, "NTNU"))); !errors.Is(err, keyfile.ErrExists) {
			t.Errorf("with %s there: %v", name, err)
		}
		if names := namesIn(t, folder); len(names) != 1 {
			t.Errorf("made %q", names)
		}
		os.Remove(filepath.Join(folder, name))
	}
	p, err := Prepare(rand.Reader, At(filepath.Join(folder, "NTNU")))
	if err != nil {
		t.Fatal(err)
	}
	// One name is taken in the meantime: the others are given back.
	writeFile(t, filepath.Join(folder, "NTNU.master"), []byte("theirs"))
	if _, err := p.Write(rand.Reader, Protection{}, 0, morning); !errors.Is(err, keyfile.ErrExists) {
		t.Errorf("with the last name taken: %v", err)
	}
	if names := namesIn(t, folder); !slices.Equal(names, []string{"NTNU.master"}) {
		t.Errorf("left behind %q", names)
	}
	os.Remove(filepath.Join(folder, "NTNU.master"))
	if _, err := p.Write(rand.Reader, Protection{}, 0, morning); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, folder); !slices.Equal(names, []string{"NTNU.domain", "NTNU.ledger", "NTNU.master"}) {
		t.Errorf("made %q", names)
	}
}

func TestDomainNames(t *testing.T) {
	for _, prefix := range []string{"", "x/", "..", ".", "-n", "a b", "a\x1bb", "NTNU\u202e", strings.Repeat("x", 65)} {
		if _, err := Prepare(rand.Reader, At(filepath.Join(t.TempDir(), "d")+"/"+prefix)); !errors.Is(err, ErrName) {
			t.Errorf("%q gives %v", prefix, err)
		}
	}
	for in, want := range map[string]string{"NTNU": "NTNU", "NTNU.domain": "NTNU", "a/NTNU.master": "a/NTNU",
		"NTNU.ledger": "NTNU", "NTNU.key": "NTNU.key", ".domain": ".domain"} {
		if got := At(in).Prefix(); got != want {
			t.Errorf("At(%q) begins with %q, want %q", in, got, want)
		}
	}
}

func TestIssuedKeyIsOnRecord(t *testing.T) {
	a := domain(t)
	out := issue(t, a, "kari.key")
	k, err := keyfile.LoadKey(ask(a, "kari.key").Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if k.Serial() != 1 || k.Generation() != 1 || k.From() != today || k.Expires() != today+1 || !k.Domain().
		Equal(a.Domain()) {
		t.Errorf("the key says %d, %d, %s to %s", k.Serial(), k.Generation(), k.From(), k.Expires())
	}
	issues := list(t, reopen(t, a.files))
	if len(issues) != 1 || issues[0].Name != "Kari Nordmann" || issues[0].Number != 1 ||
		issues[0].File != sha256.Sum256(readFile(t, ask(a, "kari.key").Path)) {
		t.Errorf("%+v", issues)
	}
	if out.Finished || out.Torn != nil || out.Voided != nil || out.Size != len(readFile(t, ask(a, "kari.key").Path)) {
		t.Errorf("%+v", out)
	}
	if issue(t, a, "ann.key").Number != 2 {
		t.Error("the second key is not number 2")
	}
}

func TestSealedKeyOpensWithPlainAge(t *testing.T) {
	a := domain(t)
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		to string
		id age.Identity
	}{{x.Recipient().String(), x}, {h.Recipient().String(), h}} {
		r := ask(a, fmt.Sprintf("%d.key", i))
		r.To = c.to
		if _, err := a.Issue(rand.Reader, r, morning); err != nil {
			t.Fatal(err)
		}
		plain, err := age.Decrypt(bytes.NewReader(readFile(t, r.Path)), c.id)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := abe.ParseKey(data); err != nil || k.Serial() != uint64(i+1) {
			t.Errorf("%v, %v", k, err)
		}
	}
	if issues := list(t, a); issues[1].Recipient != h.Recipient().String() {
		t.Error("the recipient is not on record")
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	a := domain(t)
	r := ask(a, "kari.key")
	writeFile(t, r.Path, []byte("theirs"))
	before := readFile(t, a.files.Ledger())
	if _, err := a.Issue(rand.Reader, r, morning); !errors.Is(err, keyfile.ErrExists) {
		t.Errorf("a taken name gives %v", err)
	}
	if !bytes.Equal(before, readFile(t, a.files.Ledger())) {
		t.Error("a key that was not issued is in the ledger")
	}
	r = ask(a, "nowhere/kari.key")
	if _, err := a.Issue(rand.Reader, r, morning); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder gives %v", err)
	}
	if !bytes.Equal(before, readFile(t, a.files.Ledger())) {
		t.Error("a key that could not be issued is in the ledger")
	}
}

// begin does what Issue does up to the entry, and stops as a crash would.
func begin(t *testing.T, a *Authority, r Request) (data []byte) {
	t.Helper()
	l, err := a.openLedger(true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	data, err = a.make(rand.Reader, r, l.next(), l.generation)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.record(rand.Reader, l, r, data, morning); err != nil {
		t.Fatal(err)
	}
	return data
}

// A crash at each point of issuing, and the same command again.
func TestCrashes(t *testing.T) {
	for _, c := range []struct {
		name   string
		crash  func(t *testing.T, a *Authority, r Request)
		number uint64   // that the second run issues
		voided []uint64 // and declares void
		finish bool
	}{
		{"before the entry", func(t *testing.T, a *Authority, r Request) {
			writeFile(t, keyfile.TempName(r.Path, a.tag(1)), nil)
		}, 1, nil, false},
		{"after the entry", func(t *testing.T, a *Authority, r Request) { begin(t, a, r) }, 2, []uint64{1}, false},
		{"half-way through the file", func(t *testing.T, a *Authority, r Request) {
			data := begin(t, a, r)
			writeFile(t, keyfile.TempName(r.Path, a.tag(1)), data[:len(data)/2])
		}, 2, []uint64{1}, false},
		{"before the file's name", func(t *testing.T, a *Authority, r Request) {
			data := begin(t, a, r)
			writeFile(t, keyfile.TempName(r.Path, a.tag(1)), data)
		}, 1, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := domain(t)
			r := ask(a, "kari.key")
			c.crash(t, a, r)
			if _, err := os.Stat(r.Path); err == nil {
				t.Fatal("the file has its name")
			}
			out := issue(t, a, "kari.key")
			if out.Number != c.number || !slices.Equal(out.Voided, c.voided) || out.Finished != c.finish {
				t.Errorf("issued %d, void %d, finished %v", out.Number, out.Voided, out.Finished)
			}
			k, err := keyfile.LoadKey(r.Path, nil)
			if err != nil || k.Serial() != c.number {
				t.Errorf("%v, %v", k, err)
			}
			issues := list(t, a)
			if len(issues) != int(c.number) || issues[c.number-1].File != sha256.Sum256(readFile(t, r.Path)) {
				t.Errorf("%+v", issues)
			}
			for _, n := range c.voided {
				if !issues[n-1].Void {
					t.Errorf("%d is not void", n)
				}
			}
			if names := namesIn(t, filepath.Dir(r.Path)); len(names) != 4 {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}

func TestCrashAfterTheName(t *testing.T) {
	a := domain(t)
	r := ask(a, "kari.key")
	data := begin(t, a, r)
	temp := keyfile.TempName(r.Path, a.tag(1))
	writeFile(t, temp, data)
	if err := os.Link(temp, r.Path); err != nil {
		t.Skip(err)
	}
	if _, err := a.Issue(rand.Reader, r, morning); !errors.Is(err, keyfile.ErrExists) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(temp); err == nil {
		t.Error("the second name is still there")
	}
	if issues := list(t, a); len(issues) != 1 || issues[0].Void {
		t.Errorf("%+v", issues)
	}
}

// What an interrupted run left is not given to somebody else.
func TestUnfinishedKeyOfAnother(t *testing.T) {
	a := domain(t)
	r := ask(a, "kari.key")
	data := begin(t, a, r)
	temp := keyfile.TempName(r.Path, a.tag(1))
	writeFile(t, temp, data)
	r.Name = "Ann Berg"
	var unfinished *UnfinishedError
	if _, err := a.Issue(rand.Reader, r, morning); !errors.As(err, &unfinished) || unfinished.Temp != temp ||
		unfinished.Key.Name != "Kari Nordmann" {
		t.Fatalf("%v", err)
	}
	if len(list(t, a)) != 1 {
		t.Error("something was issued")
	}
	// Another domain's leftovers are its own.
	foreign := keyfile.TempName(r.Path, "0011223344556677-1")
	if err := os.Rename(temp, foreign); err != nil {
		t.Fatal(err)
	}
	if out, err := a.Issue(rand.Reader, r, morning); err != nil || out.Number != 2 {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error("another domain's file is gone")
	}
}

// The name is taken between the entry and the file: the number is void, and the
// error says so.
func TestNotWritten(t *testing.T) {
	a := domain(t)
	r := ask(a, "kari.key")
	// Randomness is read once more after the place is reserved; see record.
	taker := takeName{rand.Reader, r.Path}
	_, err := a.Issue(&taker, r, morning)
	var unwritten *NotWrittenError
	if !errors.As(err, &unwritten) || unwritten.Number != 1 || !unwritten.Voided || !errors.Is(err, keyfile.ErrExists) {
		t.Fatalf("%v", err)
	}
	if issues := list(t, a); len(issues) != 1 || !issues[0].Void {
		t.Errorf("%+v", issues)
	}
	os.Remove(r.Path)
	if out := issue(t, a, "kari.key"); out.Number != 2 {
		t.Errorf("issued %d", out.Number)
	}
}

// takeName takes a name as soon as the place for it is reserved.
type takeName struct {
	io.Reader
	path string
}

func (r *takeName) Read(b []byte) (int, error) {
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(r.path), ".*.tmp")); len(left) > 0 {
		os.WriteFile(r.path, []byte("theirs"), 0o600)
	}
	return r.Reader.Read(b)
}

// A line that was cut short is said, kept, and uses up its number.
func TestTornLedger(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	whole := readFile(t, a.files.Ledger())
	issue(t, a, "2.key")
	data := readFile(t, a.files.Ledger())
	for _, end := range []int{len(whole) + 1, len(whole) + 40, len(data) - 1} {
		writeFile(t, a.files.Ledger(), data[:end])
		var torn *TornError
		known, err := a.Record()
		if !errors.As(err, &torn) || torn.Line != 4 || torn.Size != end-len(whole) || len(known.Issues) != 1 {
			t.Fatalf("cut at %d: %v, %+v", end, err, known)
		}
		if got := readFile(t, a.files.Ledger()); len(got) != end {
			t.Fatal("reading changed the ledger")
		}
		out := issue(t, a, fmt.Sprintf("cut%d.key", end))
		if out.Torn == nil || out.Number != 3 {
			t.Errorf("cut at %d: %+v", end, out)
		}
		issues := list(t, a)
		if len(issues) != 3 || !issues[1].Torn || issues[2].Torn {
			t.Errorf("cut at %d: %+v", end, issues)
		}
		l, err := a.openLedger(false)
		if err != nil {
			t.Fatal(err)
		}
		l.close()
	}
}

// An append that fails half-way leaves the ledger as it was.
func TestFailedAppend(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	before := readFile(t, a.files.Ledger())
	l, err := a.openLedger(true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if err := l.append(bytes.NewReader(nil), &entry{kind: kindTorn, number: 2}); err == nil {
		t.Error("an append without randomness succeeded")
	}
	l.f.Close() // as if the disk had gone
	if err := l.append(rand.Reader, &entry{kind: kindTorn, number: 2}); err == nil {
		t.Error("an append to nowhere succeeded")
	}
	if l.next() != 2 || !bytes.Equal(before, readFile(t, a.files.Ledger())) {
		t.Error("a failed append left something")
	}
}

func TestMissingAndForeignFiles(t *testing.T) {
	a, other := domain(t), domain(t)
	r := ask(a, "kari.key")
	os.Remove(a.files.Ledger())
	if _, err := a.Issue(rand.Reader, r, morning); !errors.Is(err, ErrLedgerMissing) {
		t.Errorf("no ledger: %v", err)
	}
	if _, err := os.Stat(r.Path); err == nil {
		t.Error("a key was issued without a ledger")
	}
	foreign, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	public, _ := foreign.Domain().MarshalBinary()
	os.WriteFile(other.files.Domain(), public, 0o644)
	locked, err := Read(other.files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.Open(password); !errors.Is(err, ErrForeignDomain) {
		t.Errorf("another domain's parameters: %v", err)
	}
	os.Remove(other.files.Master())
	if _, err := Read(other.files); !errors.Is(err, ErrMasterMissing) {
		t.Errorf("no master key: %v", err)
	}
	os.Remove(other.files.Domain())
	if _, err := Read(other.files); errors.Is(err, ErrMasterMissing) || !errors.Is(err, keyfile.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

func TestNames(t *testing.T) {
	a := domain(t)
	for _, name := range []string{"Kari\x1b[2J", "Kari\n", "a\u202eb", " Kari", "Ka\u0301ri", "\xff",
		strings.Repeat("x", 201)} {
		r := ask(a, "kari.key")
		r.Name = name
		if _, err := a.Issue(rand.Reader, r, morning); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSpelling(t *testing.T) {
	count := map[string]int{"NTNU": 2, "Professor": 3, `"5th year"`: 188, "IT": 9, "dept=Physics": 9, "BIO1": 9,
		"Profesor2": 1}
	for in, want := range map[string]Spelling{
		"ntnu":         {"ntnu", "NTNU", 2},
		"5th Year":     {`"5th Year"`, `"5th year"`, 188},
		"Profesor":     {"Profesor", "Professor", 3},
		"Proffessor":   {"Proffessor", "Professor", 3},
		"Porfessor":    {"Porfessor", "Professor", 3},
		"Professos":    {"Professos", "Professor", 3},
		"dept=Phisics": {"dept=Phisics", "dept=Physics", 9},
		"NTNX":         {}, // two keys are not many
		"4th year":     {}, // digits are meant to differ
		"BIO2":         {},
		"IB":           {}, // short names are all alike
		"NTNU":         {}, // known
		"Profess":      {},
		"Prrofesssor":  {},
	} {
		attributes, err := abe.ParseAttributes([]string{in})
		if err != nil {
			t.Fatal(err)
		}
		found := CheckSpelling(attributes, count)
		if want.Keys == 0 && len(found) > 0 || want.Keys > 0 && !slices.Equal(found, []Spelling{want}) {
			t.Errorf("%q: %+v", in, found)
		}
	}
}

func TestRunsAtOnceGetDifferentNumbers(t *testing.T) {
	a := domain(t)
	const runs = 8
	numbers := make([]uint64, runs)
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() {
			// Each its own, as processes have it.
			out, err := reopen(t, a.files).Issue(rand.Reader, ask(a, fmt.Sprintf("%d.key", i)), morning)
			if err != nil {
				t.Error(err)
				return
			}
			numbers[i] = out.Number
		})
	}
	wg.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != uint64(i+1) {
			t.Fatalf("numbers %d", numbers)
		}
	}
	if len(list(t, a)) != runs {
		t.Error("not all are on record")
	}
}
