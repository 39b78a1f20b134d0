package kms

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// opened opens a copy as its owner would.
func opened(l *Locked) (*Authority, error) { return l.Open(password) }

func backup(t *testing.T, a *Authority, folder string) {
	t.Helper()
	if _, err := a.Backup(rand.Reader, folder, opened, morning); err != nil {
		t.Fatal(err)
	}
}

func TestBackupIsTheDomain(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	if r, err := a.Record(); err != nil || !r.Uncopied.Equal(morning) {
		t.Errorf("%+v, %v", r, err)
	}
	folder := t.TempDir()
	backup(t, a, folder)
	for _, suffix := range []string{domainSuffix, masterSuffix, ledgerSuffix} {
		if !bytes.Equal(readFile(t, a.files.prefix+suffix), readFile(t, filepath.Join(folder, "NTNU"+suffix))) {
			t.Errorf("%s is not the same", suffix)
		}
	}
	r, err := reopen(t, a.files.in(folder)).Record()
	if err != nil || len(r.Issues) != 1 || !r.Uncopied.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	issue(t, a, "2.key")
	if r, err := a.Record(); err != nil || r.Uncopied.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	// A newer backup replaces the older one; an older ledger does not replace a
	// newer backup.
	older := readFile(t, a.files.Ledger())
	issue(t, a, "lost.key")
	backup(t, a, folder)
	newer := readFile(t, a.files.in(folder).Ledger())
	writeFile(t, a.files.Ledger(), older)
	var ahead *AheadError
	if _, err := a.Backup(rand.Reader, folder, opened, morning); !errors.As(err, &ahead) {
		t.Errorf("%v", err)
	}
	issue(t, a, "3.key")
	var diverged *DivergedError
	if _, err := a.Backup(rand.Reader, folder, opened, morning); !errors.As(err, &diverged) {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(newer, readFile(t, a.files.in(folder).Ledger())) {
		t.Error("the newer backup is gone")
	}
}

// A memory stick that writes something else than it was given.
func TestBackupIsReadBack(t *testing.T) {
	a := domain(t)
	folder := t.TempDir()
	bad := func(l *Locked) (*Authority, error) {
		// It goes wrong after the bytes were compared, and before they are parsed.
		data := readFile(t, a.files.in(folder).Ledger())
		data[len(data)-50] ^= 1
		writeFile(t, a.files.in(folder).Ledger(), data)
		return l.Open(password)
	}
	var line *LedgerError
	if _, err := a.Backup(rand.Reader, folder, bad, morning); !errors.As(err, &line) {
		t.Errorf("%v", err)
	}
	if r, err := a.Record(); err != nil || r.Uncopied.IsZero() {
		t.Error("a backup that cannot be read counts as one")
	}
}

func TestRestoreOverwritesNothingLonger(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	folder := t.TempDir()
	backup(t, a, folder)
	from := a.files.in(folder)
	copied := readFile(t, a.files.Ledger())
	issue(t, a, "2.key")
	longer := readFile(t, a.files.Ledger())
	out, err := Restore(from, a.files, opened)
	if err != nil || !out.Longer || len(out.Written) != 0 || !bytes.Equal(longer, readFile(t, a.files.Ledger())) {
		t.Errorf("%+v, %v", out, err)
	}
	// Torn, it still has more than the copy.
	writeFile(t, a.files.Ledger(), longer[:len(longer)-10])
	if out, err := Restore(from, a.files, opened); err != nil || !out.Longer || len(out.Written) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	// Damaged, too.
	damaged := bytes.Clone(longer)
	damaged[200] ^= 1
	writeFile(t, a.files.Ledger(), damaged)
	var lost *DamagedLongerError
	if _, err := Restore(from, a.files, opened); !errors.As(err, &lost) || lost.Entries-lost.Copy != 1 {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(damaged, readFile(t, a.files.Ledger())) {
		t.Error("the damaged ledger is gone")
	}
	// As short as the copy, it is moved aside.
	short := bytes.Clone(copied)
	short[200] ^= 1
	writeFile(t, a.files.Ledger(), short)
	if out, err := Restore(from, a.files, opened); err != nil || out.Aside == "" ||
		!bytes.Equal(short, readFile(t, out.Aside)) {
		t.Errorf("%+v, %v", out, err)
	}
	if !bytes.Equal(copied, readFile(t, a.files.Ledger())) {
		t.Error("the ledger is not the copy's")
	}
	// Lost altogether; the numbers after the copy are left out.
	for _, path := range []string{a.files.Ledger(), a.files.Master(), a.files.Domain()} {
		os.Remove(path)
	}
	if out, err := Restore(from, a.files, opened); err != nil || len(out.Written) != 3 {
		t.Errorf("%+v, %v", out, err)
	}
	b := reopen(t, a.files)
	if err := b.Skip(rand.Reader, 1, morning); err != nil {
		t.Fatal(err)
	}
	if out := issue(t, b, "3.key"); out.Number != 3 {
		t.Errorf("issued %d", out.Number)
	}
	// One that went another way since.
	fork := t.TempDir()
	backup(t, b, fork)
	writeFile(t, a.files.Ledger(), copied)
	issue(t, reopen(t, a.files), "4.key")
	here := readFile(t, a.files.Ledger())
	var diverged *DivergedError
	if _, err := Restore(a.files.in(fork), a.files, opened); !errors.As(err, &diverged) ||
		!bytes.Equal(here, readFile(t, a.files.Ledger())) {
		t.Errorf("%v", err)
	}
	// Another domain's backup.
	other := domain(t)
	foreign, err := Prepare(rand.Reader, At(filepath.Join(t.TempDir(), "NTNU")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.Write(rand.Reader, Protection{Passphrase: password, WorkFactor: 1}, 0, morning); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(foreign.files, other.files, opened); !errors.Is(err, ErrForeignDomain) {
		t.Errorf("%v", err)
	}
	if _, err := other.Backup(rand.Reader, filepath.Dir(foreign.files.prefix), opened, morning); !errors.Is(err,
		ErrForeignDomain) {
		t.Errorf("%v", err)
	}
}
