package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

const (
	// MaxStreams is how many streams each end may have opened at once; more are
	// reset. What has been received on them and not been read is 256 KiB each at most.
	MaxStreams = 32

	maxFrame     = 4000 // bytes, so that a TLS record is below 4,096
	window       = 256 << 10
	writeTime    = 10 * time.Second // for a frame; then the channel is cut
	closeTime    = time.Second      // for the other end to see all that was sent
	exportLength = 32
)

// What ends channels and streams.
var (
	// ErrClosed: this end has closed it.
	ErrClosed = errors.New("the channel is closed")
	// ErrEnded: the other end has closed the channel.
	ErrEnded = errors.New("the other end closed the channel")
	// ErrCut: the connection is gone, or the other end does not keep to the protocol.
	ErrCut = errors.New("the channel was cut")
	// ErrReset: one end gave a stream up.
	ErrReset = errors.New("the stream was reset")
)

// A Session is a channel that stands. Its methods may be called from any
// goroutine.
type Session struct {
	mux    *yamux.Session
	conn   *tls.Conn
	remote [32]byte
	closed atomic.Bool // by this end
}

// newSession runs streams over a connection. The goroutines of the session end
// with it, and it ends with the connection.
func newSession(w *wire, conn *tls.Conn, dials bool) (*Session, error) {
	state := conn.ConnectionState()
	remote, ok := workingKey(&state)
	if !ok {
		return nil, ErrRefused // verify has seen to it
	}
	cfg := &yamux.Config{
		AcceptBacklog:      MaxStreams,
		PingBacklog:        1,
		EnableKeepAlive:    false, // the connection below has its own
		MeasureRTTInterval: time.Hour,
		// Time for a record of 4 kB, and what waits in the connection before it.
		ConnectionWriteTimeout:  writeTime,
		MaxIncomingStreams:      MaxStreams,
		InitialStreamWindowSize: window,
		// It does not grow: what one stream puts in front of the others' bytes is
		// bounded by it.
		MaxStreamWindowSize: window,
		MaxMessageSize:      maxFrame,
		LogOutput:           io.Discard,
	}
	start := yamux.Server
	if dials {
		start = yamux.Client
	}
	mux, err := start(secured{conn, w}, cfg, nil)
	if err != nil {
		return nil, fmt.Errorf("starting streams: %w", err)
	}
	return &Session{mux: mux, conn: conn, remote: remote}, nil
}

// Remote is the other end's working key.
func (s *Session) Remote() [32]byte { return s.remote }

// Export is a secret of 32 bytes that the two ends of this channel have in common,
// and nobody else: the exporter of TLS (RFC 8446 §7.5) for this label and context.
func (s *Session) Export(label string, context []byte) ([32]byte, error) {
	state := s.conn.ConnectionState()
	b, err := state.ExportKeyingMaterial(label, context, exportLength)
	if err != nil {
		return [32]byte{}, fmt.Errorf("exporting a secret: %w", err)
	}
	return [32]byte(b), nil
}

// Open opens a stream of the named protocol. The name has 1 to MaxName bytes of
// printable ASCII. It waits while MaxStreams streams have not been answered yet.
//
// The error is ErrName, ErrClosed, ErrEnded, ErrCut, or the context's.
func (s *Session) Open(ctx context.Context, name string) (*Stream, error) {
	if !validName(name) {
		return nil, ErrName
	}
	mux, err := s.mux.OpenStream(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, s.ended(err)
	}
	st := &Stream{mux, s}
	// There is room for the name in the window of a new stream; only the queue of all
	// streams can be full.
	stop := context.AfterFunc(ctx, func() { mux.Reset() })
	_, err = st.Write(append([]byte{byte(len(name))}, name...))
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		mux.Reset()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return st, nil
}

// Accept waits for a stream that the other end opens. Streams wait for it in the
// order of their coming. The error is ErrClosed, ErrEnded or ErrCut.
func (s *Session) Accept() (*Stream, error) {
	mux, err := s.mux.AcceptStream()
	if err != nil {
		return nil, s.ended(err)
	}
	return &Stream{mux, s}, nil
}

// Done is closed when the channel has ended.
func (s *Session) Done() <-chan struct{} { return s.mux.CloseChan() }

// Close ends the channel in order: the other end reads what was sent on streams
// that it has accepted, if it comes within a second, and then hears that it was
// all. What the other end still sends is lost. Close returns when everything
// that the channel had running has ended.
func (s *Session) Close() error {
	s.closed.Store(true)
	limit := time.AfterFunc(closeTime, s.Abort)
	defer limit.Stop()
	if s.mux.GoAway() == nil { // behind all that was sent
		<-s.mux.CloseChan() // the other end hangs up, or limit does
	}
	s.Abort()
	return nil
}

// Abort ends the channel at once; the other end sees it cut. It can wait for the
// connection below, if that does not take even a reset, as long as that takes to
// give up.
func (s *Session) Abort() {
	s.closed.Store(true)
	s.mux.Close()
}

// ended says how the channel has ended.
func (s *Session) ended(err error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	var away *yamux.GoAwayError
	if errors.As(err, &away) && *away == *yamux.ErrRemoteGoAway {
		return ErrEnded
	}
	// The reason may be the end of the transport, and must not pass for the end of a
	// stream: it is told, and not wrapped.
	return fmt.Errorf("%w: %v", ErrCut, err)
}
