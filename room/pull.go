package room

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// pull asks whoever brought the news of a commit for the commit itself.
func (r *Room) pull(from peer.ID, epoch ake.Hash) {
	if r.wanted[epoch] || r.neighbours[from] == nil {
		return
	}
	x := r.open(from, ProtocolCompare)
	x.wants, x.answered = epoch, true
	r.wanted[epoch] = true
	r.send(x, record.EncodeWant([]ake.Hash{epoch}))
}

// tookWant answers with the commits that are held. What we are pulling
// ourselves follows when it is here: news travels faster than commits.
func (r *Room) tookWant(x *exchange, body []byte) bool {
	epochs, err := record.ParseWant(body)
	if err != nil || x.dialler || x.theirHello != nil || x.asked {
		return false
	}
	x.asked, x.owed = true, epochs
	if n := r.neighbours[x.peer]; n != nil {
		n.waits = n.waits || r.puzzled()
	}
	r.pay(x)
	return true
}

// pay sends the commits that another wants and that are held, and ends the
// stream unless others are on their way to us.
func (r *Room) pay(x *exchange) {
	var commits []record.Record
	x.owed = slices.DeleteFunc(x.owed, func(id ake.Hash) bool {
		e := r.commits[id]
		if e != nil {
			commits = append(commits, e.commit)
		}
		return e != nil || !r.wanted[id]
	})
	r.send(x, record.EncodeRecords(commits)...)
	if len(x.owed) == 0 {
		r.send(x, []byte{record.FrameDone})
		r.hangUp(x)
	}
}

// payAll goes over those who wait for a commit.
func (r *Room) payAll() {
	for _, id := range r.sortedExchanges() {
		if x := r.exchanges[id]; x != nil && len(x.owed) > 0 {
			r.pay(x)
		}
	}
}
