package profile

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"filippo.io/age"

	"coterie/cmd/internal/cli"
	"coterie/node/store"
	"coterie/room"
)

// A History is what this profile keeps of one room: what was said in it, and the key of the
// peer that it is there.
type History struct {
	Store    *store.Store
	Pieces   *store.Pieces // of files
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
		return nil, historyError(d, err)
	}
	left := store.Unfinished(path)
	h, err := openHistory(path, d, opened, more)
	if errors.Is(err, store.ErrKeyMissing) || errors.Is(err, store.ErrKey) {
		// Another process may have erased the room between its key and the rest.
		h, err = openHistory(path, d, opened, more)
	}
	if err != nil {
		return nil, historyError(d, err)
	}
	p.removed(left)
	return h, nil
}

func openHistory(path string, d *room.Descriptor, opened []age.Identity,
	more func() ([]age.Identity, error)) (*History, error) {
	id := d.ID()
	key, plain, err := store.DataKey(path, id, opened)
	if errors.Is(err, store.ErrIdentity) && len(opened) == 0 && more != nil {
		if opened, err = more(); err != nil {
			return nil, err
		}
		key, plain, err = store.DataKey(path, id, opened)
	}
	if err != nil {
		return nil, err
	}
	s, err := store.Open(store.Config{Path: path, Key: key, KeyBeside: true, Room: id})
	clear(key[:])
	if err != nil {
		return nil, err
	}
	out := &History{Store: s, Plain: plain}
	out.Identity, err = s.Identity()
	if errors.Is(err, store.ErrNotExist) {
		if _, out.Identity, err = ed25519.GenerateKey(rand.Reader); err == nil {
			err = s.SetIdentity(out.Identity)
		}
	}
	if err == nil {
		out.Pieces, err = s.Pieces()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return out, nil
}

// historyError tells a person what is wrong with the history of a room.
func historyError(d *room.Descriptor, err error) error {
	name := cli.Clean(d.Name)
	var (
		running *store.RunningError
		damaged *store.DamagedError
		missing *store.KeyMissingError
	)
	switch {
	case errors.As(err, &running):
		return cli.Fail("room-running", "%s is already open in another process%s", name, withPID(running)).
			Hint("one process a room; or use another profile: --profile second").Because(err)
	case errors.Is(err, store.ErrIdentity):
		return cli.Fail("history-key", "history of %s cannot be opened with this identity", name).
			Hint("--identity OLD, or coterie forget %s", cli.Quote(d.Name)).Because(err)
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
	var path *fs.PathError
	if isNoHome(err) || errors.As(err, &path) && (path.Op == "mkdir" || errors.Is(err, syscall.ENOTDIR)) {
		return cli.Fail(noHome, "there is no folder to keep what is said in %s: %s", name, cause(err)).
			Hint("set HOME to a folder of yours; or --ephemeral keeps nothing, and needs none").Because(err)
	}
	return fileError(err)
}

// cause is an error without what led to it.
func cause(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if _, ok := inner.(*fs.PathError); ok {
			return inner
		}
	}
	return err
}

// Close ends with everything on disk. A nil history does nothing.
func (h *History) Close() {
	if h != nil {
		h.Store.Close()
	}
}
