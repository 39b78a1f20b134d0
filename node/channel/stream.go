package channel

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// MaxName is the length of a stream's name, in bytes, at most.
const MaxName = 64

// ErrName is returned for names of streams that are none.
var ErrName = errors.New("a stream's name is 1 to 64 bytes of printable ASCII")

// A Stream is one of many in a channel. It begins with the name of its protocol: a
// byte for its length, and the name. What one end writes, the other reads in order;
// io.EOF says that the other end has finished, and everything else that ends a
// stream is an error that is not io.EOF.
//
// One stream that carries much puts 256 KiB at most in front of the others' bytes.
//
// Whoever has a stream must Close or Reset it.
type Stream struct {
	mux     *yamux.Stream
	session *Session
}

var _ net.Conn = (*Stream)(nil)

func validName(name string) bool {
	if len(name) == 0 || len(name) > MaxName {
		return false
	}
	for _, b := range []byte(name) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// Name reads the name of a stream that the other end has opened. It is to be called
// once, before Read. The error is ErrName, or one of Read.
func (s *Stream) Name() (string, error) {
	var n [1]byte
	if _, err := io.ReadFull(s, n[:]); err != nil {
		return "", err
	}
	if n[0] == 0 || n[0] > MaxName {
		return "", ErrName
	}
	b := make([]byte, n[0])
	if _, err := io.ReadFull(s, b); err != nil {
		return "", err
	}
	if !validName(string(b)) {
		return "", ErrName
	}
	return string(b), nil
}

// Read reads what has come. The error is io.EOF when the other end has finished,
// os.ErrDeadlineExceeded, ErrReset, ErrClosed, ErrEnded or ErrCut.
func (s *Stream) Read(b []byte) (int, error) {
	n, err := s.mux.Read(b)
	if n > 0 {
		// An error with bytes is of the window's update: those who come for more will
		// hear of it, and those who have all need not.
		return n, nil
	}
	return n, s.failed(err)
}

// Write writes in frames of 4,000 bytes at most, and waits when the other end does
// not read. The errors are those of Read but io.EOF.
func (s *Stream) Write(b []byte) (int, error) {
	n, err := s.mux.Write(b)
	return n, s.failed(err)
}

// CloseWrite finishes: the other end reads io.EOF behind what was written.
func (s *Stream) CloseWrite() error { return s.failed(s.mux.CloseWrite()) }

// Close finishes, and reads no more. The other end is not told that nobody reads:
// where it may have much to say, use Reset.
func (s *Stream) Close() error { return s.failed(s.mux.Close()) }

// Reset gives the stream up, at both ends.
func (s *Stream) Reset() error { return s.failed(s.mux.Reset()) }

// SetDeadline, SetReadDeadline and SetWriteDeadline are those of net.Conn.
func (s *Stream) SetDeadline(t time.Time) error      { return s.mux.SetDeadline(t) }
func (s *Stream) SetReadDeadline(t time.Time) error  { return s.mux.SetReadDeadline(t) }
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.mux.SetWriteDeadline(t) }

// LocalAddr and RemoteAddr say nothing.
func (s *Stream) LocalAddr() net.Addr  { return place{} }
func (s *Stream) RemoteAddr() net.Addr { return place{} }

// failed says what befell a stream.
func (s *Stream) failed(err error) error {
	var reset *yamux.StreamError
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, yamux.ErrTimeout):
		return os.ErrDeadlineExceeded
	case errors.As(err, &reset), err == yamux.ErrStreamReset, errors.Is(err, yamux.ErrStreamClosed):
		return ErrReset
	}
	return s.session.ended(err)
}
