package room

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// A status is how far a commit has come here. It only grows: by the methods of epoch below that
// are named after its steps, which examineCommits and expireCommits take.
type status int

const (
	commitBare       status = iota // it waits for its list: PROTOCOL.md §8.1
	commitListed                   // it waits for whom it lists, or for its height
	commitFits                     // all that §8.1 asks of it holds, for ever; it is not read yet, or never
	commitRead                     // we have its keys, and it is the head or may become it: §8.3
	commitSuperseded               // .. and a greater one is the head: its keys read what is on its way
	commitOver                     // its keys are erased; it stays while it is the head, or its list is needed
)

// An epoch is a commit and what we know of it.
type epoch struct {
	status status
	commit *record.Commit
	list   record.List // from commitListed on
	away   record.Away // with it
	nodes  []*node     // of those listed, from commitFits on
	sid    ake.Hash    // from commitRead on
	keys   *ake.Keys   // while it isReadable
	since  time.Time   // when it arrived

	ownIndex int // our place in the list, or -1: it fits all the same
	lacks    int // whose place in it was the first not to be known

	// d is its secret, from when we are told it, mostly before the commit fits, until a while
	// after it was read: then nobody is handed it any more.
	d             *ake.Secret
	secretHolders map[[32]byte]bool // to which processes, or by which
	chase         chase

	readAt       time.Time
	supersededAt time.Time

	listedSince  []time.Time // by place: since when heads list that member; of what was a head
	stoppedSince time.Time   // since when it keeps us from sending, as the head
	against      witness     // why it was not to be the head
	// What follows says nothing of its status: by which way it came first (among other records,
	// not over the topic or a channel), and whether people were told that it leaves somebody out.
	viaSync, omissionReported bool

	readers []peer.ID // the other members, when somebody asked
	gone    listsGone
}

// listsGone is whether one of those listed is gone, as long as a version holds.
type listsGone struct {
	version uint64
	yes     bool
}

func newEpoch(c *record.Commit, now time.Time) *epoch {
	return &epoch{commit: c, since: now, ownIndex: -1, secretHolders: make(map[[32]byte]bool)}
}

func (e *epoch) takeList(list record.List, away record.Away) {
	e.status, e.list, e.away = commitListed, list, away
}

func (e *epoch) takeNodes(nodes []*node, own *own) {
	e.status, e.nodes = commitFits, nodes
	if own != nil {
		e.ownIndex = e.list.Index(own.cid)
	}
}

func (e *epoch) takeKeys(sid ake.Hash, keys *ake.Keys, now time.Time) {
	e.status, e.sid, e.keys, e.readAt = commitRead, sid, keys, now
}

func (e *epoch) supersede(now time.Time) { e.status, e.supersededAt = commitSuperseded, now }

// erase forgets the epoch's keys; what was said in it stays in the log.
func (e *epoch) erase() {
	e.eraseSecret()
	if e.isReadable() {
		e.status = commitOver
		e.keys.Erase()
		e.keys = nil
	}
}

func (e *epoch) eraseSecret() {
	if e.d != nil {
		e.d.Erase()
		e.d = nil
	}
}

// whole is the commit with its lists.
func (e *epoch) whole() *record.Commit { return e.commit.Whole(e.list, e.away) }

func (e *epoch) hasList() bool { return e.status >= commitListed }

func (e *epoch) fits() bool { return e.status >= commitFits }

// isUnread reports whether it fits and lists us, and we lack its secret or a term.
func (e *epoch) isUnread() bool { return e.status == commitFits && e.ownIndex >= 0 }

// mayBeUnread is isUnread, or may come to be.
func (e *epoch) mayBeUnread() bool { return !e.fits() || e.isUnread() }

// wasRead reports whether we have its keys, or had them.
func (e *epoch) wasRead() bool { return e.status >= commitRead }

// isReadable reports whether we have its keys.
func (e *epoch) isReadable() bool { return e.status == commitRead || e.status == commitSuperseded }
