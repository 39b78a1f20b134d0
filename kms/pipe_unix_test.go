//go:build !windows

package kms

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"coterie/kms/keyfile"
)

// TestLedgerIsAPipe: a pipe in the place of a ledger is an error, and nobody waits for its
// other end.
func TestLedgerIsAPipe(t *testing.T) {
	a := domain(t)
	if err := os.Remove(a.files.Ledger()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(a.files.Ledger(), 0o600); err != nil {
		t.Fatal(err)
	}
	var odd *keyfile.NotRegularError
	if _, err := a.Record(); !errors.As(err, &odd) {
		t.Errorf("%v", err)
	}
}
