package chat

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/node/store"
	"coterie/room"
	"coterie/room/record"
)

// TimeOf is the author's time of a message.
func TimeOf(milliseconds uint64) time.Time { return time.UnixMilli(int64(min(milliseconds, 1<<52))) }

// A History is what is kept of what was said in a room.
type History struct {
	Store node.Store // nil: nothing is kept
	Room  ake.Hash
	Self  peer.ID
}

// Back reads the last messages that were said before a time, oldest first: n of them, or back
// to since if that is more, but at most maxBack. gone is what is not kept any more of that
// time. all: there are none before these.
func (h *History) Back(before, since time.Time, n int) (past []room.Delivered, gone []room.Shortened, all bool,
	err error) {
	all = true
	wanted := func() int {
		later := 0
		for _, d := range past {
			if !since.IsZero() && !d.ShownAt().Before(since) {
				later++
			}
		}
		return min(max(n, later), maxBack)
	}
	// When it was said is the author's word: what they say alone does not leave it out.
	anything := func(*record.Signed) bool { return true }
	gone, err = room.ReadBack(h.Store, h.Room, h.Self, anything, func(d room.Delivered) bool {
		if !d.ShownAt().Before(before) {
			return true
		}
		if past = append(past, d); len(past) >= 2*maxBack {
			past, all = append([]room.Delivered(nil), lastOf(past, maxBack)...), false
		}
		return true
	})
	past = lastOf(past, len(past))
	if n := wanted(); len(past) > n {
		past, all = lastOf(past, n), false
	}
	var oldest time.Time
	if len(past) > 0 {
		oldest = past[0].ShownAt()
	}
	room.InOrder(past)
	room.Quotes(past)
	gone = slices.DeleteFunc(gone, func(s room.Shortened) bool {
		return !s.Until.Before(before) || !all && s.Until.Before(oldest)
	})
	return past, room.JoinShortened(gone), all, err
}

// maxBack is how many messages are read back at once.
const maxBack = 5000

// lastOf sorts by time and keeps the n last.
func lastOf(all []room.Delivered, n int) []room.Delivered {
	slices.SortStableFunc(all, func(a, b room.Delivered) int { return a.ShownAt().Compare(b.ShownAt()) })
	return all[max(len(all)-n, 0):]
}

// A Query looks through what was said: case and accents do not matter. It reads
// all there is, on the disk and in memory, and keeps the newest it finds; there is
// no index, which would have to be on the disk too.
type Query struct {
	Words         string // folded
	From          func(room.Delivered) bool
	After, Before time.Time // exclusive; zeros: none
	Ignored       map[peer.ID]bool
	Limit         int // how many are kept
	Total         int
	Found         []room.Delivered
}

// matches reports whether a message is looked for.
func (q *Query) matches(d room.Delivered) bool {
	at := d.ShownAt()
	switch {
	case !q.After.IsZero() && !at.After(q.After), !q.Before.IsZero() && !at.Before(q.Before):
		return false
	case d.Withdrawn, q.Ignored[d.Author.Peer], q.From != nil && !q.From(d):
		return false
	}
	return strings.Contains(text.Fold(d.Message.Text), q.Words)
}

// take counts a message, and keeps it if it is new enough.
func (q *Query) take(d room.Delivered) {
	if !q.matches(d) {
		return
	}
	q.Total++
	if q.Found = append(q.Found, d); len(q.Found) >= 2*q.Limit {
		q.Found = append([]room.Delivered(nil), lastOf(q.Found, q.Limit)...)
	}
}

// Search looks through what is in memory, and what is on the disk, if there is one. What it
// finds is in q, newest first.
func (h *History) Search(ctx context.Context, q *Query, memory []room.Delivered) error {
	have := make(map[ake.Hash]bool)
	for _, d := range memory {
		q.take(d)
		have[d.ID] = true
	}
	var err error
	if h.Store != nil {
		all := func(*record.Signed) bool { return ctx.Err() == nil }
		_, err = room.ReadBack(h.Store, h.Room, h.Self, all, func(d room.Delivered) bool {
			if !have[d.ID] {
				q.take(d)
			}
			return ctx.Err() == nil
		})
	}
	q.Found = slices.Clone(lastOf(q.Found, q.Limit))
	slices.Reverse(q.Found)
	return err
}

func (r *Room) history() *History {
	h := &History{Room: r.state.ID, Self: r.state.Self}
	if r.cfg.Store != nil {
		h.Store = node.NewStore(r.cfg.Store)
	}
	return h
}

// do searches beside the room.
func (c Search) do(r visit) {
	q := &Query{Words: text.Fold(c.Words), After: c.After, Before: c.Before, Ignored: make(map[peer.ID]bool),
		Limit: c.Limit}
	for p := range r.state.Ignored {
		q.Ignored[p] = true
	}
	switch {
	case c.From == "":
	case c.Begin:
		known := r.state.Names.Beginning(c.From)
		q.From = func(d room.Delivered) bool {
			return known[d.Author.Peer] || strings.HasPrefix(text.Fold(d.Author.Name), c.From)
		}
	default:
		p, _, bad := r.state.Whom(c.From, false)
		if bad != nil {
			r.refuse(bad)
			return
		}
		q.From = func(d room.Delivered) bool { return d.Author.Peer == p }
	}
	var memory []room.Delivered
	if !c.OnDisk {
		memory = slices.Clone(r.seen)
	}
	r.busy(func() {
		if err := r.history().Search(context.Background(), q, memory); err != nil {
			r.report(err)
		}
		states := r.fileStates(q.Found)
		r.manyReactions(q.Found)
		r.post(func() {
			r.noteFiles(q.Found, states)
			r.state.withoutIgnored(q.Found)
			r.show(Found{c.Ref, q.Total, q.Found})
		})
	})
}

// older reads back what was said before a time.
func (r visit) older(c Older) {
	h := r.history()
	if h.Store == nil {
		r.tell(Earlier{Since: c.Since, All: true})
		return
	}
	past, gone, all, err := h.Back(c.Before, c.Since, c.Count)
	if err != nil {
		r.report(err)
		return
	}
	states := r.fileStates(past)
	r.manyReactions(past)
	r.post(func() {
		r.state.withoutIgnored(past)
		r.noteFiles(past, states)
		past = slices.DeleteFunc(past, func(d room.Delivered) bool { return r.state.Ignored[d.Author.Peer] })
		gone = slices.DeleteFunc(gone, func(s room.Shortened) bool { return r.state.Ignored[s.Author.Peer] })
		r.show(Earlier{past, gone, c.Since, all})
	})
}

// manyReactions puts in those that are shown live, where there are so many that not all may be: the disk
// does not know which.
func (r *Room) manyReactions(all []room.Delivered) {
	var ids []ake.Hash
	for _, d := range all {
		if len(d.Reactions) >= room.MaxReactions {
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	live := r.node.Reactions(ids)
	for i, d := range all {
		if shown := live[d.ID]; len(shown) > 0 {
			all[i].Reactions = shown
		}
	}
}

// withoutIgnored takes away what those reacted whom the user ignores.
func (s *State) withoutIgnored(all []room.Delivered) {
	for i := range all {
		all[i].Reactions = s.reactions(all[i].Reactions)
	}
}

// reactions are those of whom the user does not ignore. Others may share the slice.
func (s *State) reactions(all []room.Reaction) []room.Reaction {
	ignored := func(o room.Reaction) bool { return s.Ignored[o.By] }
	if !slices.ContainsFunc(all, ignored) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), ignored)
}

// unreadMeta is under which name the disk has the unread mark: the id of the first new
// message, and since when what came was new.
const unreadMeta = "terminal unread"

// markUnread keeps the mark; a zero id takes it away. Without a disk, or with one that is full,
// the mark is only for this run.
func markUnread(s *store.Store, id ake.Hash, since time.Time) {
	if s == nil {
		return
	}
	var value []byte
	if id != (ake.Hash{}) {
		value = binary.BigEndian.AppendUint64(id[:], uint64(since.UnixMilli()))
	}
	s.SetMeta(unreadMeta, value)
}

// Unread is the mark that was kept.
func Unread(s *store.Store) (id ake.Hash, since time.Time) {
	if s == nil {
		return id, since
	}
	value, err := s.Meta(unreadMeta)
	if err != nil || len(value) != len(id)+8 {
		return id, since
	}
	copy(id[:], value)
	return id, time.UnixMilli(int64(binary.BigEndian.Uint64(value[len(id):])))
}
