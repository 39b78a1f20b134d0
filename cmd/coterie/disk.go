package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strconv"

	"filippo.io/age"

	"coterie/cmd/internal/cli"
	"coterie/node/store"
	"coterie/room"
)

// replay is how many of the last messages on disk are shown when a room is
// opened again.
const replay = 1000

// A disk is what this profile keeps of one room: what was said in it, and the
// key of the peer that it is there.
type disk struct {
	store    *store.Store
	identity ed25519.PrivateKey
	// Plain: the key of the history lies beside it, for everybody who copies the
	// folder. First: it was made just now.
	plain, first bool
}

// diskPath is where a room's history is kept.
func (a *app) diskPath(d *room.Descriptor) (string, error) {
	dir, err := a.dataDir()
	if err != nil {
		return "", err
	}
	id := d.ID()
	return filepath.Join(dir, "rooms", hex.EncodeToString(id[:])+".db"), nil
}

// openDisk opens what is kept of a room, or begins it. What the data key is
// sealed for are the identities that were opened for the attribute key; more are
// asked for only if that does not open it.
func (a *app) openDisk(d *room.Descriptor, opened []age.Identity, more func() ([]age.Identity, error)) (*disk, error) {
	path, err := a.diskPath(d)
	if err != nil {
		return nil, err
	}
	id := d.ID()
	key, plain, err := store.DataKey(path, id, opened)
	if errors.Is(err, store.ErrIdentity) && len(opened) == 0 && more != nil {
		if opened, err = more(); err != nil {
			return nil, err
		}
		key, plain, err = store.DataKey(path, id, opened)
	}
	if err != nil {
		return nil, diskError(d, err)
	}
	s, err := store.Open(store.Config{Path: path, Key: key, Room: id})
	clear(key[:])
	if err != nil {
		return nil, diskError(d, err)
	}
	out := &disk{store: s, plain: plain}
	out.identity, err = s.Identity()
	if errors.Is(err, store.ErrNotExist) {
		out.first = true
		if _, out.identity, err = ed25519.GenerateKey(rand.Reader); err == nil {
			err = s.SetIdentity(out.identity)
		}
	}
	if err != nil {
		s.Close()
		return nil, diskError(d, err)
	}
	return out, nil
}

// diskError tells a person what is wrong with the history of a room.
func diskError(d *room.Descriptor, err error) error {
	name := cli.Clean(d.Name)
	var (
		running *store.RunningError
		loose   *store.PermissionError
		owner   *store.OwnerError
		damaged *store.DamagedError
		missing *store.KeyMissingError
	)
	switch {
	case errors.As(err, &running):
		who := ""
		if running.PID != 0 {
			who = " (pid " + strconv.Itoa(running.PID) + ")"
		}
		return cli.Fail("room-running", "%s is already open in another process%s", name, who).
			Hint("one process a room; or use another profile: --profile second").Because(err)
	case errors.Is(err, store.ErrIdentity):
		return cli.Fail("history-key", "history of %s cannot be opened with this identity", name).
			Hint("--identity OLD, or coterie forget %s", cli.Quote(d.Name)).Because(err)
	case errors.As(err, &loose):
		mode := "600"
		if loose.Folder {
			mode = "700"
		}
		return cli.Fail("permissions", "%s can be read or changed by others (mode %04o)", loose.Path, loose.Mode.Perm()).
			Hint("chmod %s %s", mode, cli.Quote(loose.Path)).Because(err)
	case errors.As(err, &owner):
		return cli.Fail("wrong-owner", "%s belongs to another user", owner.Path).
			Hint(`sudo chown -R "$USER" %s`, cli.Quote(owner.Path)).Because(err)
	case errors.As(err, &missing):
		return cli.Fail("history-key", "history of %s cannot be opened: its key %s is missing", name, missing.Key).
			Hint("put the file back, or coterie forget %s", cli.Quote(d.Name)).Because(err)
	case errors.As(err, &damaged):
		return cli.Fail("history-damaged", "%s is damaged and was left as it is", damaged.Path).
			Hint("keep a copy; coterie forget %s begins anew, or --ephemeral goes without", cli.Quote(d.Name)).Because(err)
	case errors.Is(err, store.ErrForeign), errors.Is(err, store.ErrKey):
		return cli.Fail("history-foreign", "%s", err.Error()).
			Hint("put the right file back, or coterie forget %s", cli.Quote(d.Name)).Because(err)
	case errors.Is(err, store.ErrFull):
		return cli.Fail("disk-full", "cannot save history: no space left on device").
			Hint("make space, or --ephemeral goes without").Because(err)
	}
	return err
}

// close ends with everything on disk; without a disk it does nothing.
func (d *disk) close() {
	if d != nil {
		d.store.Close()
	}
}
