package record

import (
	"coterie/crypto/ake"
)

// News says that a commit exists, for those that are too large to be
// published: PROTOCOL.md §10.
type News struct {
	Header
	Wraps, Sealed ake.Hash
	Tag           ake.Hash
	Signature     [signatureSize]byte
}

// maxNews is the size in bytes of the largest news.
const maxNews = 4 + 8 + 1 + MaxPrevs*ake.HashSize + ake.HashSize + 4 + 3*ake.HashSize + 3*ake.HashSize + signatureSize

// News is the commit without what makes it large.
func (c *Commit) News() *News {
	return &News{
		Header: c.Header, Tag: c.Tag, Signature: c.Signature,
		Wraps: ake.Sum("coterie/1 wraps", c.Wraps), Sealed: ake.Sum("coterie/1 sealed", c.Sealed),
	}
}

// Epoch is the id of the commit.
func (n *News) Epoch() ake.Hash { return epochID(&n.Header, n.Wraps, n.Sealed) }

// Append appends the encoding.
func (n *News) Append(b []byte) []byte {
	b = n.Header.append(b)
	b = append(b, n.Wraps[:]...)
	b = append(b, n.Sealed[:]...)
	b = append(b, n.Tag[:]...)
	return append(b, n.Signature[:]...)
}

// ParseNews takes the news of a commit.
func ParseNews(b []byte) (*News, error) {
	r := newReader(b)
	n := new(News)
	if !n.Header.read(r) {
		return nil, formError("news")
	}
	n.Wraps, n.Sealed, n.Tag = r.hash(), r.hash(), r.hash()
	r.copy(n.Signature[:])
	if !r.end() {
		return nil, formError("news")
	}
	return n, nil
}

// Verify checks the signature, given the contribution By names.
func (n *News) Verify(room ake.Hash, by *Contribution) error {
	if by.ID() != n.By || by.Day != n.Day {
		return ErrSignature
	}
	epoch := n.Epoch()
	return verify(by.Working[:], "commit", room, append(epoch[:], n.Tag[:]...), n.Signature[:])
}
