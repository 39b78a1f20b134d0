package profile

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/age"

	"coterie/cmd/internal/cli"
	"coterie/node/store"
	"coterie/room"
)

// A History is what this profile keeps of one room: what was said in it, and the key of the
// peer that it is there.
type History struct {
	Store    *store.Store
	Identity ed25519.PrivateKey
	// Plain: the key of the history lies beside it, for everybody who copies the folder.
	Plain bool
}

// HistoryPath is where a room's history is kept.
func (p *Profile) HistoryPath(d *room.Descriptor) (string, error) {
	dir, err := p.DataDir()
	if err != nil {
		return "", err
	}
	id := d.ID()
	return filepath.Join(dir, "rooms", hex.EncodeToString(id[:])+".db"), nil
}

// OpenHistory opens what is kept of a room, or begins it. What the data key is
// sealed for are the identities that were opened for the attribute key; more are
// asked for only if that does not open it.
func (p *Profile) OpenHistory(d *room.Descriptor, opened []age.Identity,
	more func() ([]age.Identity, error)) (*History, error) {
	path, err := p.HistoryPath(d)
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
		return nil, historyError(d, err)
	}
	s, err := store.Open(store.Config{Path: path, Key: key, Room: id})
	clear(key[:])
	if err != nil {
		return nil, historyError(d, err)
	}
	out := &History{Store: s, Plain: plain}
	out.Identity, err = s.Identity()
	if errors.Is(err, store.ErrNotExist) {
		if _, out.Identity, err = ed25519.GenerateKey(rand.Reader); err == nil {
			err = s.SetIdentity(out.Identity)
		}
	}
	if err != nil {
		s.Close()
		return nil, historyError(d, err)
	}
	return out, nil
}

// historyError tells a person what is wrong with the history of a room.
func historyError(d *room.Descriptor, err error) error {
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
		return cli.Fail("permissions", "%s can be read or changed by others (mode %04o)", loose.Path,
			loose.Mode.Perm()).
			Hint("chmod %s %s", mode, cli.Quote(loose.Path)).Because(err)
	case errors.As(err, &owner):
		return cli.Fail("wrong-owner", "%s belongs to another user", owner.Path).
			Hint(`sudo chown -R "$USER" %s`, cli.Quote(owner.Path)).Because(err)
	case errors.As(err, &missing):
		return cli.Fail("history-key", "history of %s cannot be opened: its key %s is missing", name, missing.Key).
			Hint("put the file back, or coterie forget %s", cli.Quote(d.Name)).Because(err)
	case errors.As(err, &damaged):
		return cli.Fail("history-damaged", "%s is damaged and was left as it is", damaged.Path).
			Hint("keep a copy; coterie forget %s begins anew, or --ephemeral goes without", cli.Quote(d.Name)).
			Because(err)
	case errors.Is(err, store.ErrForeign), errors.Is(err, store.ErrKey):
		return cli.Fail("history-foreign", "%s", err.Error()).
			Hint("put the right file back, or coterie forget %s", cli.Quote(d.Name)).Because(err)
	case errors.Is(err, store.ErrFull):
		return cli.Fail("disk-full", "cannot save history: no space left on device").
			Hint("make space, or --ephemeral goes without").Because(err)
	}
	return err
}

// Close ends with everything on disk. A nil history does nothing.
func (h *History) Close() {
	if h != nil {
		h.Store.Close()
	}
}

// erase removes what the data folder has of rooms: first the keys, and then all
// files that begin with a room's id.
func (p *Profile) erase(rooms []Room) error {
	dir, err := p.DataDir()
	if err != nil {
		return err
	}
	for _, r := range rooms {
		d, err := r.Descriptor()
		if err != nil {
			continue // what cannot be read has no history that could be found
		}
		path, err := p.HistoryPath(d)
		if err != nil {
			return err
		}
		if err := store.Remove(path); errors.Is(err, store.ErrRunning) {
			return historyError(d, err)
		} // whatever else went wrong: what is left goes now
		files, err := filepath.Glob(filepath.Join(dir, "rooms", strings.TrimSuffix(filepath.Base(path), ".db")+"*"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	return nil
}
