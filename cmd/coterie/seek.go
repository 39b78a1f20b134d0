package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// A search looks through what was said: case and accents do not matter. It reads
// all there is, on the disk and in memory, and keeps the newest it finds; there is
// no index, which would have to be on the disk too.
type search struct {
	words         string // folded
	from          func(room.Delivered) bool
	after, before time.Time // exclusive; zeros: none
	ignored       map[peer.ID]bool
	limit         int // how many are kept
	total         int
	found         []room.Delivered
}

// matches reports whether a message is looked for.
func (q *search) matches(d room.Delivered) bool {
	at := timeOf(d.Message.Time)
	switch {
	case !q.after.IsZero() && !at.After(q.after), !q.before.IsZero() && !at.Before(q.before):
		return false
	case q.ignored[d.Author.Peer], q.from != nil && !q.from(d):
		return false
	}
	return strings.Contains(text.Fold(d.Message.Text), q.words)
}

// take counts a message, and keeps it if it is new enough.
func (q *search) take(d room.Delivered) {
	if !q.matches(d) {
		return
	}
	q.total++
	if q.found = append(q.found, d); len(q.found) >= 2*q.limit {
		q.found = append([]room.Delivered(nil), lastOf(q.found, q.limit)...)
	}
}

// look searches what is in memory, and what is on the disk, if there is one.
// What it finds is in q, newest first.
func (q *search) look(ctx context.Context, memory []room.Delivered, disk node.Store, id ake.Hash, self peer.ID) error {
	have := make(map[ake.Hash]bool)
	for _, d := range memory {
		q.take(d)
		have[d.ID] = true
	}
	var err error
	if disk != nil {
		err = walk(disk, id, self, func(*record.Signed) bool { return ctx.Err() == nil }, func(d room.Delivered) bool {
			if !have[d.ID] {
				q.take(d)
			}
			return ctx.Err() == nil
		})
	}
	q.found = slices.Clone(lastOf(q.found, q.limit))
	slices.Reverse(q.found)
	return err
}

// saved is what is on the disk; nil: nothing is kept.
func (d *disk) saved() node.Store {
	if d == nil {
		return nil
	}
	return node.NewStore(d.store)
}

// search answers a question beside the session.
func (s *session) search(w wanted, from peer.ID) {
	q := &search{words: text.Fold(w.text), after: w.after, before: w.before, ignored: make(map[peer.ID]bool), limit: w.limit}
	for p, on := range s.ignored {
		q.ignored[p] = on
	}
	if from != "" {
		q.from = func(d room.Delivered) bool { return d.Author.Peer == from }
	}
	memory := slices.Clone(s.seen)
	s.busy(func() {
		if err := q.look(context.Background(), memory, s.disk.saved(), s.plan.descriptor.ID(), s.node.Self()); err != nil {
			s.tell(refusal{err: roomError(err)})
		}
		s.tell(found{w.ref, q.total, q.found})
	})
}

// older reads back what was said before a time.
func (t *terminalOut) older(c ui.Older) {
	s := t.session
	if s.disk == nil {
		t.tell(ui.Past{Since: c.Since, All: true})
		return
	}
	past, all, err := readBack(node.NewStore(s.disk.store), s.plan.descriptor.ID(), s.node.Self(), c.Before, c.Since, c.Count)
	if err != nil {
		t.trouble("cannot read back what was said: %s", err)
		return
	}
	t.tell(ui.Past{Messages: past, Since: c.Since, All: all})
}

// search looks through what is on the disk.
func (t *terminalOut) search(c ui.Search) {
	s := t.session
	q := &search{words: c.Words, ignored: c.Ignored, limit: c.Limit}
	if c.From != nil {
		q.from = func(d room.Delivered) bool { return c.From(d.Author) }
	}
	// The days of the interface are inclusive.
	if !c.After.IsZero() {
		q.after = c.After.Add(-time.Millisecond)
	}
	q.before = c.Before
	if err := q.look(t.ctx, nil, s.disk.saved(), s.plan.descriptor.ID(), s.node.Self()); err != nil {
		t.trouble("cannot search what is kept: %s", err)
	}
	t.tell(ui.Found{N: c.N, Total: q.total, Messages: q.found})
}
