package kms

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock waits for a lock on f: shared, or exclusive for a writer. The system
// takes it back when the file is closed or the process ends. The locked byte
// lies beyond every ledger, since Windows keeps others from reading a locked one.
func lock(f *os.File, write bool) error {
	var flags uint32
	if write {
		flags = windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	beyond := &windows.Overlapped{OffsetHigh: 1 << 30}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, beyond)
}
