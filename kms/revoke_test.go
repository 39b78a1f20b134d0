package kms

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// revoke makes a notice, and sees that it names these keys and takes the place of last.
func revoke(t *testing.T, a *Authority, number uint64, now time.Time, last *abe.Notice, serials ...uint64) *abe.Notice {
	t.Helper()
	n, _, _, err := a.Revoke(rand.Reader, number, now)
	if err != nil {
		t.Fatal(err)
	}
	written, err := keyfile.LoadNotice(a.files.Notice())
	if err != nil || !written.Equal(n) || n.Verify(a.Domain()) != nil || !slices.Equal(n.Serials, serials) ||
		last != nil && n.Number <= last.Number {
		t.Fatalf("%+v, %v; written %+v", n, err, written)
	}
	return n
}

// TestRevoke: a notice names what the one before it named, also where the clock went back or
// the ledger came out of an old backup, and until a key lapses.
func TestRevoke(t *testing.T) {
	a := domain(t)
	for _, file := range []string{"1.key", "2.key", "3.key"} {
		issue(t, a, file)
	}
	long := ask(a, "4.key")
	long.Expires = today + 30
	if _, err := a.Issue(rand.Reader, long, morning); err != nil {
		t.Fatal(err)
	}
	one := revoke(t, a, 2, morning, nil, 2)
	old := readFile(t, a.files.Ledger())
	two := revoke(t, a, 3, morning.Add(-time.Minute), one, 2, 3)
	if again, _, was, err := a.Revoke(rand.Reader, 2, morning); err != nil || !was || !again.Equal(two) {
		t.Errorf("%+v, %v", again, err)
	}
	writeFile(t, a.files.Ledger(), old)
	if n, err := a.WriteNotice(); err != nil || !n.Equal(two) {
		t.Errorf("an old ledger wrote %+v, %v over %+v", n, err, two)
	}
	revoke(t, a, 4, morning, two, 2, 3, 4)
	var lapsed *LapsedError
	if _, _, _, err := a.Revoke(rand.Reader, 1, morning.AddDate(0, 0, 1)); !errors.As(err, &lapsed) {
		t.Errorf("%v", err)
	}
	if _, err := a.Issue(rand.Reader, long, morning); err == nil {
		t.Fatal("4.key is there already")
	}
	long.Path += "2"
	if _, err := a.Issue(rand.Reader, long, morning); err != nil {
		t.Fatal(err)
	}
	revoke(t, a, 5, morning.AddDate(0, 0, 1), two, 4, 5) // the others have lapsed
}
