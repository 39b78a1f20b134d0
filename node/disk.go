package node

import (
	"coterie/crypto/ake"
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
	if n.cfg.Store == nil || len(out.Save) == 0 && len(out.Forget) == 0 {
		return
	}
	var err error
	if len(out.Save) > 0 {
		err = n.cfg.Store.Save(out.Save)
	}
	if len(out.Forget) > 0 && err == nil {
		err = n.cfg.Store.Forget(out.Forget)
	}
	if (err != nil) != n.notSaving {
		n.notSaving = err != nil
		n.emit(NotSaving{Err: err})
	}
}
