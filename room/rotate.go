package room

import (
	"crypto/ecdh"
	"time"

	"coterie/room/record"
)

// Rotation: PROTOCOL.md §8.3. A new ephemeral key every hour, a head no older
// than that, and an old key erased when a head that names a later presence has
// stood for a while.
const (
	rotatePeriod = time.Hour
	eraseAfter   = 2 * time.Minute
	// rotateSlack is by how much another may be ahead of us in calling a head old.
	rotateSlack = time.Minute
)

// rotate announces a new ephemeral key when ours is an hour old, and erases the
// old ones when they are not needed any more.
func (r *Room) rotate() {
	if !r.rotatedAt.IsZero() && r.now.Sub(r.rotatedAt) < rotatePeriod {
		r.eraseKeys()
		return
	}
	seed := r.draw()
	defer seed.Erase()
	e, err := ecdh.X25519().NewPrivateKey(seed.Bytes())
	if err != nil {
		r.emit(Failed{Doing: "drawing an ephemeral key", Err: err})
		return
	}
	pub := [32]byte(e.PublicKey().Bytes())
	r.ephemeral[pub] = e
	r.rotatedAt = r.now
	p := &record.Presence{Ephemeral: pub, Addresses: r.cfg.Addresses}
	if r.presence != nil {
		p.Addresses = r.presence.Addresses
	}
	r.announce(p)
}

// eraseKeys drops the ephemeral keys that no head of ours needs any more.
func (r *Room) eraseKeys() {
	h := r.head
	if h == nil || len(r.ephemeral) == 1 || r.now.Sub(h.since) < eraseAfter {
		return
	}
	if g := r.graph(h.commit.Day); g != nil {
		named := r.process(r.workingID).bodies[h.list[h.mine].Presence]
		if named == nil || named.Ephemeral != r.presence.Ephemeral {
			return
		}
	} // else its day is over: nobody can be told its secret any more
	for pub := range r.ephemeral {
		if pub != r.presence.Ephemeral {
			delete(r.ephemeral, pub)
		}
	}
}

// stale reports whether the head is old enough to be renewed.
func (r *Room) stale(h *epoch) bool { return r.now.Sub(h.since) >= rotatePeriod }
