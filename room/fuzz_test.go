package room

import (
	"slices"
	"testing"
)

// FuzzParseLink: no text makes it panic, and a link that is taken has one text.
func FuzzParseLink(f *testing.F) {
	for _, l := range testLinks(f) {
		s := l.String()
		f.Add(s)
		f.Add(s[:len(s)/2])
	}
	f.Add("coterie:2:exam:")
	f.Add("coterie:3:")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLink(s)
		if err != nil {
			return
		}
		if again := l.String(); l.Unknown == 0 && again != s {
			t.Fatalf("%q is written again as %q", s, again)
		}
	})
}

// FuzzParseLinkContents gets past the check, which holds off whatever does not
// know it.
func FuzzParseLinkContents(f *testing.F) {
	for _, l := range testLinks(f) {
		b := l.Descriptor.Bytes()
		f.Add(escapeName(l.Name), append(slices.Clone(b), 0))
		if len(l.Addresses) > 0 {
			a := l.Addresses[0].Bytes()
			f.Add(escapeName(l.Name), append(append(b, 1, 0, byte(len(a))), a...))
		}
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		s := linkOf(name, b)
		l, err := ParseLink(s)
		if err != nil {
			return
		}
		if again := l.String(); l.Unknown == 0 && again != s {
			t.Fatalf("%q is written again as %q", s, again)
		}
	})
}
