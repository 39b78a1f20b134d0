package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
)

func TestClean(t *testing.T) {
	for _, c := range []struct {
		in, want string
		flags    Flags
	}{
		{"", "", 0},
		{"hei på deg", "hei på deg", 0},
		{"a\xffb\xc3", "a\ufffdb\ufffd", UTF8},
		{"e\u0301", "\u00e9", 0},
		{"a\r\nb\rc", "a\nb\u240dc", Control},
		{"ok\r12:00 alice:   transfer approved", "ok\u240d12:00 alice:   transfer approved", Control},
		{"\x1b[2Ja\x00\x7f\b", "\u241b[2Ja\u2400\u2421\u2408", Control},
		{"a\tb", "a   b", 0},
		{"東\tb", "東  b", 0},
		{"abcd\tb\n\tc", "abcd    b\n    c", 0},
		{"\u009b31mred", `\u{9b}31mred`, Control},
		{"gpj\u202eexe", `gpj\u{202e}exe`, Bidi},
		{"\u2066a\u2069\u200e\u061c", `\u{2066}a\u{2069}\u{200e}\u{61c}`, Bidi},
		{"שלום", "שלום", 0},
		{"pay\u200bpal\u2060\ufeff\u00ad\u180e", "paypal", Invisible},
		{"می\u200cخواهم", "می\u200cخواهم", 0},
		{"क\u094d\u200dष", "क\u094d\u200dष", 0},
		{"a\u200cb\u200dc", "abc", Invisible},
		{"👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧", 0},
		{"👩\u200d\u200d👧", "👩\u200d👧", Invisible},
		{"❤\ufe0f\u200d🔥 ❤\ufe0f 1\ufe0f\u20e3", "❤\u200d🔥 ❤ 1\u20e3", 0},
		{"a\ufe0fb\U000e0041c\U000e0100", "abc", Invisible},
		{tagFlags[0] + "x", tagFlags[0] + "x", 0},
		{"🏴\U000e0067\U000e007f", "🏴", Invisible},
		{"a\ufff9b\ufffac\ufffb", "abc", Invisible},
		{"a" + strings.Repeat("\u0336", 9), "a" + strings.Repeat("\u0336", 4), Stacked},
		{"\u0301a \u0301\n\u0301", "\u25cc\u0301a \u25cc\u0301\n\u25cc\u0301", 0},
		{"a\ue000b\U000f0000\u0378", "a\ufffdb\ufffd\ufffd", 0},
		{"a\u2028b\u2029c", "a\nb\nc", 0},
		{"a\u00a0b\u3000c\u2800d", "a b  c d", 0},
		{"\u3164\u115f\u034f\u17b4", "", Invisible},
	} {
		got, flags := Clean(c.in)
		if got != c.want || flags != c.flags {
			t.Errorf("Clean(%q) = %q, %v; want %q, %v", c.in, got, flags.Names(), c.want, c.flags.Names())
		}
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{"a\nb": "a\u240ab", "a\r\nb": "a\u240ab", "a\u2028b": "a\u240ab", "a": "a"} {
		if got, _ := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestCleanCuts: what is longer than a message can be is cut between two
// clusters, and says so.
func TestCleanCuts(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("a", MaxSize+1), strings.Repeat("ø", MaxSize), strings.Repeat("👩\u200d👧", MaxSize),
		strings.Repeat("\u009b", MaxSize), strings.Repeat("\u200b", 1<<20), strings.Repeat("\t", MaxSize),
	} {
		got, _ := Clean(in)
		if len(got) > MaxSize || !strings.HasSuffix(got, cut) {
			t.Errorf("%.9q…: %d bytes, ends with %q", in, len(got), got[max(0, len(got)-9):])
		}
		if again, _ := Clean(got); again != got {
			t.Errorf("%.9q…: cleaning again changes it", in)
		}
	}
	exact := strings.Repeat("a", MaxSize)
	if got, _ := Clean(exact); got != exact {
		t.Error("a message of the greatest size is cut")
	}
}

// drawn is how many cells the renderer gives a line, and how many lines.
func drawn(s string, m Method) (cells int) {
	room := 2*len(s) + 8
	buf := uv.NewScreenBuffer(room, 2)
	buf.Method = m
	uv.NewStyledString(s).Draw(buf, buf.Bounds())
	for x := room - 1; x >= 0; x-- {
		if c := buf.CellAt(x, 0); c != nil && c.Content != " " && c.Content != "" {
			return x + max(c.Width, 1)
		}
	}
	return 0
}

func check(t *testing.T, in string) {
	t.Helper()
	got, _ := Clean(in)
	for _, r := range got {
		switch {
		case r == '\n':
		case unicode.Is(unicode.Cc, r), unicode.Is(bidi, r), r == 0x200b, r == 0x2028, r == 0x2029, r == 0xfeff,
			unicode.Is(unicode.Co, r):
			t.Errorf("Clean(%q) = %q holds %U", in, got, r)
		}
	}
	if !utf8.ValidString(got) {
		t.Errorf("Clean(%q) = %q is not UTF-8", in, got)
	}
	if again, flags := Clean(got); again != got || flags != 0 {
		t.Errorf("Clean(%q) = %q; again: %q, %v", in, got, again, flags.Names())
	}
	for _, line := range strings.Split(got, "\n") {
		if len(line) > 2000 {
			continue
		}
		for _, m := range []Method{ByRune, ByCluster} {
			bare := strings.TrimRight(line, " ")
			if w := m.StringWidth(bare); w != drawn(bare, m) {
				t.Errorf("method %d: %q is %d cells and drawn in %d", m, bare, w, drawn(bare, m))
			}
		}
	}
	one, _ := Line(in)
	if strings.ContainsAny(one, "\n\r") {
		t.Errorf("Line(%q) = %q", in, one)
	}
	for _, m := range []Method{ByRune, ByCluster} {
		for _, width := range []int{1, 7, 40} {
			for _, l := range Wrap(one, width, width, m) {
				if w := m.StringWidth(l); w > width {
					t.Errorf("method %d, width %d: %q takes %d", m, width, l, w)
				}
			}
		}
	}
	if a := ASCII(one); strings.IndexFunc(a, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		t.Errorf("ASCII(%q) = %q", one, a)
	}
}

// FuzzClean: what comes out has no control, nothing that reorders, nothing
// invisible, is the same when cleaned again, and is as wide as it is drawn.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"ok\r12:00 alice:   transfer approved", "\x1b]8;;http://evil\x1b\\label\x1b]8;;\x1b\\", "a\u202eb\u2066c",
		"\u200b\u200d\ufeff",
		"👩\u200d👩\u200d👧 🇳🇴 " + tagFlags[0], "e" + strings.Repeat("\u0301", 9), "a\tb\u3000c", "\xff\xc0\x80",
		"\u1100\u1161\u11a8 \u1161",
		"می\u200cخواهم", "\u009b31m", "1\ufe0f\u20e3", "\U000e0041",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}

func TestEscape(t *testing.T) {
	if got, want := Escape("a\u202eb\x1b\xff\nø e\u0301"), `a\u{202e}b\u{1b}\x{ff}\u{a}ø e\u{301}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	clean, _ := Clean("på\x1b · … \u009b")
	if got, want := ASCII(clean), `p\u{e5}^[ \u{b7} ... \u{9b}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"", 10, ""},
		{"one two three", 7, "one two|three"},
		{"one two three", 8, "one two|three"},
		{"abcdefghij", 4, "abcd|efgh|ij"},
		{"  a_i = H(room)", 8, "  a_i =|H(room)"},
		{"東京東京", 5, "東京|東京"},
		{"東", 1, "\ufffd"},
		{"a verylongword", 6, "a|verylo|ngword"},
	} {
		if got := strings.Join(Wrap(c.in, c.width, c.width, ByCluster), "|"); got != c.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
	}
}
