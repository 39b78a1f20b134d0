package keyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coterie/kms/words"
)

// MaxSize bounds every file read here: 1 MiB. The largest key, with 100
// attributes, stays far below it.
const MaxSize = 1 << 20

// ReadSecret reads a secret file. Besides what the system may answer it returns
// *NotExistError, *NotRegularError, *PermissionError, *OwnerError and
// *SizeError.
func ReadSecret(path string) ([]byte, error) {
	data, info, err := read(path)
	if err != nil {
		return nil, err
	}
	if err := CheckPrivate(path, info); err != nil {
		clear(data)
		return nil, err
	}
	return data, nil
}

// ReadPublic reads a file that is no secret: as ReadSecret, without a look at
// owner and mode.
func ReadPublic(path string) ([]byte, error) {
	data, _, err := read(path)
	return data, err
}

// ReadOwned is ReadPublic for a file of up to limit bytes that nobody but its reader, and
// root, may be able to change.
func ReadOwned(path string, limit int64) ([]byte, error) {
	data, info, err := readUpTo(path, limit+1)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &SizeError{path, max(info.Size(), int64(len(data)))}
	}
	return data, checkOwned(path, info)
}

// ReadPublicUpTo is ReadPublic for a file that may have up to limit bytes.
func ReadPublicUpTo(path string, limit int64) ([]byte, error) {
	data, info, err := readUpTo(path, limit+1)
	if int64(len(data)) > limit {
		return nil, &SizeError{path, max(info.Size(), int64(len(data)))}
	}
	return data, err
}

// ReadPassphrase reads the first bytes of a private file, or of a pipe, such as
// <(command) or standard input, for whose end it waits a minute at most.
func ReadPassphrase(path string, limit int64) ([]byte, error) {
	f, err := openWithoutWaiting(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(path)
	} else if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, bare(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, bare(err))
	}
	if mode := info.Mode(); !mode.IsRegular() && mode&fs.ModeNamedPipe == 0 {
		return nil, &NotRegularError{path, mode}
	}
	if err := CheckPrivate(path, info); err != nil {
		return nil, err
	}
	f.SetReadDeadline(time.Now().Add(time.Minute)) // a regular file knows none
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		clear(data)
		return nil, fmt.Errorf("reading %s: %w", path, bare(err))
	}
	return data, nil
}

// Peek says what kind of file is at path. It reads no more than the first part
// of it, so it has no limit.
func Peek(path string) (Kind, error) {
	const enough = 64 << 10 // an age header with several hybrid recipients
	data, _, err := readUpTo(path, enough)
	defer clear(data)
	if err != nil {
		return Unknown, err
	}
	return KindOf(data), nil
}

// read returns the file's bytes and what is known about the very file they came
// from, so that no check can be about another one.
func read(path string) ([]byte, fs.FileInfo, error) {
	data, info, err := readUpTo(path, MaxSize+1)
	if len(data) > MaxSize {
		clear(data)
		return nil, nil, &SizeError{path, max(info.Size(), int64(len(data)))}
	}
	return data, info, err
}

func readUpTo(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := openWithoutWaiting(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, missing(path)
	} else if err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", path, bare(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", path, bare(err))
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &NotRegularError{path, info.Mode()}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", path, bare(err))
	}
	return data, info, nil
}

// missing says that there is no file at path, and what there is.
func missing(path string) error {
	if to, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		return &NotExistError{Path: path, To: to}
	}
	return &NotExistError{Path: path, Near: namesLike(path)}
}

// namesLike returns up to three names in the folder of path that are like its
// own.
func namesLike(path string) []string {
	folder := filepath.Dir(path)
	f, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer f.Close()
	// Whoever has a larger folder than this lists it themselves.
	names, _ := f.Readdirnames(1000)
	like := words.Near(filepath.Base(path), names, 3)
	for i := range like {
		like[i] = filepath.Join(folder, like[i])
	}
	return like
}
