package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// A linkNet is what hosts of one process dial each other over instead of QUIC: what is written at
// one end of a stream is read at the other, after as long as the links between them take. Packets,
// and their encryption, are most of what a room of a thousand over QUIC computes and remembers, and
// they are not Coterie's. Nothing is lost, and there is no slow start.
type linkNet struct {
	apart func(a, b string) bool // whether the network is cut between two addresses

	mu    sync.Mutex
	hosts map[string]*linkHost // by address
}

const (
	linkTick   = time.Millisecond // arrivals are put off to the next
	linkPiece  = 4 << 10          // what goes at once
	linkWindow = 512 << 10        // bytes of a stream that are not read yet
	linkPacket = 1200             // bytes of a packet that are not ..
	linkHeader = 60               // .. its headers
	linkDial   = 5 * time.Second  // until nobody has answered
	linkSilent = 30 * time.Second // until a connection on which nothing arrives is over
)

var (
	errLinkClosed = errors.New("connection closed")
	errLinkSilent = errors.New("no answer")
)

// wireTime is how long a link is busy with some bytes.
func wireTime(size int) time.Duration {
	packets := size/linkPacket + 1
	return time.Duration(size+packets*linkHeader) * 8 * time.Second / simBandwidth
}

// A linkHost is the transport of one host, and its link to the network.
type linkHost struct {
	net  *linkNet
	id   peer.ID
	key  crypto.PubKey
	addr ma.Multiaddr
	ip   string

	accepted chan *linkConn
	closed   chan struct{}
	once     sync.Once

	mu         sync.Mutex
	up, down   time.Time      // until when the link is busy, each way
	arriving   []linkDelivery // in order of their time
	arrived    []linkDelivery // that wait for the link, in order
	timer      *time.Timer
	delivering bool
}

type linkDelivery struct {
	at   time.Time
	size int
	do   func()
}

func (l *linkNet) newHost(key crypto.PubKey, addr ma.Multiaddr) (*linkHost, error) {
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		return nil, err
	}
	ip, err := addr.ValueForProtocol(ma.P_IP4)
	h := &linkHost{net: l, id: id, key: key, addr: addr, ip: ip, accepted: make(chan *linkConn, 64),
		closed: make(chan struct{})}
	return h, err
}

func (h *linkHost) Protocols() []int { return []int{ma.P_QUIC_V1} } // so that addresses are as ever
func (h *linkHost) Proxy() bool      { return false }

func (h *linkHost) CanDial(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_QUIC_V1)
	return err == nil
}

func (h *linkHost) Listen(ma.Multiaddr) (transport.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.net.hosts[h.ip] = h
	return (*linkListener)(h), nil
}

// Dial takes as long as QUIC: one way there and back until the dialler may send, and as long again
// until what it sends is taken.
func (h *linkHost) Dial(ctx context.Context, raddr ma.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	ip, err := raddr.ValueForProtocol(ma.P_IP4)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, linkDial)
	defer cancel()
	h.net.mu.Lock()
	to := h.net.hosts[ip]
	h.net.mu.Unlock()
	if to == nil || h.net.apart(h.ip, ip) {
		<-ctx.Done()
		return nil, errLinkSilent
	}
	select {
	case <-time.After(2 * simLatency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if to.id != p {
		return nil, sec.ErrPeerIDMismatch{Expected: p, Actual: to.id}
	}
	near, far := newLinkConn(h, to), newLinkConn(to, h)
	near.other, far.other = far, near
	near.send(0, func() {
		select {
		case to.accepted <- far:
		case <-to.closed:
			far.fail(errLinkClosed)
		}
	})
	return near, nil
}

// send has something done at the other host when the links have carried it.
func (h *linkHost) send(to *linkHost, size int, do func()) {
	took := wireTime(size)
	h.mu.Lock()
	h.up = later(h.up, time.Now()).Add(took)
	at := h.up.Add(simLatency + linkTick - 1).Truncate(linkTick)
	h.mu.Unlock()

	to.mu.Lock()
	defer to.mu.Unlock()
	i := len(to.arriving)
	for i > 0 && to.arriving[i-1].at.After(at) {
		i--
	}
	to.arriving = slices.Insert(to.arriving, i, linkDelivery{at: at, size: size, do: do})
	if i == 0 {
		to.wake()
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wake sets the timer for what is next. It runs with the lock.
func (h *linkHost) wake() {
	var next time.Time
	if len(h.arriving) > 0 {
		next = h.arriving[0].at
	}
	if len(h.arrived) > 0 && (next.IsZero() || h.arrived[0].at.Before(next)) {
		next = h.arrived[0].at
	}
	switch {
	case next.IsZero() || h.delivering:
	case h.timer == nil:
		h.timer = time.AfterFunc(time.Until(next), h.deliver)
	default:
		h.timer.Reset(time.Until(next))
	}
}

// deliver does what is due, in order.
func (h *linkHost) deliver() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.delivering {
		return
	}
	h.delivering = true
	for {
		now := time.Now()
		var due []func()
		for len(h.arrived) > 0 && !h.arrived[0].at.After(now) {
			due = append(due, h.arrived[0].do)
			h.arrived = h.arrived[1:]
		}
		for len(h.arriving) > 0 && !h.arriving[0].at.After(now) {
			d := h.arriving[0]
			h.arriving = h.arriving[1:]
			h.down = later(h.down, now).Add(wireTime(d.size))
			if len(h.arrived) == 0 && h.down.Sub(now) < linkTick {
				due = append(due, d.do)
				continue
			}
			d.at = h.down.Add(linkTick - 1).Truncate(linkTick)
			h.arrived = append(h.arrived, d)
		}
		if len(due) == 0 {
			break
		}
		h.mu.Unlock()
		for _, do := range due {
			do()
		}
		h.mu.Lock()
	}
	h.delivering = false
	h.wake()
}

// A linkListener is a linkHost that listens.
type linkListener linkHost

func (l *linkListener) Accept() (transport.CapableConn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, transport.ErrListenerClosed
	}
}

func (l *linkListener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		delete(l.net.hosts, l.ip)
		l.net.mu.Unlock()
		close(l.closed)
	})
	return nil
}

func (l *linkListener) Multiaddr() ma.Multiaddr { return l.addr }

func (l *linkListener) Addr() net.Addr {
	a, _ := manet.ToNetAddr(l.addr)
	return a
}

// A linkConn is one end of a connection.
type linkConn struct {
	host, remote *linkHost
	other        *linkConn

	mu      sync.Mutex
	changed *sync.Cond
	opened  []*linkStream // by the other, and not accepted yet
	streams map[*linkStream]bool
	err     error // it is over

	heldMu sync.Mutex
	held   []func() // what would have arrived if the network was not cut
	since  time.Time
}

func newLinkConn(h, remote *linkHost) *linkConn {
	c := &linkConn{host: h, remote: remote, streams: make(map[*linkStream]bool)}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// send has something done at the other end.
func (c *linkConn) send(size int, do func()) {
	c.host.send(c.remote, size, func() { c.other.arrive(do) })
}

// arrive does it, or keeps it until the network is whole again.
func (c *linkConn) arrive(do func()) {
	c.heldMu.Lock()
	defer c.heldMu.Unlock()
	switch {
	case c.held != nil:
		c.held = append(c.held, do)
	case c.host.net.apart(c.host.ip, c.remote.ip):
		c.held, c.since = []func(){do}, time.Now()
		time.AfterFunc(time.Second, c.again)
	default:
		do()
	}
}

func (c *linkConn) again() {
	c.heldMu.Lock()
	defer c.heldMu.Unlock()
	switch {
	case !c.host.net.apart(c.host.ip, c.remote.ip):
		for _, do := range c.held {
			do()
		}
		c.held = nil
	case time.Since(c.since) >= linkSilent:
		c.fail(errLinkSilent)
		c.other.fail(errLinkSilent)
		c.held = nil
	default:
		time.AfterFunc(time.Second, c.again)
	}
}

// fail ends a connection at this end.
func (c *linkConn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	streams := c.streams
	c.streams, c.opened = nil, nil
	c.mu.Unlock()
	c.changed.Broadcast()
	for s := range streams {
		s.fail(&network.ConnError{TransportError: err})
	}
}

func (c *linkConn) Close() error { return c.CloseWithError(network.ConnNoError) }

func (c *linkConn) CloseWithError(network.ConnErrorCode) error {
	if !c.IsClosed() {
		c.fail(errLinkClosed)
		c.send(0, func() { c.other.fail(errLinkClosed) })
	}
	return nil
}

func (c *linkConn) IsClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

func (c *linkConn) OpenStream(context.Context) (network.MuxedStream, error) {
	near, far := newLinkStream(c), newLinkStream(c.other)
	near.other, far.other = far, near
	if !c.add(near) {
		return nil, &network.ConnError{TransportError: errLinkClosed}
	}
	c.send(0, func() {
		o := c.other
		if o.add(far) {
			o.mu.Lock()
			o.opened = append(o.opened, far)
			o.mu.Unlock()
			o.changed.Signal()
		}
	})
	return near, nil
}

func (c *linkConn) add(s *linkStream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.streams[s] = true
	return true
}

func (c *linkConn) drop(s *linkStream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s)
}

func (c *linkConn) AcceptStream() (network.MuxedStream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.opened) == 0 {
		c.changed.Wait()
	}
	if c.err != nil {
		return nil, &network.ConnError{TransportError: c.err}
	}
	s := c.opened[0]
	c.opened = c.opened[1:]
	return s, nil
}

func (c *linkConn) As(any) bool                    { return false }
func (c *linkConn) LocalPeer() peer.ID             { return c.host.id }
func (c *linkConn) RemotePeer() peer.ID            { return c.remote.id }
func (c *linkConn) RemotePublicKey() crypto.PubKey { return c.remote.key }
func (c *linkConn) LocalMultiaddr() ma.Multiaddr   { return c.host.addr }
func (c *linkConn) RemoteMultiaddr() ma.Multiaddr  { return c.remote.addr }
func (c *linkConn) Transport() transport.Transport { return c.host }
func (c *linkConn) Scope() network.ConnScope       { return &network.NullScope{} }
func (c *linkConn) ConnState() network.ConnectionState {
	return network.ConnectionState{Transport: "quic-v1"}
}

// A linkStream is one end of a stream.
type linkStream struct {
	conn  *linkConn
	other *linkStream

	mu                sync.Mutex
	changed           *sync.Cond
	unread            bytes.Buffer
	window            int // bytes that may be written
	ended             bool
	readErr, writeErr error
	readBy, writeBy   linkDeadline
}

// A linkDeadline has those who wait look again when it is over.
type linkDeadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *linkDeadline) set(s *linkStream, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = at
	if d.timer != nil {
		d.timer.Stop()
	}
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), s.changed.Broadcast)
	}
	s.changed.Broadcast()
}

func (d *linkDeadline) over() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newLinkStream(c *linkConn) *linkStream {
	s := &linkStream{conn: c, window: linkWindow}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *linkStream) Read(b []byte) (int, error) {
	s.mu.Lock()
	for s.readErr == nil && s.unread.Len() == 0 && !s.ended && !s.readBy.over() {
		s.changed.Wait()
	}
	switch {
	case s.readErr != nil:
		defer s.mu.Unlock()
		return 0, s.readErr
	case s.unread.Len() > 0:
		n, _ := s.unread.Read(b)
		if s.unread.Len() == 0 {
			s.unread = bytes.Buffer{} // a thousand hosts have many streams that are quiet
		}
		s.mu.Unlock()
		s.other.mayWrite(n)
		return n, nil
	case s.ended:
		defer s.mu.Unlock()
		return 0, io.EOF
	}
	defer s.mu.Unlock()
	return 0, os.ErrDeadlineExceeded
}

func (s *linkStream) mayWrite(n int) {
	s.mu.Lock()
	s.window += n
	s.mu.Unlock()
	s.changed.Broadcast()
}

func (s *linkStream) Write(b []byte) (written int, err error) {
	for len(b) > 0 {
		n, err := s.reserve(min(len(b), linkPiece))
		if err != nil {
			return written, err
		}
		piece := bytes.Clone(b[:n])
		s.conn.send(n, func() { s.other.take(piece) })
		b, written = b[n:], written+n
	}
	return written, nil
}

func (s *linkStream) reserve(n int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writeErr == nil && s.window == 0 && !s.writeBy.over() {
		s.changed.Wait()
	}
	switch {
	case s.writeErr != nil:
		return 0, s.writeErr
	case s.writeBy.over():
		return 0, os.ErrDeadlineExceeded
	}
	n = min(n, s.window)
	s.window -= n
	return n, nil
}

func (s *linkStream) take(piece []byte) {
	s.mu.Lock()
	wanted := s.readErr == nil && !s.ended
	if wanted {
		s.unread.Write(piece)
	}
	s.mu.Unlock()
	s.changed.Broadcast()
	if !wanted {
		s.other.mayWrite(len(piece))
	}
}

// fail ends both ways at this end.
func (s *linkStream) fail(err error) { s.over(err, err) }

func (s *linkStream) over(read, write error) {
	s.mu.Lock()
	if read != nil && s.readErr == nil {
		s.readErr, s.unread = read, bytes.Buffer{}
	}
	if write != nil && s.writeErr == nil {
		s.writeErr = write
	}
	s.mu.Unlock()
	s.changed.Broadcast()
}

func (s *linkStream) CloseWrite() error {
	s.over(nil, &network.StreamError{})
	s.conn.send(0, func() {
		s.other.mu.Lock()
		s.other.ended = true
		s.other.mu.Unlock()
		s.other.changed.Broadcast()
	})
	return nil
}

func (s *linkStream) CloseRead() error {
	s.over(&network.StreamError{}, nil)
	return nil
}

func (s *linkStream) Close() error {
	s.CloseRead()
	s.conn.drop(s)
	return s.CloseWrite()
}

func (s *linkStream) Reset() error { return s.ResetWithError(0) }

func (s *linkStream) ResetWithError(code network.StreamErrorCode) error {
	s.fail(&network.StreamError{ErrorCode: code})
	s.conn.drop(s)
	s.conn.send(0, func() { s.other.fail(&network.StreamError{ErrorCode: code, Remote: true}) })
	return nil
}

func (s *linkStream) SetReadDeadline(at time.Time) error {
	s.readBy.set(s, at)
	return nil
}

func (s *linkStream) SetWriteDeadline(at time.Time) error {
	s.writeBy.set(s, at)
	return nil
}

func (s *linkStream) SetDeadline(at time.Time) error {
	s.readBy.set(s, at)
	s.writeBy.set(s, at)
	return nil
}
