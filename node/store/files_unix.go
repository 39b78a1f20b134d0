//go:build !windows

package store

import (
	"errors"
	"os"
	"syscall"
)

// removeLocked takes away the file of a lock that is held.
func removeLocked(f *os.File) error { return os.Remove(f.Name()) }

// openFile neither follows a link nor waits for the other end of a pipe.
func openFile(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
}

// isFull: no space, no quota, or the process may not make larger files.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
