package main

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// walk reads a room's disk, oldest entries first, and visits what was said and is
// worth it by its record alone, until visit returns false. What is on the disk was
// checked before it was written, and the disk's own seal keeps it so.
func walk(from node.Store, id ake.Hash, self peer.ID, worth func(*record.Signed) bool, visit func(room.Delivered) bool) error {
	heads := make(map[ake.Hash]*record.Transcript)
	return from.Load(func(m room.Saved) bool {
		if m.Author == room.Head {
			if head, _, err := room.ParseHead(id, m.Data); err == nil {
				heads[m.Epoch] = head
			}
			return true
		}
		head := heads[m.Epoch]
		if head == nil || m.Author >= len(head.Authors) {
			return true
		}
		if m.Counter == 0 {
			if name, err := record.ParseName(m.Data); err == nil && head.Authors[m.Author].Working == name.Working {
				head.SetName(name)
			}
			return true
		}
		signed, err := record.ParseLog(m.Data)
		if err != nil || !worth(signed) {
			return true
		}
		d, ok := readMessage(head, id, self, m, signed)
		return !ok || visit(d)
	})
}

func timeOf(milliseconds uint64) time.Time { return time.UnixMilli(int64(min(milliseconds, 1<<52))) }

// readBack reads from a room's disk the last messages that were said before a
// time, oldest first: n of them, or back to since if that is more, but at most
// maxBack. all: there are none before these.
func readBack(from node.Store, id ake.Hash, self peer.ID, before, since time.Time, n int) (past []room.Delivered, all bool, err error) {
	all = true
	wanted := func() int {
		later := 0
		for _, d := range past {
			if !since.IsZero() && !timeOf(d.Message.Time).Before(since) {
				later++
			}
		}
		return min(max(n, later), maxBack)
	}
	err = walk(from, id, self, func(r *record.Signed) bool { return timeOf(r.Time).Before(before) }, func(d room.Delivered) bool {
		if past = append(past, d); len(past) >= 2*maxBack {
			past, all = append([]room.Delivered(nil), lastOf(past, maxBack)...), false
		}
		return true
	})
	past = lastOf(past, len(past))
	if n := wanted(); len(past) > n {
		past, all = lastOf(past, n), false
	}
	return past, all, err
}

// maxBack is how many messages are read back at once.
const maxBack = 5000

// lastOf sorts by time and keeps the n last.
func lastOf(all []room.Delivered, n int) []room.Delivered {
	slices.SortStableFunc(all, func(a, b room.Delivered) int {
		switch {
		case a.Message.Time < b.Message.Time:
			return -1
		case a.Message.Time > b.Message.Time:
			return 1
		}
		return 0
	})
	return all[max(len(all)-n, 0):]
}

// readMessage is a message on disk as it was shown once.
func readMessage(head *record.Transcript, id ake.Hash, self peer.ID, m room.Saved, signed *record.Signed) (room.Delivered, bool) {
	index := head.List.Index(signed.CID)
	if index != m.Author {
		return room.Delivered{}, false
	}
	identity := head.List[index].Identity
	key, err := crypto.UnmarshalEd25519PublicKey(identity[:])
	if err != nil {
		return room.Delivered{}, false
	}
	author, err := peer.IDFromPublicKey(key)
	if err != nil {
		return room.Delivered{}, false
	}
	d := room.Delivered{
		ID: signed.ID(id), Author: room.Member{Peer: author}, Self: author == self,
		Message: signed.Body, Epoch: m.Epoch, Received: m.At, History: true,
	}
	for _, name := range head.Names {
		if name.Working == head.Authors[index].Working {
			d.Author.Name = name.Text
		}
	}
	return d, true
}

// unreadMeta is under which name the disk has the unread mark: the id of the
// first new message, and since when what came was new.
const unreadMeta = "terminal unread"

// setUnread keeps the mark; a zero id takes it away. Without a disk, or with one
// that is full, the mark is only for this run.
func (d *disk) setUnread(id ake.Hash, since time.Time) {
	if d == nil {
		return
	}
	var value []byte
	if id != (ake.Hash{}) {
		value = binary.BigEndian.AppendUint64(id[:], uint64(since.UnixMilli()))
	}
	d.store.SetMeta(unreadMeta, value)
}

func (d *disk) unread() (id ake.Hash, since time.Time) {
	if d == nil {
		return id, since
	}
	value, err := d.store.Meta(unreadMeta)
	if err != nil || len(value) != len(id)+8 {
		return id, since
	}
	copy(id[:], value)
	return id, time.UnixMilli(int64(binary.BigEndian.Uint64(value[len(id):])))
}
