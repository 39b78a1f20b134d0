package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// A Stage has the demonstration's peers: each reaches the others through the
// relay and in no other way.
type Stage struct {
	out    Out
	now    func() time.Time
	desc   *room.Descriptor
	keys   map[string]*abe.Key
	relay  *node.Relay
	cancel context.CancelFunc
	ctx    context.Context
	wg     sync.WaitGroup

	players map[string]*player
	epochs  map[ake.Hash]room.EpochStarted // all there were
	said    []string                       // every text sent
	doing   string                         // what is being checked
	checks  int

	mu    sync.Mutex
	taped bytes.Buffer // what the relay forwarded
}

// maxTape bounds what is kept of that.
const maxTape = 8 << 20

// newStage starts the relay.
func newStage(domain *abe.Domain, keys map[string]*abe.Key, out Out, now func() time.Time) (*Stage, error) {
	policy, err := abe.ParsePolicy(Policy)
	if err != nil {
		return nil, err
	}
	desc, err := room.NewDescriptor(domain, "den", policy, 0)
	if err != nil {
		return nil, err
	}
	st := &Stage{out: out, now: now, desc: desc, keys: keys, players: make(map[string]*player),
		epochs: make(map[ake.Hash]room.EpochStarted)}
	st.ctx, st.cancel = context.WithCancel(context.Background())
	st.relay, err = node.NewRelay(node.RelayConfig{
		Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
		Watch: func(_ string, data []byte) {
			st.mu.Lock()
			defer st.mu.Unlock()
			if st.taped.Len()+len(data) < maxTape {
				st.taped.Write(data)
			}
		},
	})
	if err != nil {
		st.cancel()
		return nil, err
	}
	st.wg.Go(func() { st.relay.Run(st.ctx) })
	return st, nil
}

// Close ends whatever still runs.
func (st *Stage) Close() {
	st.cancel()
	st.wg.Wait()
}

// A player is one peer, and what it has told.
type player struct {
	*node.Node
	name  string
	suite *counting
	ended chan struct{}

	mu     sync.Mutex
	events []node.Event
	news   chan struct{}
	tell   func(node.Event) // from when the user takes over
}

// counting is a suite that counts openings, by whose they were.
type counting struct {
	*room.ABE
	mu     sync.Mutex
	opened map[[32]byte]int
}

func (c *counting) Open(ctx *ake.Context, revoked []uint64, enc []byte) (*ake.Encapsulated, error) {
	c.mu.Lock()
	c.opened[ctx.Identity]++
	c.mu.Unlock()
	return c.ABE.Open(ctx, revoked, enc)
}

// of is how often something of a peer's was opened.
func (c *counting) of(p peer.ID) int {
	key, err := p.ExtractPublicKey()
	if err != nil {
		return 0
	}
	raw, err := key.Raw()
	if err != nil || len(raw) != 32 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened[[32]byte(raw)]
}

// enter starts a peer.
func (st *Stage) enter(name string) (*player, error) {
	key := st.keys[name]
	p := &player{name: name, suite: &counting{ABE: room.NewABE(key, st.desc.Policy), opened: make(map[[32]byte]int)},
		ended: make(chan struct{}), news: make(chan struct{})}
	nick := name
	if name == "you" {
		nick = Nick
	}
	var err error
	p.Node, err = node.New(node.Config{
		Room: st.desc, Key: key, Suite: p.suite, Name: nick, Listen: []ma.Multiaddr{}, Bootstrap: st.relay.Addresses(),
		Now: st.now,
	})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	st.players[name] = p
	st.wg.Go(func() { p.Run(st.ctx) })
	st.wg.Go(func() {
		defer close(p.ended)
		for e := range p.Events() {
			p.mu.Lock()
			tell := p.tell
			if tell == nil {
				p.events = append(p.events, e)
				close(p.news)
				p.news = make(chan struct{})
			}
			p.mu.Unlock()
			if tell != nil {
				tell(e)
			}
		}
	})
	return p, nil
}

// wait waits until holds is true of what the player has told.
func (p *player) wait(ctx context.Context, what string, holds func([]node.Event) bool) error {
	for {
		p.mu.Lock()
		ok := holds(p.events)
		news := p.news
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%s did not see in time: %s", p.name, what)
		}
	}
}

// epoch is the last epoch a player has told of.
func epoch(events []node.Event) (last room.EpochStarted) {
	for _, e := range events {
		if e, ok := e.(room.EpochStarted); ok {
			last = e
		}
	}
	return last
}

func (p *player) now() room.EpochStarted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return epoch(p.events)
}

// hears waits until a player has heard what another said.
func (st *Stage) hears(ctx context.Context, name, from, text string) error {
	return st.players[name].wait(ctx, "what "+from+" said", func(e []node.Event) bool { return heard(e, text) })
}

// heard reports whether a player has heard a text.
func heard(events []node.Event, text string) bool {
	return slices.ContainsFunc(events, func(e node.Event) bool {
		d, ok := e.(room.Delivered)
		return ok && d.Message.Text == text
	})
}

// together waits until the named are in one epoch of just them.
func (st *Stage) together(ctx context.Context, names ...string) (room.EpochStarted, error) {
	var common room.EpochStarted
	for {
		same := true
		for i, name := range names {
			p := st.players[name]
			if err := p.wait(ctx, "an epoch of "+joined(names),
				func(e []node.Event) bool { return len(epoch(e).Members) == len(names) }); err != nil {
				return common, err
			}
			e := p.now()
			if i == 0 {
				common = e
			}
			same = same && e.ID == common.ID && e.SID == common.SID && len(e.Members) == len(names)
		}
		if same {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond): // a later epoch of the same members is on its way
		case <-ctx.Done():
			return common, fmt.Errorf("%s did not come into one epoch", joined(names))
		}
	}
	for _, e := range st.epochs {
		if e.ID == common.ID {
			return common, errors.New("an epoch came back")
		}
	}
	st.epochs[common.ID] = common
	return common, nil
}

func (st *Stage) passed(text string, e *room.EpochStarted, took time.Duration) {
	st.checks++
	if e == nil {
		st.out.OK(text, nil, 0, 0)
		return
	}
	st.out.OK(text, e.ID[:], len(e.Members), took)
}

func (st *Stage) say(name, text string) error {
	st.said = append(st.said, text)
	return st.players[name].Send(nil, record.KindText, text)
}

// play is the demonstration, up to where the user may type.
func (st *Stage) play(ctx context.Context) error {
	for _, act := range []struct {
		doing string
		run   func(context.Context) error
	}{
		{"ann opens the room", st.opens},
		{"prof joins", st.profJoins},
		{"you join", st.youJoin},
		{"a newcomer reads nothing from before", st.nothingBefore},
		{"messages cross", st.cross},
		{"mallory is refused", st.mallory},
		{"the relay carries and cannot read", st.carried},
	} {
		st.doing = act.doing
		if err := act.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

const whileAlone = "is anybody here yet?"

func (st *Stage) opens(ctx context.Context) error {
	ann, err := st.enter("ann")
	if err != nil {
		return err
	}
	if err := st.say("ann", whileAlone); err != nil {
		return err
	}
	if err := ann.wait(ctx, "her message held", func(events []node.Event) bool {
		return slices.ContainsFunc(events, func(e node.Event) bool { h, ok := e.(room.Held); return ok && h.Alone })
	}); err != nil {
		return err
	}
	st.passed("ann opened the room; nobody else can read yet, so what she types is held", nil, 0)
	return nil
}

// joins lets a player in, and waits for the epoch of all.
func (st *Stage) joins(ctx context.Context, name string, all ...string) (room.EpochStarted, time.Duration, error) {
	p, err := st.enter(name)
	if err != nil {
		return room.EpochStarted{}, 0, err
	}
	e, err := st.together(ctx, all...)
	if err != nil {
		return e, 0, err
	}
	// What people call joining: the time from the first word of the proof.
	var took time.Duration
	p.mu.Lock()
	for _, ev := range p.events {
		if proved, ok := ev.(room.Proved); ok && took == 0 {
			took = proved.Took
		}
	}
	p.mu.Unlock()
	return e, took, nil
}

func (st *Stage) profJoins(ctx context.Context) error {
	e, took, err := st.joins(ctx, "prof", "ann", "prof")
	if err != nil {
		return err
	}
	if err := st.hears(ctx, "prof", "ann", whileAlone); err != nil {
		return err
	}
	st.passed("prof joined, and has what ann said", &e, took)
	return nil
}

func (st *Stage) youJoin(ctx context.Context) error {
	e, took, err := st.joins(ctx, "you", "ann", "prof", "you")
	if err != nil {
		return err
	}
	st.passed("you joined", &e, took)
	return nil
}

// nothingBefore: what prof says now arrives, so what was said before would have.
func (st *Stage) nothingBefore(ctx context.Context) error {
	const text = "welcome"
	if err := st.say("prof", text); err != nil {
		return err
	}
	you := st.players["you"]
	if err := you.wait(ctx, "prof's welcome", func(e []node.Event) bool { return heard(e, text) }); err != nil {
		return err
	}
	you.mu.Lock()
	defer you.mu.Unlock()
	if heard(you.events, whileAlone) {
		return errors.New("you read what was said before you came")
	}
	st.passed("you read nothing of what was said before you came", nil, 0)
	return nil
}

func (st *Stage) cross(ctx context.Context) error {
	all := []string{"ann", "prof", "you"}
	for _, from := range all {
		if err := st.say(from, "hello from "+from); err != nil {
			return err
		}
	}
	for _, from := range all {
		for _, to := range all {
			if err := st.hears(ctx, to, from, "hello from "+from); err != nil {
				return err
			}
		}
	}
	st.passed("each of the three said hello, and all three heard it", nil, 0)
	return nil
}

// mallory dials the others as a newcomer does, and cannot open what they answer:
// she is nobody's member, and nobody has opened anything of hers.
func (st *Stage) mallory(ctx context.Context) error {
	head := st.players["ann"].now().ID
	m, err := st.enter("mallory")
	if err != nil {
		return err
	}
	if err := m.wait(ctx, "her own failure", func(events []node.Event) bool {
		return slices.ContainsFunc(events, func(e node.Event) bool { _, ok := e.(room.Refused); return ok })
	}); err != nil {
		return err
	}
	members := []string{"ann", "prof", "you"}
	tried, worked := 0, 0
	for _, name := range members {
		tried += m.suite.of(st.players[name].Self())
	}
	if tried == 0 {
		return errors.New("mallory did not even try")
	}
	const text = "not for mallory"
	if err := st.say("ann", text); err != nil {
		return err
	}
	if err := st.hears(ctx, "you", "ann", text); err != nil {
		return err
	}
	for _, name := range members {
		worked += st.players[name].suite.of(m.Self())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case len(epoch(m.events).Members) > 0 || heard(m.events, text):
		return errors.New("mallory is in")
	case worked > 0:
		return errors.New("somebody worked for mallory")
	case st.players["ann"].now().ID != head:
		return errors.New("mallory's try made an epoch")
	}
	st.passed("mallory was refused before any pairing; she cannot read and counts for nothing", nil, 0)
	return nil
}

func (st *Stage) carried(ctx context.Context) error {
	relay := st.relay.Self()
	for _, from := range []string{"ann", "prof", "you"} {
		for _, p := range st.players[from].Status().Peers {
			if p.Peer != relay && p.Kind != node.Relayed {
				return fmt.Errorf("%s reaches somebody past the relay", from)
			}
		}
	}
	if st.relay.Stats().Forwarded == 0 {
		return errors.New("the relay forwarded nothing")
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, text := range st.said {
		if bytes.Contains(st.taped.Bytes(), []byte(text)) {
			return errors.New("the relay can read")
		}
	}
	st.passed("a relay without a key carried all of it and could read nothing", nil, 0)
	return nil
}

// finish is the end of it: you leave, and the others go on without you.
func (st *Stage) finish(ctx context.Context) error {
	st.doing = "you leave"
	you := st.players["you"].Self()
	st.players["you"].Leave()
	e, err := st.without(ctx, you)
	if err != nil {
		return err
	}
	st.passed("you left", &e, 0)
	st.doing = "the others go on without you"
	const text = "now you cannot read this"
	if err := st.say("ann", text); err != nil {
		return err
	}
	if err := st.hears(ctx, "prof", "ann", text); err != nil {
		return err
	}
	for _, s := range []string{"ann", "prof"} {
		p := st.players[s]
		p.mu.Lock()
		for _, ev := range p.events {
			if sent, ok := ev.(room.Sent); ok && sent.Epoch == e.ID && slices.Contains(sent.Readers, you) {
				p.mu.Unlock()
				return errors.New("you are still a reader")
			}
		}
		p.mu.Unlock()
	}
	st.passed("ann and prof went on with keys that you do not have", nil, 0)
	return nil
}

// without waits for the epoch of ann and prof alone.
func (st *Stage) without(ctx context.Context, you peer.ID) (room.EpochStarted, error) {
	e, err := st.together(ctx, "ann", "prof")
	if err == nil && slices.ContainsFunc(e.Members, func(m room.Member) bool { return m.Peer == you }) {
		err = errors.New("you are still a member")
	}
	return e, err
}
