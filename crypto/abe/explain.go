package abe

// Explanation tells how attributes stand to a policy. Days are not part of it.
type Explanation struct {
	Satisfied bool
	Through   string    // the canonical text of one satisfied alternative
	Missing   []Missing // otherwise, what would help; at most maxMissing
}

// Missing is a leaf of a policy that attributes do not satisfy.
type Missing struct {
	Attribute string // `"5th year"`, as a policy has it
	For       string // the alternative it is part of, `"NTNU" and "5th year"`
}

const maxMissing = 16

// Explain evaluates the policy as a key with these attributes and this
// generation would.
func (p *Policy) Explain(attributes []Attribute, gen uint32) Explanation {
	if p == nil || p.root == nil {
		return Explanation{}
	}
	h := newHolder(attributes, gen)
	if h.satisfies(p.root) {
		return Explanation{Satisfied: true, Through: h.through(p.root).String()}
	}
	var e Explanation
	h.missing(p.root, "", &e.Missing)
	return e
}

// holder is what a key says, for evaluation in the clear.
type holder struct {
	bare  map[string]bool
	named map[string]string
	gen   uint32
}

func newHolder(attributes []Attribute, gen uint32) *holder {
	h := &holder{map[string]bool{}, map[string]string{}, gen}
	for _, a := range attributes {
		if a.Named {
			h.named[a.Name] = a.Value
		} else {
			h.bare[a.Name] = true
		}
	}
	return h
}

func (h *holder) satisfies(n *node) bool {
	switch n.op {
	case opLeaf:
		return h.holds(n.leaf)
	case opOr:
		return h.count(n) > 0
	case opAnd:
		return h.count(n) == len(n.kids)
	}
	return h.count(n) >= n.k
}

func (h *holder) count(n *node) int {
	c := 0
	for _, kid := range n.kids {
		if h.satisfies(kid) {
			c++
		}
	}
	return c
}

func (h *holder) holds(l leaf) bool {
	if l.comparison == bare {
		return h.bare[l.name]
	}
	if l.name == generation {
		return (h.gen == l.number) == (l.comparison == equal)
	}
	value, ok := h.named[l.name]
	if !ok {
		return false
	}
	switch l.comparison {
	case equal:
		return value == l.value
	case unequal:
		return value != l.value
	}
	n, ok := integer(value)
	if !ok {
		return false
	}
	switch l.comparison {
	case less:
		return n < l.number
	case atMost:
		return n <= l.number
	case greater:
		return n > l.number
	}
	return n >= l.number
}

// through is a conjunction of held leaves that satisfies n: of an "or" its
// first held part, of k parts the first k.
func (h *holder) through(n *node) *node {
	if n.op == opLeaf {
		return n
	}
	need := len(n.kids)
	switch n.op {
	case opOr:
		need = 1
	case opOf:
		need = n.k
	}
	var parts []*node
	for _, kid := range n.kids {
		if len(parts) < need && h.satisfies(kid) {
			parts = append(parts, h.through(kid))
		}
	}
	return join(opAnd, parts)
}

// missing collects the leaves that n lacks. within is the text of the
// alternative that n is part of; an "or" outside any begins new ones.
func (h *holder) missing(n *node, within string, found *[]Missing) {
	if h.satisfies(n) || len(*found) == maxMissing {
		return
	}
	if within == "" && n.op != opOr {
		within = n.String()
	}
	if n.op == opLeaf {
		m := Missing{n.String(), within}
		for _, old := range *found {
			if old == m {
				return
			}
		}
		*found = append(*found, m)
		return
	}
	for _, kid := range n.kids {
		h.missing(kid, within, found)
	}
}

// Alternatives are the ways to satisfy the policy, each a conjunction in
// canonical text, in the order in which they were written; nil if there are
// more than most.
func (p *Policy) Alternatives(most int) []string {
	if p == nil || p.root == nil || most < 1 || countAlternatives(p.root) > uint64(most) {
		return nil
	}
	var texts []string
	seen := map[string]bool{}
	for _, n := range alternatives(p.root) {
		if text := n.String(); !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	return texts
}

// countAlternatives counts before anything is written out, saturating.
func countAlternatives(n *node) uint64 {
	// ways[j] is the number of ways to satisfy j of the kids seen so far.
	ways := make([]uint64, len(n.kids)+1)
	ways[0] = 1
	sum := uint64(0)
	for i, kid := range n.kids {
		c := countAlternatives(kid)
		sum = satAdd(sum, c)
		for j := i + 1; j > 0; j-- {
			ways[j] = satAdd(ways[j], satMul(ways[j-1], c))
		}
	}
	switch n.op {
	case opLeaf:
		return 1
	case opOr:
		return sum
	case opAnd:
		return ways[len(n.kids)]
	}
	return ways[n.k]
}

func alternatives(n *node) []*node {
	if n.op == opLeaf {
		return []*node{n}
	}
	parts := make([][]*node, len(n.kids))
	for i, kid := range n.kids {
		parts[i] = alternatives(kid)
	}
	var all []*node
	switch n.op {
	case opOr:
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	case opAnd:
		return conjunctions(parts)
	}
	for _, choice := range choices(len(parts), n.k) {
		chosen := make([][]*node, len(choice))
		for i, c := range choice {
			chosen[i] = parts[c]
		}
		all = append(all, conjunctions(chosen)...)
	}
	return all
}

// conjunctions takes one alternative of each part, in every way.
func conjunctions(parts [][]*node) []*node {
	rows := [][]*node{nil}
	for _, part := range parts {
		var longer [][]*node
		for _, row := range rows {
			for _, n := range part {
				longer = append(longer, append(row[:len(row):len(row)], n))
			}
		}
		rows = longer
	}
	all := make([]*node, len(rows))
	for i, row := range rows {
		all[i] = join(opAnd, row)
	}
	return all
}
