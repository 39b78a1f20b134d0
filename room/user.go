package room

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// What the user asks of a room, besides Send and Leave.

var (
	// ErrAlone is returned for what needs another member.
	ErrAlone = errors.New("nobody else is in the room")
	// ErrTooSoon is returned for what was asked for just before.
	ErrTooSoon = errors.New("that was asked for a moment ago")
	// ErrYourself is returned for what is done with another peer alone.
	ErrYourself = errors.New("that is you")
	// ErrNameSize is returned for a name over record.MaxNameSize bytes.
	ErrNameSize = errors.New("the name is too long")
)

// rekeyPeriod is how often the user may start an epoch.
const rekeyPeriod = 5 * time.Second

// unheardTime is after how long without a sign of life a member is shown as
// suspect: three beats. Nothing follows from it.
func unheardTime(n int) time.Duration { return 3 * beatPeriod(n) }

// A Status is a snapshot for people.
type Status struct {
	// Epoch is the epoch in force, SID its session id; zeros for none.
	Epoch, SID ake.Hash
	Since      time.Time // when it came into force here
	Committer  peer.ID
	Members    []MemberStatus // of that epoch, in list order
	// Neighbours are the peers that gossip with us, by id.
	Neighbours []peer.ID
	// Heard is how many of them have said hello in this room.
	Heard int
	// Held is how many messages wait for a reader.
	Held int
	// MaySend: what is sent now goes out at once.
	MaySend bool
	// Ready: our encapsulation for today is made.
	Ready bool
	// Pending is how many commits refer to what is not known here yet.
	Pending int
}

// A MemberStatus is what is known of a member of the epoch in force.
type MemberStatus struct {
	Member
	Self bool
	// Suspect: nothing was heard of it for a while.
	Suspect bool
	// Differs: it has been in another epoch than ours for a while.
	Differs bool
	// Have is up to where its messages in this epoch are here without a gap, Known
	// the greatest number that is known of.
	Have, Known uint64
	// Reached is how many of our messages in this epoch it is known to have.
	Reached uint64
}

// Status takes a snapshot.
func (r *Room) Status(now time.Time) Status {
	s := Status{
		Neighbours: r.sortedNeighbours(), Held: len(r.outbox.held), MaySend: !r.closed && r.maySend(),
	}
	if g := r.days[r.today()]; g != nil && g.own != nil {
		s.Ready = true
	}
	for _, n := range r.neighbours {
		if n.hello != nil {
			s.Heard++
		}
	}
	for _, e := range r.commits {
		if !e.fits() {
			s.Pending++
		}
	}
	h := r.head
	if h == nil {
		return s
	}
	s.Epoch, s.SID, s.Since = h.commit.ID(), h.sid, h.since
	t := r.logs.transcripts[s.Epoch]
	g := r.days[h.commit.Period]
	for i := range h.list {
		entry := &h.list[i]
		m := MemberStatus{Member: r.member(entry.CID, entry.Identity), Self: entry.Identity == r.identity}
		if entry.CID == h.commit.By {
			s.Committer = m.Peer
		}
		if g != nil && !m.Self {
			p := r.processOf(h.nodes[i])
			m.Suspect = p != nil && now.Sub(p.heardAt) > unheardTime(r.size())
		}
		if n := r.neighbours[m.Peer]; n != nil {
			m.Differs = n.differs.lasts(h, now)
		}
		if t != nil && t.count > 0 {
			m.Have, m.Known = t.log(i).have(), t.log(i).highest()
			m.Reached = t.receipts.upTo[entry.Identity]
		}
		s.Members = append(s.Members, m)
	}
	return s
}

// Rename changes what the member calls itself and tells the others. The error
// is ErrNameSize or ErrLeft.
func (r *Room) Rename(now time.Time, name string) error {
	r.advance(now)
	switch {
	case r.closed:
		return ErrLeft
	case len(name) > record.MaxNameSize:
		return fmt.Errorf("%w: %d bytes; the limit is %d", ErrNameSize, len(name), record.MaxNameSize)
	}
	r.SetName(name)
	r.emit(Renamed{Member: Member{Peer: r.self, Name: name}})
	r.names.fresh[r.workingID] = true
	r.finish()
	return nil
}

// Rekey starts a new epoch of the same members. The error is ErrAlone, ErrTooSoon
// or ErrLeft.
func (r *Room) Rekey(now time.Time) error {
	r.advance(now)
	h := r.head
	switch {
	case r.closed:
		return ErrLeft
	case !r.maySend():
		return ErrAlone
	case r.now.Sub(h.since) < rekeyPeriod:
		return ErrTooSoon
	}
	g := r.days[h.commit.Period]
	list := r.nextList(g)
	if len(list) < 2 || list.Index(g.own.cid) < 0 {
		return ErrAlone
	}
	err := r.commit(g, list)
	r.finish()
	return err
}

// Cut goes on without a peer, and without those that hang on it alone; or, if on is
// false, with them again. It is one person's decision: those who decide otherwise
// keep the peer, and go on reading us (PROTOCOL.md §7.2). The error is ErrLeft, or
// ErrYourself.
func (r *Room) Cut(now time.Time, p peer.ID, on bool) error {
	r.advance(now)
	identity, ok := identityOf(p)
	switch {
	case r.closed:
		return ErrLeft
	case !ok || identity == r.identity:
		return ErrYourself
	}
	before := r.present()
	if on {
		r.cut[identity] = true
	} else {
		delete(r.cut, identity)
	}
	for _, g := range r.days {
		g.invalidate()
	}
	r.version++
	after := r.present()
	e := Cut{Member: Member{Peer: p}, On: on}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		switch _, still := after[id]; {
		case id == p:
			e.Member = before[id]
		case !still:
			e.With = append(e.With, before[id])
		}
	}
	r.emit(e)
	if r.head != nil {
		r.head.stoppedSince = time.Time{} // for another reason, from here on
	}
	r.newRecords, r.reconsider, r.channels.considerAt = true, true, r.now
	r.finish()
	return nil
}

// present are the living members of today.
func (r *Room) present() map[peer.ID]Member {
	out := make(map[peer.ID]Member)
	if g := r.days[r.today()]; g != nil {
		for _, cid := range r.living(g) {
			m := r.member(cid, g.contribution(cid).Identity)
			out[m.Peer] = m
		}
	}
	return out
}
