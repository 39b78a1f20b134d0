package node

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/quic-go/quic-go"
)

// A Trouble is what was wrong when an address was dialled, as far as an error tells.
type Trouble string

// The troubles.
const (
	NoTrouble    Trouble = ""
	BadName      Trouble = "name"      // there is no such name, or nobody who knows
	BadForm      Trouble = "form"      // no address that can be dialled from here
	BadPort      Trouble = "port"      // the computer is there, and nobody listens on that port
	Silence      Trouble = "silence"   // nothing came back
	NoNetwork    Trouble = "network"   // there is no way to that network
	Portal       Trouble = "portal"    // something else answers, such as a login page
	BadClock     Trouble = "clock"     // certificates of now are not valid by one of the two clocks
	BadProtocol  Trouble = "protocol"  // nothing in common with what answers
	BadIdentity  Trouble = "identity"  // another peer answers
	TurnedAway   Trouble = "refused"   // it is full, or takes no more from here
	OtherTrouble Trouble = "something" // none of these
)

// badCertificate is the alert of TLS by which QUIC says that it does not take a
// certificate. All that can be wrong with those of this program is their time.
const badCertificate = 0x100 + 42

// troubles are looked for in this order: what says most comes first.
var troubles = []struct {
	is   Trouble
	when func(error) bool
}{
	{NoTrouble, func(err error) bool { return err == nil }},
	{BadIdentity, is(ErrWrongPeer)},
	{TurnedAway, is(ErrRefused)},
	{BadName, is(ErrNoSuchName, ErrNoNameServer)},
	{BadForm, is(ErrNeedsPeer)},
	{BadClock, func(err error) bool {
		var q *quic.TransportError
		var c x509.CertificateInvalidError
		return errors.As(err, &q) && q.Remote && q.ErrorCode == badCertificate ||
			errors.As(err, &c) && c.Reason == x509.Expired ||
			says(err, "certificate has expired or is not yet valid") // the library keeps its text alone
	}},
	{Portal, func(err error) bool {
		var a x509.UnknownAuthorityError
		var h x509.HostnameError
		return errors.As(err, &a) || errors.As(err, &h) ||
			says(err, "did not have trailing newline", "bad handshake", "first record does not look like a TLS")
	}},
	{BadForm, is(swarm.ErrNoTransport, swarm.ErrNoGoodAddresses, swarm.ErrNoAddresses)},
	{BadProtocol, func(err error) bool {
		return says(err, "failed to negotiate security", "failed to negotiate stream multiplexer", "protocols not supported")
	}},
	{BadPort, is(syscall.ECONNREFUSED)},
	{NoNetwork, is(syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL)},
	{TurnedAway, func(err error) bool { var r *RefusedError; return errors.As(err, &r) }},
	{Silence, func(err error) bool {
		var q *quic.IdleTimeoutError
		var h *quic.HandshakeTimeoutError
		return errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) || errors.As(err, &q) ||
			errors.As(err, &h) || says(err, "timeout", "timed out")
	}},
	{OtherTrouble, func(error) bool { return true }},
}

// TroubleIn is what was wrong with an address, by the error of dialling it.
func TroubleIn(err error) Trouble {
	for _, t := range troubles {
		if t.when(err) {
			return t.is
		}
	}
	return OtherTrouble
}

func is(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
}

// says looks for what libraries have no error of their own for.
func says(err error, texts ...string) bool {
	for _, t := range texts {
		if err != nil && strings.Contains(err.Error(), t) {
			return true
		}
	}
	return false
}

// connect connects to a peer, and sees why it hangs up if it does so at once: over
// QUIC the other end looks at a certificate only when this one has its connection.
func connect(ctx context.Context, h host.Host, to peer.AddrInfo) error {
	var made atomic.Pointer[quic.Conn]
	seen := &network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		var q *quic.Conn
		if c.RemotePeer() == to.ID && c.As(&q) {
			made.Store(q)
		}
	}}
	h.Network().Notify(seen)
	defer h.Network().StopNotify(seen)
	err := h.Connect(ctx, to)
	q := made.Load()
	if err != nil || q == nil {
		return err
	}
	if protocols, _ := h.Peerstore().GetProtocols(to.ID); len(protocols) == 0 {
		// It has not said what it speaks, so it may be about to hang up: its streams end first.
		select {
		case <-q.Context().Done():
		case <-time.After(hangUpTime):
		case <-ctx.Done():
		}
	}
	if q.Context().Err() != nil {
		return context.Cause(q.Context())
	}
	return nil
}

// hangUpTime is how long a connection that is refused may take to end once its streams have.
const hangUpTime = time.Second
