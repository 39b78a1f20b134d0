package keyfile

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLock: one may write, or many may read, and a lock keeps nobody from what is in the file. It
// ends with the file. This runs on each system in its own way.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	if err := os.WriteFile(path, []byte("what is in it"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	try := func(f *os.File, write, want bool) {
		t.Helper()
		if free, err := TryLock(f, write); err != nil || free != want {
			t.Errorf("free: %v, %v", free, err)
		}
	}
	writer, other := open(), open()
	if err := Lock(writer, true); err != nil {
		t.Fatal(err)
	}
	try(other, true, false)
	try(other, false, false)
	b := make([]byte, 4)
	if _, err := other.ReadAt(b, 0); err != nil || string(b) != "what" {
		t.Errorf("who has no lock reads %q, %v", b, err)
	}
	writer.Close()
	try(other, false, true)
	try(open(), false, true)
	try(open(), true, false)
}
