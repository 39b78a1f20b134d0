//go:build !windows

package keyfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestPipeDoesNotHang(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	var special *NotRegularError
	if _, err := ReadSecret(pipe); !errors.As(err, &special) {
		t.Errorf("a pipe nobody writes to gave %v", err)
	}
}

// TestPassphrasePipe: a passphrase may come by a pipe, as from <(command), but not from
// one that others can read.
func TestPassphrasePipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	// A shell holds the end that is read, so that nothing written is lost.
	held, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		w.WriteString("anchor velvet tundra\n")
		w.Close()
	}()
	if data, err := ReadPassphrase(pipe, 1000); err != nil || string(data) != "anchor velvet tundra\n" {
		t.Errorf("%q, %v", data, err)
	}
	if err := os.Chmod(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	var loose *PermissionError
	if _, err := ReadPassphrase(pipe, 1000); !errors.As(err, &loose) {
		t.Errorf("%v", err)
	}
	var special *NotRegularError
	if _, err := ReadPassphrase("/dev/null", 1000); !errors.As(err, &special) {
		t.Errorf("%v", err)
	}
}
