//go:build !windows

package keyfile

import (
	"errors"
	"os"
	"syscall"
)

// Lock waits for a lock on f: shared, or exclusive for a writer. The system
// takes it back when the file is closed or the process ends.
func Lock(f *os.File, write bool) error { return flock(f, write, 0) }

// TryLock is Lock for whoever does not wait. free says whether they have it.
func TryLock(f *os.File, write bool) (free bool, err error) {
	err = flock(f, write, syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func flock(f *os.File, write bool, flags int) error {
	how := syscall.LOCK_SH
	if write {
		how = syscall.LOCK_EX
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|flags)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
