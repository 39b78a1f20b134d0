package room

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

const testPeer = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

func multiaddr(t testing.TB, s string) ma.Multiaddr {
	t.Helper()
	a, err := ma.NewMultiaddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// testDescriptor is a room of no particular domain.
func testDescriptor(t testing.TB) *Descriptor {
	t.Helper()
	p, err := abe.ParsePolicy(`("NTNU" and "5th year") or "Professor"`)
	if err != nil {
		t.Fatal(err)
	}
	d := &Descriptor{Name: "exam", Policy: p, History: time.Hour}
	for i := range d.Domain {
		d.Domain[i] = byte(i)
	}
	return d
}

func testLinks(t testing.TB) []*Link {
	t.Helper()
	plain, unlisted, longest := testDescriptor(t), testDescriptor(t), testDescriptor(t)
	unlisted.Tag = []byte("sixteen letters!")
	unlisted.Name = "5th year: 100% / café"
	longest.Name = strings.Repeat("%", MaxRoomName)
	longest.History = MaxHistory
	a := multiaddr(t, "/ip4/192.0.2.1/tcp/4001"+testPeer)
	b := multiaddr(t, "/dns6/example.org/udp/4001/quic-v1"+testPeer)
	links := []*Link{{Descriptor: plain}, {Descriptor: unlisted, Addresses: []ma.Multiaddr{a, b, a}}, {Descriptor: longest}}
	asked := testDescriptor(t)
	asked.Questions, asked.History = true, time.Hour
	links = append(links, &Link{Descriptor: asked, Addresses: []ma.Multiaddr{a}})
	for range maxLinkAddresses {
		links[2].Addresses = append(links[2].Addresses, b)
	}
	return links
}

// linkOf is a link around any bytes, with a right check.
func linkOf(escaped string, b []byte) string {
	sum := ake.Sum("coterie/2 link", b)
	return linkPrefix + escaped + ":" + base64.RawURLEncoding.EncodeToString(append(slices.Clone(b), sum[:linkCheckSize]...))
}

func TestLink(t *testing.T) {
	for _, l := range testLinks(t) {
		s := l.String()
		got, err := ParseLink(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got.String() != s || got.ID() != l.ID() || got.Topic() != l.Topic() || len(got.Addresses) != len(l.Addresses) || !IsLink(s) {
			t.Errorf("%s: another", s)
		}
		for i, a := range got.Addresses {
			if !a.Equal(l.Addresses[i]) {
				t.Errorf("address %d of %s", i, s)
			}
		}
		if strings.ContainsAny(s, " \"'`$&;|<>()[]{}*?!#%\\\n") && !strings.Contains(s, "%") {
			t.Errorf("a shell takes %s apart", s)
		}
	}
}

// TestLinkWithLineFeeds: base64's strict decoding passes over line feeds and
// carriage returns, so one link had many texts.
func TestLinkWithLineFeeds(t *testing.T) {
	s := testLinks(t)[0].String()
	body := strings.LastIndex(s, ":") + 1
	for _, mark := range []string{"\n", "\r", "\r\n", " ", "="} {
		for _, at := range []int{body, body + 1, body + 4, len(s)} {
			if _, err := ParseLink(s[:at] + mark + s[at:]); !errors.Is(err, ErrLinkDamaged) {
				t.Errorf("%q at %d: %v", mark, at, err)
			}
		}
	}
}

// TestPasted: a link that was copied from a screen of several lines is a link; what else was typed
// stays what it is.
func TestPasted(t *testing.T) {
	for _, l := range testLinks(t) {
		s := l.String()
		for _, pasted := range []string{s, " " + s + "\n", s[:20] + "\r\n   " + s[20:40] + "\n\t" + s[40:]} {
			if got, err := ParseLink(Pasted(pasted)); err != nil || got.String() != s {
				t.Errorf("%q: %v", pasted, err)
			}
		}
	}
	for _, s := range []string{"", "exam", " 5th year ", "a coterie:2:exam:"} {
		if Pasted(s) != s {
			t.Errorf("%q became %q", s, Pasted(s))
		}
	}
}

// TestLinkDamaged: no character of a link can be changed, added or lost, and
// nothing around it either.
func TestLinkDamaged(t *testing.T) {
	s := testLinks(t)[1].String()
	for at := range len(s) {
		bit := []byte(s)
		bit[at] ^= 1
		for _, bad := range []string{s[:at], s[:at] + s[at+1:], string(bit), s[:at] + "A" + s[at:]} {
			_, err := ParseLink(bad)
			if !errors.Is(err, ErrLinkDamaged) && !errors.Is(err, ErrNotLink) && !errors.Is(err, ErrNewer) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
	for bad, want := range map[string]error{
		"": ErrNotLink, "exam": ErrNotLink, "coterie": ErrNotLink, "Coterie:1:x:y": ErrNotLink, " " + s: ErrNotLink,
		linkScheme + strings.Repeat("9", MaxLink): ErrNotLink,
		"coterie:": ErrLinkDamaged, "coterie:1": ErrLinkDamaged, "coterie:1:exam:AAAA": ErrLinkOld, "coterie:2:": ErrLinkDamaged, "coterie:2::": ErrLinkDamaged,
		"coterie:x:exam:AAAA": ErrLinkDamaged, "coterie::exam:AAAA": ErrLinkDamaged, s + " ": ErrLinkDamaged,
		"coterie:3:exam:AAAA": ErrNewer, "coterie:18446744073709551616:": ErrNewer,
	} {
		if _, err := ParseLink(bad); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", bad, err, want)
		}
	}
}

// TestLinkForm: hostile contents behind a right check.
func TestLinkForm(t *testing.T) {
	d := testDescriptor(t)
	address := func(s string) []byte {
		b := multiaddr(t, s).Bytes()
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	good := address("/ip4/192.0.2.1/tcp/4001" + testPeer)
	long := address("/dns4/" + strings.Repeat("a", 250) + testPeer)
	if _, err := ParseLink(linkOf("exam", slices.Concat(d.Bytes(), []byte{1}, good))); err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{
		"no count":               d.Bytes(),
		"an address less":        slices.Concat(d.Bytes(), []byte{2}, good),
		"an address more":        slices.Concat(d.Bytes(), []byte{0}, good),
		"17 addresses":           slices.Concat(d.Bytes(), []byte{17}, slices.Repeat(good, 17)),
		"255 addresses":          slices.Concat(d.Bytes(), []byte{255}),
		"a long address":         slices.Concat(d.Bytes(), []byte{1}, long),
		"no peer":                slices.Concat(d.Bytes(), []byte{1}, address("/ip4/192.0.2.1/tcp/4001")),
		"a peer in between":      slices.Concat(d.Bytes(), []byte{1}, address("/ip4/192.0.2.1/tcp/4001"+testPeer+"/p2p-circuit")),
		"an empty address":       slices.Concat(d.Bytes(), []byte{1, 0, 0}),
		"an endless address":     slices.Concat(d.Bytes(), []byte{1, 255, 255}),
		"a byte more":            slices.Concat(d.Bytes(), []byte{0, 0}),
		"nothing":                nil,
		"a version":              {1},
		"half a descriptor":      d.Bytes()[:60],
		"a long policy's length": slices.Concat(d.Bytes()[:34], []byte{1, 'x', 0xff, 0xff}, make([]byte, 0xffff)),
	} {
		if _, err := ParseLink(linkOf("exam", b)); !errors.Is(err, ErrLinkDamaged) && !errors.Is(err, ErrNotLink) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Of a later version, perhaps: the others still count.
	l, err := ParseLink(linkOf("exam", slices.Concat(d.Bytes(), []byte{2, 0, 1, 7}, good)))
	if err != nil || l.Unknown != 1 || len(l.Addresses) != 1 {
		t.Errorf("an address of an unknown kind: %+v, %v", l, err)
	}
	for _, escaped := range []string{"", "Exam", "exam ", "%65xam", "other"} {
		if _, err := ParseLink(linkOf(escaped, append(d.Bytes(), 0))); !errors.Is(err, ErrLinkDamaged) {
			t.Errorf("named %q: %v", escaped, err)
		}
	}
	d.Name = "a b~c"
	for escaped, ok := range map[string]bool{"a%20b%7Ec": true, "a+b%7Ec": false, "a%20b~c": false, "a%20b%7ec": false} {
		if _, err := ParseLink(linkOf(escaped, append(d.Bytes(), 0))); ok != (err == nil) {
			t.Errorf("%q: %v", escaped, err)
		}
	}
}

// TestLinkLeavesOut: String leaves out what ParseLink would refuse.
func TestLinkLeavesOut(t *testing.T) {
	l := &Link{Descriptor: testDescriptor(t), Addresses: []ma.Multiaddr{nil, multiaddr(t, "/ip4/192.0.2.1/tcp/1"), multiaddr(t, "/dns4/"+strings.Repeat("a", 250)+testPeer)}}
	for range maxLinkAddresses + 3 {
		l.Addresses = append(l.Addresses, multiaddr(t, "/ip4/192.0.2.1/tcp/4001"+testPeer))
	}
	got, err := ParseLink(l.String())
	if err != nil || len(got.Addresses) != maxLinkAddresses {
		t.Error(err)
	}
}
