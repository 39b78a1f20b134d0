package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
)

// Who has a message of ours shows when logs are compared; nothing else is sent
// for it (PROTOCOL.md §9.3).

// receipts say how far our own log of one epoch has come.
type receipts struct {
	upTo     map[[32]byte]uint64 // by identity of a reader: the counter up to which it holds all
	reported map[uint64]int      // by counter: how many readers the user was told of
	allUpTo  uint64              // every reader holds everything up to here
}

// receiptTimes are when receipts are asked for and reported.
type receiptTimes struct {
	changed  map[ake.Hash]bool // transcripts of which there is something to report
	reportAt time.Time         // .. not before then
	chaseAt  time.Time         // when to compare with those who may not have our last message
}

// ownHave is how many messages of ours there are.
func (t *transcript) ownHave() uint64 {
	if t.ownIndex < 0 || t.count == 0 {
		return 0
	}
	return t.log(t.ownIndex).have()
}

// noteReceipt notes that a reader holds our messages up to a counter.
func (r *Room) noteReceipt(t *transcript, identity [32]byte, upto uint64) {
	upto = min(upto, t.ownHave())
	if upto == 0 || identity == r.identity || t.receipts.upTo[identity] >= upto || !t.lists(identity) {
		return
	}
	if t.receipts.upTo == nil {
		t.receipts.upTo = make(map[[32]byte]uint64)
	}
	t.receipts.upTo[identity] = upto
	r.receipts.changed[t.id] = true
}

// noteReceipts notes that a peer holds what we hold, wherever it is a reader.
func (r *Room) noteReceipts(identity [32]byte) {
	for _, t := range r.logs.transcripts {
		r.noteReceipt(t, identity, t.ownHave())
	}
}

// reportReceipts tells the user how far messages have come, once a second at most.
func (r *Room) reportReceipts() {
	if r.receipts.reportAt.After(r.now) {
		r.wakeAt(r.receipts.reportAt)
		return
	}
	for _, id := range sortedHashes(r.receipts.changed) {
		delete(r.receipts.changed, id)
		if t := r.logs.transcripts[id]; t != nil {
			r.receipts.reportAt = r.now.Add(receiptPeriod)
			r.reportReceiptsIn(t)
		}
	}
}

func (r *Room) reportReceiptsIn(t *transcript) {
	c := &t.receipts
	l := t.log(t.ownIndex)
	if c.reported == nil {
		c.reported = make(map[uint64]int)
	}
	of := len(t.List) - 1
	var upto []uint64 // of all readers, ascending
	for i := range t.List {
		if i != t.ownIndex {
			upto = append(upto, c.upTo[t.List[i].Identity])
		}
	}
	slices.Sort(upto)
	from := max(c.allUpTo, l.have()-min(l.have(), maxReceipts))
	for counter := from + 1; counter <= l.have(); counter++ {
		lack, _ := slices.BinarySearch(upto, counter)
		have := of - lack
		if have > c.reported[counter] && !l.outside[counter] {
			c.reported[counter] = have
			r.emit(Reached{ID: l.ids[counter-1], Have: have, Of: of, Missing: t.missingReaders(counter)})
		}
		if lack == 0 && counter == c.allUpTo+1 {
			c.allUpTo = counter
			delete(c.reported, counter)
		}
	}
	for counter := range c.reported {
		if counter <= from {
			delete(c.reported, counter)
		}
	}
}

// missingReaders are the readers that are not known to have a message of ours.
func (t *transcript) missingReaders(counter uint64) (missing []peer.ID) {
	for i := range t.List {
		if i == t.ownIndex || t.receipts.upTo[t.List[i].Identity] >= counter {
			continue
		}
		missing = append(missing, peerOf(t.List[i].Identity))
	}
	return missing
}

// chaseReceipts compares, soon after we said something, with those neighbours who are
// not known to have it: so its author sees early who has, and what gossip lost
// arrives early.
func (r *Room) chaseReceipts() {
	if r.receipts.chaseAt.IsZero() || r.head == nil {
		return
	}
	if r.receipts.chaseAt.After(r.now) {
		r.wakeAt(r.receipts.chaseAt)
		return
	}
	r.receipts.chaseAt = time.Time{}
	t := r.logs.transcripts[r.head.commit.ID()]
	if t == nil || t.ownIndex < 0 {
		return
	}
	var lack []*neighbour
	for _, p := range r.sortedNeighbours() {
		n := r.neighbours[p]
		if t.lists(n.identity) && t.receipts.upTo[n.identity] < t.ownHave() {
			lack = append(lack, n)
		}
	}
	for range min(len(lack), maxCatchUp) {
		i := r.random(len(lack))
		lack[i].compareNow(r.now)
		lack = slices.Delete(lack, i, i+1)
		r.receipts.chaseAt = r.now.Add(chaseReceiptsPeriod)
	}
}
