package ake

import "crypto/hmac"

// CommitSecret is what a commit publishes of d, the secret it is made with
// (PROTOCOL.md §8). core is all of the commit that the epoch's id covers, so that
// no other commit can borrow the commitment.
func CommitSecret(core []byte, d Secret) Hash { return Sum("coterie/2 commit secret", core, d.b[:]) }

// Fits reports, in constant time, whether d is the secret of a commit.
func Fits(core []byte, d Secret, commitment Hash) bool {
	h := CommitSecret(core, d)
	return hmac.Equal(h[:], commitment[:])
}

// A MemberTerm is one member's term, on its way to another member.
type MemberTerm struct {
	CID  Hash
	Term Term
}
