package room

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/crypto/cryptobyte"

	"coterie/crypto/ake"
)

const (
	linkScheme       = "coterie:"
	linkPrefix       = linkScheme + "2:"
	linkCheckSize    = 4
	maxLinkAddresses = 16
	maxLinkAddress   = 256
	// MaxLink is the greatest size of a link in bytes.
	MaxLink = 32 << 10
)

var (
	// ErrNotLink is returned for text that is something else than a link.
	ErrNotLink = errors.New("not a room link")
	// ErrLinkOld is returned for a link of the first version of the protocol, which
	// nobody speaks any more.
	ErrLinkOld = errors.New("made for an older version")
	// ErrLinkDamaged is returned for a link that is cut short or mistyped.
	ErrLinkDamaged = errors.New("damaged room link")
)

// A Link carries a room and where some of its peers are: PROTOCOL.md §4.2.
type Link struct {
	*Descriptor
	Addresses []ma.Multiaddr // each ends in /p2p/
	// Unknown is how many addresses were left out, since this program cannot read
	// them.
	Unknown int
}

// IsLink reports whether text means to be a link.
func IsLink(s string) bool { return strings.HasPrefix(s, linkScheme) }

// Pasted is what somebody typed or pasted: of a link without the blanks and line breaks that come
// along when it is copied from a screen on which it has several lines. No link has any. What is no
// link stays as it is.
func Pasted(s string) string {
	if !IsLink(strings.TrimSpace(s)) {
		return s
	}
	return strings.Join(strings.Fields(s), "")
}

// String is the link as people pass it on. What is over the limits on
// addresses is left out.
func (l *Link) String() string {
	b := l.Descriptor.Bytes()
	var addrs [][]byte
	for _, a := range l.Addresses {
		if len(addrs) < maxLinkAddresses && validLinkAddress(a) {
			addrs = append(addrs, a.Bytes())
		}
	}
	b = append(b, byte(len(addrs)))
	for _, a := range addrs {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(a))), a...)
	}
	sum := ake.Sum("coterie/2 link", b)
	b = append(b, sum[:linkCheckSize]...)
	return linkPrefix + escapeName(l.Name) + ":" + base64.RawURLEncoding.EncodeToString(b)
}

// escapeName leaves nothing in the name that a shell or a mail program would
// take apart.
func escapeName(s string) string {
	return strings.NewReplacer("+", "%20", "~", "%7E").Replace(url.QueryEscape(s))
}

func validLinkAddress(a ma.Multiaddr) bool {
	if len(a) == 0 || len(a.Bytes()) > maxLinkAddress {
		return false
	}
	return a[len(a)-1].Protocol().Code == ma.P_P2P
}

// ParseLink takes a link apart. The errors wrap ErrNotLink, ErrLinkDamaged or
// ErrNewer, or are ErrLinkOld.
func ParseLink(s string) (*Link, error) {
	rest, ok := strings.CutPrefix(s, linkScheme)
	if !ok || len(s) > MaxLink {
		return nil, ErrNotLink
	}
	format, rest, ok := strings.Cut(rest, ":")
	if !ok || format == "" || strings.Trim(format, "0123456789") != "" {
		return nil, ErrLinkDamaged
	}
	if format == "1" {
		return nil, ErrLinkOld
	}
	if format != "2" {
		return nil, fmt.Errorf("%w: link format %s", ErrNewer, format[:min(len(format), 8)])
	}
	escaped, body, ok := strings.Cut(rest, ":")
	if !ok {
		return nil, ErrLinkDamaged
	}
	// Even strict decoding passes over line feeds and carriage returns.
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) < linkCheckSize || strings.ContainsAny(body, "\r\n") {
		return nil, ErrLinkDamaged
	}
	b, check := b[:len(b)-linkCheckSize], b[len(b)-linkCheckSize:]
	if sum := ake.Sum("coterie/2 link", b); string(check) != string(sum[:linkCheckSize]) {
		return nil, ErrLinkDamaged
	}
	in := cryptobyte.String(b)
	d, err := readDescriptor(&in)
	if errors.Is(err, ErrNewer) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLinkDamaged, err)
	}
	l := &Link{Descriptor: d}
	var n uint8
	if !in.ReadUint8(&n) || n > maxLinkAddresses {
		return nil, ErrLinkDamaged
	}
	for range n {
		var raw cryptobyte.String
		if !in.ReadUint16LengthPrefixed(&raw) {
			return nil, ErrLinkDamaged
		}
		if len(raw) == 0 || len(raw) > maxLinkAddress {
			return nil, ErrLinkDamaged
		}
		a, err := ma.NewMultiaddrBytes(raw)
		if err != nil {
			l.Unknown++ // perhaps of a transport that this program does not know yet
			continue
		}
		if !validLinkAddress(a) || string(a.Bytes()) != string(raw) {
			return nil, ErrLinkDamaged
		}
		l.Addresses = append(l.Addresses, a)
	}
	if !in.Empty() || escapeName(d.Name) != escaped {
		return nil, ErrLinkDamaged
	}
	return l, nil
}
