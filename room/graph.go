package room

import (
	"bytes"
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
	of        map[[32]byte][]*record.Contribution // by identity
	newest    map[[32]byte]*record.Contribution   // by identity
	component map[ake.Hash]bool                   // nil when stale
	sorted    []ake.Hash                          // the component's, in ascending order
}

// own is our part in a day.
type own struct {
	cid           ake.Hash
	contribution  *record.Contribution
	encapsulation []byte
	proof         ake.Proof
}

type node struct {
	contribution *record.Contribution // nil until it arrives: an edge may come first
	since        time.Time            // when it arrived
	out          map[ake.Hash]*record.Edge
	in           map[ake.Hash]*record.Edge
	term         *ake.Term // nil until told
}

func newGraph(date abe.Day) *graph {
	return &graph{
		date:   date,
		nodes:  make(map[ake.Hash]*node),
		edges:  make(map[ake.Hash]*record.Edge),
		of:     make(map[[32]byte][]*record.Contribution),
		newest: make(map[[32]byte]*record.Contribution),
	}
}

func (g *graph) node(cid ake.Hash) *node {
	n := g.nodes[cid]
	if n == nil {
		n = &node{out: make(map[ake.Hash]*record.Edge), in: make(map[ake.Hash]*record.Edge)}
		g.nodes[cid] = n
	}
	return n
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

// reached reports whether an edge that is kept leads to the contribution, or it
// is our own.
func (g *graph) reached(cid ake.Hash) bool {
	if g.own != nil && g.own.cid == cid {
		return true
	}
	n := g.nodes[cid]
	return n != nil && len(n.in) > 0
}

func (g *graph) addContribution(c *record.Contribution) {
	g.node(c.ID()).contribution = c
	g.of[c.Identity] = append(g.of[c.Identity], c)
	if old := g.newest[c.Identity]; old == nil || later(c, old) {
		g.newest[c.Identity] = c
	}
	g.component = nil
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
	g.node(e.From).out[e.To] = e
	g.node(e.To).in[e.From] = e
	g.component = nil
}

// members is our strongly connected component. Every node is reached from ours,
// so it is those from which ours is reached.
func (g *graph) members() map[ake.Hash]bool {
	if g.component != nil {
		return g.component
	}
	g.component, g.sorted = make(map[ake.Hash]bool), nil
	if g.own == nil {
		return g.component
	}
	queue := []ake.Hash{g.own.cid}
	g.component[g.own.cid] = true
	for len(queue) > 0 {
		n := g.nodes[queue[0]]
		queue = queue[1:]
		for from := range n.in {
			if !g.component[from] && g.nodes[from].contribution != nil {
				g.component[from] = true
				queue = append(queue, from)
			}
		}
	}
	return g.component
}

// cids are the members in ascending order. The caller does not change them.
func (g *graph) cids() []ake.Hash {
	m := g.members()
	if g.sorted == nil {
		g.sorted = sortedHashes(m)
	}
	return g.sorted
}

// walk visits the contributions that are kept, each after one that has an edge
// to it, and each followed by its edges: in this order another peer in our
// component can take them without keeping any waiting.
func (g *graph) walk(contribution func(*record.Contribution), edge func(*record.Edge)) {
	if g.own == nil {
		return
	}
	seen := map[ake.Hash]bool{g.own.cid: true}
	queue := []ake.Hash{g.own.cid}
	for len(queue) > 0 {
		n := g.nodes[queue[0]]
		queue = queue[1:]
		if n.contribution == nil {
			continue
		}
		contribution(n.contribution)
		for _, to := range sortedHashes(n.out) {
			edge(n.out[to])
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
}

func compareHashes(a, b ake.Hash) int { return bytes.Compare(a[:], b[:]) }

func sortedHashes[V any](m map[ake.Hash]V) []ake.Hash {
	keys := make([]ake.Hash, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareHashes)
	return keys
}

// A process is what is known of one working key.
type process struct {
	newest *record.Presence
	bodies map[ake.Hash]*record.Presence // those that commits may name
	name   *record.Name

	beat   *record.Beat // the one with the greatest serial; nil: none heard
	heard  time.Time    // when that was
	led    time.Time    // when a stream last brought one: streams lead from there to us
	isDead bool         // an accepted commit called it silent ..
	obit   uint64       // .. with this serial as its last

	pace    pace      // of its messages on the topic
	accuser [32]byte  // whose commit that was, by identity
	buried  time.Time // when we heard of it

	leftSince  time.Time // when we heard that it left
	misbehaved bool
	proof      ake.Hash // of two presences with one serial
}

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
// "Left" is absorbing; otherwise the greatest serial counts. (PROTOCOL.md §6)
func (p *process) takePresence(n *record.Presence, named func(ake.Hash) bool) {
	if p.misbehaved {
		return // the proof is kept, and nothing more
	}
	nid := n.ID()
	for id, b := range p.bodies {
		if b.Serial == n.Serial && id != nid {
			p.misbehaved, p.proof = true, record.MisbehaviourRef(id, nid)
		}
	}
	if len(p.bodies) >= maxBodies && !p.misbehaved {
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

// graph finds a day's graph, if there is one.
func (r *Room) graph(d abe.Day) *graph { return r.days[d] }

func (r *Room) today() abe.Day { return abe.DayOf(r.now) }

// gone reports why a contribution counts no more: its process left, or its peer
// made a later one. The evidence is what a commit says of it.
func (r *Room) gone(g *graph, cid ake.Hash) (record.Evidence, bool) {
	c := g.contribution(cid)
	if c == nil {
		return record.Evidence{}, false
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
