package channel

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A process has an identity and a working key.
type process struct {
	identity [32]byte
	key      ed25519.PrivateKey
}

func newProcess(t testing.TB) process {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var p process
	rand.Read(p.identity[:])
	p.key = key
	return p
}

func (p process) w() [32]byte { return [32]byte(p.key.Public().(ed25519.PublicKey)) }

var den = [32]byte{1}

// to is p's end of a channel to o.
func (p process) to(o process) Config {
	w := o.w()
	return Config{
		Room: den, Working: p.key, Self: p.identity, Remote: o.identity,
		Admits: func(got [32]byte) bool { return got == w },
	}
}

// anybody admits every working key, so that something else must refuse.
func anybody(c Config) Config {
	c.Admits = func([32]byte) bool { return true }
	return c
}

// stand makes a channel over an unbuffered pipe.
func stand(t testing.TB, dialler, answerer process) (*Session, *Session) {
	t.Helper()
	a, b := net.Pipe()
	return standOver(t, a, b, dialler, answerer)
}

func standOver(t testing.TB, a, b Transport, dialler, answerer process) (*Session, *Session) {
	t.Helper()
	type answer struct {
		s   *Session
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		s, err := Answer(context.Background(), b, answerer.to(dialler))
		answered <- answer{s, err}
	}()
	d, err := Dial(context.Background(), a, dialler.to(answerer))
	if err != nil {
		t.Fatal(err)
	}
	got := <-answered
	if got.err != nil {
		t.Fatal(got.err)
	}
	t.Cleanup(func() { d.Abort(); got.s.Abort() })
	return d, got.s
}

// hostile is an end that judges nobody and of whose TLS something is different.
func hostile(conn net.Conn, cfg Config, dials bool, change func(*tls.Config)) {
	defer conn.Close()
	conf, err := cfg.tls(dials)
	if err != nil {
		panic(err)
	}
	conf.VerifyConnection = nil
	change(conf)
	w := newWire(conn)
	c := tls.Server(w, conf)
	if dials {
		c = tls.Client(w, conf)
	}
	if c.Handshake() == nil && standing(w, c, dials) == nil {
		io.Copy(io.Discard, c)
	}
}

// foreign is a certificate of another kind of key.
func foreign(t *testing.T, key crypto.Signer) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestStands: both ends stand, know each other's working key, and share a secret
// that another channel of theirs does not have.
func TestStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, bob := newProcess(t), newProcess(t)
		a, b := stand(t, ann, bob)
		if a.Remote() != bob.w() || b.Remote() != ann.w() {
			t.Error("the ends have other keys")
		}
		x, err := a.Export("test", []byte("x"))
		y, err2 := b.Export("test", []byte("x"))
		if err != nil || err2 != nil || x != y {
			t.Error("the ends export different secrets", err, err2)
		}
		c, _ := stand(t, ann, bob)
		if z, err := c.Export("test", []byte("x")); err != nil || z == x {
			t.Error("two channels export the same", err)
		}
		state := a.conn.ConnectionState()
		if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
			t.Errorf("version %x, group %v", state.Version, state.CurveID)
		}
	})
}

// TestRefuses: an end that differs in one thing from what it should be is refused,
// whether it dials or answers. The other end admits everybody but where the
// working key is the point.
func TestRefuses(t *testing.T) {
	ann, mallory, other := newProcess(t), newProcess(t), newProcess(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		ann    Config
		change func(*tls.Config)
		// by is what the refusal says, if ann's end alone sees what is wrong; TLS itself
		// refuses the others.
		by string
	}{
		{"working key of another's process", ann.to(mallory), func(c *tls.Config) {
			c.Certificates[0], _ = certificate(other.key)
		}, "living member"},
		{"one's own working key", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.Certificates[0], _ = certificate(ann.key)
		}, "own working key"},
		{"two certificates", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.Certificates[0].Certificate = append(c.Certificates[0].Certificate, c.Certificates[0].Certificate[0])
		}, "one certificate"},
		{"RSA", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.Certificates[0] = foreign(t, rsaKey)
		}, "Ed25519"},
		{"ECDSA", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.Certificates[0] = foreign(t, ecdsaKey)
		}, "Ed25519"},
		{"no ALPN", anybody(ann.to(mallory)), func(c *tls.Config) { c.NextProtos = nil }, "another room"},
		{"ALPN of another room", anybody(ann.to(mallory)), func(c *tls.Config) {
			cfg := mallory.to(ann)
			cfg.Room = [32]byte{2}
			c.NextProtos = []string{cfg.alpn(c.ClientAuth == 0)}
		}, ""},
		{"ALPN of another version", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.NextProtos = []string{strings.Replace(c.NextProtos[0], "/2/", "/3/", 1)}
		}, ""},
		{"a classical group only", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
		}, ""},
		{"another hybrid group", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.CurvePreferences = []tls.CurveID{tls.SecP256r1MLKEM768}
		}, ""},
		{"TLS 1.2", anybody(ann.to(mallory)), func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			c.CurvePreferences = nil
		}, ""},
	} {
		for _, dials := range []bool{true, false} {
			role := "answers"
			if dials {
				role = "dials"
			}
			t.Run(test.name+", "+role, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := net.Pipe()
					go hostile(b, mallory.to(ann), dials, test.change)
					take := Dial
					if dials {
						take = Answer
					}
					s, err := take(context.Background(), a, test.ann)
					if err == nil {
						s.Abort()
						t.Fatal("it stands")
					}
					if test.by != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.by)) {
						t.Errorf("refused for another reason: %v", err)
					}
				})
			})
		}
	}
}

// TestOffersOnlyWhatItTakes: an end negotiates nothing that verify would have to
// refuse.
func TestOffersOnlyWhatItTakes(t *testing.T) {
	cfg := newProcess(t).to(newProcess(t))
	for _, dials := range []bool{true, false} {
		c, err := cfg.tls(dials)
		if err != nil {
			t.Fatal(err)
		}
		if c.MinVersion != tls.VersionTLS13 || c.MaxVersion != tls.VersionTLS13 {
			t.Error("versions other than 1.3")
		}
		if len(c.CurvePreferences) != 1 || c.CurvePreferences[0] != tls.X25519MLKEM768 {
			t.Error("groups other than X25519MLKEM768")
		}
		if !c.SessionTicketsDisabled || c.ClientSessionCache != nil {
			t.Error("sessions can be resumed")
		}
		if c.ClientAuth != tls.RequireAnyClientCert || c.KeyLogWriter != nil {
			t.Error("diallers without a certificate, or keys in a log")
		}
	}
}

// TestVerify: each thing that verify looks at is enough to refuse by itself.
func TestVerify(t *testing.T) {
	ann := newProcess(t)
	cert, err := certificate(ann.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecdsaLeaf, err := x509.ParseCertificate(foreign(t, ecdsaKey).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	own := newProcess(t).w()
	yes := func([32]byte) bool { return true }
	good := func() *tls.ConnectionState {
		return &tls.ConnectionState{
			Version: tls.VersionTLS13, CurveID: tls.X25519MLKEM768, NegotiatedProtocol: "x",
			PeerCertificates: []*x509.Certificate{leaf},
		}
	}
	if err := verify(good(), "x", own, yes); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*tls.ConnectionState){
		"version":         func(s *tls.ConnectionState) { s.Version = tls.VersionTLS12 },
		"group":           func(s *tls.ConnectionState) { s.CurveID = tls.X25519 },
		"resumed":         func(s *tls.ConnectionState) { s.DidResume = true },
		"no ALPN":         func(s *tls.ConnectionState) { s.NegotiatedProtocol = "" },
		"other ALPN":      func(s *tls.ConnectionState) { s.NegotiatedProtocol = "y" },
		"no certificate":  func(s *tls.ConnectionState) { s.PeerCertificates = nil },
		"two":             func(s *tls.ConnectionState) { s.PeerCertificates = []*x509.Certificate{leaf, leaf} },
		"another key":     func(s *tls.ConnectionState) { s.PeerCertificates = []*x509.Certificate{ecdsaLeaf} },
		"another, second": func(s *tls.ConnectionState) { s.PeerCertificates = []*x509.Certificate{leaf, ecdsaLeaf} },
	} {
		s := good()
		change(s)
		if err := verify(s, "x", own, yes); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := verify(good(), "x", ann.w(), yes); !errors.Is(err, ErrRefused) {
		t.Errorf("own key: %v", err)
	}
	asked := 0
	no := func(w [32]byte) bool { asked++; return w != ann.w() }
	if err := verify(good(), "x", own, no); !errors.Is(err, ErrRefused) || asked != 1 {
		t.Errorf("not admitted: %v", err)
	}
}

// TestNames: an ALPN is of one room, one dialler and one answerer.
func TestNames(t *testing.T) {
	ann, bob := newProcess(t), newProcess(t)
	seen := map[string]string{}
	add := func(what string, c Config, dials bool) {
		alpn := c.alpn(dials)
		if before, ok := seen[alpn]; ok {
			t.Errorf("%s and %s are one", what, before)
		}
		seen[alpn] = what
	}
	elsewhere := ann.to(bob)
	elsewhere.Room = [32]byte{2}
	add("ann dials bob", ann.to(bob), true)
	add("bob dials ann", ann.to(bob), false)
	add("in another room", elsewhere, true)
	add("ann dials another", ann.to(newProcess(t)), true)
	add("another dials bob", newProcess(t).to(bob), true)
	if ann.to(bob).alpn(true) != bob.to(ann).alpn(false) {
		t.Error("the two ends differ")
	}
	// H of PROTOCOL.md §1, computed apart from this code.
	c := Config{Room: [32]byte{0: 1}, Self: [32]byte{0: 2}, Remote: [32]byte{0: 3}}
	if got := c.alpn(true); got != vectorALPN {
		t.Errorf("ALPN %q", got)
	}
}

// TestSwappedNames: what a member sends when it is dialled is of no use to one who
// passes it on as a dialler, even where all else fits.
func TestSwappedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, mallory := newProcess(t), newProcess(t)
		a, b := net.Pipe()
		go hostile(b, mallory.to(ann), true, func(c *tls.Config) {
			c.NextProtos = []string{mallory.to(ann).alpn(false)}
		})
		if s, err := Answer(context.Background(), a, anybody(ann.to(mallory))); err == nil {
			s.Abort()
			t.Error("it stands")
		}
	})
}

// TestUnknownKeyShare: eve made two members whose contributions have the working
// keys of ann and bob, and passes on what comes from one to the other. Neither may
// take the other for eve's.
func TestUnknownKeyShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, bob, eve, second := newProcess(t), newProcess(t), newProcess(t), newProcess(t)
		a, ea := net.Pipe()
		b, eb := net.Pipe()
		go func() { io.Copy(ea, eb); ea.Close() }()
		go func() { io.Copy(eb, ea); eb.Close() }()
		fromAnn, fromBob := ann.to(eve), bob.to(second)
		fromAnn.Admits = func(w [32]byte) bool { return w == bob.w() }
		fromBob.Admits = func(w [32]byte) bool { return w == ann.w() }
		done := make(chan error, 1)
		go func() {
			s, err := Answer(context.Background(), b, fromBob)
			if err == nil {
				s.Abort()
			}
			done <- err
		}()
		s, err := Dial(context.Background(), a, fromAnn)
		if err == nil {
			s.Abort()
			t.Error("ann takes bob for eve")
		}
		if err := <-done; err == nil {
			t.Error("bob takes ann for eve's second")
		}
	})
}

// TestReplay: a dialler's bytes of another time make no channel.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, bob := newProcess(t), newProcess(t)
		a, b := net.Pipe()
		tape := &taped{Conn: a}
		standOver(t, tape, b, ann, bob)
		tape.end()
		if len(tape.sent) < 1000 {
			t.Fatal("nothing was recorded")
		}
		c, d := net.Pipe()
		go io.Copy(io.Discard, c)
		go c.Write(tape.sent)
		s, err := Answer(context.Background(), d, bob.to(ann))
		if err == nil {
			s.Abort()
			t.Error("it stands")
		}
		c.Close()
	})
}

// A taped connection keeps what is sent until end.
type taped struct {
	net.Conn
	sent  []byte
	ended bool
}

func (c *taped) Write(b []byte) (int, error) {
	if !c.ended {
		c.sent = append(c.sent, b...)
	}
	return c.Conn.Write(b)
}

func (c *taped) end() { synctest.Wait(); c.ended = true }

// TestSilentOrGarbage: whoever says nothing, or nonsense, holds neither end longer
// than its context and HandshakeTime allow, and leaves nothing running.
func TestSilentOrGarbage(t *testing.T) {
	noise := make([]byte, 1<<16)
	rand.Read(noise)
	for _, test := range []struct {
		name  string
		says  []byte
		limit time.Duration // of the context; 0: none
		takes time.Duration
	}{
		{"silent", nil, 3 * time.Second, 3 * time.Second},
		{"silent, without a limit of the caller's", nil, 0, HandshakeTime},
		{"garbage", noise, 0, 0},
		{"a record that does not end", []byte{22, 3, 1, 0x40, 0}, 0, HandshakeTime},
	} {
		for name, take := range map[string]func(context.Context, Transport, Config) (*Session, error){"dial": Dial,
			"answer": Answer} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					if test.limit > 0 {
						ctx, cancel = context.WithTimeout(ctx, test.limit)
						defer cancel()
					}
					a, b := net.Pipe()
					go io.Copy(io.Discard, b)
					go b.Write(test.says)
					begun := time.Now()
					_, err := take(ctx, a, newProcess(t).to(newProcess(t)))
					if err == nil {
						t.Fatal("it stands")
					}
					if took := time.Since(begun); took != test.takes {
						t.Errorf("after %v: %v", took, err)
					}
					if test.takes > 0 && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v", err)
					}
					if _, err := a.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
						t.Errorf("the stream goes on: %v", err)
					}
					b.Close()
				})
			})
		}
	}
}

// TestStandsWhenBothHaveJudged: a dialler that the answerer refuses hears of it
// from Dial, and not later: its own handshake was over before.
func TestStandsWhenBothHaveJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, bob := newProcess(t), newProcess(t)
		a, b := net.Pipe()
		refuses := bob.to(ann)
		refuses.Admits = func([32]byte) bool { return false }
		done := make(chan error, 1)
		go func() { _, err := Answer(context.Background(), b, refuses); done <- err }()
		s, err := Dial(context.Background(), a, ann.to(bob))
		if err == nil {
			s.Abort()
			t.Error("the dialler's end stands")
		}
		if err := <-done; !errors.Is(err, ErrRefused) {
			t.Errorf("the answerer says %v", err)
		}
	})
}

// TestFirstByte: another first byte is of another protocol.
func TestFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, bob := newProcess(t), newProcess(t)
		a, b := net.Pipe()
		go func() {
			conf, _ := bob.to(ann).tls(true)
			c := tls.Client(b, conf)
			c.Write([]byte{3})
			c.Read(make([]byte, 1))
			b.Close()
		}()
		if _, err := Answer(context.Background(), a, ann.to(bob)); !errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
	})
}

// TestConfig: what cannot be a channel is refused before a byte is sent.
func TestConfig(t *testing.T) {
	ann, bob := newProcess(t), newProcess(t)
	self := ann.to(ann)
	nobody, keyless := ann.to(bob), ann.to(bob)
	nobody.Admits, keyless.Working = nil, nil
	for name, cfg := range map[string]Config{"to oneself": self, "without Admits": nobody, "without a key": keyless} {
		a, b := net.Pipe()
		if _, err := Dial(context.Background(), a, cfg); err == nil || name == "to oneself" && !errors.Is(err, ErrSelf) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: the stream goes on: %v", name, err)
		}
	}
}

const vectorALPN = "coterie/2/f63182b7ec80b7ebba0312bd2433ba47dff55bf7e7eb73c8081f18752e9fe022"
