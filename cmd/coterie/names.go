package main

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/people"
)

// names tells peers apart for people: package text says how.
type names struct {
	*people.Names
	now func() time.Time
}

func newNames(self peer.ID) *names { return &names{people.NewNames(self), time.Now} }

func (n *names) tag(p peer.ID) string { return n.Tag(p) }

// take notes what a peer calls itself.
func (n *names) take(p peer.ID, nick string) { n.Take(p, nick, n.now()) }

// nick is what a peer calls itself, as others may see it; empty if it has no
// name that can be shown.
func (n *names) nick(p peer.ID) string { return n.Nick(p) }

// show is a peer for people: its name if nobody else here goes by one that looks
// like it, with the tag behind it otherwise; the tag alone for those without.
func (n *names) show(p peer.ID) string { return n.Show(p) }
