//go:build !windows

package keyfile

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// openWithoutWaiting opens path for reading. Without O_NONBLOCK, opening a pipe
// that nobody writes to would hang before anything could be said about it.
func openWithoutWaiting(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// CheckPrivate returns an error unless the file that info is about belongs to
// the caller and to nobody else. It is for whoever opened path themselves.
func CheckPrivate(path string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return &OwnerError{path, userName(stat.Uid)}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &PermissionError{Path: path, Mode: info.Mode()}
	}
	return checkFolders(path)
}

// checkOwned returns an error unless only the caller, or root, can change the file that
// info is about.
func checkOwned(path string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() && stat.Uid != 0 {
		return &OwnerError{path, userName(stat.Uid)}
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &PermissionError{Path: path, Mode: info.Mode(), Change: true}
	}
	return checkFolders(path)
}

// checkFolders looks at where a file is, and where it is if path is a link. In a folder
// everybody may write to, anybody can put another file in the place of this one, unless
// the sticky bit keeps them from it.
func checkFolders(path string) error {
	to, err := throughLinks(path)
	if err != nil {
		return err
	}
	for _, folder := range []string{filepath.Dir(path), filepath.Dir(to)} {
		dir, err := os.Stat(folder)
		if err != nil {
			return err
		}
		if dir.Mode().Perm()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0 {
			return &PermissionError{Path: folder, Mode: dir.Mode(), Folder: true}
		}
	}
	return nil
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

// SyncFolder makes a new name in folder durable.
func SyncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	// Some file systems cannot sync a folder and say so; there is nothing more
	// to be done on those.
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
