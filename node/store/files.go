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
	lockSuffix     = ".lock"
	keySuffix      = ".key"
	unfinished     = ".new" // after another name: a file that is being made
)

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
// process, or when the lock is closed, which takes that file away. The error is a
// *RunningError if another process has it.
func LockFile(path string) (io.Closer, error) {
	f, err := lockFile(path, path+lockSuffix)
	if err != nil {
		return nil, err
	}
	return fileLock{f}, nil
}

type fileLock struct{ f *os.File }

func (l fileLock) Close() error { return errors.Join(removeLocked(l.f), l.f.Close()) }

func lockFile(path, beside string) (*os.File, error) {
	f, err := openPrivate(beside, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	for err = lock(f); err == nil && !named(f, beside); err = lock(f) {
		// Whoever had the lock has erased the room, and the file with it.
		f.Close()
		if f, err = openPrivate(beside, os.O_RDWR|os.O_CREATE); err != nil {
			return nil, err
		}
	}
	if err != nil {
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

// named reports whether f is the file that path names.
func named(f *os.File, path string) bool {
	info, err := f.Stat()
	at, err2 := os.Lstat(path)
	return err == nil && err2 == nil && os.SameFile(info, at)
}

// writePrivate makes a file of a room at path, with all of data and durably, or
// none. If there is one, nothing is written and the error matches fs.ErrExist.
// Whoever calls it has the room's lock.
func writePrivate(path string, data []byte) error {
	temp := path + unfinished
	if err := writeNew(temp, data); err != nil {
		return err
	}
	defer os.Remove(temp)
	return publish(temp, path)
}

// writeNew makes a file, in place of one that was left there, durably.
func writeNew(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := openPrivate(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	return keyfile.Fill(f, data)
}

// Unfinished are the files that an interrupted process left of a room's: DataKey and
// Open remove them.
func Unfinished(path string) (left []string) {
	base := filepath.Base(prefix(path)) + "."
	all, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range all {
		if strings.HasPrefix(e.Name(), base) && strings.HasSuffix(e.Name(), unfinished) {
			left = append(left, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return left
}

// A segmentFile is the log of a segment, or its index.
type segmentFile struct {
	path   string
	number uint64
	suffix string
}

// segmentFiles are those that there are.
func segmentFiles(path string) (found []segmentFile, err error) {
	base := filepath.Base(prefix(path)) + "."
	all, err := os.ReadDir(filepath.Dir(path))
	for _, e := range all {
		suffix := filepath.Ext(e.Name())
		middle, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), suffix), base)
		number, err := strconv.ParseUint(middle, 10, 64)
		if ok && err == nil && (suffix == logSuffix || suffix == indexSuffix) {
			found = append(found, segmentFile{filepath.Join(filepath.Dir(path), e.Name()), number, suffix})
		}
	}
	return found, err
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

// A Lock keeps a room from being opened.
type Lock struct {
	f    *os.File
	path string
}

// LockRoom locks the room whose database is or would be at path. The error matches
// ErrRunning if the room is open.
func LockRoom(path string) (*Lock, error) {
	if err := makeFolder(path); err != nil {
		return nil, err
	}
	f, err := lockRoom(path)
	if err != nil {
		return nil, err
	}
	return &Lock{f, path}, nil
}

// Close ends the lock.
func (l *Lock) Close() error { return l.f.Close() }

// Erase erases every file of the room, whatever is in it. The key is first, and gone
// for good before the rest is touched: without it the rest is noise, wherever else
// copies of it may be. The lock's own file is last, and ends the lock.
func (l *Lock) Erase() error {
	base := prefix(l.path)
	folder := filepath.Dir(base)
	if err := os.RemoveAll(base + keySuffix); err != nil {
		return err
	}
	if err := keyfile.SyncFolder(folder); err != nil {
		return err
	}
	all, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range all {
		path := filepath.Join(folder, e.Name())
		if strings.HasPrefix(path, base) && path != base+lockSuffix {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	if err := removeLocked(l.f); err != nil {
		return err
	}
	return keyfile.SyncFolder(folder)
}
