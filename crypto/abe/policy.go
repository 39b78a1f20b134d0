package abe

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// generation is the reserved named attribute that the authority puts into every
// key, PROTOCOL.md §2.4.
const generation = "generation"

const maxInteger = math.MaxUint32

type op uint8

const (
	opLeaf op = iota
	opAnd
	opOr
	opOf // k of its kids
)

type comparison uint8

const (
	bare comparison = iota // the attribute has no value
	equal
	unequal
	less
	atMost
	greater
	atLeast
)

func (c comparison) String() string {
	return [...]string{"", "=", "!=", "<", "<=", ">", ">="}[c]
}

type leaf struct {
	name       string
	comparison comparison
	value      string
	number     uint32 // the value's, where it is one
}

// node is a policy as it was written. Junctions are flat: the kids of an "and"
// are no "and"s, and there are at least two. A node never changes.
type node struct {
	op       op
	k        int // opOf
	kids     []*node
	leaf     leaf
	from, to int // where it stood in the source, for errors about limits
}

// join makes a flat junction.
func join(o op, kids []*node) *node {
	if len(kids) == 1 {
		return kids[0]
	}
	n := &node{op: o, from: kids[0].from, to: kids[len(kids)-1].to}
	for _, kid := range kids {
		if kid.op == o {
			n.kids = append(n.kids, kid.kids...)
		} else {
			n.kids = append(n.kids, kid)
		}
	}
	return n
}

// Policy says which attributes open something. It is immutable; make it with
// ParsePolicy.
type Policy struct {
	root *node
	tree *formula // root without thresholds and comparisons
	text string
}

// ParsePolicy reads a policy, PROTOCOL.md §2.1. Its errors are *SyntaxError.
func ParsePolicy(source string) (*Policy, error) { return ParseSmall(source, maxLeaves) }

// ParseSmall is ParsePolicy for policies of at most so many leaves: nothing larger is
// expanded.
func ParseSmall(source string, leaves uint64) (*Policy, error) {
	root, err := parse(source)
	if err != nil {
		return nil, err
	}
	if err := checkLimits(source, root, leaves); err != nil {
		return nil, err
	}
	p := &Policy{root: root, text: root.String()}
	if len(p.text) > maxSource {
		return nil, newSyntaxError(source, 0, 0, fmt.Sprintf("%s bytes in canonical form are too long; the limit is %s",
			commas(uint64(len(p.text))), commas(maxSource)), "")
	}
	p.tree = expand(root)
	if p.tree.nesting() > maxTextNesting {
		return nil, newSyntaxError(source, 0, 0, "nested too deeply once thresholds and comparisons are written out", "")
	}
	if n := newCircuit(p.tree).size(); n > maxPolicyBytes {
		return nil, newSyntaxError(source, 0, 0, fmt.Sprintf("its names take %s bytes when encoded; the limit is %s",
			commas(uint64(n)), commas(maxPolicyBytes)), "use shorter names or fewer of them")
	}
	return p, nil
}

// checkLimits counts what expanding would give, innermost thresholds first.
func checkLimits(source string, root *node, most uint64) error {
	if root.nesting() > maxNesting {
		return newSyntaxError(source, 0, 0, fmt.Sprintf("nested too deeply; the limit is %d", maxNesting), "")
	}
	leaves, err := countLeaves(source, root)
	if err != nil {
		return err
	}
	if leaves > most {
		return newSyntaxError(source, root.from, root.to,
			fmt.Sprintf("the policy has %s leaves; the limit is %d", commas(leaves), most), "")
	}
	return nil
}

func countLeaves(source string, n *node) (uint64, error) {
	if n.op == opLeaf {
		return uint64(n.leaf.leaves()), nil
	}
	sum := uint64(0)
	for _, kid := range n.kids {
		c, err := countLeaves(source, kid)
		if err != nil {
			return 0, err
		}
		sum = satAdd(sum, c)
	}
	if n.op != opOf {
		return sum, nil
	}
	terms := binomial(len(n.kids), n.k)
	if terms > maxTerms {
		return 0, newSyntaxError(source, n.from, n.to, fmt.Sprintf("%d of %d expands to %s terms; the limit is %s (or "+
			"leaves %d)",
			n.k, len(n.kids), commas(terms), commas(maxTerms), maxLeaves), "")
	}
	// Each kid stands in as many terms as there are choices of the others.
	leaves := satMul(sum, binomial(len(n.kids)-1, n.k-1))
	if leaves > maxLeaves {
		return 0, newSyntaxError(source, n.from, n.to, fmt.Sprintf("%d of %d expands to %s leaves; the limit is %d",
			n.k, len(n.kids), commas(leaves), maxLeaves), "")
	}
	return leaves, nil
}

// String is the canonical text, PROTOCOL.md §2.3: it parses to an equal policy,
// and two policies are equal if their texts are.
func (p *Policy) String() string {
	if p == nil {
		return ""
	}
	return p.text
}

// Leaves is the number of leaves after expansion, without the day's four.
func (p *Policy) Leaves() int {
	if p == nil || p.tree == nil {
		return 0
	}
	return p.tree.leaves()
}

func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	switch n.op {
	case opLeaf:
		b.WriteString(n.leaf.String())
	case opOf:
		b.WriteString(strconv.Itoa(n.k))
		b.WriteString(" of (")
		for i, kid := range n.kids {
			if i > 0 {
				b.WriteString(", ")
			}
			kid.write(b)
		}
		b.WriteByte(')')
	default:
		for i, kid := range n.kids {
			if i > 0 && n.op == opAnd {
				b.WriteString(" and ")
			} else if i > 0 {
				b.WriteString(" or ")
			}
			// An "and" inside an "or" needs none, but nobody should have to
			// know which binds tighter.
			if kid.junction() {
				b.WriteByte('(')
				kid.write(b)
				b.WriteByte(')')
			} else {
				kid.write(b)
			}
		}
	}
}

func (n *node) junction() bool { return n.op == opAnd || n.op == opOr }

// nesting is how deep the parentheses of the canonical text go.
func (n *node) nesting() int {
	deepest := 0
	for _, kid := range n.kids {
		d := kid.nesting()
		if n.op == opOf || kid.junction() {
			d++
		}
		deepest = max(deepest, d)
	}
	return deepest
}

func (l leaf) String() string {
	if l.comparison == bare {
		return quote(l.name)
	}
	return quoteUnlessBare(l.name) + " " + l.comparison.String() + " " + quoteUnlessInteger(l.value)
}

// CiphertextSize is how large a ciphertext under this policy and any day is at most.
func (p *Policy) CiphertextSize(plaintext int) int {
	s := ciphertextSkeleton(headerSkeleton(newCircuit(p.onDay(maxDay))), plaintext)
	return s.size
}
