package room

import (
	"cmp"
	"slices"
	"time"

	"coterie/crypto/ake"
)

// The proof tree: PROTOCOL.md §7.3. A member can make up others without end, but
// all of them hang on it. So wherever a table, a list or a choice cannot have
// everybody, the branches at each node take turns: one member and all that it made
// up have no more of it than another who is where it is.

// A tree is the members of a day as they hang on each other, seen from us: each on
// its neighbour that is nearest to us, of equals on the one with the least cid.
type tree struct {
	root     ake.Hash
	children map[ake.Hash][]ake.Hash // ascending
	parent   map[ake.Hash]ake.Hash
	branch   map[ake.Hash]ake.Hash // the child of the root on which one hangs
	size     map[ake.Hash]int      // how many hang on each, itself included; with zeros the root
}

// tree is worked out when it is first asked for since the graph changed.
func (g *graph) tree() *tree {
	if g.cachedTree != nil {
		return g.cachedTree
	}
	t := &tree{
		children: make(map[ake.Hash][]ake.Hash), parent: make(map[ake.Hash]ake.Hash), branch: make(map[ake.Hash]ake.Hash),
		size: map[ake.Hash]int{{}: 1},
	}
	g.cachedTree = t
	if g.own == nil {
		return t
	}
	members := g.members()
	t.root = g.own.cid
	t.parent[t.root] = t.root
	for level := []ake.Hash{t.root}; len(level) > 0; {
		// In the order of the level's cids, so that of equals the least is the parent.
		var next []ake.Hash
		for _, at := range sortHashes(level) {
			n := g.nodes[at]
			for _, to := range sortedHashes(n.out) {
				// An edge in both directions: one alone is one member's word.
				if _, back := n.in[to]; !back || !members[to] {
					continue
				}
				if _, seen := t.parent[to]; !seen {
					t.parent[to] = at
					t.children[at] = append(t.children[at], to)
					if t.branch[to] = to; at != t.root {
						t.branch[to] = t.branch[at]
					}
					t.size[t.branch[to]]++
					next = append(next, to)
				}
			}
		}
		level = next
	}
	return t
}

// branch is the neighbour of ours on which a member hangs; zeros for ourselves and
// for whoever hangs on nobody.
func (g *graph) branch(cid ake.Hash) ake.Hash { return g.tree().branch[cid] }

// branchWithMost is what is kept of the branch of which most is: of equals ours, then
// the least.
func branchWithMost[T any](own ake.Hash, of map[ake.Hash][]T) []T {
	most := own
	for _, b := range sortedHashes(of) {
		if len(of[b]) > len(of[most]) {
			most = b
		}
	}
	return of[most]
}

// order is all members of the tree: ourselves and those whom the head has listed for
// longest, and then those who hang on them, in turns. So whoever is made up later takes
// none of their places, and whom they let in has a turn beside all that one made up.
func (g *graph) order() []ake.Hash {
	if g.tree(); g.cachedOrder == nil && g.own != nil {
		g.cachedOrder = g.turns(g.seniors())
	}
	return g.cachedOrder
}

// turns is all members of the tree: some first, and then those who hang on them, in
// turns.
func (g *graph) turns(first []ake.Hash) []ake.Hash {
	t := g.tree()
	out := make([]ake.Hash, 0, len(t.parent))
	done, senior := make(map[ake.Hash]bool), make(map[ake.Hash]bool)
	turns := make(map[ake.Hash][]ake.Hash) // by node: its branches, whose turn it is first
	begin := func(at ake.Hash) { done[at], turns[at] = true, slices.Clone(t.children[at]) }
	// take gives the next who hangs on somebody, and on no senior further down. At each
	// node the branches take turns. The time does not grow with the tree's depth: a
	// branch that is the only one left at its node takes the node's place.
	var take func(at ake.Hash) (ake.Hash, bool)
	take = func(at ake.Hash) (ake.Hash, bool) {
		if !done[at] {
			begin(at)
			return at, true
		}
		for len(turns[at]) > 0 {
			c := turns[at][0]
			if len(turns[at]) == 1 && done[c] && !senior[c] {
				turns[at] = turns[c]
				continue
			}
			turns[at] = turns[at][1:]
			if senior[c] {
				continue
			}
			if cid, ok := take(c); ok {
				turns[at] = append(turns[at], c)
				return cid, true
			}
		}
		return ake.Hash{}, false
	}
	for _, cid := range first {
		begin(cid)
		senior[cid], out = true, append(out, cid)
	}
	for queue := slices.Clone(out); len(queue) > 0; queue = queue[1:] {
		if cid, ok := take(queue[0]); ok {
			out, queue = append(out, cid), append(queue, queue[0])
		}
	}
	return out
}

// seniors are those of the tree whom the head has listed for longest, as many as keep
// their places in a full room; and ourselves.
func (g *graph) seniors() []ake.Hash {
	t := g.tree()
	type seat struct {
		cid   ake.Hash
		since time.Time
	}
	var seats []seat
	if g.head != nil {
		for i := range g.head.list {
			c := g.newest[g.head.list[i].Identity]
			if c == nil {
				continue
			}
			if _, hangs := t.parent[c.ID()]; hangs && c.ID() != t.root {
				seats = append(seats, seat{c.ID(), g.head.listedSince[i]})
			}
		}
	}
	slices.SortFunc(seats, func(a, b seat) int {
		return cmp.Or(a.since.Compare(b.since), compareHashes(a.cid, b.cid))
	})
	out := []ake.Hash{t.root}
	for _, s := range seats[:min(len(seats), maxSeniors-1)] {
		out = append(out, s.cid)
	}
	return out
}

// descend chooses a member at random, other than ourselves, for whom ok holds: at
// each node one of those that hang on it, or itself, of branches that have such a
// member. The zero hash if there is none.
func (r *Room) descend(g *graph, ok func(ake.Hash) bool) ake.Hash {
	t := g.tree()
	fits := make(map[ake.Hash]bool)
	leads := make(map[ake.Hash]bool) // to one that fits
	for _, n := range g.roster() {
		cid := n.contribution.ID()
		if _, hangs := t.parent[cid]; !hangs || cid == t.root || !ok(cid) {
			continue
		}
		fits[cid] = true
		for at := cid; !leads[at]; at = t.parent[at] {
			leads[at] = true
		}
	}
	if len(fits) == 0 {
		return ake.Hash{}
	}
	for at := t.root; ; {
		var next []ake.Hash
		for _, c := range t.children[at] {
			if leads[c] {
				next = append(next, c)
			}
		}
		if fits[at] {
			next = append(next, at)
		}
		to := next[r.random(len(next))]
		if to == at {
			return at
		}
		at = to
	}
}
