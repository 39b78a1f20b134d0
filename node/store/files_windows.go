package store

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

var errLocked error = windows.ERROR_LOCK_VIOLATION

// lock takes the lock on f or returns errLocked. The locked byte lies beyond the
// pid, since Windows keeps others from reading a locked one.
func lock(f *os.File) error {
	beyond := &windows.Overlapped{OffsetHigh: 1 << 30}
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, beyond)
}

// removeLocked takes away the file of a lock, which ends with it: Windows removes no
// file that is open. One that another has opened meanwhile is theirs.
func removeLocked(f *os.File) error {
	defer os.Remove(f.Name())
	return f.Close()
}

func openFile(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

// checkPrivate has nothing to look at: who may read a file is in access lists,
// which a user's own folders inherit and which modes do not show.
func checkPrivate(string, fs.FileInfo) error { return nil }

// syncFolder does nothing: Windows cannot sync a folder.
func syncFolder(string) error { return nil }

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
