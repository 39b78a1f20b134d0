package people

import (
	"errors"
	"strings"
	"testing"
	"time"

	"coterie/cmd/internal/text"

	"github.com/libp2p/go-libp2p/core/peer"
)

// TestNickBadge: no name can carry a mark that means something, or be a word of
// Coterie's own.
func TestNickBadge(t *testing.T) {
	for name, want := range map[string]error{
		"ann": nil, "Åse-Marie O'Neill": nil, "ann_b.2": nil, "Ælfrēd": nil, "東京太郎": nil, "محمد": nil, "Ｋari": nil,
		" ann ": nil,
		"":      ErrNickEmpty, "  ": ErrNickEmpty,
		"ann 🛡": ErrNickCharacter, "✓ann": ErrNickCharacter, "ann★": ErrNickCharacter, "a:b": ErrNickCharacter,
		"#ann": ErrNickBegin,
		"--":   ErrNickBegin, "-ann": ErrNickBegin, "~ann": ErrNickBegin, "@ann": ErrNickBegin, "!": ErrNickBegin,
		"*ann": ErrNickBegin, "/ann": ErrNickBegin,
		"an\u200bn": ErrNickControl, "ann\u202e": ErrNickControl, "a\x1b[31m": ErrNickControl, "a\nb": ErrNickControl,
		"a\u009b": ErrNickControl,
		"a\u3164": ErrNickCharacter, "a\ufe0f": ErrNickCharacter,
		"a\u0301\u0302\u0303": ErrNickMarks, "\u0301a": ErrNickBegin,
		strings.Repeat("a", 25): ErrNickLong, strings.Repeat("東", 13): ErrNickLong, strings.Repeat("a", 300): ErrNickLong,
	} {
		if _, err := Nick(name); !errors.Is(err, want) {
			t.Errorf("Nick(%q): %v, want %v", name, err, want)
		}
	}
	for _, name := range []string{"admin", "Admin", "аdmin", "SYSTEM", "you", "yоu", "Coterie", "reIay", "ｒelay"} {
		var reserved *ReservedError
		if _, err := Nick(name); !errors.As(err, &reserved) {
			t.Errorf("Nick(%q): %v", name, err)
		}
	}
	if got, err := Nick(" Ｋari   N "); got != "Kari N" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

var (
	self  = peer.ID("self")
	ann   = peer.ID("ann")
	other = peer.ID("other")
	third = peer.ID("third")
)

func roomOf(t *testing.T, names ...string) *Names {
	t.Helper()
	n := NewNames(self)
	now := time.Unix(1700000000, 0)
	for i, name := range names {
		n.Take([]peer.ID{self, ann, other, third}[i], name, now.Add(time.Duration(i)*time.Second))
	}
	return n
}

// TestNickHomoglyph: who comes later under a name that looks like another's is
// marked, and both carry their tags.
func TestNickHomoglyph(t *testing.T) {
	for _, name := range []string{"ann", "Ann", "аnn", "ANN", "Αnn", "ａnn", "com", "ann\u200b"} {
		was := "ann"
		if name == "com" {
			was = "corn"
		}
		n := roomOf(t, "kari", was, name)
		shown := n.Show(other)
		if n.Nick(other) == "" {
			if shown != n.Tag(other) {
				t.Errorf("%q: a name that breaks a rule is shown as %q", name, shown)
			}
			continue
		}
		like, ok := n.Like(other)
		if !ok || like != ann || shown != n.Nick(other)+n.Tag(other) || n.Show(ann) != was+n.Tag(ann) {
			t.Errorf("%q: shown as %q beside %q, like %q", name, shown, n.Show(ann), like)
		}
		if _, ok := n.Like(ann); ok {
			t.Errorf("%q: who was first is marked", name)
		}
	}
	n := roomOf(t, "kari", "ann", "kаri") // Cyrillic a
	if like, ok := n.Like(other); !ok || like != self {
		t.Error("a name like one's own is not marked")
	}
	// Also when one takes the name oneself, later.
	n = roomOf(t, "", "ann", "prof")
	n.Take(self, "ann", time.Now())
	if _, ok := n.Like(self); ok {
		t.Error("one is marked oneself")
	}
	if like, ok := n.Like(ann); !ok || like != self {
		t.Error("who has one's own name is not marked")
	}
	if n := roomOf(t, "kari", "corn", "cora"); n.Show(ann) != "corn" {
		t.Errorf("different names carry tags: %s", n.Show(ann))
	}
	if n := roomOf(t, "kari", "corn", "com", "corn"); n.Show(ann) == "corn" {
		t.Error("the same name does not carry a tag")
	}
}

// TestNickFold: two peers are never one entry.
func TestNickFold(t *testing.T) {
	n := roomOf(t, "kari", "ann", "ann", "ann")
	seen := make(map[string]bool)
	for _, p := range []peer.ID{ann, other, third} {
		s := n.Show(p)
		if seen[s] {
			t.Errorf("%s twice", s)
		}
		seen[s] = true
		if got := n.Find(s); len(got) != 1 || got[0] != p {
			t.Errorf("%s means %v", s, got)
		}
	}
	if got := n.Find("ann"); len(got) != 3 {
		t.Errorf("ann means %d peers", len(got))
	}
	// The name is free again when its others have gone by another.
	n.Take(other, "olga", time.Now())
	n.Take(third, "", time.Now())
	if s := n.Show(ann); s != "ann" {
		t.Errorf("alone under its name: %s", s)
	}
	if s := n.Show(third); s != n.Tag(third) {
		t.Errorf("without a name: %s", s)
	}
	if used := n.Used(other); len(used) != 1 || used[0] != "ann" {
		t.Errorf("used %v", used)
	}
}

// TestTags: a tag is lengthened until it is unlike the others.
func TestTags(t *testing.T) {
	n := NewNames(self)
	seen := make(map[string]bool)
	for i := range maxPeers + 500 {
		p := peer.ID(string(rune('a'+i%26)) + time.Duration(i).String())
		n.Take(p, "", time.Unix(int64(i), 0))
		tag := n.Tag(p)
		if len(n.peers) > maxPeers {
			t.Fatal("no bound")
		}
		if q, ok := n.tags[tag]; !ok || q != p {
			t.Fatal("the tag is another's")
		}
		if len(tag) < 1+tagLetters {
			t.Fatal(tag)
		}
		seen[tag] = true
	}
	if w := strings.Split(Fingerprint(string(ann)), "-"); len(w) != FingerprintWords {
		t.Errorf("fingerprint %v", w)
	}
}

func BenchmarkClean(b *testing.B) {
	for _, s := range []string{"plain words, as most are", "blåbærsyltetøy på brødskiva",
		strings.Repeat("\x1b\u202e\u200b\u0301", 1000)} {
		b.Run("", func(b *testing.B) {
			for b.Loop() {
				text.Clean(s)
			}
		})
	}
}
