package profile

import (
	"errors"
	"maps"
	"slices"

	"coterie/cmd/internal/cli"
	"coterie/node/store"
)

// A Forgetting has locked the rooms that are to be erased: nobody has them open, and nobody
// opens them.
type Forgetting struct {
	Rooms   []Room
	profile *Profile
	locks   map[string]*store.Lock // by the path of the history
}

// Forgetting locks some of the rooms that are kept. It fails if one of them is open: whether
// it is, the lock alone says.
func (p *Profile) Forgetting(which func(Room) bool) (*Forgetting, error) {
	rooms, err := p.Rooms()
	if err != nil {
		return nil, err
	}
	f := &Forgetting{profile: p, locks: make(map[string]*store.Lock)}
	for _, r := range rooms {
		if !which(r) {
			continue
		}
		f.Rooms = append(f.Rooms, r)
		path, err := p.historyOf(r)
		if err != nil {
			f.Close()
			return nil, err
		}
		if path == "" || f.locks[path] != nil { // a room may be kept with several keys
			continue
		}
		if f.locks[path], err = store.LockRoom(path); err != nil {
			delete(f.locks, path)
			f.Close()
			return nil, lockError(r, err)
		}
	}
	return f, nil
}

// historyOf is where the history of a room is. What cannot be read of a room has no history
// that could be found.
func (p *Profile) historyOf(r Room) (path string, err error) {
	d, err := r.Descriptor()
	if err != nil {
		return "", nil
	}
	return p.HistoryPath(d)
}

// lockError says why a room cannot be erased.
func lockError(r Room, err error) error {
	var running *store.RunningError
	var foreign *store.ForeignError
	switch {
	case errors.As(err, &running):
		e := cli.Fail("room-running", "%s is open in another process%s", cli.Clean(r.Name), withPID(running)).
			Hint("/forget there leaves and erases; or /quit there, and then once more").
			Hint("if it is coterie up: coterie close %s, and then once more", cli.Quote(r.Name))
		if running.PID > 0 {
			e.Hint("if it does not answer: kill %d", running.PID)
		}
		return e.Because(err)
	case errors.As(err, &foreign):
		return cli.Fail("lock", "%s, which keeps others from the room, is %s", foreign.Path, foreign.Reason).
			Hint("move it away").Because(err)
	}
	return fileError(err)
}

// Erase erases the rooms, with their histories, and takes them off the list. Whatever ends it
// early, the rooms stay on the list, to be forgotten again.
func (f *Forgetting) Erase() error {
	return f.profile.changeRooms(func(rooms []Room) ([]Room, error) {
		for _, path := range slices.Sorted(maps.Keys(f.locks)) {
			if err := f.locks[path].Erase(); err != nil {
				return nil, err
			}
		}
		return slices.DeleteFunc(rooms, func(r Room) bool {
			path, err := f.profile.historyOf(r)
			if path == "" {
				return slices.ContainsFunc(f.Rooms, func(g Room) bool { return g.Name == r.Name && g.Policy == r.Policy })
			}
			return err == nil && f.locks[path] != nil
		}), nil
	})
}

// Close lets the rooms be opened again.
func (f *Forgetting) Close() {
	for _, l := range f.locks {
		l.Close()
	}
}

// NoRoom is the error for a name that is not remembered.
func NoRoom(name string, any bool) error {
	e := cli.Fail("no-room", "no room called %s is remembered", cli.Clean(name))
	if !any {
		return e.Hint("coterie join %s --key FILE --policy 'POLICY'", cli.Quote(name))
	}
	return e.Hint("coterie rooms lists them")
}
