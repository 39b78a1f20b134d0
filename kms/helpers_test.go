package kms

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"coterie/crypto/abe"
)

var (
	morning  = time.Date(2026, 11, 23, 8, 55, 0, 0, time.UTC)
	today    = abe.DayOf(morning)
	password = []byte("anchor velvet tundra")
)

// master is made once: making it is the slow part.
var master = sync.OnceValue(func() *abe.MasterKey {
	m, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		panic(err)
	}
	return m
})

// domain writes a fresh domain's files, with the same master key each time, and
// opens it.
func domain(t *testing.T) *Authority {
	t.Helper()
	files := At(filepath.Join(t.TempDir(), "NTNU"))
	if _, err := (&Prepared{files: files, master: master()}).Write(rand.Reader, Protection{Passphrase: password,
		WorkFactor: 1}, 0, morning); err != nil {
		t.Fatal(err)
	}
	return reopen(t, files)
}

func reopen(t *testing.T, files Files) *Authority {
	t.Helper()
	locked, err := Read(files)
	if err != nil {
		t.Fatal(err)
	}
	a, err := locked.Open(password)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask is for the cheapest key there is: one attribute and one day.
func ask(a *Authority, file string) Request {
	attributes, err := abe.ParseAttributes([]string{"NTNU"})
	if err != nil {
		panic(err)
	}
	return Request{Name: "Kari Nordmann", Attributes: attributes, From: today, Expires: today + 1,
		Path: filepath.Join(filepath.Dir(a.files.prefix), file)}
}

func issue(t *testing.T, a *Authority, file string) *Issued {
	t.Helper()
	out, err := a.Issue(rand.Reader, ask(a, file), morning)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func list(t *testing.T, a *Authority) []Issue {
	t.Helper()
	r, err := a.Record()
	if err != nil {
		t.Fatal(err)
	}
	return r.Issues
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// namesIn lists a folder.
func namesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
