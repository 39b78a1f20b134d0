package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
	"coterie/node/store"
)

// lockWait is how long a change waits for one that another process makes. Each takes as long
// as the disk needs.
const lockWait = 30 * time.Second

// changing calls f, which reads or writes the file at path, while no other process changes it.
// Files that an interrupted change has left are removed before.
func (p *Profile) changing(path string, f func() error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file := path
	if to, err := filepath.EvalSymlinks(path); err == nil {
		file = to
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		lock, err := store.LockFile(file)
		var running *store.RunningError
		switch {
		case err == nil:
			defer lock.Close()
			p.Tidy(path)
			return f()
		case !errors.As(err, &running):
			return fileError(err)
		case time.Since(began) > lockWait:
			return cli.Fail("busy", "%s is being changed by another process%s", file, withPID(running)).
				Hint("is that one stopped? Let it go on, or end it").Because(err)
		}
	}
}

// replace writes a file that only its owner may read in place of whatever is there.
func replace(path string, data []byte) error { return keyfile.Replace(path, data, 0o600) }

// ReplaceSecret writes a file that only its owner may read in place of whatever is there.
func (p *Profile) ReplaceSecret(path string, data []byte) error {
	return p.changing(path, func() error { return replace(path, data) })
}

// Tidy removes what interrupted writers of a file have left, and tells of it. Whoever calls it
// has the file's lock.
func (p *Profile) Tidy(path string) { p.removed(keyfile.RemoveUnfinished(path)) }

// removed tells of files that were left by an interrupted process, and are gone now.
func (p *Profile) removed(paths []string) {
	for _, path := range paths {
		if p.Removed != nil {
			p.Removed(cli.Fail("leftover", "removed %s, which an interrupted run had not finished", path))
		}
	}
}

// fileError tells a person what is wrong with a file that is theirs alone. It returns other
// errors as they are.
func fileError(err error) error {
	var loose *store.PermissionError
	var owner *store.OwnerError
	switch {
	case errors.As(err, &loose):
		mode := "600"
		if loose.Folder {
			mode = "700"
		}
		return cli.Fail("permissions", "%s can be read or changed by others (mode %04o)", loose.Path,
			loose.Mode.Perm()).
			Hint("chmod %s %s", mode, cli.Quote(loose.Path)).Because(err)
	case errors.As(err, &owner):
		return cli.Fail("wrong-owner", "%s belongs to another user", owner.Path).
			Hint(`sudo chown -R "$USER" %s`, cli.Quote(owner.Path)).Because(err)
	}
	return err
}

// withPID is the process that an error is about, for the end of a sentence.
func withPID(running *store.RunningError) string {
	if running.PID == 0 {
		return ""
	}
	return " (pid " + strconv.Itoa(running.PID) + ")"
}
