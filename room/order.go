package room

import (
	"cmp"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
)

// InOrder sorts messages as people read them: by Lamport time, those of one author by
// counter, whatever times they gave, and no reply before what it answers.
func InOrder(all []Delivered) {
	slices.SortStableFunc(all, func(a, b Delivered) int {
		return cmp.Or(cmp.Compare(a.Message.Lamport, b.Message.Lamport), compareHashes(a.ID, b.ID))
	})
	type author struct {
		epoch ake.Hash
		peer  peer.ID
	}
	places := make(map[author][]int)
	for i := range all {
		a := author{all[i].Epoch, all[i].Author.Peer}
		places[a] = append(places[a], i)
	}
	for _, at := range places {
		said := make([]Delivered, len(at))
		for i, place := range at {
			said[i] = all[place]
		}
		slices.SortFunc(said, func(a, b Delivered) int { return cmp.Compare(a.Message.Counter, b.Message.Counter) })
		for i, place := range at {
			all[place] = said[i]
		}
	}
	repliesBelow(all)
}

// repliesBelow moves replies that stand before what they answer to just behind it.
func repliesBelow(all []Delivered) {
	comes := make(map[ake.Hash]bool, len(all)) // which have not come yet
	for i := range all {
		comes[all[i].ID] = true
	}
	waiting := make(map[ake.Hash][]Delivered) // for these, by target
	out := make([]Delivered, 0, len(all))
	for _, d := range all {
		if d.ReplyTo != d.ID && comes[d.ReplyTo] {
			waiting[d.ReplyTo] = append(waiting[d.ReplyTo], d)
			continue
		}
		for next := []Delivered{d}; len(next) > 0; { // the one that is due is the last
			d := next[len(next)-1]
			out, next = append(out, d), next[:len(next)-1]
			for _, w := range slices.Backward(waiting[d.ID]) {
				next = append(next, w)
			}
			delete(waiting, d.ID)
			delete(comes, d.ID)
		}
	}
	if len(out) == len(all) { // else they answer each other, which no ids can
		copy(all, out)
	}
}
