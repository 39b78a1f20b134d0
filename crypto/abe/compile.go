package abe

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
	"github.com/cloudflare/circl/ecc/bls12381"
	"golang.org/x/crypto/blake2b"
)

// circuit is a formula as tkn20 numbers it: wires in the order of the text,
// gates with two inputs in the order in which its parser closes them, junctions
// from the left. Gate i of n has output n+1+i; wires 0 to n are the leaves.
type circuit struct {
	wires []wire
	gates []gate
	text  string // what tkn20 is given
	full  string // what tkn20 must then print, with all parentheses
}

type gate struct {
	or            bool
	in0, in1, out int
}

func newCircuit(f *formula) *circuit {
	c := &circuit{gates: make([]gate, 0, f.leaves()-1)}
	var text strings.Builder
	_, c.full = c.add(f, &text, f.leaves()-1)
	c.text = text.String()
	return c
}

// add appends f and returns its output and how tkn20 prints it. n is the number
// of gates there will be.
func (c *circuit) add(f *formula, text *strings.Builder, n int) (out int, full string) {
	if f.op == opLeaf {
		c.wires = append(c.wires, f.wire)
		text.WriteString(f.wire.String())
		return len(c.wires) - 1, f.wire.String()
	}
	operator := " and "
	if f.op == opOr {
		operator = " or "
	}
	for i, kid := range f.kids {
		if i > 0 {
			text.WriteString(operator)
		}
		if kid.op != opLeaf {
			text.WriteByte('(')
		}
		in, kidFull := c.add(kid, text, n)
		if kid.op != opLeaf {
			text.WriteByte(')')
		}
		if i == 0 {
			out, full = in, kidFull
			continue
		}
		g := gate{f.op == opOr, out, in, n + 1 + len(c.gates)}
		c.gates = append(c.gates, g)
		out, full = g.out, "("+full+operator+kidFull+")"
	}
	return out, full
}

func (w wire) String() string {
	if w.negated {
		return "not " + w.label + ":" + w.value
	}
	return w.label + ":" + w.value
}

var errMeaning = errors.New("abe: tkn20 understood another policy than was meant")

// compile has tkn20 parse the text and checks that what it understood is what
// was meant. The text is only ever made from our own tree; the check guards
// against its parser, which drops what follows a stray parenthesis, and against
// a change in it (PROTOCOL.md §2.7).
func (c *circuit) compile() (tkn20.Policy, error) {
	var p tkn20.Policy
	if err := p.FromString(c.text); err != nil {
		return tkn20.Policy{}, errors.Join(errMeaning, err)
	}
	if !c.means(&p) {
		return tkn20.Policy{}, errMeaning
	}
	return p, nil
}

// means compares the fully parenthesised text, which determines the gates and
// the order of the leaves, and then the leaves once more as a multiset.
func (c *circuit) means(p *tkn20.Policy) bool {
	if p.String() != c.full {
		return false
	}
	count := map[[2]string]int{}
	for _, w := range c.wires {
		count[[2]string{w.label, w.value}]++
	}
	n := 0
	for label, values := range p.ExtractAttributeValuePairs() {
		for _, value := range values {
			n++
			count[[2]string{label, value}]--
		}
	}
	for _, c := range count {
		if c != 0 {
			return false
		}
	}
	return n == len(c.wires)
}

// Sizes in tkn20's encoding of policies.
const (
	gateBytes  = 1 + 2 + 2 + 2
	wireFields = 2 + 2 + 2 + bls12381.ScalarSize + 1 // of a wire, besides its texts
)

// size is the number of bytes that encoding gives.
func (c *circuit) size() int {
	n := 2 + 2 + gateBytes*len(c.gates) + 2
	for _, w := range c.wires {
		n += 2 + wireFields + len(w.label) + len(w.value)
	}
	return n
}

// encoding is the policy in tkn20's bytes, as they stand in a ciphertext:
// length of the formula, number of gates, gates, number of wires, wires, each
// with its length; little endian, 16 bits (PROTOCOL.md §3.6).
func (c *circuit) encoding() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, c.size())
	b = le.AppendUint16(b, uint16(2+gateBytes*len(c.gates)))
	b = le.AppendUint16(b, uint16(len(c.gates)))
	for _, g := range c.gates {
		class := byte(0)
		if g.or {
			class = 1
		}
		b = append(b, class)
		b = le.AppendUint16(b, uint16(g.in0))
		b = le.AppendUint16(b, uint16(g.in1))
		b = le.AppendUint16(b, uint16(g.out))
	}
	b = le.AppendUint16(b, uint16(len(c.wires)))
	for _, w := range c.wires {
		b = le.AppendUint16(b, uint16(wireFields+len(w.label)+len(w.value)))
		b = le.AppendUint16(b, uint16(len(w.label)))
		b = append(b, w.label...)
		b = le.AppendUint16(b, uint16(len(w.value)))
		b = append(b, w.value...)
		b = le.AppendUint16(b, bls12381.ScalarSize)
		b = append(b, hashValue(w.value)...)
		if w.negated {
			b = append(b, 0)
		} else {
			b = append(b, 1)
		}
	}
	return b
}

// rows is the number of rows of c2: how often the most frequent label occurs.
func (c *circuit) rows() int {
	most, count := 1, map[string]int{}
	for _, w := range c.wires {
		count[w.label]++
		most = max(most, count[w.label])
	}
	return most
}

// hashValue is tkn20's hash of a value to a scalar: keyed BLAKE2Xb, read 32
// bytes at a time until they are below the group's order.
func hashValue(value string) []byte {
	xof, err := blake2b.NewXOF(blake2b.OutputLengthUnknown, []byte("attribute value hashing"))
	if err != nil {
		panic(err) // the key is a constant of legal size
	}
	xof.Write([]byte(value))
	var s bls12381.Scalar
	if err := s.Random(xof); err != nil {
		panic(err) // the stream has 2^37 bytes
	}
	b, err := s.MarshalBinary()
	if err != nil {
		panic(err) // it has no way to fail
	}
	return b
}
