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

// A graph is what is known of one period, mostly a day: contributions are nodes, edges are
// proofs (PROTOCOL.md §7.2). Every node but our own is reached by a chain of
// edges from our own; nothing else is kept (§6.1).
type graph struct {
	period        abe.Period
	began         time.Time   // when the notice came that it follows; zero: before we did, or there is none
	notice        *abe.Notice // that one
	own           *own        // nil until our encapsulation is made
	nodes         map[ake.Hash]*node
	edges         map[ake.Hash]*record.Edge
	promised      map[ake.Hash]*record.Edge           // by their other end, which has not come yet
	byIdentity    map[[32]byte][]*record.Contribution // by identity
	newest        map[[32]byte]*record.Contribution   // by identity
	cut           map[[32]byte]bool                   // the room's
	head          *epoch                              // the room's
	component     map[ake.Hash]bool                   // nil when stale
	memberNodes   []*node                             // its nodes, by identity
	cachedTree    *tree                               // nil when stale
	cachedOrder   []ake.Hash                          // the tree's members by turns; nil when stale
	height        uint64                              // the greatest of a commit of the day that was seen
	next          nextList
	cachedWalk    []record.Record // see walk; nil when stale
	cachedLiving  []ake.Hash      // see living
	livingVersion uint64          // the version at which that was
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
	process      *process  // with its working key, once anybody looked; see processOf
	member       bool      // it is of the component, if that is not stale
	peer         peer.ID   // of its identity
	since        time.Time // when it arrived
	out          map[ake.Hash]*record.Edge
	in           map[ake.Hash]*record.Edge
	term         *ake.Term // nil until told
	// encapsulation is kept as long as its term is not known.
	encapsulation []byte
	opened        bool // it was opened, and holds no term that fits
	wasInHead     bool // a head of ours listed it
}

func newGraph(period abe.Period, cut map[[32]byte]bool) *graph {
	return &graph{
		period:     period,
		cut:        cut,
		nodes:      make(map[ake.Hash]*node),
		edges:      make(map[ake.Hash]*record.Edge),
		promised:   make(map[ake.Hash]*record.Edge),
		byIdentity: make(map[[32]byte][]*record.Contribution),
		newest:     make(map[[32]byte]*record.Contribution),
	}
}

// revoked are the serials of the keys for which nothing is encapsulated in it.
func (g *graph) revoked() []uint64 {
	if g.notice == nil {
		return nil
	}
	return g.notice.Serials
}

// isNoEarlier reports whether whoever takes part in it may be told what is said in a period
// to all who satisfy the policy: its key is good as late as then, by day and by notice.
func (g *graph) isNoEarlier(p abe.Period) bool {
	return g.period.Day() >= p.Day() && g.period.Notice() >= p.Notice()
}

// node finds the node of a contribution that is kept; of a day that is over, none is.
func (g *graph) node(cid ake.Hash) *node {
	if g == nil {
		return nil
	}
	return g.nodes[cid]
}

// contribution finds one that is kept.
func (g *graph) contribution(cid ake.Hash) *record.Contribution {
	if n := g.node(cid); n != nil {
		return n.contribution
	}
	return nil
}

func (g *graph) addContribution(c *record.Contribution) {
	g.nodes[c.ID()] = &node{contribution: c, peer: peerOf(c.Identity), out: make(map[ake.Hash]*record.Edge),
		in: make(map[ake.Hash]*record.Edge)}
	g.byIdentity[c.Identity] = append(g.byIdentity[c.Identity], c)
	if old := g.newest[c.Identity]; old == nil || later(c, old) {
		g.newest[c.Identity] = c
	}
	if g.own != nil && c.ID() == g.own.cid {
		g.invalidate()
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
	from, to := g.nodes[e.From], g.nodes[e.To]
	g.edges[e.ID()] = e
	from.out[e.To], to.in[e.From] = e, e
	g.cachedWalk = nil
	if len(g.cut) > 0 {
		g.invalidate()
		return
	}
	if g.component != nil && to.member && !from.member {
		g.grow(e.From)
	}
	if from.in[e.To] != nil {
		g.cachedTree, g.cachedOrder = nil, nil
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
		delete(g.promised, branchWithMost(g.branch(e.From), of)[0])
	}
	g.promised[e.To] = e
}

// invalidate forgets what was worked out of the graph.
func (g *graph) invalidate() {
	g.component, g.cachedTree, g.cachedOrder, g.cachedWalk = nil, nil, nil, nil
}

// members is our strongly connected component, without those that our user cut.
func (g *graph) members() map[ake.Hash]bool {
	if g.component == nil {
		g.component, g.memberNodes = make(map[ake.Hash]bool), nil
		for _, n := range g.nodes {
			n.member = false
		}
		if g.own != nil {
			g.grow(g.own.cid)
		}
	}
	return g.component
}

// grow adds to the component a node that leads to it, and all that lead there.
func (g *graph) grow(cid ake.Hash) {
	here := g.reached()
	g.component[cid] = true
	for queue := []ake.Hash{cid}; len(queue) > 0; queue = queue[1:] {
		n := g.nodes[queue[0]]
		n.member = true
		g.memberNodes = append(g.memberNodes, n)
		for from := range n.in {
			if !g.component[from] && (here == nil || here[from]) {
				g.component[from] = true
				queue = append(queue, from)
			}
		}
	}
	slices.SortFunc(g.memberNodes, func(a, b *node) int {
		x, y := a.contribution, b.contribution
		if c := bytes.Compare(x.Identity[:], y.Identity[:]); c != 0 {
			return c
		}
		return compareHashes(x.ID(), y.ID())
	})
}

// reached are the nodes that are reached from ours otherwise than by those that our
// user cut; nil if nobody was: then all are.
func (g *graph) reached() map[ake.Hash]bool {
	if len(g.cut) == 0 {
		return nil
	}
	seen := map[ake.Hash]bool{g.own.cid: true}
	for queue := []ake.Hash{g.own.cid}; len(queue) > 0; queue = queue[1:] {
		for to := range g.nodes[queue[0]].out {
			if !seen[to] && !g.cut[g.nodes[to].contribution.Identity] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return seen
}

// roster is the members' nodes, by identity. The caller does not change it.
func (g *graph) roster() []*node {
	g.members()
	return g.memberNodes
}

// walk is the contributions that are kept, each after an edge that leads to it, and
// then all other edges: in this order another peer in our component can take them
// without keeping any waiting. The caller does not change it.
func (g *graph) walk() []record.Record {
	if g.own == nil || g.cachedWalk != nil {
		return g.cachedWalk
	}
	seen := map[ake.Hash]bool{g.own.cid: true}
	out := append(make([]record.Record, 0, len(g.nodes)+len(g.edges)), g.own.contribution)
	var others []record.Record
	for queue := []ake.Hash{g.own.cid}; len(queue) > 0; queue = queue[1:] {
		n := g.nodes[queue[0]]
		for _, to := range sortedHashes(n.out) {
			if seen[to] {
				others = append(others, n.out[to])
				continue
			}
			seen[to] = true
			out = append(out, n.out[to], g.nodes[to].contribution)
			queue = append(queue, to)
		}
	}
	g.cachedWalk = append(out, others...)
	return g.cachedWalk
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
	g.byIdentity[who] = slices.DeleteFunc(g.byIdentity[who],
		func(c *record.Contribution) bool { return c == n.contribution })
	delete(g.newest, who)
	for _, c := range g.byIdentity[who] {
		if old := g.newest[who]; old == nil || later(c, old) {
			g.newest[who] = c
		}
	}
	if len(g.byIdentity[who]) == 0 {
		delete(g.byIdentity, who)
	}
	g.cachedWalk = nil
	if g.component[cid] || len(g.cut) > 0 {
		g.component, g.memberNodes = nil, nil
	}
	if g.cachedTree != nil {
		if _, ok := g.cachedTree.parent[cid]; ok {
			g.cachedTree, g.cachedOrder = nil, nil
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
	of := g.tree().size
	if g.nodes[g.own.cid].out[last] != nil || from != g.own.cid && of[g.branch(from)]+1 >= of[g.branch(last)] {
		return who, false
	}
	return last, true
}

func compareHashes(a, b ake.Hash) int { return bytes.Compare(a[:], b[:]) }

func sortedHashes[V any](m map[ake.Hash]V) []ake.Hash {
	return slices.SortedFunc(maps.Keys(m), compareHashes)
}

// sortHashes sorts hashes in place.
func sortHashes(keys []ake.Hash) []ake.Hash {
	slices.SortFunc(keys, compareHashes)
	return keys
}

// today is the period that it is: the day, after the newest notice.
func (r *Room) today() abe.Period { return abe.PeriodOf(r.notices.number(), abe.DayOf(r.now)) }

// gone reports why a node counts no more: its process left, or its peer made a later
// contribution, or our user does without it. The evidence is what a commit says of it.
// Of a day that is over there is no graph, and of what is not known no node.
func (r *Room) gone(g *graph, n *node) (record.Evidence, bool) {
	if n == nil {
		return record.Evidence{}, false
	}
	c, p := n.contribution, r.processOf(n)
	cid := c.ID()
	if len(r.cut) > 0 && g != nil && g.own != nil && !g.members()[cid] {
		return record.Evidence{Kind: record.EvidenceCut, CID: cid}, true
	}
	if p != nil && p.misbehaved {
		return record.Evidence{Kind: record.EvidenceMisbehaved, CID: cid, Ref: p.misbehaviourRef}, true
	}
	if p.ended() {
		return record.Evidence{Kind: record.EvidenceLeft, CID: cid, Ref: p.newest.ID()}, true
	}
	if g == nil || len(g.newest) == len(g.nodes) {
		return record.Evidence{}, false // nobody has two
	}
	if n := g.newest[c.Identity]; n != c && g.members()[n.ID()] {
		return record.Evidence{Kind: record.EvidenceSuperseded, CID: cid, Ref: n.ID()}, true
	}
	return record.Evidence{}, false
}

// living are the members of a day: our component, less those that are gone.
// (PROTOCOL.md §7.2) The caller does not change the list.
func (r *Room) living(g *graph) []ake.Hash {
	if g.cachedLiving == nil || g.livingVersion != r.version || r.newRecords {
		g.cachedLiving, g.livingVersion = make([]ake.Hash, 0, len(g.roster())), r.version
		for _, n := range g.roster() {
			if _, gone := r.gone(g, n); !gone {
				g.cachedLiving = append(g.cachedLiving, n.contribution.ID())
			}
		}
	}
	return g.cachedLiving
}

// OtherMembers are the living members other than ourselves, and where they say they
// are: those who were listed for longest come first, and then all in turns.
func (r *Room) OtherMembers() []peer.AddrInfo {
	var out []peer.AddrInfo
	g := r.days[r.today()]
	if g == nil {
		return nil
	}
	place := make(map[ake.Hash]int)
	for i, cid := range g.order() {
		place[cid] = i + 1
	}
	living := slices.Clone(r.living(g))
	slices.SortStableFunc(living, func(a, b ake.Hash) int {
		if place[a] == 0 || place[b] == 0 { // who hangs on nobody comes last
			return place[b] - place[a]
		}
		return place[a] - place[b]
	})
	for _, cid := range living {
		n := g.nodes[cid]
		p := r.processOf(n)
		if p == nil || p.newest == nil || n.peer == r.self {
			continue
		}
		info := peer.AddrInfo{ID: n.peer}
		for _, b := range p.newest.Addresses {
			if a, err := ma.NewMultiaddrBytes(b); err == nil {
				info.Addrs = append(info.Addrs, a)
			}
		}
		out = append(out, info)
	}
	return out
}

// LivingNear is how many neighbours are living members.
func (r *Room) LivingNear() (n int) {
	g := r.days[r.today()]
	if g == nil {
		return 0
	}
	for _, p := range r.neighbours {
		if slices.ContainsFunc(g.byIdentity[p.identity], func(c *record.Contribution) bool {
			_, gone := r.gone(g, g.node(c.ID()))
			return g.members()[c.ID()] && !gone
		}) {
			n++
		}
	}
	return n
}
