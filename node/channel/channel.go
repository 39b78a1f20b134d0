// Package channel is a stream that ends in a process, and not only in whoever has
// the peer's identity key, which is on a disk.
//
// A channel is TLS 1.3 inside one long-lived stream between two peers. Each end
// has exactly one self-signed Ed25519 certificate, of its process' working key W,
// which is never on a disk. The key agreement is X25519 with ML-KEM-768 and
// nothing else, so who records a channel and breaks curves later reads nothing.
// Inside, many short streams run at once.
//
//	channel.go   Dial, Answer, and when a channel stands
//	verify.go    what each end checks of the other
//	session.go   a channel that stands
//	stream.go    a stream inside it
//	wire.go      the stream that carries it
//
// In order:
//
//	dialler                                         answerer
//	ClientHello, ALPN                    ->
//	                                     <-         ServerHello .. Finished, certificate of W
//	certificate of W .. Finished, 0x02   ->
//	                                     <-         0x02
//	streams, in yamux frames             <->        of 4,000 bytes at most, a TLS record each
//
// ALPN is "coterie/2/" and the lower-case hex of H("coterie/2 channel", room,
// dialler's identity, answerer's identity). It binds the names of both ends:
// without it, one who copies other members' working keys into contributions of
// its own could make two of them take each other for it.
//
// The dialler's handshake ends before the answerer has judged the dialler. A
// channel therefore stands, at either end, only when the other's first byte has
// been read.
//
// What it does not do: it does not know who is a member, which the caller says
// (Config.Admits); it does not renew itself, and an end on a connection that is
// gone ends with it; it does not hide lengths or times. crypto/tls cannot wipe its
// keys: they are let go of when a channel ends, and stay in memory until that is
// used again.
package channel

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// HandshakeTime is how long Dial and Answer take at most, whatever their context
// says.
const HandshakeTime = 10 * time.Second

const (
	alpnPrefix = "coterie/2/"
	alpnLabel  = "coterie/2 channel"
	firstByte  = 0x02
)

// Config is what one end of a channel needs.
type Config struct {
	// Room is the room's id.
	Room [32]byte
	// Working is this process' working key.
	Working ed25519.PrivateKey
	// Self and Remote are the identities of this end and of the other: the Ed25519
	// keys in their peer ids. They must be those of the stream that carries the
	// channel, and differ.
	Self, Remote [32]byte
	// Admits says whether w is the working key of whom the caller takes for Remote: a
	// living member. It is called in the middle of the handshake, before the other
	// end has shown that it has the key, so it must change nothing. It may be called
	// from any goroutine.
	Admits func(w [32]byte) bool
}

func (c *Config) validate() error {
	switch {
	case len(c.Working) != ed25519.PrivateKeySize:
		return errors.New("a channel needs a working key")
	case c.Admits == nil:
		return errors.New("a channel needs to know whom to admit")
	case c.Self == c.Remote:
		return ErrSelf
	}
	return nil
}

// Dial begins a channel on a stream that this end has opened, and returns when it
// stands. It takes the stream over: when Dial fails, the stream is reset.
//
// The error is ErrSelf, one that wraps ErrRefused when the other end is not whom
// it should be, the context's, or what befell the stream. The other end's refusal
// arrives as an alert of TLS, and does not say why.
func Dial(ctx context.Context, t Transport, cfg Config) (*Session, error) {
	return begin(ctx, t, &cfg, true)
}

// Answer is Dial's counterpart, on a stream that the other end has opened. What a
// stranger costs, by peer and by pace, is to be checked before.
func Answer(ctx context.Context, t Transport, cfg Config) (*Session, error) {
	return begin(ctx, t, &cfg, false)
}

func begin(ctx context.Context, t Transport, cfg *Config, dials bool) (*Session, error) {
	w := newWire(t)
	s, err := handshake(ctx, w, cfg, dials)
	if err != nil {
		w.abort()
		return nil, fmt.Errorf("beginning a channel: %w", err)
	}
	return s, nil
}

func handshake(ctx context.Context, w *wire, cfg *Config, dials bool) (*Session, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.tls(dials)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	late := context.AfterFunc(ctx, w.abort)
	defer late()

	var conn *tls.Conn
	if dials {
		conn = tls.Client(w, tlsConfig)
	} else {
		conn = tls.Server(w, tlsConfig)
	}
	if err := conn.Handshake(); err != nil {
		return nil, orContext(ctx, err)
	}
	if err := standing(w, conn, dials); err != nil {
		return nil, orContext(ctx, err)
	}
	if !late() {
		return nil, ctx.Err() // the stream is, or will be, reset
	}
	return newSession(w, conn, dials)
}

// standing sends the first byte and waits for the other's: from then on each end
// knows that the other took it for whom it says it is.
func standing(w *wire, conn *tls.Conn, dials bool) error {
	if !dials {
		if err := readFirst(conn); err != nil {
			return err
		}
		_, err := conn.Write([]byte{firstByte})
		return err
	}
	// Written while reading: the answerer may be writing why it refuses.
	wrote := make(chan error, 1)
	go func() {
		_, err := conn.Write([]byte{firstByte})
		wrote <- err
	}()
	err := readFirst(conn)
	if err != nil {
		w.abort()
	}
	if werr := <-wrote; err == nil {
		err = werr
	}
	return err
}

func readFirst(conn *tls.Conn) error {
	var b [1]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		return err
	}
	if b[0] != firstByte {
		return fmt.Errorf("%w: another first byte", ErrRefused)
	}
	return nil
}

// orContext prefers the context's error to what it did to the stream. A refusal
// stands: the alert that says so may have waited for a peer that does not read.
func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrRefused) {
		return ctx.Err()
	}
	return err
}

// alpn names the version, the room, and both ends by their roles.
func (c Config) alpn(dials bool) string {
	dialler, answerer := c.Self, c.Remote
	if !dials {
		dialler, answerer = c.Remote, c.Self
	}
	sum := labelled(alpnLabel, c.Room[:], dialler[:], answerer[:])
	return alpnPrefix + hex.EncodeToString(sum[:])
}

// labelled is H of PROTOCOL.md §1.
func labelled(label string, fields ...[]byte) [sha256.Size]byte {
	b := append([]byte{byte(len(label))}, label...)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return sha256.Sum256(b)
}

// tls is the configuration of one end.
func (c Config) tls(dials bool) (*tls.Config, error) {
	cert, err := certificate(c.Working)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	alpn := c.alpn(dials)
	own := [32]byte(c.Working.Public().(ed25519.PublicKey))
	return &tls.Config{
		Certificates:     []tls.Certificate{cert},
		MinVersion:       tls.VersionTLS13,
		MaxVersion:       tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768},
		NextProtos:       []string{alpn},
		// No authority stands behind a working key: verify judges it.
		InsecureSkipVerify: true,
		ClientAuth:         tls.RequireAnyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			return verify(&state, alpn, own, c.Admits)
		},
		// A ticket would be a key that outlives the channel.
		SessionTicketsDisabled: true,
		// A frame of a stream is one record.
		DynamicRecordSizingDisabled: true,
	}, nil
}

// certificate carries a working key, and says nothing else.
func certificate(key ed25519.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Unix(1, 0), // nobody looks at it
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
