package node

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"coterie/room"
	"coterie/room/record"
)

// PROTOCOL.md §11.
const (
	streamTime     = 30 * time.Second
	openTime       = 10 * time.Second
	maxFromPeer    = 16
	maxFromAll     = 512
	lengthSize     = 4
	writeTogether  = 3 << 10  // bytes of small frames that are written at once
	takeTogether   = 8        // frames that are taken at once
	maxQueue       = 32 << 20 // bytes that wait to be sent on one stream: more than all records of a day
	maxQueues      = 96 << 20 // on all
	readBufferSize = 16 << 10
)

// protocols are those of the streams that others may open, and inside those of
// streams in channels.
var (
	protocols = []string{room.ProtocolProve, room.ProtocolSync}
	inside    = []string{room.ProtocolSync, room.ProtocolAsk, room.ProtocolFile}
)

// plainProtocols are those of the streams that others may open outside channels, in this room.
func (n *Node) plainProtocols() []string {
	if n.cfg.Room.Questions {
		return append(slices.Clone(protocols), room.ProtocolOutside)
	}
	return protocols
}

// A byteStream is a stream of libp2p, or one in a channel.
type byteStream interface {
	io.ReadWriteCloser
	CloseWrite() error
	Reset() error
	SetDeadline(time.Time) error
}

// plain is a stream of libp2p as a byteStream.
type plain struct{ network.Stream }

func (p plain) Reset() error { return p.Stream.Reset() }

// A stream carries frames between the room and one peer. Its queue keeps the
// loop from waiting for a slow peer. When that is full, the stream ends with what
// is in it: a peer that reads will ask again for the rest.
type stream struct {
	id      room.StreamID
	peer    peer.ID
	inbound bool

	mu        sync.Mutex
	queue     [][]byte
	size      int           // of the queue, with what is being written
	sizes     *atomic.Int64 // of all queues
	finishing bool          // nothing comes after the queue
	dead      bool
	signal    chan struct{} // capacity 1; never closed
	conn      byteStream
}

func (n *Node) newStream(id room.StreamID, p peer.ID) *stream {
	return &stream{id: id, peer: p, sizes: &n.queued, signal: make(chan struct{}, 1)}
}

func (s *stream) wakeSender() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// write queues a frame.
func (s *stream) write(frame []byte) {
	s.mu.Lock()
	switch {
	case s.finishing || s.dead:
	case s.size+len(frame) > maxQueue || s.sizes.Load()+int64(len(frame)) > maxQueues:
		s.finishing = true
	default:
		s.queue = append(s.queue, frame)
		s.size += len(frame)
		s.sizes.Add(int64(len(frame)))
	}
	s.mu.Unlock()
	s.wakeSender()
}

// sent takes n bytes that were written out of the account.
func (s *stream) sent(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead { // then it is out of the account already, or will be with the rest
		s.size -= n
		s.sizes.Add(-int64(n))
	}
}

// queuing is how many bytes wait, or are being written.
func (s *stream) queuing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// drop forgets what is queued; nothing is queued any more.
func (s *stream) drop() {
	s.mu.Lock()
	s.sizes.Add(-int64(s.size))
	s.queue, s.size, s.dead = nil, 0, true
	s.mu.Unlock()
}

// finish ends the stream when the queue is out.
func (s *stream) finish() {
	s.mu.Lock()
	s.finishing = true
	s.mu.Unlock()
	s.wakeSender()
}

// reset ends the stream at once.
func (s *stream) reset() {
	s.mu.Lock()
	s.dead = true
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		conn.Reset()
	}
	s.wakeSender()
}

// attach gives the stream its connection, unless it is dead already.
func (s *stream) attach(conn byteStream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	return !s.dead
}

// send writes the queue until the stream is to end.
func (s *stream) send(conn byteStream) error {
	for range s.signal {
		for {
			s.mu.Lock()
			queue, last, dead := s.queue, s.finishing, s.dead
			s.queue = nil
			s.mu.Unlock()
			if dead {
				return errors.New("reset")
			}
			if len(queue) == 0 {
				if last {
					return conn.CloseWrite()
				}
				break
			}
			// Small ones go together: each write is a packet of its own.
			for len(queue) > 0 {
				var b []byte
				n, total := 0, 0
				for ; n < len(queue) && (n == 0 || len(b)+len(queue[n]) <= writeTogether); n++ {
					b = binary.BigEndian.AppendUint32(b, uint32(len(queue[n])))
					b = append(b, queue[n]...)
					total += len(queue[n])
				}
				if _, err := conn.Write(b); err != nil {
					return err
				}
				s.sent(total)
				queue = queue[n:]
			}
		}
	}
	return nil
}

// readers are buffers of streams that are over: most streams are short.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBufferSize) }}

// receive reads frames until the other side ends the stream. Those that came together are taken
// together, so that what answers them goes together.
func receive(conn io.Reader, take func(frames [][]byte) bool) error {
	r := readers.Get().(*bufio.Reader)
	r.Reset(conn)
	defer func() {
		r.Reset(nil)
		readers.Put(r)
	}()
	for {
		b, err := readFrame(r)
		if err != nil {
			return err
		}
		frames := [][]byte{b}
		for len(frames) < takeTogether && hasFrame(r) {
			if b, err = readFrame(r); err != nil {
				break
			}
			frames = append(frames, b)
		}
		if !take(frames) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// each has frames taken one by one.
func each(take func(frame []byte) bool) func(frames [][]byte) bool {
	return func(frames [][]byte) bool {
		for _, f := range frames {
			if !take(f) {
				return false
			}
		}
		return true
	}
}

// hasFrame reports whether the next frame is there to its end.
func hasFrame(r *bufio.Reader) bool {
	if r.Buffered() < lengthSize {
		return false
	}
	length, err := r.Peek(lengthSize)
	return err == nil && uint64(r.Buffered()) >= lengthSize+uint64(binary.BigEndian.Uint32(length))
}

// readFrame reads a frame. An end in the middle of it is not one that a stream may have.
func readFrame(r *bufio.Reader) (b []byte, err error) {
	var length [lengthSize]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > record.MaxFrame {
		return nil, errors.New("a frame of a wrong length")
	}
	if n <= readBufferSize { // as nearly all
		b = make([]byte, n)
		_, err = io.ReadFull(r, b)
	} else if b, err = io.ReadAll(io.LimitReader(r, int64(n))); err == nil && len(b) != int(n) {
		err = io.EOF // what the peer says of the length is believed as bytes arrive, not before
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// serve runs both directions of a stream until it is over.
func (n *Node) serve(s *stream, conn byteStream, protocol string) {
	limit := streamTime
	if protocol == room.ProtocolAsk {
		limit = askTime
	}
	conn.SetDeadline(time.Now().Add(limit))
	var sender sync.WaitGroup
	sender.Add(1)
	go func() {
		defer sender.Done()
		if s.send(conn) != nil {
			conn.Reset()
		}
		s.drop()
	}()
	err := receive(conn, func(frames [][]byte) bool {
		return n.do(func() {
			for _, f := range frames {
				n.room.StreamFrame(n.now(), s.id, f)
			}
		})
	})
	if !errors.Is(err, io.EOF) {
		conn.Reset()
	}
	n.streamEnded(s) // the room may not have ended it
	s.finish()
	sender.Wait()
	conn.Close()
}

// streamEnded tells the room that a stream has ended, and forgets it.
func (n *Node) streamEnded(s *stream) {
	n.do(func() {
		if n.streams[s.id] != s {
			return // it gave way
		}
		delete(n.streams, s.id)
		n.room.StreamClosed(n.now(), s.id)
	})
}

// openStream opens a stream for the room.
func (n *Node) openStream(o room.Open) {
	s := n.newStream(o.Stream, o.Peer)
	n.streams[s.id] = s
	var t *tunnel
	if o.Working != ([32]byte{}) {
		if t = n.tunnelTo(o.Peer, o.Working); t == nil {
			n.spawn(func() { s.drop(); n.streamEnded(s) })
			return
		}
	}
	n.spawn(func() {
		ctx, cancel := context.WithTimeout(context.Background(), openTime)
		defer cancel()
		go func() {
			select {
			case <-n.ended:
				cancel()
			case <-ctx.Done():
			}
		}()
		// The room opens streams to peers it is connected to; dialling is done
		// elsewhere.
		conn, err := n.openByteStream(ctx, t, o)
		if err != nil {
			s.drop()
			n.streamEnded(s)
			return
		}
		if !s.attach(conn) {
			conn.Reset()
			s.drop()
			n.streamEnded(s)
			return
		}
		n.serve(s, conn, o.Protocol)
	})
}

func (n *Node) openByteStream(ctx context.Context, t *tunnel, o room.Open) (byteStream, error) {
	if t != nil {
		st, err := t.session.Open(ctx, o.Protocol)
		if err != nil {
			return nil, err
		}
		return st, nil
	}
	st, err := n.host.NewStream(network.WithNoDial(ctx, "room"), o.Peer, protocol.ID(o.Protocol))
	if err != nil {
		return nil, err
	}
	return plain{st}, nil
}

// handleStreams takes the streams that others open.
func (n *Node) handleStreams() {
	for _, p := range n.plainProtocols() {
		n.host.SetStreamHandler(protocol.ID(p), func(conn network.Stream) {
			if conn.Conn().RemotePeer() == n.host.ID() {
				conn.Reset() // another's host may let in who has our identity key
				return
			}
			n.acceptStream(plain{conn}, conn.Conn().RemotePeer(), [32]byte{}, p)
		})
	}
	n.host.SetStreamHandler(ProtocolChannel, n.answerTunnel)
}

// acceptStream takes a stream that another has opened.
func (n *Node) acceptStream(conn byteStream, p peer.ID, working [32]byte, protocol string) {
	s := n.newStream(0, p)
	s.inbound = true
	s.attach(conn)
	taken := false
	n.do(func() {
		if taken = n.admit(s); !taken {
			return
		}
		s.id = n.nextStream
		n.nextStream += 2
		n.streams[s.id] = s
		n.room.StreamOpened(n.now(), s.id, p, working, protocol)
	})
	if !taken {
		conn.Reset()
		return
	}
	n.serve(s, conn, protocol)
}

// ignoreStreams takes none any more: the host may live on.
func (n *Node) ignoreStreams() {
	for _, p := range n.plainProtocols() {
		n.host.RemoveStreamHandler(protocol.ID(p))
	}
	n.host.RemoveStreamHandler(ProtocolChannel)
	n.host.RemoveStreamHandler(ProtocolAbout)
}

// endStream ends a stream as the room wants.
func (n *Node) endStream(h room.Hang) {
	s := n.streams[h.Stream]
	if s == nil {
		return
	}
	if h.Reset {
		s.reset()
	} else {
		s.finish()
	}
}
