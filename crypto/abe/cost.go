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
// and 4.4 ms a leaf to encrypt, a leaf more if it is negated or repeats a
// label; 7 ms and 0.25 ms a leaf to open.
func (p *Policy) Cost() Cost {
	if p == nil || p.tree == nil {
		return Cost{}
	}
	// Labels of days have the same sizes from 1987 to 2040.
	const someDay = 20_000
	c := newCircuit(p.onDay(someDay))
	leaves := len(c.wires)
	extra := c.rows() - 1
	for _, w := range c.wires {
		if w.negated {
			extra++
		}
	}
	s := ciphertextSkeleton(headerSkeleton(c), encapsulationPlaintext)
	return Cost{
		Encapsulate: 14500*time.Microsecond + time.Duration(leaves)*4400*time.Microsecond + time.Duration(extra)*1500*time.Microsecond,
		Open:        7*time.Millisecond + time.Duration(leaves)*250*time.Microsecond,
		Size:        s.size,
	}
}
