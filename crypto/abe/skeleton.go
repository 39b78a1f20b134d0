package abe

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/cloudflare/circl/ecc/bls12381"
)

// skeleton is the shape of an encoding: bytes that are known beforehand, and
// gaps of known size between them. Everything that tkn20 encodes has lengths,
// counts and dimensions that follow from the policy or the labels, so that all
// but points, scalars and encrypted bytes can be compared before tkn20, which
// trusts its lengths, sees any of it (PROTOCOL.md §3.6).
type skeleton struct {
	parts []part
	size  int
}

type part struct {
	fixed []byte
	gap   int
}

func (s *skeleton) fix(b []byte) {
	if n := len(s.parts); n > 0 && s.parts[n-1].gap == 0 {
		s.parts[n-1].fixed = append(s.parts[n-1].fixed, b...)
	} else {
		s.parts = append(s.parts, part{fixed: append([]byte(nil), b...)})
	}
	s.size += len(b)
}

func (s *skeleton) fix16(n int) { s.fix(binary.LittleEndian.AppendUint16(nil, uint16(n))) }
func (s *skeleton) fix32(n int) { s.fix(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func (s *skeleton) leave(gap int) {
	s.parts = append(s.parts, part{gap: gap})
	s.size += gap
}

func (s *skeleton) append(t skeleton) {
	s.parts = append(s.parts, t.parts...)
	if n := len(t.parts); n > 0 {
		// fix may extend the last part; t keeps its own.
		last := &s.parts[len(s.parts)-1]
		last.fixed = slices.Clip(last.fixed)
	}
	s.size += t.size
}

// matrix is a length, two dimensions and the entries.
func (s *skeleton) matrix(rows, columns, entry int) {
	s.fix16(4 + rows*columns*entry)
	s.fix16(rows)
	s.fix16(columns)
	s.leave(rows * columns * entry)
}

// fits reports whether b has exactly this shape.
func (s *skeleton) fits(b []byte) bool {
	if len(b) != s.size {
		return false
	}
	for _, p := range s.parts {
		n := len(p.fixed) + p.gap
		if p.gap == 0 && !bytes.Equal(b[:n], p.fixed) {
			return false
		}
		b = b[n:]
	}
	return true
}

// Sizes of tkn20's ciphertexts.
const (
	ciphertextVersion = "v1.3.8"
	idSize            = 32 // of the Boneh-Katz transform
	seedSize          = 72
	tagSize           = 32
	wildcard          = "internal-boneh-katz-transform-attribute"
)

// headerSkeleton is C1: the policy, c1, c2, c3 and c3neg. The transform adds
// one positive wire, which is last.
func headerSkeleton(c *circuit) skeleton {
	var s skeleton
	policy := c.encoding()
	s.fix16(len(policy))
	s.fix(policy)
	s.matrix(4, 1, bls12381.G2Size)
	rows := c.rows()
	s.fix16(rows)
	for range rows {
		s.matrix(4, 1, bls12381.G2Size)
	}
	s.fix16(len(c.wires) + 1)
	for range len(c.wires) + 1 {
		s.matrix(3, 1, bls12381.G1Size)
	}
	for _, w := range c.wires {
		if w.negated {
			s.matrix(3, 1, bls12381.G1Size)
		} else {
			s.fix16(0)
		}
	}
	s.fix16(0)
	return s
}

// ciphertextSkeleton is a ciphertext of a plaintext of n bytes.
func ciphertextSkeleton(header skeleton, n int) skeleton {
	var s skeleton
	s.fix([]byte(ciphertextVersion))
	s.fix16(idSize)
	s.leave(idSize)
	s.fix32(4 + header.size + 4 + seedSize + n)
	s.fix32(header.size)
	s.append(header)
	s.fix32(seedSize + n)
	s.leave(seedSize + n)
	s.fix16(tagSize)
	s.leave(tagSize)
	return s
}

// publicSkeleton is a domain's public parameters.
func publicSkeleton() skeleton {
	var s skeleton
	s.matrix(4, 2, bls12381.G2Size)
	s.matrix(3, 2, bls12381.G1Size)
	s.matrix(2, 1, bls12381.GtSize)
	return s
}

// secretSkeleton is an authority's secret parameters.
func secretSkeleton() skeleton {
	const prfKeySize = 16
	var s skeleton
	s.matrix(3, 2, bls12381.ScalarSize)
	s.matrix(4, 2, bls12381.ScalarSize)
	s.matrix(4, 2, bls12381.ScalarSize)
	s.matrix(4, 2, bls12381.ScalarSize)
	s.matrix(4, 1, bls12381.ScalarSize)
	s.fix16(prfKeySize)
	s.leave(prfKeySize)
	return s
}

// keySkeleton is a tkn20 key that holds exactly these labels and values: they
// stand at its start in the clear and in order, the values hashed, and each has
// one matrix. So what a key file claims is compared with what its key holds.
func keySkeleton(labels map[string]string) skeleton { return wildSkeleton(labels, nil) }

// wildSkeleton is that of a key that also holds each of the labels in wild with
// every value at once, as all keys hold that of the transform. No authority
// issues such keys.
func wildSkeleton(labels map[string]string, wild []string) skeleton {
	wild = append([]string{wildcard}, wild...)
	slices.Sort(wild)
	names := slices.AppendSeq(slices.Clone(wild), maps.Keys(labels))
	slices.Sort(names)
	isWild := func(name string) bool { _, found := slices.BinarySearch(wild, name); return found }

	var attributes []byte
	attributes = binary.LittleEndian.AppendUint16(attributes, uint16(len(names)))
	for _, name := range names {
		attributes = binary.LittleEndian.AppendUint16(attributes, uint16(len(name)))
		attributes = append(attributes, name...)
		if isWild(name) {
			attributes = append(attributes, 1)
			attributes = append(attributes, make([]byte, bls12381.ScalarSize)...)
		} else {
			attributes = append(attributes, 0)
			attributes = append(attributes, hashValue(labels[name])...)
		}
	}

	var s skeleton
	s.fix16(len(attributes))
	s.fix(attributes)
	s.matrix(3, 1, bls12381.G2Size)
	s.matrix(4, 1, bls12381.G1Size)
	s.fix16(len(names))
	for _, name := range names {
		s.fix16(len(name))
		s.fix([]byte(name))
		s.matrix(4, 1, bls12381.G1Size)
	}
	s.fix16(len(wild))
	for _, name := range wild {
		s.fix16(len(name))
		s.fix([]byte(name))
		s.matrix(4, 1, bls12381.G1Size)
	}
	return s
}

// attributeBytes is the size of these labels at the start of a key.
func attributeBytes(labels map[string]string) int {
	n := 0
	for label := range labels {
		n += 2 + len(label) + 1 + bls12381.ScalarSize
	}
	return n
}
