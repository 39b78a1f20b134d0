package ake

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/edwards25519"
)

// smallOrderEd25519 are all encodings of points of small order: the eight
// canonical ones, and the six others that lenient readers take.
func smallOrderEd25519(t *testing.T) map[string][]byte {
	t.Helper()
	fromHex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	out := make(map[string][]byte)
	g, err := new(edwards25519.Point).SetBytes(fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
	if err != nil {
		t.Fatal(err)
	}
	p := edwards25519.NewIdentityPoint()
	for i := range 8 {
		out[fmt.Sprint("canonical ", i)] = p.Bytes()
		p = new(edwards25519.Point).Add(p, g)
	}
	if p.Equal(edwards25519.NewIdentityPoint()) != 1 {
		t.Fatal("the generator is not of order 8")
	}
	middle := strings.Repeat("ff", 30)
	for what, s := range map[string]string{
		"1 with the sign of x":   "01" + strings.Repeat("00", 30) + "80",
		"-1 with the sign of x":  "ec" + middle + "ff",
		"0 as p":                 "ed" + middle + "7f",
		"0 as p with the sign":   "ed" + middle + "ff",
		"1 as p+1":               "ee" + middle + "7f",
		"1 as p+1 with the sign": "ee" + middle + "ff",
	} {
		out[what] = fromHex(s)
	}
	distinct := make(map[string]bool)
	for _, b := range out {
		distinct[string(b)] = true
	}
	if len(distinct) != 14 {
		t.Fatalf("%d encodings", len(distinct))
	}
	return out
}

// TestLowOrderEd25519: under such keys one signature fits messages that nobody
// has signed, so no encoding of one is taken.
func TestLowOrderEd25519(t *testing.T) {
	fits := 0
	for what, b := range smallOrderEd25519(t) {
		if k, err := PublicEd25519(b); !errors.Is(err, ErrPublicKey) || k != nil {
			t.Errorf("%s is taken", what)
		}
		// R = identity, s = 0: what the check is for.
		sig := make([]byte, 64)
		sig[0] = 1
		for i := range 32 {
			if ed25519.Verify(b, []byte{byte(i)}, sig) {
				fits++
			}
		}
	}
	if fits == 0 {
		t.Error("no forged signature fits; is the check still needed?")
	}
}

func TestPublicEd25519(t *testing.T) {
	for i := range 20 {
		k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i)}, 32)).Public().(ed25519.PublicKey)
		got, err := PublicEd25519(k)
		if err != nil || !got.Equal(k) {
			t.Fatal(err)
		}
		got[0] ^= 1
		if got.Equal(k) {
			t.Error("the key is not a copy")
		}
	}
	for n := range 70 {
		if n != 32 {
			if _, err := PublicEd25519(make([]byte, n)); !errors.Is(err, ErrPublicKey) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	// y of p and above, for every such y, and a y that is on no point.
	for y := range 19 {
		for _, sign := range []byte{0x7f, 0xff} {
			b := append(append([]byte{byte(0xed + y)}, bytes.Repeat([]byte{0xff}, 30)...), sign)
			if _, err := PublicEd25519(b); !errors.Is(err, ErrPublicKey) {
				t.Errorf("y = p+%d: %v", y, err)
			}
		}
	}
	if _, err := PublicEd25519(bytes.Repeat([]byte{2}, 32)); !errors.Is(err, ErrPublicKey) {
		t.Error("no point:", err)
	}
}

// TestSigningInput: what a room signs is nothing that libp2p signs with the same
// identity key, whatever the room, type and body.
func TestSigningInput(t *testing.T) {
	// Noise and TLS handshakes, pubsub messages; then the domains of signed
	// envelopes, which come behind their length as a varint; then protobuf of a
	// public key, a PeerID's preimage.
	foreign := []string{
		"noise-libp2p-static-key:", "libp2p-tls-handshake:", "libp2p-pubsub:", "libp2p-PeerID",
		"\x12libp2p-peer-record", "\x11libp2p-relay-rsvp", "\x0elibp2p-testing", "libp2p-peer-record", "libp2p-relay-rsvp",
		"\x08\x01\x12\x20", "peer-id=", "libp2p-",
	}
	bodies := [][]byte{nil, make([]byte, 140)}
	for _, f := range foreign {
		bodies = append(bodies, []byte(f))
	}
	for _, typ := range []string{"contribution", "presence", "edge", "name", "commit", "message", "beat"} {
		seen := make(map[string]bool)
		for _, room := range []Hash{{}, hashOf("room"), Hash([]byte("noise-libp2p-static-key:........"))} {
			for _, body := range bodies {
				in := string(SigningInput(typ, room, body))
				if in != "coterie/2/"+typ+"\x00"+string(room[:])+string(body) {
					t.Fatalf("%q", in)
				}
				if seen[in] {
					t.Errorf("%q twice", in)
				}
				seen[in] = true
				for _, f := range foreign {
					if strings.HasPrefix(in, f) || strings.HasPrefix(f, in) {
						t.Errorf("%q begins as %q does", in, f)
					}
				}
				// As an envelope it would be of a domain of 99 bytes that begins
				// with "oterie/2/".
				if in[0] != 99 || !strings.HasPrefix(in[1:], "oterie/2/") {
					t.Errorf("%q", in[:10])
				}
			}
		}
	}
	// A type ends with a zero, and none has one, so none is another's beginning.
	if bytes.Equal(SigningInput("a", Hash{'b'}, nil), SigningInput("ab", Hash{}, nil)) {
		t.Error("types meet")
	}
}
