//go:build !windows

package keyfile

import (
	"errors"
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
