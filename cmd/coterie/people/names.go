// Package people tells the peers of a room apart for people: by the names that they
// give themselves, and by tags where that is not enough.
//
//	names.go       the peers of a room, told apart
//	nick.go        what a name may be
//	skeleton.go    which names look alike                      UTS #39
//	tag.go         tags and fingerprints of peers
//	hosts.go       addresses in a text that look like others
package people

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"coterie/cmd/internal/text"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// maxPeers is how many peers are told apart at a time.
	maxPeers = 4096
	// maxUsed is how many former names of a peer are remembered.
	maxUsed = 8
	// remembered is how long a name stays its owner's after they were seen last.
	remembered = 30 * 24 * time.Hour
)

// Names tells the peers of a room apart for people: by what they call
// themselves, and by a tag drawn from the peer id where that is not enough. Who
// was here first keeps a name; whoever comes later under one that looks like it
// is marked. Two peers are never one. It is not safe for concurrent use.
type Names struct {
	self    peer.ID
	peers   map[peer.ID]*known
	tags    map[string]peer.ID
	likes   map[string][]*known // by key, who was here first comes first
	count   int                 // of all that ever came
	version int
}

type known struct {
	id          peer.ID
	nick        string // as it is shown; empty for none
	tag         string
	keys        []string
	order       int
	first, last time.Time
	used        []string
}

// before reports whether a peer had its name before another. Who was seen here comes before
// those of whom others told.
func (k *known) before(o *known) bool {
	if k.last.IsZero() != o.last.IsZero() {
		return o.last.IsZero()
	}
	return k.order < o.order
}

// NewNames has only this peer itself.
func NewNames(self peer.ID) *Names {
	return &Names{self: self, peers: make(map[peer.ID]*known), tags: make(map[string]peer.ID),
		likes: make(map[string][]*known)}
}

// Version changes whenever what Show returns for somebody may have changed.
func (n *Names) Version() int { return n.version }

func (n *Names) get(p peer.ID) *known {
	k := n.peers[p]
	if k != nil {
		return k
	}
	if len(n.peers) >= maxPeers {
		n.forget()
	}
	n.count++
	k = &known{id: p, order: n.count}
	all := letters(string(p))
	for l := tagLetters; ; l++ {
		k.tag = "~" + all[:l]
		if _, taken := n.tags[k.tag]; !taken || l == len(all) {
			break
		}
	}
	n.peers[p], n.tags[k.tag] = k, p
	return k
}

// forget makes room: the one seen longest ago goes.
func (n *Names) forget() {
	var oldest *known
	for _, k := range n.peers {
		if k.id != n.self && (oldest == nil || k.last.Before(oldest.last) || k.last.Equal(oldest.last) &&
			k.order < oldest.order) {
			oldest = k
		}
	}
	if oldest != nil {
		n.unlink(oldest)
		delete(n.tags, oldest.tag)
		delete(n.peers, oldest.id)
		n.version++
	}
}

// Take notes what a peer calls itself, and when it was seen. It returns whether
// the name is another than before. A name that breaks the rules is none.
func (n *Names) Take(p peer.ID, nick string, at time.Time) bool {
	k := n.get(p)
	if k.first.IsZero() {
		k.first = at
	}
	if k.last.IsZero() {
		n.count++
		k.order = n.count
	}
	k.last = at
	return n.call(k, nick, at)
}

// Hear notes what a peer called itself, of which somebody else tells who may have made it up.
// Nobody who was seen here is forgotten for it, or comes after it.
func (n *Names) Hear(p peer.ID, nick string, at time.Time) {
	if k := n.get(p); k.last.IsZero() && k.nick == "" {
		n.call(k, nick, at)
	}
}

// call notes what a peer calls itself.
func (n *Names) call(k *known, nick string, at time.Time) bool {
	if nick == k.nick {
		return false
	}
	if shown, err := Nick(nick); err != nil || shown != nick {
		nick = ""
	}
	if nick == k.nick {
		return false
	}
	n.unlink(k)
	if k.nick != "" && !slices.Contains(k.used, k.nick) && len(k.used) < maxUsed {
		k.used = append(k.used, k.nick)
	}
	k.nick = nick
	n.version++
	if nick == "" {
		return true
	}
	// A name is taken when it is taken: who takes another name comes last.
	n.count++
	k.order, k.keys = n.count, keys(nick)
	for _, key := range k.keys {
		others := slices.DeleteFunc(n.likes[key], func(o *known) bool {
			return o.id != n.self && !o.last.IsZero() && at.Sub(o.last) > remembered
		})
		n.likes[key] = append(others, k)
	}
	return true
}

func (n *Names) unlink(k *known) {
	for _, key := range k.keys {
		n.likes[key] = slices.DeleteFunc(n.likes[key], func(o *known) bool { return o == k })
		if len(n.likes[key]) == 0 {
			delete(n.likes, key)
		}
	}
	k.keys = nil
}

// Tag is "~" and the first letters of the peer id's hash, as many as it takes
// to be unlike the others seen.
func (n *Names) Tag(p peer.ID) string { return n.get(p).tag }

// Nick is what a peer calls itself; empty if it has no name that can be shown.
func (n *Names) Nick(p peer.ID) string { return n.get(p).nick }

// Each calls f for those who were seen, in the order in which they have their names.
func (n *Names) Each(f func(p peer.ID, nick string, first time.Time)) {
	var all []*known
	for _, k := range n.peers {
		if !k.last.IsZero() {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *known) int { return a.order - b.order })
	for _, k := range all {
		f(k.id, k.nick, k.first)
	}
}

// Used are the names that a peer had before.
func (n *Names) Used(p peer.ID) []string { return n.get(p).used }

// FirstSeen is when a peer came; zero for never.
func (n *Names) FirstSeen(p peer.ID) time.Time { return n.get(p).first }

// Show is a peer for people: its name, with the tag behind it if the name is
// not its alone, and the tag where there is no name.
func (n *Names) Show(p peer.ID) string {
	k := n.get(p)
	switch {
	case k.nick == "":
		return k.tag
	case n.shared(k):
		return k.nick + k.tag
	}
	return k.nick
}

func (n *Names) shared(k *known) bool {
	for _, key := range k.keys {
		if len(n.likes[key]) > 1 {
			return true
		}
	}
	return false
}

// Like is who had a name before that p's looks like; ok is false if there is
// nobody. The name of this peer itself comes before everybody's.
func (n *Names) Like(p peer.ID) (first peer.ID, ok bool) {
	k := n.get(p)
	if p == n.self {
		return "", false
	}
	var found *known
	for _, key := range k.keys {
		for _, o := range n.likes[key] {
			if o != k && (o.id == n.self || o.before(k)) && (found == nil || o.before(found)) {
				found = o
			}
		}
	}
	if found == nil {
		return "", false
	}
	return found.id, true
}

// Find is whom a word means: a name, a tag, a name with its tag, or a peer id.
// It may mean several, or nobody.
func (n *Names) Find(word string) []peer.ID {
	var out []*known
	key := fold(word)
	for _, k := range n.peers {
		switch word {
		case k.tag, k.nick + k.tag, k.id.String():
			return []peer.ID{k.id}
		}
		if k.nick != "" && (k.nick == word || fold(k.nick) == key) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *known) int { return a.order - b.order })
	ids := make([]peer.ID, len(out))
	for i, k := range out {
		ids[i] = k.id
	}
	return ids
}

// Complete are the shown names that begin with a word, sorted.
func (n *Names) Complete(begin string) []string {
	var out []string
	for p := range n.peers {
		if s := n.Show(p); p != n.self && strings.HasPrefix(strings.ToLower(s), strings.ToLower(begin)) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// Beginning are the peers whose shown name begins with folded letters, or whose tag is that.
func (n *Names) Beginning(begin string) map[peer.ID]bool {
	out := make(map[peer.ID]bool)
	for p, k := range n.peers {
		if strings.HasPrefix(text.Fold(n.Show(p)), begin) || k.tag == begin {
			out[p] = true
		}
	}
	return out
}

// maxScan bounds what is looked through for a name, in bytes.
const maxScan = 16 << 10

// InText reports whether a text has a peer's tag in it, or its name as a word,
// whatever the case and the accents.
func (n *Names) InText(p peer.ID, s string) bool {
	name := text.Fold(n.Nick(p))
	if strings.Contains(s, n.Tag(p)) {
		return true
	}
	if name == "" {
		return false
	}
	s = text.Fold(s[:min(len(s), maxScan)])
	for i := 0; ; {
		j := strings.Index(s[i:], name)
		if j < 0 {
			return false
		}
		start, end := i+j, i+j+len(name)
		before, _ := utf8.DecodeLastRuneInString(s[:start])
		after, _ := utf8.DecodeRuneInString(s[end:])
		if !wordRune(before) && !wordRune(after) {
			return true
		}
		i = end
	}
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || r == '_')
}
