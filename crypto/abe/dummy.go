package abe

import (
	"maps"
	"slices"

	"github.com/cloudflare/circl/ecc/bls12381"
)

// dummy is what a DayPolicy opens with where the key in hand does not satisfy
// it, so that whoever sees how long an opening takes does not see whether the
// key did. tkn20 would return before any pairing.
type dummy struct {
	key  *Key // only its secret is used
	most work // the greatest that any key has to do, the dummy's among them
	work work
}

// newDummy makes a key that satisfies the policy and opens nothing: labels and
// values that do, and points out of the domain's parameters in the place of its
// own. tkn20 sees no difference before it compares its MAC, and no authority is
// needed, nor any randomness. That takes 2 ms, and 0.5 ms for each leaf that is
// satisfied, most of it for tkn20's check of the points; at most 0.2 s.
//
// The points are not secret, but nobody but the authority knows a relation
// between them. Were one to make a ciphertext that this key opens, what is
// opened would be thrown away like everything else.
func newDummy(d *Domain, c *circuit) (*dummy, error) {
	labels, wild := c.satisfying()
	most := c.mostWork()
	leaves := c.evaluate(func(w wire) bool {
		value, ok := labels[w.label]
		return wild[w.label] || ok && (value == w.value) != w.negated
	})
	done := c.workOf(leaves, wild)
	most.wild = done.wild

	s := wildSkeleton(labels, slices.Collect(maps.Keys(wild)))
	secret := make([]byte, 0, s.size)
	// The last gaps are the wild labels'. They have other points than the same
	// labels have before them, since tkn20 adds the two, times what the maker of
	// the ciphertext chose.
	g2, g1 := d.params[6:], d.params[6+4*2*bls12381.G2Size+6:]
	gaps := 0
	for _, p := range s.parts {
		switch {
		case p.gap == 0:
			secret = append(secret, p.fixed...)
		case p.gap == 3*bls12381.G2Size:
			secret = append(secret, g2[:p.gap]...)
		case gaps < 1+len(labels)+len(wild)+1:
			secret = append(secret, g1[:p.gap]...)
			gaps++
		default:
			secret = append(secret, g1[2*bls12381.G1Size:][:p.gap]...)
		}
	}
	key := &Key{domain: d}
	if err := key.secret.UnmarshalBinary(secret); err != nil {
		return nil, err
	}
	return &dummy{key: key, most: most, work: done}, nil
}

// maxSearch is the number of steps in the search for labels that satisfy a
// policy; 10 ms.
const maxSearch = 100_000

// satisfying are labels, with one value each, that satisfy the policy. Where
// none are found, since there are none or after maxSearch steps, those labels
// of which the policy wants two values at once are wild instead.
func (c *circuit) satisfying() (labels map[string]string, wild map[string]bool) {
	s := &search{circuit: c, sizes: c.sizes(), values: map[string]string{}, denied: map[string][]string{},
		steps: maxSearch}
	if s.satisfy(len(c.wires)+len(c.gates)-1, func() bool { return true }) {
		labels = s.values
		for label, values := range s.denied {
			if _, ok := labels[label]; !ok && len(values) > 0 {
				labels[label] = "" // no attribute has this one
			}
		}
		return labels, nil
	}
	labels, wild = map[string]string{}, map[string]bool{}
	for _, i := range c.evaluate(func(wire) bool { return true }) {
		w := c.wires[i]
		value := w.value
		if w.negated {
			value = ""
		}
		if held, ok := labels[w.label]; ok && held != value {
			wild[w.label] = true
		}
		labels[w.label] = value
	}
	for label := range wild {
		delete(labels, label)
	}
	return labels, wild
}

// sizes are the least numbers of leaves that satisfy each wire and gate.
func (c *circuit) sizes() []int {
	sizes := make([]int, len(c.wires)+len(c.gates))
	for i := range c.wires {
		sizes[i] = 1
	}
	for _, g := range c.gates {
		if g.or {
			sizes[g.out] = min(sizes[g.in0], sizes[g.in1])
		} else {
			sizes[g.out] = sizes[g.in0] + sizes[g.in1]
		}
	}
	return sizes
}

// search goes back where a label would need two values.
type search struct {
	*circuit
	sizes  []int
	values map[string]string
	denied map[string][]string // values that a label must not have
	steps  int
}

// satisfy satisfies a wire or gate, and what comes then; or changes nothing.
func (s *search) satisfy(at int, then func() bool) bool {
	if s.steps--; s.steps < 0 {
		return false
	}
	if at < len(s.wires) {
		return s.take(s.wires[at], then)
	}
	g := s.gates[at-len(s.wires)]
	first, second := g.in0, g.in1
	if g.or {
		if s.sizes[second] < s.sizes[first] {
			first, second = second, first
		}
		return s.satisfy(first, then) || s.satisfy(second, then)
	}
	return s.satisfy(first, func() bool { return s.satisfy(second, then) })
}

func (s *search) take(w wire, then func() bool) bool {
	value, held := s.values[w.label]
	switch {
	case held:
		return (value == w.value) != w.negated && then()
	case w.negated:
		s.denied[w.label] = append(s.denied[w.label], w.value)
		if then() {
			return true
		}
		s.denied[w.label] = s.denied[w.label][:len(s.denied[w.label])-1]
		return false
	case slices.Contains(s.denied[w.label], w.value):
		return false
	}
	s.values[w.label] = w.value
	if then() {
		return true
	}
	delete(s.values, w.label)
	return false
}
