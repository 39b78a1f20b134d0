package channel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// echo answers the streams of a session: what comes on one goes back on it.
func echo(s *Session) {
	for {
		st, err := s.Accept()
		if err != nil {
			return
		}
		go func() {
			defer st.Close()
			if _, err := st.Name(); err != nil {
				st.Reset()
				return
			}
			if _, err := io.Copy(st, st); err != nil {
				st.Reset()
			}
		}()
	}
}

func open(t testing.TB, s *Session, name string) *Stream {
	t.Helper()
	st, err := s.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// accept takes the next stream, and its name.
func accept(t testing.TB, s *Session) (*Stream, string) {
	t.Helper()
	st, err := s.Accept()
	if err != nil {
		t.Fatal(err)
	}
	name, err := st.Name()
	if err != nil {
		t.Fatal(err)
	}
	return st, name
}

// TestStreams: both ends open streams at once, each named, each with its own bytes
// and its own end.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stand(t, newProcess(t), newProcess(t))
		go echo(a)
		go echo(b)
		var wg sync.WaitGroup
		for _, s := range []*Session{a, b} {
			for i := range MaxStreams {
				st := open(t, s, "echo")
				wg.Go(func() {
					defer st.Close()
					text := bytes.Repeat([]byte{byte(i)}, 1+1000*i)
					go func() {
						st.Write(text)
						st.CloseWrite()
					}()
					got, err := io.ReadAll(st)
					if err != nil || !bytes.Equal(got, text) {
						t.Errorf("%d bytes of %d: %v", len(got), len(text), err)
					}
				})
			}
		}
		wg.Wait()
	})
}

// TestName: names are strict at both ends.
func TestName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stand(t, newProcess(t), newProcess(t))
		for _, name := range []string{"", strings.Repeat("x", MaxName+1), "x\n", "æ", "x\x00"} {
			if _, err := a.Open(context.Background(), name); !errors.Is(err, ErrName) {
				t.Errorf("%q: %v", name, err)
			}
		}
		for _, name := range []string{"x", strings.Repeat("x", MaxName), "/coterie/2/log 1"} {
			st := open(t, a, name)
			got, other := accept(t, b)
			if other != name {
				t.Errorf("%q came as %q", name, other)
			}
			st.Reset()
			got.Reset()
		}
		for _, raw := range []string{"\x00x", "\x41" + strings.Repeat("x", MaxName+1), "\x02x\n", "\x01\xff"} {
			mux, err := a.mux.OpenStream(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			mux.Write([]byte(raw))
			st, err := b.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := st.Name(); !errors.Is(err, ErrName) {
				t.Errorf("%q: %v", raw, err)
			}
			st.Reset()
			mux.Reset()
		}
	})
}

// TestEnds: the end of a stream that was finished is io.EOF, and nothing else is:
// not a reset, not a channel that was closed or cut, at either end.
func TestEnds(t *testing.T) {
	for _, test := range []struct {
		name          string
		end           func(a *Session, w net.Conn, st *Stream)
		reader, other error // what the reader reads, and a says
	}{
		{"finished", func(_ *Session, _ net.Conn, st *Stream) { st.CloseWrite() }, io.EOF, nil},
		{"closed", func(_ *Session, _ net.Conn, st *Stream) { st.Close() }, io.EOF, nil},
		{"reset", func(_ *Session, _ net.Conn, st *Stream) { st.Reset() }, ErrReset, nil},
		{"the channel closed", func(a *Session, _ net.Conn, _ *Stream) { a.Close() }, ErrEnded, ErrClosed},
		{"the channel aborted", func(a *Session, _ net.Conn, _ *Stream) { a.Abort() }, ErrCut, ErrClosed},
		{"the connection gone", func(_ *Session, w net.Conn, _ *Stream) { w.Close() }, ErrCut, ErrCut},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, d := net.Pipe()
				a, b := standOver(t, c, d, newProcess(t), newProcess(t))
				st := open(t, a, "x")
				got, _ := accept(t, b)
				defer got.Reset()
				st.Write([]byte("all of it"))
				text := make([]byte, 9)
				if _, err := io.ReadFull(got, text); err != nil {
					t.Fatal(err)
				}
				test.end(a, c, st)
				_, err := got.Read(text)
				if !errors.Is(err, test.reader) || errors.Is(err, io.EOF) != (test.reader == io.EOF) {
					t.Errorf("the reader has %v", err)
				}
				synctest.Wait()
				if _, err := a.Open(context.Background(), "y"); !errors.Is(err, test.other) {
					t.Errorf("its end says %v", err)
				}
				if test.other == nil {
					return
				}
				if _, err := b.Accept(); !errors.Is(err, test.reader) {
					t.Errorf("the other end says %v", err)
				}
				select {
				case <-b.Done():
				default:
					t.Error("the other end goes on")
				}
			})
		})
	}
}

// TestTruncated: bytes that a man in the middle of the connection leaves out, with
// a FIN of his own after them, cut the stream and do not finish it.
func TestTruncated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m := net.Pipe()
		n, d := net.Pipe()
		budget := make(chan int, 1)
		go func() { io.Copy(m, n); m.Close() }()
		go func() {
			io.CopyN(n, m, int64(<-budget))
			n.Close() // plain EOF for the other end
			io.Copy(io.Discard, m)
		}()
		tape := &counted{Conn: c}
		budget <- 1 << 20
		a, b := standOver(t, tape, d, newProcess(t), newProcess(t))
		st := open(t, a, "x")
		got, _ := accept(t, b)
		defer got.Reset()
		go func() {
			st.Write(make([]byte, 1<<21))
			st.CloseWrite()
		}()
		read, err := io.ReadAll(got)
		if !errors.Is(err, ErrCut) || errors.Is(err, io.EOF) || len(read) == 0 || len(read) >= 1<<21 {
			t.Errorf("%d bytes, then %v", len(read), err)
		}
		if longest := tape.longest.Load(); longest > 4096 {
			t.Errorf("%d bytes were written at once", longest)
		}
	})
}

// counted keeps the length of the longest write.
type counted struct {
	net.Conn
	longest atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	// Written to by one goroutine at a time.
	c.longest.Store(max(c.longest.Load(), int64(len(b))))
	return c.Conn.Write(b)
}

// TestCloseDelivers: what was sent before Close is read to its end, however much
// of it the reader had not come to.
func TestCloseDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stand(t, newProcess(t), newProcess(t))
		st := open(t, a, "x")
		got, _ := accept(t, b)
		text := bytes.Repeat([]byte("coterie "), 31<<10) // below a window
		if _, err := st.Write(text); err != nil {
			t.Fatal(err)
		}
		st.CloseWrite()
		a.Close()
		<-b.Done()
		read, err := io.ReadAll(got)
		if err != nil || !bytes.Equal(read, text) {
			t.Errorf("%d bytes of %d: %v", len(read), len(text), err)
		}
	})
}

// TestDeadlines: a deadline ends the waiting, and not the stream.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stand(t, newProcess(t), newProcess(t))
		st := open(t, a, "x")
		got, _ := accept(t, b)
		st.SetDeadline(time.Now().Add(time.Second))
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading: %v", err)
		}
		st.SetDeadline(time.Now().Add(time.Second))
		wrote, err := st.Write(make([]byte, 1<<20)) // nobody reads
		if !errors.Is(err, os.ErrDeadlineExceeded) || wrote > window {
			t.Errorf("writing: %d bytes, %v", wrote, err)
		}
		st.SetDeadline(time.Time{})
		go func() {
			st.Write([]byte("more"))
			st.CloseWrite()
		}()
		if read, err := io.ReadAll(got); err != nil || len(read) != wrote+4 {
			t.Errorf("%d bytes, %v", len(read), err)
		}
	})
}

// TestBounds: more streams than MaxStreams are reset, and an end that reads nothing
// keeps a window of each and no more, while others go on.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stand(t, newProcess(t), newProcess(t))
		var mine, theirs []*Stream
		for range MaxStreams {
			st := open(t, a, "x")
			mine = append(mine, st)
			got, _ := accept(t, b)
			theirs = append(theirs, got)
		}
		more := open(t, a, "x")
		if _, err := more.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
			t.Errorf("one more: %v", err)
		}
		for _, st := range mine[1:] {
			st.SetWriteDeadline(time.Now().Add(time.Second))
			go st.Write(make([]byte, 1<<20))
		}
		time.Sleep(2 * time.Second)
		for range 100 {
			if _, err := mine[0].Write([]byte("goes on")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(theirs[0], make([]byte, 7)); err != nil {
				t.Fatal(err)
			}
		}
		mine[1].Reset()
		theirs[1].Reset()
		synctest.Wait()
		st := open(t, a, "x")
		if _, name := accept(t, b); name != "x" {
			t.Error("no room for one after one has ended")
		}
		st.Reset()
	})
}

// TestOpenWaits: where streams wait to be accepted, Open waits as long as its
// context does.
func TestOpenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := stand(t, newProcess(t), newProcess(t))
		for range MaxStreams {
			open(t, a, "x")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := a.Open(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestStuck: a connection that takes nothing any more ends the channel, and neither
// Close nor Abort waits for it.
func TestStuck(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   func(*Session)
		takes time.Duration
	}{
		{"by itself", func(s *Session) { <-s.Done() }, writeTime},
		{"by Close", func(s *Session) { s.Close() }, closeTime},
		{"by Abort", func(s *Session) { s.Abort() }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, d := net.Pipe()
				m, n := net.Pipe()
				stuck := make(chan struct{})
				go func() {
					b := make([]byte, 4096)
					for {
						k, err := d.Read(b)
						if err != nil {
							break
						}
						m.Write(b[:k])
						select {
						case <-stuck:
							return
						default:
						}
					}
				}()
				go io.Copy(d, m)
				a, b := standOver(t, c, n, newProcess(t), newProcess(t))
				st := open(t, a, "x")
				go io.Copy(io.Discard, st)
				synctest.Wait()
				close(stuck)
				// More than the queues hold: a write is under way.
				wrote := make(chan error, 1)
				go func() {
					_, err := st.Write(make([]byte, 1<<20))
					wrote <- err
				}()
				synctest.Wait()
				begun := time.Now()
				test.end(a)
				if took := time.Since(begun); took > test.takes {
					t.Errorf("it took %v", took)
				}
				if err := <-wrote; err == nil {
					t.Error("written, to nobody")
				}
				b.Abort()
				d.Close()
				m.Close()
			})
		})
	}
}

// TestNothingOutlives: when Close or Abort has returned, nothing that the channel
// began runs any more, at either end, whatever its streams were doing.
func TestNothingOutlives(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for _, end := range []func(*Session){func(s *Session) { s.Close() }, (*Session).Abort} {
		a, b := stand(t, newProcess(t), newProcess(t))
		var wg sync.WaitGroup
		wg.Go(func() { echo(b) })
		for range 4 {
			st := open(t, a, "x")
			wg.Go(func() { io.Copy(io.Discard, st); st.Close() })
			wg.Go(func() { st.Write(make([]byte, 1<<20)) })
		}
		end(a)
		<-b.Done()
		wg.Wait()
		goleak.VerifyNone(t, before)
	}
}

// TestGarbageInside: an end that does not keep to the protocol of streams cuts the
// channel, and nothing else.
func TestGarbageInside(t *testing.T) {
	for name, raw := range map[string]string{
		"another version":     "\x01\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00",
		"an unknown type":     "\x00\x09\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00",
		"more than a window":  "\x00\x00\x00\x01\x00\x00\x00\x01\x7f\xff\xff\xff",
		"a stream of my side": "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00",
		"an error code":       "\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := stand(t, newProcess(t), newProcess(t))
				go a.conn.Write([]byte(raw))
				<-b.Done()
				_, err := b.Accept()
				for err == nil { // a stream that it began
					_, err = b.Accept()
				}
				if !errors.Is(err, ErrCut) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestRenewal: a second channel of the same two takes over while streams on the
// first come to their end.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, bob := newProcess(t), newProcess(t)
		a, b := stand(t, ann, bob)
		old := open(t, a, "x")
		got, _ := accept(t, b)
		c, d := stand(t, ann, bob)
		go echo(d)
		st := open(t, c, "x")
		fmt.Fprint(st, "on the new one")
		st.CloseWrite()
		if text, err := io.ReadAll(st); err != nil || string(text) != "on the new one" {
			t.Errorf("%q %v", text, err)
		}
		fmt.Fprint(old, "on the old one")
		old.Close()
		a.Close()
		if text, err := io.ReadAll(got); err != nil || string(text) != "on the old one" {
			t.Errorf("%q %v", text, err)
		}
		if c.Remote() != a.Remote() {
			t.Error("another process")
		}
	})
}
