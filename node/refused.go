package node

import (
	"errors"
	"io"
	"syscall"

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
