package node

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// quicServer listens as a peer does, with a certificate of its own making.
func quicServer(t *testing.T, when time.Time, change func(*tls.Config)) (ma.Multiaddr, peer.ID) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := libp2ptls.NewIdentity(key, libp2ptls.WithCertTemplate(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{SerialNumber: "1"},
		NotBefore: when.Add(-time.Hour), NotAfter: when.Add(time.Hour),
	}))
	if err != nil {
		t.Fatal(err)
	}
	cfg, _ := identity.ConfigForPeer("")
	cfg.NextProtos = []string{"libp2p"}
	change(cfg)
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &quic.Transport{Conn: c}
	l, err := tr.Listen(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // with all that has come
		l.Close()
		tr.Close()
		c.Close()
	})
	return ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", l.Addr().(*net.UDPAddr).Port)), id
}

// TestTroubles: what is wrong with an address is told by the errors that the
// libraries really give.
func TestTroubles(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	other := bare(t)
	with := func(a ma.Multiaddr, p peer.ID) ma.Multiaddr {
		return a.Encapsulate(ma.StringCast("/p2p/" + p.String()))
	}
	portOf := func(l net.Addr) string { _, port, _ := net.SplitHostPort(l.String()); return port }

	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "<html>Log in to use this network, and accept its terms of use, all of them, to the end</html>",
			http.StatusNetworkAuthenticationRequired)
	}))
	defer page.Close()
	web := "/ip4/127.0.0.1/tcp/" + portOf(page.Listener.Addr())
	shut, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := portOf(shut.Addr())
	shut.Close()
	slow, err := net.Listen("tcp4", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	behind, behindID := quicServer(t, time.Now().Add(3*time.Hour), func(*tls.Config) {})
	ahead, aheadID := quicServer(t, time.Now(), func(c *tls.Config) {
		c.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error {
			return errors.New("certificate verification failed: of the past")
		}
	})
	for _, test := range []struct {
		what string
		at   ma.Multiaddr
		want Trouble
	}{
		{"a peer", with(other.Addrs()[0], other.ID()), NoTrouble},
		{"another peer", with(other.Addrs()[0], behindID), BadIdentity},
		{"a closed port", with(ma.StringCast("/ip4/127.0.0.1/tcp/"+port), other.ID()), BadPort},
		{"a login page", with(ma.StringCast(web), behindID), Portal},
		{"a login page instead of WebSocket", with(ma.StringCast(web+"/ws"), aheadID), Portal},
		{"a transport of which nothing is known", with(ma.StringCast("/ip4/127.0.0.1/udp/9"), behindID), BadForm},
		{"a clock that is hours behind", with(behind, behindID), BadClock},
		{"a clock that is hours ahead", with(ahead, aheadID), BadClock},
		{"no such name", ma.StringCast("/dns4/nowhere.invalid/tcp/4001/p2p/" + behindID.String()), BadName},
	} {
		n := &Node{host: bare(t), dns: noNames{}}
		_, err := n.dial(ctx, test.at)
		if got := TroubleIn(err); got != test.want {
			t.Errorf("%s: %q, not %q: %v", test.what, got, test.want, err)
		}
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	n := &Node{host: bare(t), dns: noNames{}}
	silent := with(ma.StringCast("/ip4/127.0.0.1/tcp/"+portOf(slow.Addr())), aheadID)
	if _, err := n.dial(short, silent); TroubleIn(err) != Silence {
		t.Errorf("a silent address: %q: %v", TroubleIn(err), err)
	}
}

// noNames knows no name.
type noNames struct{}

func (noNames) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (noNames) LookupTXT(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}
