package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/room"
	"coterie/room/record"
)

func drawIdentity(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// bareTCP makes a dialler over TCP. It goes below libp2p's hosts, which do not dial
// themselves.
func bareTCP(t *testing.T, identity ed25519.PrivateKey) *tcp.TcpTransport {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(identity)
	if err != nil {
		t.Fatal(err)
	}
	muxers := []tptu.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	n, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		t.Fatal(err)
	}
	u, err := tptu.New([]sec.SecureTransport{n}, muxers, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := tcp.NewTCPTransport(u, &network.NullResourceManager{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// getsHello reports whether a node answers a hello of whoever has an identity key.
func getsHello(t *testing.T, identity ed25519.PrivateKey, to peer.ID, addr ma.Multiaddr, hello []byte) bool {
	t.Helper()
	tr := bareTCP(t, identity)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := tr.Dial(ctx, addr, to)
	if err != nil {
		return false
	}
	defer conn.Close()
	s, err := conn.OpenStream(ctx)
	if err != nil {
		return false
	}
	s.SetDeadline(time.Now().Add(patience))
	// multistream: each line with its length, and the same back.
	var lines []byte
	for _, l := range []string{"/multistream/1.0.0\n", room.ProtocolSync + "\n"} {
		lines = append(append(lines, byte(len(l))), l...)
	}
	if _, err := s.Write(lines); err != nil {
		return false
	}
	back := make([]byte, len(lines))
	if _, err := io.ReadFull(s, back); err != nil || !bytes.Equal(back, lines) {
		return false
	}
	if _, err := s.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(hello))), hello...)); err != nil {
		return false
	}
	_, err = io.ReadFull(s, make([]byte, lengthSize+1))
	return err == nil
}

// TestOwnIdentityIsRefused: whoever copied a peer's identity key, and nothing else,
// is not answered by that peer, who would sign a hello for its own name: it could
// be sent back.
func TestOwnIdentityIsRefused(t *testing.T) {
	policy, err := abe.ParsePolicy(`"NTNU"`)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"its own host", "another's host"} {
		t.Run(host, func(t *testing.T) {
			identity := drawIdentity(t)
			d := &room.Descriptor{Name: "den", Policy: policy}
			cfg := Config{Room: d, Suite: (*simSuite)(new(sim)), Identity: identity}
			if host == "another's host" {
				key, err := crypto.UnmarshalEd25519PrivateKey(identity)
				if err != nil {
					t.Fatal(err)
				}
				h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
					libp2p.DisableMetrics())
				if err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				cfg.Host = h
			}
			vic := start(t, "vic", cfg)
			eventually(t, "vic takes streams", func() bool {
				return slices.Contains(vic.host.Mux().Protocols(), room.ProtocolSync)
			})
			addr, id := peer.SplitAddr(vic.Addresses()[0])
			hello := (&record.Hello{Room: d.ID()}).Encode()
			if getsHello(t, identity, id, addr, hello) {
				t.Error("vic answers to its own name")
			}
			if !getsHello(t, drawIdentity(t), id, addr, hello) {
				t.Error("vic answers nobody")
			}
			vic.leave(t)
		})
	}
}

// TestNamedAlone: on this computer is dialled who was named by the user, and, as long as
// nobody from it is connected, nobody else.
func TestNamedAlone(t *testing.T) {
	a := join(t, descriptor(t, "ONE"), "ann", issue(t, "ONE"))
	h, err := newHost(drawIdentity(t), loopback())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	to := peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}
	if err := a.host.Connect(t.Context(), to); err == nil {
		t.Error("whoever is named by others is dialled")
	}
	at, err := peer.AddrInfoToP2pAddrs(&to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.dial(t.Context(), at[0]); err != nil {
		t.Errorf("who was named by the user is not: %v", err)
	}
}
