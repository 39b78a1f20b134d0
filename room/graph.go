package room

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// A graph is what is known of one day: contributions are nodes, edges are
// proofs (PROTOCOL.md §7.2). Every node but our own is reached by a chain of
// edges from our own; nothing else is kept (§6.1).
type graph struct {
	date      abe.Day
	own       *own // nil until our encapsulation is made
	nodes     map[ake.Hash]*node
	edges     map[ake.Hash]*record.Edge
	promised  map[ake.Hash]*record.Edge           // by their other end, which has not come yet
	of        map[[32]byte][]*record.Contribution // by identity
	newest    map[[32]byte]*record.Contribution   // by identity
	cut       map[[32]byte]bool                   // the room's
	component map[ake.Hash]bool                   // nil when stale
	sorted    []ake.Hash                          // the component's, in ascending order
	proofs    *tree                               // nil when stale
	ordered   []ake.Hash                          // the tree's members by turns; nil when stale
	height    uint64                              // the greatest of a commit of the day that was seen
}

// own is our part in a day.
type own struct {
	cid           ake.Hash
	contribution  *record.Contribution
	encapsulation []byte
	proof         ake.Proof
	published     bool // it is on the topic
}

type node struct {
	contribution *record.Contribution
	peer         peer.ID   // of its identity
	since        time.Time // when it arrived
	out          map[ake.Hash]*record.Edge
	in           map[ake.Hash]*record.Edge
	term         *ake.Term // nil until told
	// encapsulation is kept as long as its term is not known.
	encapsulation []byte
	opened        bool // it was opened, and holds no term that fits
}

func newGraph(date abe.Day, cut map[[32]byte]bool) *graph {
	return &graph{
		date:     date,
		cut:      cut,
		nodes:    make(map[ake.Hash]*node),
		edges:    make(map[ake.Hash]*record.Edge),
		promised: make(map[ake.Hash]*record.Edge),
		of:       make(map[[32]byte][]*record.Contribution),
		newest:   make(map[[32]byte]*record.Contribution),
	}
}

// contribution finds one that is kept; of a day that is over, none is.
func (g *graph) contribution(cid ake.Hash) *record.Contribution {
	if g == nil {
		return nil
	}
	if n := g.nodes[cid]; n != nil {
		return n.contribution
	}
	return nil
}

func (g *graph) addContribution(c *record.Contribution) {
	id, _ := peerOf(c.Identity[:]) // whose form was checked when it came
	g.nodes[c.ID()] = &node{contribution: c, peer: id, out: make(map[ake.Hash]*record.Edge), in: make(map[ake.Hash]*record.Edge)}
	g.of[c.Identity] = append(g.of[c.Identity], c)
	if old := g.newest[c.Identity]; old == nil || later(c, old) {
		g.newest[c.Identity] = c
	}
}

// later orders the contributions of one peer and day: by serial, and equal ones
// (which an honest peer never makes) by cid, so that all agree.
func later(a, b *record.Contribution) bool {
	if a.Serial != b.Serial {
		return a.Serial > b.Serial
	}
	x, y := a.ID(), b.ID()
	return bytes.Compare(x[:], y[:]) > 0
}

func (g *graph) addEdge(e *record.Edge) {
	g.edges[e.ID()] = e
	g.nodes[e.From].out[e.To] = e
	g.nodes[e.To].in[e.From] = e
	if len(g.cut) > 0 {
		g.stale()
		return
	}
	if g.component != nil && g.component[e.To] && !g.component[e.From] {
		g.sorted = nil
		g.reach(e.From, g.component, into)
	}
	if g.nodes[e.From].in[e.To] != nil {
		g.proofs, g.ordered = nil, nil
	}
}

// promise keeps an edge until its other end comes, if need be in place of one of
// the branch with most: whoever signs edges to nobody keeps nobody else's out.
func (g *graph) promise(e *record.Edge) {
	if len(g.promised) >= maxPromised && g.promised[e.To] == nil {
		of := make(map[ake.Hash][]ake.Hash)
		for _, to := range sortedHashes(g.promised) {
			b := g.branch(g.promised[to].From)
			of[b] = append(of[b], to)
		}
		most := g.branch(e.From)
		for _, b := range sortedHashes(of) {
			if len(of[b]) > len(of[most]) {
				most = b
			}
		}
		delete(g.promised, of[most][0])
	}
	g.promised[e.To] = e
}

// stale forgets what was worked out of the graph.
func (g *graph) stale() { g.component, g.sorted, g.proofs, g.ordered = nil, nil, nil, nil }

// members is our strongly connected component, without those that our user cut.
func (g *graph) members() map[ake.Hash]bool {
	if g.component != nil {
		return g.component
	}
	g.component, g.sorted = make(map[ake.Hash]bool), nil
	if g.own == nil {
		return g.component
	}
	g.reach(g.own.cid, g.component, into)
	if len(g.cut) > 0 { // else every node is reached from ours
		reached := make(map[ake.Hash]bool)
		g.reach(g.own.cid, reached, func(n *node) map[ake.Hash]*record.Edge { return n.out })
		maps.DeleteFunc(g.component, func(cid ake.Hash, _ bool) bool { return !reached[cid] })
	}
	return g.component
}

// into are the edges to a node.
func into(n *node) map[ake.Hash]*record.Edge { return n.in }

// reach adds to a set a node, and all to which edges lead from there, but for those
// that were cut.
func (g *graph) reach(cid ake.Hash, set map[ake.Hash]bool, edges func(*node) map[ake.Hash]*record.Edge) {
	set[cid] = true
	for queue := []ake.Hash{cid}; len(queue) > 0; queue = queue[1:] {
		for next := range edges(g.nodes[queue[0]]) {
			if !set[next] && !g.cut[g.nodes[next].contribution.Identity] {
				set[next] = true
				queue = append(queue, next)
			}
		}
	}
}

// cids are the members in ascending order. The caller does not change them.
func (g *graph) cids() []ake.Hash {
	m := g.members()
	if g.sorted == nil {
		g.sorted = sortedHashes(m)
	}
	return g.sorted
}

// walk visits the contributions that are kept, each after an edge that leads to it,
// and then all other edges: in this order another peer in our component can take
// them without keeping any waiting.
func (g *graph) walk(contribution func(*record.Contribution), edge func(*record.Edge)) {
	if g.own == nil {
		return
	}
	seen := map[ake.Hash]bool{g.own.cid: true}
	contribution(g.own.contribution)
	var others []*record.Edge
	for queue := []ake.Hash{g.own.cid}; len(queue) > 0; queue = queue[1:] {
		n := g.nodes[queue[0]]
		for _, to := range sortedHashes(n.out) {
			if seen[to] {
				others = append(others, n.out[to])
				continue
			}
			seen[to] = true
			edge(n.out[to])
			contribution(g.nodes[to].contribution)
			queue = append(queue, to)
		}
	}
	for _, e := range others {
		edge(e)
	}
}

// remove forgets a contribution and its edges.
func (g *graph) remove(cid ake.Hash) {
	n := g.nodes[cid]
	for to, e := range n.out {
		delete(g.edges, e.ID())
		delete(g.nodes[to].in, cid)
	}
	for from, e := range n.in {
		delete(g.edges, e.ID())
		delete(g.nodes[from].out, cid)
	}
	delete(g.nodes, cid)
	who := n.contribution.Identity
	g.of[who] = slices.DeleteFunc(g.of[who], func(c *record.Contribution) bool { return c == n.contribution })
	delete(g.newest, who)
	for _, c := range g.of[who] {
		if old := g.newest[who]; old == nil || later(c, old) {
			g.newest[who] = c
		}
	}
	if len(g.of[who]) == 0 {
		delete(g.of, who)
	}
	if g.component[cid] || len(g.cut) > 0 {
		g.component, g.sorted = nil, nil
	}
	if g.proofs != nil {
		if _, ok := g.proofs.parent[cid]; ok {
			g.proofs, g.ordered = nil, nil
		}
	}
}

// makeRoom drops, from a full graph, whoever is to give way for a newcomer who hangs on
// from.
func (g *graph) makeRoom(from ake.Hash) bool {
	who, ok := g.givesWay(from)
	if ok {
		g.remove(who)
	}
	return ok
}

// admits reports whether there is room, or can be made, for a newcomer who hangs on
// from.
func (g *graph) admits(from ake.Hash) bool {
	if len(g.nodes) < maxNodes {
		return true
	}
	_, ok := g.givesWay(from)
	return ok
}

// givesWay finds, in a full graph, whoever has the last turn (§7.3), unless the
// newcomer, who hangs on from, would have it.
func (g *graph) givesWay(from ake.Hash) (who ake.Hash, ok bool) {
	hangs := g.tree().parent
	if len(hangs) < len(g.nodes) {
		// No two say of each other that it is there: it has no turn.
		for cid := range g.nodes {
			if _, in := hangs[cid]; !in && (!ok || compareHashes(cid, who) < 0) {
				who, ok = cid, true
			}
		}
		return who, ok
	}
	order := g.order()
	if len(order) == 0 {
		return who, false
	}
	last := order[len(order)-1]
	of := g.tree().of
	if g.nodes[g.own.cid].out[last] != nil || from != g.own.cid && of[g.branch(from)]+1 >= of[g.branch(last)] {
		return who, false
	}
	return last, true
}

func compareHashes(a, b ake.Hash) int { return bytes.Compare(a[:], b[:]) }

func sortedHashes[V any](m map[ake.Hash]V) []ake.Hash {
	keys := make([]ake.Hash, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return sortHashes(keys)
}

// sortHashes sorts hashes in place.
func sortHashes(keys []ake.Hash) []ake.Hash {
	slices.SortFunc(keys, compareHashes)
	return keys
}

// A process is what is known of one working key.
type process struct {
	newest *record.Presence
	bodies map[ake.Hash]*record.Presence // those that commits may name
	name   *record.Name

	beat  *record.Beat // the one with the greatest serial; nil: none heard
	heard time.Time    // when that was
	lost  bool         // it was silent, and was not heard since

	pace pace // of its messages on the topic

	leftSince  time.Time // when we heard that it left
	misbehaved bool
	proof      ake.Hash            // of two presences with one serial
	guilty     [2]*record.Presence // these two
	pairs      int                 // how often a lesser pair came
}

// process is what is known of a working key; it begins to be if need be.
func (r *Room) process(w [32]byte) *process {
	p := r.processes[w]
	if p == nil {
		p = &process{bodies: make(map[ake.Hash]*record.Presence), heard: r.now}
		r.processes[w] = p
	}
	return p
}

func (p *process) left() bool { return p != nil && p.newest != nil && p.newest.Left }

// takePresence keeps a presence, in place of the oldest that no commit names.
// "Left" is absorbing; otherwise the greatest serial counts. Of two with one
// serial, and of several such pairs, all keep the same: PROTOCOL.md §6.
func (p *process) takePresence(n *record.Presence, named func(ake.Hash) bool) {
	nid := n.ID()
	for id, b := range p.bodies {
		if b.Serial == n.Serial && id != nid {
			if ref := record.MisbehaviourRef(id, nid); !p.misbehaved || compareHashes(ref, p.proof) < 0 {
				p.misbehaved, p.proof = true, ref
				p.pairs++
				p.guilty = [2]*record.Presence{b, n}
			}
		}
	}
	if len(p.bodies) >= maxBodies {
		oldest := n
		for id, b := range p.bodies {
			if b.Serial < oldest.Serial && !b.Left && !named(id) {
				oldest = b
			}
		}
		delete(p.bodies, oldest.ID())
	}
	p.bodies[nid] = n
	switch {
	case p.newest == nil, n.Left && !p.newest.Left:
		p.newest = n
	case n.Left == p.newest.Left && n.Serial > p.newest.Serial:
		p.newest = n
	}
}

// lesser reports whether a presence makes a pair of which the proof is less than
// the one that is kept. Only a few times: one proof is as good as another.
func (p *process) lesser(n *record.Presence) bool {
	for id, b := range p.bodies {
		if b.Serial == n.Serial && p.pairs < maxPairs && compareHashes(record.MisbehaviourRef(id, n.ID()), p.proof) < 0 {
			return true
		}
	}
	return false
}

// offered are the presences that others are told of: of a process that misbehaved
// those alone that show it, so that all offer the same.
func (p *process) offered() []*record.Presence {
	if p.misbehaved {
		return p.guilty[:]
	}
	var out []*record.Presence
	for _, id := range sortedHashes(p.bodies) {
		out = append(out, p.bodies[id])
	}
	return out
}

// graph finds a day's graph, if there is one.
func (r *Room) graph(d abe.Day) *graph { return r.days[d] }

func (r *Room) today() abe.Day { return abe.DayOf(r.now) }

// gone reports why a contribution counts no more: its process left, or its peer
// made a later one, or our user does without it. The evidence is what a commit says
// of it.
func (r *Room) gone(g *graph, cid ake.Hash) (record.Evidence, bool) {
	c := g.contribution(cid)
	if c == nil {
		return record.Evidence{}, false
	}
	if len(r.cut) > 0 && !g.members()[cid] && g.own != nil {
		return record.Evidence{Kind: record.EvidenceCut, CID: cid}, true
	}
	p := r.processes[c.Working]
	if p != nil && p.misbehaved {
		return record.Evidence{Kind: record.EvidenceMisbehaved, CID: cid, Ref: p.proof}, true
	}
	if p.left() {
		return record.Evidence{Kind: record.EvidenceLeft, CID: cid, Ref: p.newest.ID()}, true
	}
	if n := g.newest[c.Identity]; n != c && g.members()[n.ID()] {
		return record.Evidence{Kind: record.EvidenceSuperseded, CID: cid, Ref: n.ID()}, true
	}
	return record.Evidence{}, false
}

// living are the members of a day: our component, less those that are gone.
// (PROTOCOL.md §7.2)
func (r *Room) living(g *graph) []ake.Hash {
	var out []ake.Hash
	for _, cid := range g.cids() {
		if _, gone := r.gone(g, cid); !gone {
			out = append(out, cid)
		}
	}
	return out
}

// isMember reports whether a peer is a living member, on any day.
func (r *Room) isMember(identity [32]byte) bool {
	for _, g := range r.days {
		for _, c := range g.of[identity] {
			if g.members()[c.ID()] {
				if _, gone := r.gone(g, c.ID()); !gone {
					return true
				}
			}
		}
	}
	return false
}

// Fellows are the living members other than ourselves, and where they say they
// are.
func (r *Room) Fellows() []peer.AddrInfo {
	var out []peer.AddrInfo
	g := r.graph(r.today())
	if g == nil {
		return nil
	}
	for _, cid := range r.living(g) {
		c := g.contribution(cid)
		p := r.processes[c.Working]
		id, err := peerOf(c.Identity[:])
		if err != nil || p == nil || p.newest == nil || c.Identity == r.own {
			continue
		}
		info := peer.AddrInfo{ID: id}
		for _, b := range p.newest.Addresses {
			if a, err := ma.NewMultiaddrBytes(b); err == nil {
				info.Addrs = append(info.Addrs, a)
			}
		}
		out = append(out, info)
	}
	return out
}
