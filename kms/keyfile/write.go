package keyfile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteSecret writes data to path with mode 0600, atomically, and returns an
// *ExistsError if path exists.
func WriteSecret(path string, data []byte) error { return write(path, data, 0o600) }

// WritePublic writes data to path with mode 0644 (less what the umask takes),
// atomically, and returns an *ExistsError if path exists.
func WritePublic(path string, data []byte) error { return write(path, data, 0o644) }

// tagSize is the size in bytes of the random tag of a temporary file of Replace,
// WriteSecret and WritePublic.
const tagSize = 8

// throughLinks is where path leads to, which need not exist unless path is a link.
func throughLinks(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil // whoever writes there will say what is wrong
	}
	to, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, err
	}
	return to, nil
}

// RemoveUnfinished removes what writers of path that were interrupted left in its
// folder, and returns the names of those files. Whoever calls it sees to it that
// nobody is writing path.
func RemoveUnfinished(path string) (removed []string) {
	to, err := throughLinks(path)
	if err != nil {
		return nil
	}
	folder := filepath.Dir(to)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		tag, begins := strings.CutPrefix(e.Name(), "."+filepath.Base(to)+".")
		tag, ends := strings.CutSuffix(tag, ".tmp")
		if raw, err := hex.DecodeString(tag); !begins || !ends || err != nil || len(raw) != tagSize {
			continue
		}
		if name := filepath.Join(folder, e.Name()); os.Remove(name) == nil {
			removed = append(removed, name)
		}
	}
	return removed
}

func write(path string, data []byte, mode fs.FileMode) error {
	var tag [tagSize]byte
	rand.Read(tag[:])
	p, err := reserve(path, hex.EncodeToString(tag[:]), mode)
	if err != nil {
		return err
	}
	defer p.Discard()
	return p.Commit(data)
}

// Replace writes data to path atomically, over whatever is there. It is for the
// few files that change: whoever looks sees the old one or the new one. A symbolic
// link stays one, and the file that it leads to is replaced.
func Replace(path string, data []byte, mode fs.FileMode) error {
	path, err := throughLinks(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, bare(err))
	}
	var tag [tagSize]byte
	rand.Read(tag[:])
	p, err := reserveOver(path, hex.EncodeToString(tag[:]), mode)
	if err != nil {
		return err
	}
	defer p.Discard()
	return p.Replace(data)
}

// Pending is a secret file that has a place on disk and not yet its name. It is
// for a writer that must record elsewhere that the file will exist before it
// does: it reserves, which finds out that the folder can be written to, records,
// and commits.
type Pending struct {
	path, temp string
	mode       fs.FileMode
	f          *os.File
}

// Reserve prepares to write path. The temporary file is called after path and
// tag (see TempName), so that whoever comes after a crash can find it.
func Reserve(path, tag string) (*Pending, error) { return reserve(path, tag, 0o600) }

// TempName is the name of the file that Reserve makes: hidden, in the folder of
// path.
func TempName(path, tag string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+tag+".tmp")
}

func reserve(path, tag string, mode fs.FileMode) (*Pending, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, &ExistsError{path}
	}
	return reserveOver(path, tag, mode)
}

// ReserveOver is Reserve for whoever means to replace what may be at path.
func ReserveOver(path, tag string) (*Pending, error) { return reserveOver(path, tag, 0o600) }

func reserveOver(path, tag string, mode fs.FileMode) (*Pending, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, &NotRegularError{path, info.Mode()}
	}
	temp := TempName(path, tag)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, bare(err))
	}
	return &Pending{path, temp, mode, f}, nil
}

// Commit fills the file, makes it durable and gives it its name. If it fails,
// nothing was overwritten; Discard removes what is left of the temporary file.
func (p *Pending) Commit(data []byte) error {
	return p.finish(data, func() error { return publish(p.temp, p.path, data, p.mode) })
}

// Replace is Commit over a file that is there.
func (p *Pending) Replace(data []byte) error {
	return p.finish(data, func() error {
		if err := os.Rename(p.temp, p.path); err != nil {
			return err
		}
		return SyncFolder(filepath.Dir(p.path))
	})
}

func (p *Pending) finish(data []byte, name func() error) error {
	err := Fill(p.f, data)
	if err == nil {
		err = name()
	}
	if err == nil {
		os.Remove(p.temp)
		return nil
	}
	var exists *ExistsError
	if !errors.As(err, &exists) {
		return fmt.Errorf("writing %s: %w", p.path, bare(err))
	}
	return err
}

// Discard removes the temporary file. After a Commit or Replace that succeeded it
// does nothing.
func (p *Pending) Discard() {
	p.f.Close()
	os.Remove(p.temp)
}

// Finish gives the complete temporary file that an interrupted Commit left
// behind its name.
func Finish(path, tag string) error {
	return finish(path, tag, func(temp string, data []byte) error {
		if err := publish(temp, path, data, 0o600); err != nil {
			return err
		}
		return os.Remove(temp)
	})
}

// FinishOver is Finish over a file that may be there.
func FinishOver(path, tag string) error {
	return finish(path, tag, func(temp string, _ []byte) error {
		if err := os.Rename(temp, path); err != nil {
			return err
		}
		return SyncFolder(filepath.Dir(path))
	})
}

func finish(path, tag string, name func(temp string, data []byte) error) error {
	temp := TempName(path, tag)
	data, err := ReadSecret(temp)
	if err != nil {
		return err
	}
	return name(temp, data)
}

// publish gives temp the name path. A link, unlike a rename, fails if the name
// is taken, and it takes the name of a file that is complete.
func publish(temp, path string, data []byte, mode fs.FileMode) error {
	err := os.Link(temp, path)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrExist):
		return &ExistsError{path}
	case errors.Is(err, fs.ErrNotExist):
		return err
	default:
		// FAT and some network file systems know no links.
		if err := createExclusive(path, data, mode); err != nil {
			return err
		}
	}
	if err := SyncFolder(filepath.Dir(path)); err != nil {
		os.Remove(path) // the writer is about to say that it is not there
		return err
	}
	return nil
}

// createExclusive is the second best way: it overwrites nothing either, but
// others can see the file before it is complete.
func createExclusive(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return &ExistsError{path}
	} else if err != nil {
		return err
	}
	return Fill(f, data)
}

// Fill gives a file that was just made its data, durably, and closes it. If that fails, the file
// is removed.
func Fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// bare takes the name of the temporary file off an error: nobody asked for it.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
