package ake

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// A Member is one listed member as far as the key goes.
type Member struct {
	Identity [32]byte
	Term     Term
}

// Attributes is K_abe of PROTOCOL.md §8: the thesis' key,
//
//	K = hmac_{k_1}(Sid) xor ... xor hmac_{k_n}(Sid),
//
// with the summands hashed in list order instead of xored, so that a term that
// appears twice cancels nothing and nobody steers the sum.
func Attributes(sid Hash, members []Member) Secret {
	sums := make([][]byte, len(members))
	for i := range members {
		m := authenticate(members[i].Term.Secret, []byte("K"), sid[:], members[i].Identity[:])
		sums[i] = m[:]
		defer clear(sums[i])
	}
	return Secret{b: Sum("coterie/1 kabe", sums...)}
}

// EpochSecret joins the members' terms and the commit's fresh secret under the
// epoch's id.
func EpochSecret(epoch Hash, attributes, d Secret) (Secret, error) {
	ikm := make([]byte, 0, 2*SecretSize)
	ikm = attributes.Append(ikm)
	ikm = d.Append(ikm)
	defer clear(ikm)
	prk, err := hkdf.Extract(sha256.New, ikm, epoch[:])
	if err != nil {
		return Secret{}, err
	}
	defer clear(prk)
	return SecretFromBytes(prk)
}

// Confirm is the tag by which a commit shows that its maker derived the epoch's
// secret.
func Confirm(secret Secret, epoch Hash) Hash {
	k := Expand(secret, "coterie/1 confirm")
	defer k.Erase()
	return authenticate(k, epoch[:])
}

// CheckConfirm compares a tag in constant time.
func CheckConfirm(secret Secret, epoch, tag Hash) bool {
	want := Confirm(secret, epoch)
	return hmac.Equal(want[:], tag[:])
}

// Keys are what an epoch's secret is used for. The secret itself is not kept.
type Keys struct {
	header Secret
	join   Secret
}

// NewKeys derives an epoch's keys and the first chain of each member, in the
// order of their cids.
func NewKeys(secret Secret, cids []Hash) (*Keys, []Chain) {
	chains := make([]Chain, len(cids))
	for i := range cids {
		chains[i] = Chain{next: 1, key: Expand(secret, "coterie/1 chain", cids[i][:])}
	}
	return &Keys{
		header: Expand(secret, "coterie/1 header"),
		join:   Expand(secret, "coterie/1 join"),
	}, chains
}

// Erase overwrites the keys.
func (k *Keys) Erase() {
	k.header.Erase()
	k.join.Erase()
}
