package abe

import "time"

// Cost is an estimate for a policy with its day and a plaintext of
// encapsulationPlaintext bytes. Times are those of one core of a common server;
// others take up to three times as long.
type Cost struct {
	Encapsulate, Open time.Duration
	Size              int // bytes, exact
}

// encapsulationPlaintext is a seed and a binding hash, 32 bytes each.
const encapsulationPlaintext = 64

// Cost estimates from measurements, linear in the leaves: tkn20 takes 14.5 ms
// and 4.4 ms a leaf to encrypt, 0.6 ms more if it is negated, 3.7 ms more for
// each time that a label is repeated; 7 ms and 0.25 ms a leaf to open.
func (p *Policy) Cost() Cost {
	if p == nil || p.tree == nil {
		return Cost{}
	}
	// Labels of days have the same sizes from 1987 to 2040.
	const someDay = 20_000
	c := newCircuit(p.onDay(someDay))
	leaves := len(c.wires)
	encapsulate := 14500 + 4400*leaves + 3700*(c.rows()-1) // in microseconds
	for _, w := range c.wires {
		if w.negated {
			encapsulate += 600
		}
	}
	s := ciphertextSkeleton(headerSkeleton(c), encapsulationPlaintext)
	return Cost{
		Encapsulate: time.Duration(encapsulate) * time.Microsecond,
		Open:        7*time.Millisecond + time.Duration(leaves)*250*time.Microsecond,
		Size:        s.size,
	}
}
