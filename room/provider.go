package room

import (
	"cmp"
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Whom to ask for pieces of files: PROTOCOL.md §11.6.

// A provider is a process that can be asked for pieces.
type provider struct {
	ch     *channel
	branch [32]byte
	author bool // of a file that is wanted
	fast   bool // it was not slow when it was last asked
	draw   int
}

// fetch asks for pieces that are wanted.
func (r *Room) fetch() {
	if len(r.files.wanted) == 0 {
		return
	}
	slices.SortStableFunc(r.files.wanted, func(a, b *file) int { return differ(b.asked, a.asked) })
	open, of := r.seeking()
	for _, p := range r.providers(open) {
		var hashes []ake.Hash
		place := len(open) < maxSeeking && len(of[p.branch]) < maxSeekingBranch
		if place {
			hashes = r.missing(p.ch)
		}
		if len(hashes) == 0 {
			x := r.givesUp(p, place, open, of)
			if x == nil {
				continue
			}
			r.files.gaveUpAt, x.gaveUp = r.now, true
			r.reset(x)
			open, of = r.seeking()
			hashes = r.missing(p.ch)
		}
		if len(hashes) > 0 {
			x := r.openChannelStream(p.ch, ProtocolFile)
			x.seeks = hashes
			r.send(x, record.EncodeSeek(hashes))
			remember(r.files.askedBranch, p.branch, r.now)
			remember(r.files.askedPeer, p.ch.identity, r.now)
			open, of[p.branch] = append(open, x), append(of[p.branch], x)
		}
	}
}

// seeking are the streams on which we ask for pieces, and those of each branch.
func (r *Room) seeking() (open []*exchange, of map[[32]byte][]*exchange) {
	of = make(map[[32]byte][]*exchange)
	for _, id := range r.streams.sorted() {
		if x := r.streams.byID[id]; x.protocol == ProtocolFile && x.dialler {
			b := r.branchNow(x.identity)
			open, of[b] = append(open, x), append(of[b], x)
		}
	}
	return open, of
}

func (r *Room) branchNow(identity [32]byte) [32]byte {
	b, _ := r.branchOf(r.today(), ake.Hash{}, identity)
	return b
}

// providers are those who may be asked now, but for who is asked already: first who was not slow lately. Then
// branches take turns: the one that was asked longest ago is first, in it the author of what is wanted, then
// who was asked longest ago.
func (r *Room) providers(open []*exchange) (all []provider) {
	for _, w := range r.channels.sorted() {
		ch := r.channels.byKey[w]
		switch until := r.files.paused[ch.identity]; {
		case !ch.up || slices.ContainsFunc(open, func(x *exchange) bool { return x.identity == ch.identity }):
		case until.After(r.now):
			r.wakeAt(until)
		default:
			all = append(all, provider{
				ch: ch, branch: r.branchNow(ch.identity), draw: r.random(1 << 30), fast: r.files.fast[ch.identity],
				author: slices.ContainsFunc(r.files.wanted, func(f *file) bool { return f.author() == ch.identity }),
			})
		}
	}
	slices.SortFunc(all, func(a, b provider) int {
		return cmp.Or(differ(b.fast, a.fast),
			r.files.askedBranch[a.branch].Compare(r.files.askedBranch[b.branch]), differ(b.author, a.author),
			r.files.askedPeer[a.ch.identity].Compare(r.files.askedPeer[b.ch.identity]), a.draw-b.draw)
	})
	return all
}

// remember notes something of somebody, of 1,024 at most.
func remember[T any](of map[[32]byte]T, who [32]byte, what T) {
	if len(of) >= maxPaused {
		clear(of)
	}
	of[who] = what
}

// givesUp is the stream that ends for somebody who could be asked; nil: none does. It is slow. Who has no
// place takes that of a branch that has more than theirs, or one of their own's if that has all it may
// have: of the branch with most, and of its streams the one that brought least. Who has a place, and was
// not slow lately, takes what another does not bring. Where all are slow, our own network may be: then
// one ends at a time, and the others go on.
func (r *Room) givesUp(p provider, place bool, open []*exchange, of map[[32]byte][]*exchange) (first *exchange) {
	own, most := len(of[p.branch]), 0
	for _, x := range open {
		b := r.branchNow(x.identity)
		switch {
		case place && !p.fast:
			continue
		case !place && own >= maxSeekingBranch && b != p.branch, !place && own < maxSeekingBranch && len(of[b]) <= own:
			continue
		case !r.couldSeek(p.ch, x):
			continue
		}
		at := x.began.Add(time.Duration(x.brought+1) * paceTime)
		if !p.fast {
			at = maxTime(at, r.files.gaveUpAt.Add(paceTime))
		}
		switch {
		case at.After(r.now):
			r.wakeAt(at)
		case first == nil || len(of[b]) > most || len(of[b]) == most && x.brought <= first.brought:
			first, most = x, len(of[b])
		}
	}
	return first
}

// couldSeek reports whether a process could be asked for something if a stream was over.
func (r *Room) couldSeek(ch *channel, over *exchange) bool {
	for _, f := range r.files.wanted {
		if f.lacks[ch.working].until.After(r.now) {
			continue
		}
		for i, h := range f.Hashes {
			if at, ok := r.files.asking[h]; !f.have[i] && !r.files.writing[h] && (!ok || r.now.Sub(at) >= seekAgainTime ||
				slices.Contains(over.seeks[over.sought:], h)) {
				return true
			}
		}
	}
	return false
}

// author is the identity of who sent the file.
func (f *file) author() (identity [32]byte) {
	if f.ref.t != nil {
		identity = f.ref.t.List[f.ref.index].Identity
	}
	return identity
}

// missing are pieces to ask a process for.
func (r *Room) missing(ch *channel) (out []ake.Hash) {
	for _, f := range r.files.wanted {
		if l := f.lacks[ch.working]; l.until.After(r.now) {
			r.wakeAt(l.until)
			continue
		}
		for n := range f.Hashes {
			i := (f.first + n) % len(f.Hashes)
			h := f.Hashes[i]
			if len(out) == record.MaxSeek || len(r.files.asking) >= maxAsking {
				return out
			}
			if f.have[i] || r.files.writing[h] {
				continue
			}
			if at, ok := r.files.asking[h]; ok && r.now.Sub(at) < seekAgainTime {
				r.wakeAt(at.Add(seekAgainTime))
				continue
			}
			r.files.asking[h] = r.now
			out = append(out, h)
		}
	}
	return out
}
