package abe

import "math"

// Limits on policies and attributes, PROTOCOL.md §2.6. They bound what a
// stranger's text can cost and keep every length inside tkn20's 16 bits, which
// it neither checks nor widens.
const (
	maxSource = 64 << 10 // bytes of a policy's source, and of its canonical text
	maxLeaves = 400      // after expansion; tkn20 fails silently somewhere above 1,000
	maxTerms  = 10_000   // of one threshold; smaller ones fail on their leaves
	maxName   = 128      // bytes of a name or value after NFC

	// maxParens bounds the parser's recursion, maxNesting the canonical text:
	// it may have more parentheses than the source, never so many that it
	// would not parse again.
	maxParens  = 64
	maxNesting = 32

	// maxTextNesting is that of the text given to tkn20, whose parser stops at
	// a depth of 64. The whole text, the conjunction with the day and a "not"
	// take one each.
	maxTextNesting = 60

	// maxPolicyBytes is the size of the policy in tkn20's encoding, which has
	// 16 bits for it. The difference to 65,535 is room for the day's leaves.
	maxPolicyBytes = 64_000

	// MaxAttributes is the number of attributes a key can hold.
	MaxAttributes = 100

	// maxAttributeBytes is the size of a key's labels in tkn20's encoding, 16
	// bits again. The difference to 65,535 is room for days and generation.
	maxAttributeBytes = 60_000

	// MaxSpan is the number of days a key can be valid.
	MaxSpan = 5 * 366

	// maxPlaintext bounds what Encrypt takes; encapsulations carry 64 bytes.
	maxPlaintext = 64 << 10
)

// saturated stands for any count that is at least as large. Counts are
// computed before expanding, and a hostile policy makes them astronomical.
const saturated = 1_000_000_000_000_000_000

func satAdd(a, b uint64) uint64 {
	if a >= saturated || b >= saturated || a+b >= saturated {
		return saturated
	}
	return a + b
}

func satMul(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return 0
	}
	if a >= saturated || b >= saturated || a > saturated/b {
		return saturated
	}
	return min(a*b, saturated)
}

// binomial is n over k, saturating. Each step's product is itself a binomial
// times a small number, so stopping at the first saturation is exact.
func binomial(n, k int) uint64 {
	if k < 0 || k > n {
		return 0
	}
	k = min(k, n-k)
	c := uint64(1)
	for i := 1; i <= k; i++ {
		f := uint64(n - k + i)
		if c > math.MaxUint64/f {
			return saturated
		}
		c = c * f / uint64(i)
		if c >= saturated {
			return saturated
		}
	}
	return c
}
