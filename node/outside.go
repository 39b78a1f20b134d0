package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/room"
	"coterie/room/record"
)

const (
	outsideTime    = 30 * time.Second // for a member's word on a question
	maxAskedPeers  = 8                // members that are asked
	outsideTable   = 2 * time.Second  // to get to know the table of relays
	maxAskedAround = 32               // addresses that are dialled
)

// An Asker asks a room from outside, without a key: PROTOCOL.md §9.7. It is another peer each
// time.
type Asker struct {
	n     *Node
	topic [record.TopicSize]byte
	at    []ma.Multiaddr
}

// NewAsker makes a host that listens nowhere. It asks a room whose members, or relays that know
// them, are at the addresses. The caller closes it.
func NewAsker(d *room.Descriptor, addresses []ma.Multiaddr) (*Asker, error) {
	topic, err := topicHash(d.Topic())
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("drawing an identity: %w", err)
	}
	m, err := newManager(Limits{}.withDefaults(), nil)
	if err != nil {
		return nil, err
	}
	n := &Node{gate: new(gater), cfg: Config{Room: d, Now: time.Now}}
	if n.host, err = newHostWith(m, n.gate, key, []ma.Multiaddr{}); err != nil {
		return nil, err
	}
	n.gate.guard(n.host)
	addresses = unique(addresses)
	return &Asker{n: n, topic: [record.TopicSize]byte(topic), at: addresses[:min(len(addresses), maxAskedAround)]}, nil
}

// Close ends it.
func (a *Asker) Close() error { return a.n.host.Close() }

// An OutsideReply is what members said.
type OutsideReply struct {
	// Members is how many peers that take questions for some room were reached; Failed, where
	// nobody was.
	Members int
	Failed  []error
	// Taken: one says that it has the question, for the room. Later: one says to try later.
	Taken, Later bool
	// Answers are all that there are, as Inquiry.Read takes them.
	Answers [][]byte
	// Notice is a newer one of the domain than the question's, if a member has one. It is not
	// checked.
	Notice *abe.Notice
}

// Hand hands a question to one member, with the notice for whose period it is made.
func (a *Asker) Hand(ctx context.Context, in *room.Inquiry, notice *abe.Notice) OutsideReply {
	var frames [][]byte
	if notice != nil {
		frames = append(frames, notice.Append([]byte{record.FrameNotice}))
	}
	members, out := a.findMembers(ctx)
	for _, p := range members {
		a.ask(ctx, p, &out, append(frames, record.EncodeOutside(a.topic, in.Question))...)
		if out.Taken || out.Notice != nil {
			break
		}
	}
	return out
}

// Fetch asks members for the answers to a question.
func (a *Asker) Fetch(ctx context.Context, in *room.Inquiry) OutsideReply {
	members, out := a.findMembers(ctx)
	for _, p := range members {
		a.ask(ctx, p, &out, record.EncodeFetch(a.topic, in.Token))
	}
	return out
}

// ask has one exchange with a member.
func (a *Asker) ask(ctx context.Context, p peer.ID, out *OutsideReply, frames ...[]byte) {
	ctx, cancel := context.WithTimeout(ctx, outsideTime)
	defer cancel()
	s, err := a.n.host.NewStream(network.WithNoDial(ctx, "question"), p, room.ProtocolOutside)
	if err != nil {
		out.Failed = append(out.Failed, err)
		return
	}
	defer s.Reset() // ends what is still open
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	for _, f := range frames {
		b := binary.BigEndian.AppendUint32(make([]byte, 0, lengthSize+len(f)), uint32(len(f)))
		if _, err := s.Write(append(b, f...)); err != nil {
			out.Failed = append(out.Failed, err)
			return
		}
	}
	s.CloseWrite()
	said := false
	err = receive(s, each(func(f []byte) bool {
		switch f[0] {
		case record.FrameNotice:
			out.Notice, err = abe.ParseNotice(f[1:])
			return err == nil
		case record.FrameReply:
			state, answers, err := record.ParseReply(f[1:])
			said = err == nil
			out.Taken = out.Taken || state == record.ReplyTaken
			out.Later = out.Later || state == record.ReplyLater
			for _, b := range answers {
				if !slices.ContainsFunc(out.Answers, func(o []byte) bool { return string(o) == string(b) }) {
					out.Answers = append(out.Answers, b)
				}
			}
		}
		return false
	}))
	if !said {
		out.Failed = append(out.Failed, errors.Join(errors.New("a member gave no answer"), err))
	}
}

// findMembers connects to members, in a random order: those at the addresses, and those that relays
// there know of.
func (a *Asker) findMembers(ctx context.Context) (members []peer.ID, out OutsideReply) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, addr := range a.at {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, dialTime)
			defer cancel()
			if _, err := a.n.dial(ctx, addr); err != nil {
				mu.Lock()
				out.Failed = append(out.Failed, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if members = a.members(); len(members) == 0 {
		a.askRelays(ctx)
		members = a.members()
	}
	mathrand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	members = members[:min(len(members), maxAskedPeers)]
	out.Members = len(members)
	return members, out
}

// members are those connected that take questions.
func (a *Asker) members() (out []peer.ID) {
	for _, p := range a.n.host.Network().Peers() {
		known, err := a.n.host.Peerstore().SupportsProtocols(p, room.ProtocolOutside)
		if err == nil && len(known) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// askRelays looks for members in the table of relays, if one of those is connected.
func (a *Asker) askRelays(ctx context.Context) {
	h := a.n.host
	if !slices.ContainsFunc(h.Network().Peers(), func(p peer.ID) bool { return keepsTable(h, p) }) {
		return
	}
	table, err := newDHT(h, dht.ModeClient)
	if err != nil {
		return
	}
	defer table.Close()
	ctx, cancel := context.WithTimeout(ctx, seekTime)
	defer cancel()
	for began := time.Now(); table.RoutingTable().Size() == 0 && time.Since(began) < outsideTable; {
		time.Sleep(outsideTable / 40)
	}
	var wg sync.WaitGroup
	for info := range table.FindProvidersAsync(ctx, meetingKey(a.topic[:], a.n.cfg.Now()), maxAskedPeers) {
		info.Addrs = info.Addrs[:min(len(info.Addrs), maxOffered)]
		wg.Go(func() { h.Connect(ctx, info) }) // who is not reached is not asked
	}
	wg.Wait()
}

// OutsideQuestions are those that are kept and that the key opens.
// The error is ErrEnded.
func (n *Node) OutsideQuestions() (out []room.OutsideQuestion, err error) {
	if !n.do(func() { out = n.room.OutsideQuestions() }) {
		return nil, ErrEnded
	}
	return out, nil
}

// AnswerOutside answers one. The errors are those of room.AnswerOutside, and ErrEnded.
func (n *Node) AnswerOutside(number int, text string) error {
	var err error
	if !n.do(func() { err = n.room.AnswerOutside(n.now(), number, text) }) {
		return ErrEnded
	}
	return err
}
