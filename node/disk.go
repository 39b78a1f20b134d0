package node

import (
	"strings"
	"time"

	"coterie/crypto/ake"
	"coterie/node/store"
	"coterie/room"
)

// A Store keeps what a peer knows of a room across processes: package store has
// one on disk. It is used by the node's loop alone.
type Store interface {
	room.Journal
	// Save makes all of it safe against the death of this process, in order.
	Save([]room.Saved) error
	// Forget drops what was said in epochs.
	Forget([]ake.Hash) error
	// Size is how many bytes it takes on disk.
	Size() int64
}

// NotSaving: what is said is not being saved any more; Err is nil when it is
// again. The room goes on.
type NotSaving struct{ Err error }

// journal is the store as the room sees it.
func journal(s Store) room.Journal {
	if s == nil {
		return nil
	}
	return s
}

// save has what the room wants kept on disk, before anything that follows from
// it is done: PROTOCOL.md §9.2.
func (n *Node) save(out *room.Ready) {
	n.forget = append(n.forget, out.Forget...)
	if n.cfg.Store == nil || len(out.Save) == 0 && len(out.Forget) == 0 {
		return
	}
	var err error
	if len(n.forget) > 0 {
		if err = n.cfg.Store.Forget(n.forget); err == nil {
			n.forget = nil // else the next time: it may make the space that is missing
		}
	}
	if len(out.Save) > 0 {
		if err = n.cfg.Store.Save(out.Save); err != nil {
			n.room.NotSaved(out.Save)
		}
	}
	if (err != nil) != n.notSaving {
		n.notSaving = err != nil
		n.emit(NotSaving{Err: err})
	}
}

// NewStore makes a Store of a room's disk, which stays the caller's to close.
func NewStore(s *store.Store) Store { return disk{s} }

// A disk keeps heads of transcripts as epochs, messages as messages, and what has a name as
// metas; what an author calls itself is its message number 0.
type disk struct{ s *store.Store }

func (d disk) Save(all []room.Saved) error {
	entries := make([]store.Entry, len(all))
	said := false
	for i, m := range all {
		if m.Name != "" {
			entries[i] = store.Entry{Kind: store.MetaEntry, Name: m.Name, Time: m.At.UnixMilli(), Data: m.Data}
			said = said || len(m.Data) == 0 && strings.HasPrefix(m.Name, room.HeldPrefix)
			continue
		}
		e := store.Entry{
			Kind: store.MessageEntry, Epoch: m.Epoch, Counter: m.Counter, Time: m.At.UnixMilli(), Data: m.Data, Note: m.Note,
		}
		switch {
		case m.Author == room.Head:
			e.Kind = store.EpochEntry
		case m.Rest:
			e.Kind = store.RestEntry
			fallthrough
		default:
			e.Author = uint32(m.Author)
		}
		entries[i] = e
	}
	if err := d.s.Append(entries); err != nil || !said {
		return err
	}
	// What waited goes out now. Not even a power cut may bring it back: it would be said again.
	return d.s.Sync()
}

func (d disk) Named(prefix string) (out []room.Saved, err error) {
	all, err := d.s.Metas(prefix)
	for name, data := range all {
		out = append(out, room.Saved{Name: name, Data: data})
	}
	return out, err
}

func (d disk) Forget(ids []ake.Hash) error {
	epochs := make([][32]byte, len(ids))
	for i, id := range ids {
		epochs[i] = id
	}
	return d.s.Forget(epochs)
}

func (d disk) Size() int64 { return d.s.Size() }

func (d disk) Load(yield func(room.Saved) bool) error {
	return load(yield, d.s.Epochs, d.s.Rests, d.s.Forward)
}

func (d disk) Notes(yield func(room.Saved) bool) error {
	return load(yield, d.s.Epochs, d.s.Rests, d.s.Names, d.s.Notes)
}

// load yields what there is in several parts.
func load(yield func(room.Saved) bool, parts ...func(func(store.Entry) bool) error) error {
	more := true
	each := func(e store.Entry) bool {
		more = yield(saved(e))
		return more
	}
	for _, part := range parts {
		if err := part(each); err != nil || !more {
			return err
		}
	}
	return nil
}

func (d disk) Messages(epoch ake.Hash, author int, from, to uint64) ([]room.Saved, error) {
	entries, err := d.s.Messages(epoch, uint32(author), from, to)
	out := make([]room.Saved, len(entries))
	for i, e := range entries {
		out[i] = saved(e)
	}
	return out, err
}

func saved(e store.Entry) room.Saved {
	s := room.Saved{
		Epoch: e.Epoch, Author: int(e.Author), Counter: e.Counter, At: time.UnixMilli(e.Time), Data: e.Data, Note: e.Note,
	}
	if s.Rest = e.Kind == store.RestEntry; e.Kind == store.EpochEntry {
		s.Author = room.Head
	}
	return s
}
