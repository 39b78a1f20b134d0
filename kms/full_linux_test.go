package kms

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk that is full at any point of issuing: the ledger stays readable, each
// number is a key that is in its file or is void, and with room again the same
// command goes on.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=96k,mode=700"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	defer syscall.Unmount(folder, 0)
	files := At(filepath.Join(folder, "NTNU"))
	if _, err := (&Prepared{files: files, master: master()}).Write(rand.Reader, Protection{}, 0, morning); err != nil {
		t.Fatal(err)
	}
	locked, err := Read(files)
	if err != nil {
		t.Fatal(err)
	}
	a, err := locked.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(folder, "ballast")
	failures := make(map[string]int)
	for round := range 8 {
		if round%2 == 0 {
			toPageEnd(t, a)
		}
		// As full as it gets, or but for a page.
		fill(t, ballast)
		if err := os.Truncate(ballast, max(size(t, ballast)-int64(round%4/2)*4096, 0)); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%d.key", round)
		_, err := a.Issue(rand.Reader, ask(a, name), morning)
		var unwritten *NotWrittenError
		switch {
		case err == nil:
			failures["none"]++
		case !errors.Is(err, syscall.ENOSPC):
			t.Fatal(err)
		case errors.As(err, &unwritten):
			failures["file"]++
		default:
			failures["ledger"]++
		}
		os.Remove(ballast)
		if err != nil {
			if _, err := a.Issue(rand.Reader, ask(a, name), morning); err != nil {
				t.Fatal(err)
			}
		}
		held := 0
		for _, i := range list(t, a) {
			if !i.Void {
				held++
			}
		}
		if held != 1 {
			t.Fatalf("round %d: %d keys are on record as issued", round, held)
		}
		if names := namesIn(t, folder); len(names) != 4 {
			t.Fatalf("round %d: left %q", round, names)
		}
		// Room for the next round, and a ledger without that key.
		os.Remove(ask(a, name).Path)
		voidAll(t, a)
	}
	if failures["file"] == 0 || failures["ledger"] == 0 {
		t.Errorf("the disk was never full at both points: %v", failures)
	}
	// A passphrase is not changed half-way.
	before := readFile(t, files.Master())
	fill(t, ballast)
	if err := a.Protect(Protection{Passphrase: password, WorkFactor: 1}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(before, readFile(t, files.Master())) {
		t.Error("the master key is another")
	}
}

func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}

// toPageEnd makes the ledger so long that the entry of a key needs a page more.
func toPageEnd(t *testing.T, a *Authority) {
	t.Helper()
	l, _, err := a.change(rand.Reader, morning)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for l.size%4096 < 4096-300 {
		if err := l.append(rand.Reader, &entry{kind: kindCopied, time: morning.Unix()}); err != nil {
			t.Fatal(err)
		}
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// voidAll puts on record that nothing was written.
func voidAll(t *testing.T, a *Authority) {
	t.Helper()
	l, _, err := a.change(rand.Reader, morning)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for n := uint64(1); n < l.next(); n++ {
		if l.real(n) {
			if err := l.append(rand.Reader, &entry{kind: kindVoid, number: n, reason: reasonNotWritten,
				time: morning.Unix()}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
