package channel

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"
)

// A Transport carries a channel: a net.Conn, or a stream of libp2p. Where it has a
// method Reset() error, that is used to end it, and Close otherwise.
type Transport interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// A wire makes a net.Conn of a Transport.
type wire struct {
	Transport
	once sync.Once
}

func newWire(t Transport) *wire { return &wire{Transport: t} }

// abort ends the transport at once.
func (w *wire) abort() {
	w.once.Do(func() {
		if r, ok := w.Transport.(interface{ Reset() error }); ok {
			r.Reset()
		} else {
			w.Transport.Close()
		}
	})
}

// Close of TLS can wait for five seconds to say goodbye to a peer that does not
// read. Nobody needs to hear it: streams end each on its own.
func (w *wire) Close() error {
	w.abort()
	return nil
}

type place struct{}

func (place) Network() string { return "channel" }
func (place) String() string  { return "channel" }

func (w *wire) LocalAddr() net.Addr  { return place{} }
func (w *wire) RemoteAddr() net.Addr { return place{} }

// A secured wire is what streams run over.
type secured struct {
	*tls.Conn
	wire *wire
}

func (s secured) Close() error { return s.wire.Close() }
