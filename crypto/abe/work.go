package abe

import "github.com/cloudflare/circl/ecc/bls12381"

// work counts what tkn20 does for some keys and not for others when it opens a
// ciphertext: the part of the time that would tell the ciphertext's maker
// through which leaves of the policy it was opened. Left out are additions of
// points, less than a thousandth of an opening for each leaf more.
type work struct {
	rows      int // rows of c2 that take part, each with four pairings
	negations int // leaves with "not"
	wild      int // leaves whose label the key holds with every value
}

// evaluate is how tkn20 evaluates a policy, by the leaves that a key holds: of
// an "or" it takes the part with fewer leaves, of equal ones the first. It
// returns the leaves that it takes; nil if the key does not satisfy the policy.
func (c *circuit) evaluate(holds func(wire) bool) []int {
	taken := make([][]int, len(c.wires)+len(c.gates))
	for i, w := range c.wires {
		if holds(w) {
			taken[i] = []int{i}
		}
	}
	for _, g := range c.gates {
		a, b := taken[g.in0], taken[g.in1]
		switch {
		case !g.or && (a == nil || b == nil):
		case !g.or:
			taken[g.out] = append(append(make([]int, 0, len(a)+len(b)), a...), b...)
		case a == nil || b != nil && len(b) < len(a):
			taken[g.out] = b
		default:
			taken[g.out] = a
		}
	}
	return taken[len(taken)-1]
}

// turns says of each wire how many wires before it have its label: the row of
// c2 that it uses.
func (c *circuit) turns() []int {
	turns, count := make([]int, len(c.wires)), map[string]int{}
	for i, w := range c.wires {
		turns[i] = count[w.label]
		count[w.label]++
	}
	return turns
}

// workOf is the work of opening through these leaves and the transform's wire,
// which uses row 0.
func (c *circuit) workOf(leaves []int, wild map[string]bool) work {
	w, turns, rows := work{}, c.turns(), map[int]bool{0: true}
	for _, i := range leaves {
		rows[turns[i]] = true
		switch {
		case wild[c.wires[i].label]:
			w.wild++
		case c.wires[i].negated:
			w.negations++
		}
	}
	w.rows = len(rows)
	return w
}

// mostWork bounds the work of every key: of an "and" the sum of its parts', of
// an "or" the greater.
func (c *circuit) mostWork() work {
	n := len(c.wires) + len(c.gates)
	negations, later := make([]int, n), make([]int, n) // later: leaves that use another row than 0
	for i, turn := range c.turns() {
		if c.wires[i].negated {
			negations[i] = 1
		}
		later[i] = min(turn, 1)
	}
	for _, g := range c.gates {
		if g.or {
			negations[g.out] = max(negations[g.in0], negations[g.in1])
			later[g.out] = max(later[g.in0], later[g.in1])
		} else {
			negations[g.out] = negations[g.in0] + negations[g.in1]
			later[g.out] = later[g.in0] + later[g.in1]
		}
	}
	return work{rows: min(c.rows(), 1+later[n-1]), negations: negations[n-1]}
}

// doRest does what done lacks of most, on points of no meaning, in the
// operations that tkn20 uses (decapsulate in its tk.go).
func doRest(most, done work) {
	var point, product bls12381.G1
	var scalar bls12381.Scalar
	point = *bls12381.G1Generator()
	scalar.SetOne()
	scalar.Neg()
	multiply := func(times int) {
		for range times {
			product.ScalarMult(&scalar, &point)
		}
	}
	for range most.negations - done.negations {
		scalar.Inv(&scalar)
		multiply(3 + 3 + 4) // a row of c3 twice, one of the key once
	}
	for range most.wild - done.wild {
		multiply(4) // a row of the key
	}
	if most.rows > 1 {
		// The product's last step is there whatever is missing, even if nothing is.
		const pairings = 4
		points, others, signs := []*bls12381.G1(nil), []*bls12381.G2(nil), []int(nil)
		for range pairings * (most.rows - done.rows) {
			points, others, signs = append(points, &point), append(others, bls12381.G2Generator()), append(signs, 1)
		}
		bls12381.ProdPairFrac(points, others, signs)
	}
}
