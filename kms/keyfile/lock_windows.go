package keyfile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Lock waits for a lock on f: shared, or exclusive for a writer. The system
// takes it back when the file is closed or the process ends. The locked byte
// lies beyond what is in the file, since Windows keeps others from reading a locked one.
func Lock(f *os.File, write bool) error { return lockFile(f, write, 0) }

// TryLock is Lock for whoever does not wait. free says whether they have it.
func TryLock(f *os.File, write bool) (free bool, err error) {
	err = lockFile(f, write, windows.LOCKFILE_FAIL_IMMEDIATELY)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

func lockFile(f *os.File, write bool, flags uint32) error {
	if write {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	beyond := &windows.Overlapped{OffsetHigh: 1 << 30}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, beyond)
}
