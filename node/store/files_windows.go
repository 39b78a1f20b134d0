package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// removeLocked takes away the file of a lock, which ends with it: Windows removes no
// file that is open. One that another has opened meanwhile is theirs.
func removeLocked(f *os.File) error {
	defer os.Remove(f.Name())
	return f.Close()
}

func openFile(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
