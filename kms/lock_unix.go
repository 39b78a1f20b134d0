//go:build !windows

package kms

import (
	"errors"
	"os"
	"syscall"
)

// lock waits for a lock on f: shared, or exclusive for a writer. The system
// takes it back when the file is closed or the process ends.
func lock(f *os.File, write bool) error {
	how := syscall.LOCK_SH
	if write {
		how = syscall.LOCK_EX
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
