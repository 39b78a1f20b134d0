package channel

import (
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
)

// ErrRefused is wrapped by what Dial and Answer return when the other end is not
// whom it should be, or speaks otherwise than it should.
var ErrRefused = errors.New("the other end was refused")

// ErrSelf is returned when both ends are to be the same peer.
var ErrSelf = errors.New("a channel to oneself")

// verify judges the other end. TLS calls it when the certificate is known, and
// checks the signature by its key afterwards: whoever comes this far need not have
// the key, so verify has no effect but its result.
//
// All is checked here and not in VerifyPeerCertificate, which does not see what
// was negotiated; an end that offers no ALPN passes unless the result is compared.
func verify(state *tls.ConnectionState, alpn string, own [32]byte, admits func([32]byte) bool) error {
	if state.Version != tls.VersionTLS13 {
		return fmt.Errorf("%w: not TLS 1.3", ErrRefused)
	}
	if state.CurveID != tls.X25519MLKEM768 {
		return fmt.Errorf("%w: not X25519 with ML-KEM-768", ErrRefused)
	}
	if state.DidResume {
		return fmt.Errorf("%w: a session of before", ErrRefused)
	}
	if state.NegotiatedProtocol != alpn {
		return fmt.Errorf("%w: another room, or other peers", ErrRefused)
	}
	if len(state.PeerCertificates) != 1 {
		return fmt.Errorf("%w: not one certificate", ErrRefused)
	}
	w, ok := workingKey(state)
	if !ok {
		return fmt.Errorf("%w: not an Ed25519 key", ErrRefused)
	}
	if w == own {
		return fmt.Errorf("%w: one's own working key", ErrRefused)
	}
	if !admits(w) {
		return fmt.Errorf("%w: not the working key of a living member", ErrRefused)
	}
	return nil
}

// workingKey is the other end's, if it has one.
func workingKey(state *tls.ConnectionState) (w [32]byte, ok bool) {
	if len(state.PeerCertificates) == 0 {
		return w, false
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || len(key) != len(w) {
		return w, false
	}
	return [32]byte(key), true
}
