package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/crypto/cryptobyte"

	"coterie/crypto/ake"
	"coterie/room"
)

// ProtocolAbout is how peers tell each other what time it is, and in which rooms
// of a name they are: PROTOCOL.md §11.5.
const ProtocolAbout = "/coterie/2/about"

const (
	maxAbout      = 8 << 10 // bytes of an answer
	maxAboutRooms = 4
	maxAboutTime  = 253402300800000 // milliseconds: the year 10000

	askAgain      = 5 * time.Minute
	askLook       = time.Second // for whom to ask
	askAtOnce     = 8
	tellAtOnce    = 16
	tellRate      = 1.0 / 20 // answers a second to one peer ..
	tellBurst     = 8        // .. and at once
	maxTellPeers  = 1024     // whose rates are remembered
	aboutTime     = 5 * time.Second
	clockSize     = 8
	countedPrefix = 2
)

// aboutName is the question about rooms of a name. Whoever does not know the name
// cannot ask.
func aboutName(name string) ake.Hash { return ake.Sum("coterie/2 about", []byte(name)) }

// encodeAbout is an answer. Unlisted rooms are left out, and what is over the
// limits.
func encodeAbout(clock time.Time, rooms []*room.Descriptor) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(clock.UnixMilli()))
	b = append(b, 0)
	for _, d := range rooms {
		raw := d.Bytes()
		if len(d.Tag) > 0 || b[clockSize] == maxAboutRooms || len(b)+countedPrefix+len(raw) > maxAbout {
			continue
		}
		b[clockSize]++
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(raw))), raw...)
	}
	return b
}

// An about is an answer.
type about struct {
	clock time.Time
	rooms []*room.Descriptor
}

var errAbout = errors.New("a malformed answer")

// parseAbout reads an answer to the question about a name.
func parseAbout(b []byte, name string) (about, error) {
	var a about
	if len(b) > maxAbout {
		return a, fmt.Errorf("%w: it is too long", errAbout)
	}
	s := cryptobyte.String(b)
	var clock uint64
	var count uint8
	if !s.ReadUint64(&clock) || clock >= maxAboutTime || !s.ReadUint8(&count) || count > maxAboutRooms {
		return a, errAbout
	}
	a.clock = time.UnixMilli(int64(clock))
	for range count {
		var raw cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&raw) {
			return a, errAbout
		}
		d, err := room.ParseDescriptor(raw)
		if err != nil {
			return a, fmt.Errorf("reading an answer: %w", err)
		}
		if d.Name != name || len(d.Tag) > 0 {
			return a, fmt.Errorf("%w: a room that was not asked for", errAbout)
		}
		a.rooms = append(a.rooms, d)
	}
	if !s.Empty() {
		return a, errAbout
	}
	return a, nil
}

// A teller answers what others ask about us, at a bounded rate.
type teller struct {
	now   func() time.Time
	rooms map[ake.Hash][]*room.Descriptor // the listed ones, by the question about them
	slots chan struct{}
	paces *paces[peer.ID]
}

func newTeller(now func() time.Time, rooms []*room.Descriptor) *teller {
	t := &teller{now: now, rooms: make(map[ake.Hash][]*room.Descriptor), slots: make(chan struct{}, tellAtOnce),
		paces: newPaces[peer.ID](tellRate, tellBurst, maxTellPeers)}
	for _, d := range rooms {
		q := aboutName(d.Name)
		t.rooms[q] = append(t.rooms[q], d)
	}
	return t
}

func (t *teller) attach(h host.Host) { h.SetStreamHandler(ProtocolAbout, t.serve) }

func (t *teller) serve(s network.Stream) {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	default:
		s.Reset()
		return
	}
	if !t.paces.allow(s.Conn().RemotePeer(), time.Now()) {
		s.Reset()
		return
	}
	s.SetDeadline(time.Now().Add(aboutTime))
	var q ake.Hash
	if _, err := io.ReadFull(s, q[:]); err != nil {
		s.Reset()
		return
	}
	if _, err := s.Write(encodeAbout(t.now(), t.rooms[q])); err != nil {
		s.Reset()
		return
	}
	s.Close()
}

// askAround asks every connected peer that can tell, when it has come and again
// from time to time.
func (n *Node) askAround(ctx context.Context) {
	asked := make(map[peer.ID]time.Time)
	tick := time.NewTicker(askLook)
	defer tick.Stop()
	for {
		peers := n.host.Network().Peers()
		var wg sync.WaitGroup
		begun := 0
		for _, p := range peers {
			if at, ok := asked[p]; ok && time.Since(at) < askAgain || begun == askAtOnce {
				continue
			}
			if known, err := n.host.Peerstore().SupportsProtocols(p, ProtocolAbout); err != nil || len(known) == 0 {
				continue
			}
			begun++
			asked[p] = time.Now()
			wg.Go(func() {
				if a, ahead, err := n.askAbout(ctx, p); err == nil {
					own := n.cfg.Room.ID()
					a.rooms = slices.DeleteFunc(a.rooms, func(d *room.Descriptor) bool { return d.ID() == own })
					n.reports.take(p, a, ahead)
				}
			})
		}
		wg.Wait()
		for p := range asked {
			if !slices.Contains(peers, p) {
				delete(asked, p)
			}
		}
		n.reports.keep(peers)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// askAbout asks one peer.
func (n *Node) askAbout(ctx context.Context, p peer.ID) (about, time.Duration, error) {
	_, isRelay := n.relay(p)
	return askAbout(ctx, n.host, p, n.cfg.Room, isRelay, n.cfg.Now)
}

// askAbout asks a peer about rooms of a room's name; ahead is how far our clock is
// ahead of its. Of relays, which are in no room, and for the sake of an unlisted
// room, or of none, only the time is asked: the question then is about no name.
func askAbout(ctx context.Context, h host.Host, p peer.ID, d *room.Descriptor, isRelay bool,
	now func() time.Time) (a about, ahead time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, aboutTime)
	defer cancel()
	s, err := h.NewStream(network.WithNoDial(ctx, "about"), p, ProtocolAbout)
	if err != nil {
		return a, 0, err
	}
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	defer s.Reset() // closes what is still open
	var q ake.Hash
	name := ""
	if d != nil && len(d.Tag) == 0 && !isRelay {
		name = d.Name
		q = aboutName(name)
	} else {
		rand.Read(q[:])
	}
	began := time.Now()
	if _, err := s.Write(q[:]); err != nil {
		return a, 0, err
	}
	if err := s.CloseWrite(); err != nil {
		return a, 0, err
	}
	var head [clockSize]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return a, 0, err
	}
	// Its clock was read half a round trip ago.
	at := now().Add(-time.Since(began) / 2)
	b, err := io.ReadAll(io.LimitReader(s, maxAbout-clockSize+1))
	if err != nil {
		return a, 0, err
	}
	a, err = parseAbout(append(head[:], b...), name)
	return a, at.Sub(a.clock), err
}

// peerReports is what connected peers told about themselves last.
type peerReports struct {
	mu    sync.Mutex
	peers map[peer.ID]peerReport
}

type peerReport struct {
	rooms []*room.Descriptor // none of them ours
	ahead time.Duration      // how far our clock is ahead
	clock time.Time          // theirs, when ours, which nobody sets, was at
	at    time.Time
}

func (t *peerReports) take(p peer.ID, a about, ahead time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.peers == nil {
		t.peers = make(map[peer.ID]peerReport)
	}
	t.peers[p] = peerReport{a.rooms, ahead, a.clock, time.Now()}
}

// knows reports whether a peer is in another room of the name.
func (t *peerReports) knows(p peer.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.peers[p].rooms) > 0
}

// keep forgets what those have told who are gone.
func (t *peerReports) keep(connected []peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.peers {
		if !slices.Contains(connected, p) {
			delete(t.peers, p)
		}
	}
}

// clock is how far our clock is ahead of the median of the others. Of an even
// number, that one of the two in the middle counts that is nearer to ours: it
// takes more than half of all to make a clock look wrong that is right.
func (t *peerReports) clock() (ahead time.Duration, of int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []time.Duration
	for _, a := range t.peers {
		all = append(all, a.ahead)
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	low, high := all[(len(all)-1)/2], all[len(all)/2]
	if low.Abs() < high.Abs() {
		return low, len(all)
	}
	return high, len(all)
}

// agree reports whether more than half of those that told their time have this one now,
// give or take an hour.
func (t *peerReports) agree(wall time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, r := range t.peers {
		if wall.Sub(r.clock.Add(time.Since(r.at))).Abs() <= maxJump {
			n++
		}
	}
	return 2*n > len(t.peers)
}

// Elsewhere is another room with this one's name.
type Elsewhere struct {
	Room  *room.Descriptor
	Peers int // connected ones that are in it
}

func (t *peerReports) elsewhere() []Elsewhere {
	t.mu.Lock()
	defer t.mu.Unlock()
	rooms := make(map[ake.Hash]*Elsewhere)
	for _, a := range t.peers {
		counted := make(map[ake.Hash]bool)
		for _, d := range a.rooms {
			id := d.ID()
			if counted[id] {
				continue
			}
			counted[id] = true
			if rooms[id] == nil {
				rooms[id] = &Elsewhere{Room: d}
			}
			rooms[id].Peers++
		}
	}
	var out []Elsewhere
	for _, e := range rooms {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Elsewhere) int {
		return cmp.Or(cmp.Compare(b.Peers, a.Peers), bytes.Compare(a.Room.Bytes(), b.Room.Bytes()))
	})
	return out
}
