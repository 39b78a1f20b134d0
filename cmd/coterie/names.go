package main

import (
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
)

// crockford is Crockford's base32 alphabet in lower case: no i, l, o, u.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// names tells peers apart for people: by what they call themselves, and by a
// tag drawn from the peer id where that is not enough. A tag proves nothing.
type names struct {
	self  peer.ID
	nicks map[peer.ID]string
	tags  map[peer.ID]string
	taken map[string]peer.ID
}

func newNames(self peer.ID) *names {
	return &names{self: self, nicks: make(map[peer.ID]string), tags: make(map[peer.ID]string), taken: make(map[string]peer.ID)}
}

// tag is "~" and the first four letters of the peer id's hash, or as many more
// as it takes to be unlike the others seen.
func (n *names) tag(p peer.ID) string {
	if t, ok := n.tags[p]; ok {
		return t
	}
	full := letters(p)
	for l := 4; ; l++ {
		t := "~" + full[:l]
		if _, ok := n.taken[t]; !ok || l == len(full) {
			n.tags[p], n.taken[t] = t, p
			return t
		}
	}
}

func letters(p peer.ID) string {
	sum := sha256.Sum256([]byte(p))
	var out []byte
	acc, bits := uint(0), 0
	for _, b := range sum {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			out = append(out, crockford[acc>>bits&31])
		}
	}
	return string(out)
}

// take notes what a peer calls itself.
func (n *names) take(p peer.ID, nick string) {
	if checkNick(nick) != nil {
		nick = ""
	}
	n.nicks[p] = nick
}

// nick is what a peer calls itself, as others may see it; empty if it has no
// name that can be shown.
func (n *names) nick(p peer.ID) string { return n.nicks[p] }

// show is a peer for people: its name if nobody else here goes by it, with the
// tag behind it otherwise; the tag alone for those without a name.
func (n *names) show(p peer.ID) string {
	nick := n.nicks[p]
	if nick == "" {
		return n.tag(p)
	}
	for other, o := range n.nicks {
		if other != p && o == nick {
			return cli.Clean(nick) + n.tag(p)
		}
	}
	return cli.Clean(nick)
}
