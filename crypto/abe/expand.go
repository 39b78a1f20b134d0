package abe

import (
	"math/bits"
	"strconv"
)

// formula is a policy over labels: "and", "or" and leaves only. Junctions are
// flat, as in node.
type formula struct {
	op   op // opLeaf, opAnd, opOr
	kids []*formula
	wire wire
}

// wire is one leaf as tkn20 has it: the key holds this label with this value,
// or, if negated, holds it with another.
type wire struct {
	label, value string
	negated      bool
}

func connect(o op, kids ...*formula) *formula {
	if len(kids) == 1 {
		return kids[0]
	}
	f := &formula{op: o}
	for _, kid := range kids {
		if kid.op == o {
			f.kids = append(f.kids, kid.kids...)
		} else {
			f.kids = append(f.kids, kid)
		}
	}
	return f
}

func (f *formula) leaves() int {
	if f.op == opLeaf {
		return 1
	}
	n := 0
	for _, kid := range f.kids {
		n += kid.leaves()
	}
	return n
}

// nesting is how deep the parentheses go of the text made from f.
func (f *formula) nesting() int {
	deepest := 0
	for _, kid := range f.kids {
		if kid.op != opLeaf {
			deepest = max(deepest, 1+kid.nesting())
		}
	}
	return deepest
}

// expand writes thresholds and comparisons out. The policy has passed
// checkLimits, so the result has at most maxLeaves leaves.
func expand(n *node) *formula {
	switch n.op {
	case opLeaf:
		return n.leaf.expand()
	case opOf:
		return expandThreshold(n)
	}
	kids := make([]*formula, len(n.kids))
	for i, kid := range n.kids {
		kids[i] = expand(kid)
	}
	return connect(n.op, kids...)
}

// expandThreshold is the "or" of all choices of k kids, in the order of their
// positions.
func expandThreshold(n *node) *formula {
	kids := make([]*formula, len(n.kids))
	for i, kid := range n.kids {
		kids[i] = expand(kid)
	}
	var terms []*formula
	for _, choice := range choices(len(kids), n.k) {
		term := make([]*formula, len(choice))
		for i, kid := range choice {
			term[i] = kids[kid]
		}
		terms = append(terms, connect(opAnd, term...))
	}
	return connect(opOr, terms...)
}

// choices are the ways to take k of n, in lexicographic order. Callers have
// counted them.
func choices(n, k int) [][]int {
	var all [][]int
	c := make([]int, k)
	for i := range c {
		c[i] = i
	}
	for {
		all = append(all, append([]int(nil), c...))
		i := k - 1
		for i >= 0 && c[i] == n-k+i {
			i--
		}
		if i < 0 {
			return all
		}
		c[i]++
		for i++; i < k; i++ {
			c[i] = c[i-1] + 1
		}
	}
}

// leaves is how many leaves expand gives.
func (l leaf) leaves() int {
	switch l.comparison {
	case bare, equal, unequal:
		return 1
	}
	lowest, _, _ := l.bound()
	if lowest == integerBits {
		return 2
	}
	return integerBits - lowest
}

// bound turns a comparison into "bit by bit at least c": for ">= c" over the
// bits, whose right value is then 1, for "<= c" over their complements, right
// being 0. lowest is the lowest bit that decides, the lowest 1 of c;
// integerBits means that every number satisfies it.
func (l leaf) bound() (lowest int, c uint32, right string) {
	switch l.comparison {
	case greater:
		c, right = l.number+1, "1" // the parser refused the greatest
	case atLeast:
		c, right = l.number, "1"
	case less:
		c, right = ^(l.number - 1), "0" // the parser refused 0
	case atMost:
		c, right = ^l.number, "0"
	}
	return bits.TrailingZeros32(c), c, right
}

func (l leaf) expand() *formula {
	hold := func(label, value string) *formula {
		return &formula{wire: wire{label: label, value: value}}
	}
	switch {
	case l.comparison == bare:
		return hold(bareLabel(l.name), present)
	case l.name == generation:
		return &formula{wire: wire{generationLabel, l.value, l.comparison == unequal}}
	case l.comparison == equal, l.comparison == unequal:
		return &formula{wire: wire{namedLabel(l.name), valueLabel(l.value), l.comparison == unequal}}
	}

	// The number as a bag of bits, PROTOCOL.md §2.5. From the lowest deciding
	// bit upwards, a bit either must be right as well (where the bound would
	// otherwise be missed) or being right is enough.
	lowest, c, right := l.bound()
	if lowest == integerBits {
		top := integerBits - 1
		return connect(opOr, hold(bitLabel(l.name, top), "0"), hold(bitLabel(l.name, top), "1"))
	}
	f := hold(bitLabel(l.name, lowest), right)
	for i := lowest + 1; i < integerBits; i++ {
		o := opOr
		if c>>i&1 == 1 {
			o = opAnd
		}
		f = connect(o, hold(bitLabel(l.name, i), right), f)
	}
	return f
}

// integerBits is the size of an integer attribute.
const integerBits = 32

func bitOf(n uint32, i int) string { return strconv.Itoa(int(n >> i & 1)) }
