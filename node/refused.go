package node

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/quic-go/quic-go"
)

// ErrRefused is what a dial ends with whose other end did not take it.
var ErrRefused = errors.New("the connection was refused")

// A RefusedError says that somebody is at an address, and took no connection. Sure:
// it said so, which only QUIC lets it; otherwise it hung up before it said anything.
type RefusedError struct{ Sure bool }

func (e *RefusedError) Error() string {
	if e.Sure {
		return "refused, it is full or has as many connections as it takes from your network"
	}
	return "hung up at once, it may be full or have as many connections as it takes from your network"
}

func (e *RefusedError) Is(target error) bool { return target == ErrRefused && e.Sure }

// refusal is the error of a dial in words of ours, if it was refused.
func refusal(err error) error {
	var q *quic.TransportError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &q) && q.Remote && q.ErrorCode == quic.ConnectionRefused:
		return &RefusedError{Sure: true}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE):
		return &RefusedError{}
	}
	return err
}

// RelayRefused: a relay did not give us something: a place, by which others reach us,
// or a circuit to somebody. It is told once for each, until the relay gives it.
type RelayRefused struct {
	Relay peer.ID
	What  string // place or circuit
	Why   string
}

// relayRefusals are those that were told.
type relayRefusals struct {
	mu       sync.Mutex
	reported map[RelayRefused]bool
}

// refusedByRelay tells what a relay said no to, by the error; nil ends it.
func (n *Node) refusedByRelay(relay peer.ID, what string, err error) {
	why := relayWhy(err)
	if why == "" && err != nil {
		return // it did not say no
	}
	n.refusals.mu.Lock()
	for r := range n.refusals.reported {
		if r.Relay == relay && r.What == what && r.Why != why {
			delete(n.refusals.reported, r)
		}
	}
	e := RelayRefused{relay, what, why}
	news := err != nil && !n.refusals.reported[e]
	if news {
		if n.refusals.reported == nil {
			n.refusals.reported = make(map[RelayRefused]bool)
		}
		n.refusals.reported[e] = true
	}
	n.refusals.mu.Unlock()
	if news {
		n.do(func() { n.emit(e) })
	}
}

// relayWhy is why a relay said no; empty: it did not.
func relayWhy(err error) string {
	var r client.ReservationError
	said := func(s pb.Status) bool {
		return errors.As(err, &r) && r.Status == s || says(err, "relay circuit: "+s.String()+" ")
	}
	switch {
	case said(pb.Status_RESOURCE_LIMIT_EXCEEDED):
		return "it is full, or carries as many connections as it does for one address"
	case said(pb.Status_RESERVATION_REFUSED):
		return "it is full"
	case said(pb.Status_PERMISSION_DENIED):
		return "it carries no more, or none for this address"
	}
	return ""
}
