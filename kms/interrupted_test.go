package kms

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// TestBackupInterrupted: a backup that ends before it is on record, whenever that is,
// leaves a stick that the next one completes, and that restores.
func TestBackupInterrupted(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	folder := t.TempDir()
	backup(t, a, folder)
	issue(t, a, "2.key")
	killed := errors.New("killed while the copy is opened")
	if _, err := a.Backup(rand.Reader, folder, func(*Locked) (*Authority, error) { return nil, killed },
		morning); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	issue(t, a, "3.key")
	if out, err := Restore(a.files.in(folder), a.files, opened); err != nil || !out.Longer || len(out.Written) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	backup(t, a, folder)
	if r, err := a.Record(); err != nil || !r.Uncopied.IsZero() || len(r.Issues) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, suffix := range []string{domainSuffix, masterSuffix, ledgerSuffix} {
		if !bytes.Equal(readFile(t, a.files.prefix+suffix), readFile(t, filepath.Join(folder, "NTNU"+suffix))) {
			t.Errorf("%s is not the same", suffix)
		}
	}
}

// TestBackupKeepsOthersMaster: a copy replaces neither another domain's master key nor
// one that a successor alone can open.
func TestBackupKeepsOthersMaster(t *testing.T) {
	a := domain(t)
	refused := func(folder string, want error) {
		t.Helper()
		path := filepath.Join(folder, "NTNU.master")
		before := readFile(t, path)
		if _, err := a.Backup(rand.Reader, folder, opened, morning); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if !bytes.Equal(before, readFile(t, path)) {
			t.Error("it was replaced")
		}
	}

	other, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := other.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "NTNU.master"), secret)
	refused(folder, ErrUnknownMaster)
	encrypted, err := keyfile.EncryptPassphrase(secret, []byte("another"), 1)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "NTNU.master"), encrypted)
	refused(folder, ErrUnknownMaster)

	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	backup(t, a, folder)
	os.Remove(filepath.Join(folder, "NTNU.master"))
	if err := a.Successor(id.Recipient(), filepath.Join(folder, "NTNU.master")); err != nil {
		t.Fatal(err)
	}
	refused(folder, ErrOthersMaster)

	// One of the same domain with an older passphrase is an older copy.
	folder = t.TempDir()
	backup(t, a, folder)
	if err := a.Protect(Protection{Passphrase: []byte("a new one"), WorkFactor: 1}); err != nil {
		t.Fatal(err)
	}
	reopened := func(l *Locked) (*Authority, error) { return l.Open([]byte("a new one")) }
	if _, err := a.Backup(rand.Reader, folder, reopened, morning); err != nil {
		t.Error(err)
	}
}

// TestLinkedFiles: a domain whose files are links elsewhere stays one domain.
func TestLinkedFiles(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	folder := t.TempDir()
	for _, suffix := range []string{domainSuffix, masterSuffix, ledgerSuffix} {
		if err := os.Symlink(a.files.prefix+suffix, filepath.Join(folder, "NTNU"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	linked := reopen(t, a.files.in(folder))
	if _, err := linked.Forget(rand.Reader, morning, func(Issue) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := linked.Protect(Protection{Passphrase: []byte("a new one"), WorkFactor: 1}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{masterSuffix, ledgerSuffix} {
		if info, err := os.Lstat(filepath.Join(folder, "NTNU"+suffix)); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is a link no more", suffix)
		}
	}
	if got := list(t, a); len(got) != 1 || !got[0].Forgotten {
		t.Errorf("the file has %+v", got)
	}
	if _, err := reopenWith(a.files, password); !errors.Is(err, keyfile.ErrWrongPassphrase) {
		t.Errorf("the master key opens with the old passphrase: %v", err)
	}
	// A key is never written over a link.
	r := ask(a, "link.key")
	r.Force = true
	if err := os.Symlink(filepath.Join(folder, "elsewhere"), r.Path); err != nil {
		t.Fatal(err)
	}
	var special *keyfile.NotRegularError
	if _, err := a.Issue(rand.Reader, r, morning); !errors.As(err, &special) {
		t.Errorf("%v", err)
	}
}

func reopenWith(files Files, passphrase []byte) (*Authority, error) {
	locked, err := Read(files)
	if err != nil {
		return nil, err
	}
	return locked.Open(passphrase)
}

// TestUnfinishedFiles: what an interrupted run left of the domain's files, in the clear
// perhaps, goes with the next that changes anything, and nothing else does.
func TestUnfinishedFiles(t *testing.T) {
	a := domain(t)
	folder := filepath.Dir(a.files.prefix)
	left := []string{".NTNU.ledger.00112233445566ff.tmp", ".NTNU.master.00112233445566ff.tmp",
		".NTNU.domain.00112233445566ff.tmp"}
	kept := []string{".NTNU.ledger.0011.tmp", ".NTNU.ledger.00112233445566zz.tmp", "NTNU.ledger.00112233445566ff.tmp",
		".X.ledger.00112233445566ff.tmp"}
	for _, name := range slices.Concat(left, kept) {
		writeFile(t, filepath.Join(folder, name), []byte("Kari Nordmann"))
	}
	var said []string
	a.Removed = func(path string) { said = append(said, filepath.Base(path)) }
	issue(t, a, "1.key")
	names := namesIn(t, folder)
	for _, name := range left {
		if slices.Contains(names, name) || !slices.Contains(said, name) {
			t.Errorf("%s is there, or nothing is said of it: %v", name, said)
		}
	}
	for _, name := range kept {
		if !slices.Contains(names, name) {
			t.Errorf("%s is gone", name)
		}
	}
	if len(said) != len(left) {
		t.Errorf("said: %v", said)
	}

	stick := t.TempDir()
	writeFile(t, filepath.Join(stick, left[1]), []byte("a master key"))
	backup(t, a, stick)
	writeFile(t, filepath.Join(folder, left[1]), []byte("a master key"))
	if err := a.Protect(Protection{Passphrase: password, WorkFactor: 1}); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(namesIn(t, stick), left[1]) || slices.Contains(namesIn(t, folder), left[1]) {
		t.Error("a master key that an interrupted run left is there")
	}
}

// TestLedgerIsFull: a ledger never grows beyond what is read again, and the last of it
// is for entries that are no keys.
func TestLedgerIsFull(t *testing.T) {
	a := domain(t)
	l, _, err := a.change(rand.Reader, morning)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	e := func(kind uint8) *entry {
		out := &entry{kind: kind, time: morning.Unix()}
		switch kind {
		case kindIssued:
			out.number, out.generation, out.from, out.expires, out.person = 1, 1, today, today+1, person{form: personKept,
				name: "Kari"}
			out.attributes = []string{"NTNU"}
		case kindRaised:
			out.generation = 2
		}
		return out
	}
	l.size = maxLedger - reserve - 10
	if err := l.append(rand.Reader, e(kindIssued)); !errors.Is(err, ErrLedgerFull) {
		t.Errorf("%v", err)
	}
	if err := l.append(rand.Reader, e(kindRaised)); err != nil {
		t.Errorf("%v", err)
	}
	l.size = maxLedger - 10
	if err := l.append(rand.Reader, e(kindCopied)); !errors.Is(err, ErrLedgerFull) {
		t.Errorf("%v", err)
	}
}

// TestCostlyMaster: a file that asks for more work than a computer has is refused before
// the work is done.
func TestCostlyMaster(t *testing.T) {
	a := domain(t)
	data := readFile(t, a.files.Master())
	line := strings.Index(string(data), "-> scrypt ")
	end := line + strings.Index(string(data[line:]), "\n")
	costly := slices.Concat(data[:end-1], []byte("22"), data[end:]) // it was 1
	writeFile(t, a.files.Master(), costly)
	start := time.Now()
	var work *keyfile.WorkError
	if _, err := reopenWith(a.files, password); !errors.As(err, &work) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
