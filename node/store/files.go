package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"coterie/kms/keyfile"
)

// The names of a room's files. All begin with what is before ".db".
const (
	databaseSuffix = ".db"
	newSuffix      = ".db.new" // a database that is being made
	lockSuffix     = ".lock"
	keySuffix      = ".key"
)

var tailSuffixes = [2]string{".tail1", ".tail2"}

func prefix(path string) string { return strings.TrimSuffix(path, databaseSuffix) }

// openPrivate opens a file of ours. What is checked is the very file that was
// opened, so nothing can be put in its place in between.
func openPrivate(path string, flag int) (*os.File, error) {
	f, err := openFile(path, flag)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &ForeignError{path, "not a regular file"}
	}
	if err == nil {
		err = keyfile.CheckPrivate(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// errLocked: another process has the lock.
var errLocked = errors.New("locked")

// lock takes the lock on f or returns errLocked.
func lock(f *os.File) error {
	free, err := keyfile.TryLock(f, true)
	if err == nil && !free {
		return errLocked
	}
	return err
}

// lockRoom makes this process the only one that has the room open. The lock is
// the system's, on a file that has our pid in it for others to read; it ends
// with the process, whatever is in the file.
func lockRoom(path string) (*os.File, error) { return lockFile(path, prefix(path)+lockSuffix) }

// LockFile makes this process the only one that uses the file at path, as far as
// others ask for that too: the lock is on a file beside it. It ends with the
// process, or when the lock is closed. The error is a *RunningError if another
// process has it.
func LockFile(path string) (io.Closer, error) {
	f, err := lockFile(path, path+lockSuffix)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func lockFile(path, beside string) (*os.File, error) {
	f, err := openPrivate(beside, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		var text [20]byte
		n, _ := f.ReadAt(text[:], 0)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
		return nil, &RunningError{path, max(pid, 0)}
	}
	// Without space for the pid, others learn only that somebody is there.
	if err := f.Truncate(0); err == nil {
		f.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	}
	return f, nil
}

// writePrivate makes a file at path, with all of data and durably, or none. If
// there is one, nothing is written and the error matches fs.ErrExist.
func writePrivate(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".coterie-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return publish(f.Name(), path)
}

// publish gives the complete file temp the name path, unless that is taken: a
// link fails then, where a rename would overwrite.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// FAT and some network file systems know no links. The room is locked,
		// so nobody of ours comes in between.
		if _, statErr := os.Lstat(path); errors.Is(statErr, fs.ErrNotExist) {
			err = os.Rename(temp, path)
		}
	}
	if err != nil {
		return err
	}
	return keyfile.SyncFolder(filepath.Dir(path))
}

// readBounded reads a small private file.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := openPrivate(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &DamagedError{path, "too large"}
	}
	return data, err
}

// Remove erases a room's files, the key first: without it the rest is noise,
// wherever else copies of it may be. It returns an error that matches ErrRunning
// if the room is open.
func Remove(path string) error {
	l, err := lockRoom(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not even a folder
	} else if err != nil {
		return err
	}
	defer l.Close()
	for _, suffix := range []string{keySuffix, databaseSuffix, newSuffix, tailSuffixes[0], tailSuffixes[1], lockSuffix} {
		if err := os.Remove(prefix(path) + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return keyfile.SyncFolder(filepath.Dir(path))
}
