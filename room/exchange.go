package room

import (
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// A neighbour is a peer we are connected to, that has subscribed to the topic.
type neighbour struct {
	id           peer.ID
	identity     [32]byte
	since        time.Time
	hello        *record.Hello            // its last word on itself
	compared     bool                     // a comparison came to its end since then
	compareAt    time.Time                // when to compare again; zero: when chance has it
	lastCompared time.Time                // when the last comparison began
	tried        map[abe.Period]time.Time // when we last dialled a proof for a day
	sentWhole    map[ake.Hash]time.Time   // when it was sent transcripts that it did not name
	first        bool                     // we came here by it
	askedEarly   bool                     // it asked while we did not understand a commit ourselves
	behind       bool                     // it may need us to understand the head
	differs      difference
}

// comparedLast is when the last comparison with it began, or when it came.
func (n *neighbour) comparedLast() time.Time { return maxTime(n.since, n.lastCompared) }

// compareDue is when to compare with it, if that is to be.
func (n *neighbour) compareDue() time.Time {
	return maxTime(n.compareAt, n.lastCompared.Add(minCompareGap))
}

// compareNow lets it be compared with at once. It returns false if that was due before.
func (n *neighbour) compareNow(now time.Time) bool {
	if !n.compareAt.IsZero() && !n.compareAt.After(now) {
		return false
	}
	n.compareAt = now
	return true
}

// An exchange is a conversation on one stream.
type exchange struct {
	id       StreamID
	peer     peer.ID
	identity [32]byte
	protocol string
	dialler  bool
	began    time.Time

	// Proving: PROTOCOL.md §7.
	step               byte // the frame expected next
	graph              *graph
	period             abe.Period
	gotNotice          bool
	theirs             *record.Contribution
	presence           *record.Presence
	theirEncapsulation []byte // their encapsulation, until it is opened, where we dialled
	opened             *ake.Encapsulated
	opening            bool
	answerAt           time.Time // when what was opened is answered
	edgeSent           *record.Edge
	edgeReceived       *record.Edge

	// Comparing: PROTOCOL.md §11.3.
	working    [32]byte // of the process at the other end of a channel; zeros outside one
	theirHello *record.Hello
	digest     ake.Hash // of our records, as our hello says
	tellsAll   bool     // what came has the other's own contribution: it tells all it knows
	gotAsk     bool
	sentDone   bool       // we sent done
	gotDone    bool       // they sent done
	budget     int        // bytes of logs that we still send
	sentHaves  int        // transcripts of which we said how much we hold, unanswered
	gotHaves   int        // .. of which they did
	sentWhole  []ake.Hash // transcripts that they did not name
	sentTold   bool       // we answered those
	history    Past       // what came that was said before we did

	// Pieces of files: PROTOCOL.md §11.6.
	seeks   []ake.Hash // that are asked for
	sought  int        // of these, how many were answered
	brought int        // .. with the piece
	gaveUp  bool       // it was ended for somebody who waited
	garbage bool       // .. with another one
}

// PeerConnected tells the room of a peer that has joined the topic.
func (r *Room) PeerConnected(now time.Time, p peer.ID) {
	r.advance(now)
	identity, ok := identityOf(p)
	if !ok || p == r.self || r.neighbours[p] != nil {
		return
	}
	n := &neighbour{id: p, identity: identity, since: now, compareAt: now, first: r.proofs.firstPeers[p]}
	if p < r.self && !(r.accompanied() && !r.inComponent(identity)) {
		// It will say hello; we do if nothing comes. But a stranger in front of a
		// room need not ask first.
		n.compareAt = now.Add(helloTime)
	}
	for _, id := range r.streams.sorted() {
		if x := r.streams.byID[id]; x.peer == p && x.theirHello != nil {
			// Its stream was faster than the news that it is here.
			n.hello, n.compareAt = x.theirHello, time.Time{}
		}
	}
	if len(r.neighbours) == 0 {
		r.outbox.hearsUntil = now.Add(helloTime)
	}
	r.neighbours[p] = n
	r.reconsider = true
	r.finish()
}

// PeerDisconnected tells the room that a peer is gone, for now.
func (r *Room) PeerDisconnected(now time.Time, p peer.ID) {
	r.advance(now)
	delete(r.neighbours, p)
	r.finish()
}

// StreamOpened tells the room of a stream that another peer opened; id is even.
// working is the process at the other end of the channel that it is in; zeros for
// one that is in none.
func (r *Room) StreamOpened(now time.Time, id StreamID, p peer.ID, working [32]byte, protocol string) {
	r.advance(now)
	identity, ok := identityOf(p)
	inside := working != [32]byte{}
	if ok && inside {
		// A stream may arrive after the news that its channel is over: that does not
		// make it one that stands.
		ch := r.channels.byKey[working]
		ok = ch != nil && ch.up && ch.peer == p && r.Admits(p, working)
	}
	switch {
	case !ok, r.closed, p == r.self:
		ok = false
	case protocol == ProtocolProve:
		ok = !inside && r.roomToAnswer(p)
	case protocol == ProtocolAsk:
		ok = inside && r.mayAsk(p)
	case protocol == ProtocolFile:
		ok = inside && r.mayServe(p)
	case protocol == ProtocolOutside:
		ok = !inside && r.mayOutside(p)
	}
	if !ok {
		r.ready.Hang = append(r.ready.Hang, Hang{Stream: id, Reset: true})
		return
	}
	x := &exchange{id: id, peer: p, identity: identity, working: working, protocol: protocol, began: now,
		budget: maxLogBytes}
	if protocol == ProtocolProve {
		x.step = record.FrameProve1
	}
	r.streams.byID[id] = x
	r.finish()
}

// StreamClosed tells the room that a stream is over, or could not be opened.
func (r *Room) StreamClosed(now time.Time, id StreamID) {
	r.advance(now)
	if x := r.streams.byID[id]; x != nil {
		r.dropExchange(x)
	}
	r.finish()
}

// StreamFrame takes a frame that arrived on a stream.
func (r *Room) StreamFrame(now time.Time, id StreamID, data []byte) {
	r.advance(now)
	x := r.streams.byID[id]
	if x == nil || r.closed {
		return
	}
	ok := len(data) > 0 && len(data) <= record.MaxFrame
	if ok {
		switch {
		case x.protocol == ProtocolAsk:
			ok = x.working != [32]byte{} && r.askFrame(x, data[0], data[1:])
		case x.protocol == ProtocolFile:
			ok = x.working != [32]byte{} && r.fileFrame(x, data[0], data[1:])
		case x.protocol == ProtocolProve:
			ok = r.proveFrame(x, data[0], data[1:])
		case x.protocol == ProtocolOutside:
			ok = r.outsideFrame(x, data[0], data[1:])
		default:
			ok = r.compareFrame(x, data[0], data[1:])
		}
	}
	if !ok {
		r.reset(x)
	}
	r.finish()
}

// roomToAnswer makes room for one more proof that another dials: one at a time
// from a peer, not soon again from one that showed nothing, and in place of one at
// random of those that have shown nothing yet. So whoever opens streams and says
// nothing keeps nobody out.
func (r *Room) roomToAnswer(p peer.ID) bool {
	n := 0
	var idle []StreamID
	for _, id := range r.streams.sorted() {
		x := r.streams.byID[id]
		if x.protocol != ProtocolProve || x.dialler {
			continue
		}
		if x.peer == p {
			return false
		}
		n++
		if x.showsNothing() {
			idle = append(idle, id)
		}
	}
	if at, ok := r.proofs.idleSince[p]; ok && r.now.Before(at.Add(idleTime)) {
		return false
	}
	if n < maxAnswering {
		return true
	}
	if len(idle) == 0 {
		return false
	}
	r.reset(r.streams.byID[idle[r.random(len(idle))]])
	return true
}

// showsNothing reports whether the other end dialled a proof, and has not shown yet
// that it opened our encapsulation.
func (x *exchange) showsNothing() bool {
	return x.protocol == ProtocolProve && !x.dialler && !x.opening &&
		(x.step == record.FrameProve1 || x.step == record.FrameProve3)
}

// noteIdler remembers who dialled a proof and showed nothing.
func (p *proofs) noteIdler(x *exchange, now time.Time) {
	p.idleOrder = append(p.idleOrder, x.peer)
	p.idleSince[x.peer] = x.began
	for len(p.idleOrder) > maxIdlers || len(p.idleOrder) > 0 && !now.Before(p.idleSince[p.idleOrder[0]].Add(idleTime)) {
		delete(p.idleSince, p.idleOrder[0])
		p.idleOrder = p.idleOrder[1:]
	}
}

// proving are the peers with which we dialled a proof that is under way.
func (r *Room) proving() map[peer.ID]bool {
	busy := make(map[peer.ID]bool)
	for _, x := range r.streams.byID {
		if x.protocol == ProtocolProve && x.dialler {
			busy[x.peer] = true
		}
	}
	return busy
}

func (r *Room) openStream(p peer.ID, protocol string) *exchange {
	identity, _ := identityOf(p)
	x := &exchange{id: r.streams.next, peer: p, identity: identity, protocol: protocol, dialler: true, began: r.now,
		budget: maxLogBytes}
	r.streams.next += 2
	r.streams.byID[x.id] = x
	r.ready.Open = append(r.ready.Open, Open{Stream: x.id, Peer: p, Protocol: protocol})
	return x
}

func (r *Room) send(x *exchange, frames ...[]byte) {
	for _, f := range frames {
		r.ready.Send = append(r.ready.Send, Frame{Stream: x.id, Data: f})
	}
}

// hangUp ends a stream in order: what was sent arrives.
func (r *Room) hangUp(x *exchange) {
	r.ready.Hang = append(r.ready.Hang, Hang{Stream: x.id})
	r.dropExchange(x)
}

// sendDone says that this was all that we say unasked, and ends the stream.
func (r *Room) sendDone(x *exchange) {
	r.send(x, []byte{record.FrameDone})
	r.hangUp(x)
}

// reset ends a stream at once, without a word.
func (r *Room) reset(x *exchange) {
	r.ready.Hang = append(r.ready.Hang, Hang{Stream: x.id, Reset: true})
	if x.protocol == ProtocolProve && x.dialler && x.edgeReceived == nil {
		r.emit(Refused{Peer: x.peer})
	}
	r.dropExchange(x)
}

// dropExchange forgets an exchange and the secrets in it.
func (r *Room) dropExchange(x *exchange) {
	if x.opened != nil {
		x.opened.Proof.Erase()
	}
	delete(r.streams.byID, x.id)
	if x.showsNothing() && !r.closed {
		r.proofs.noteIdler(x, r.now)
	}
	r.questionOver(x)
	r.seekOver(x)
	x.endHistory(r)
	if n := r.neighbours[x.peer]; n != nil && !(x.gotDone && x.sentDone) {
		for _, id := range x.sentWhole {
			delete(n.sentWhole, id) // it broke off: they may have nothing of it
		}
	}
	if x.budget <= 0 && !r.closed && r.logAllowance(x.identity) > 0 {
		r.compareSoon(x.peer) // there is more
	}
	r.reconsider = true
}

// streams are those that are open.
type streams struct {
	byID map[StreamID]*exchange
	next StreamID // of our own
}

func (s *streams) sorted() []StreamID { return slices.Sorted(maps.Keys(s.byID)) }

// limit is when it has taken too long.
func (x *exchange) limit() time.Time {
	switch {
	case x.protocol == ProtocolAsk:
		return x.began.Add(askTime)
	case x.opening:
		return x.answerAt.Add(exchangeTime)
	case x.step == record.FrameProve2 && x.theirEncapsulation == nil:
		return x.began.Add(frameTime)
	case x.step == record.FrameProve1 || x.step == record.FrameProve2 || x.step == record.FrameProve3:
		return x.began.Add(strangerTime)
	}
	return x.began.Add(exchangeTime)
}

// expire ends what took too long.
func (r *Room) expire() {
	for _, id := range r.streams.sorted() {
		x := r.streams.byID[id]
		if x == nil {
			continue // ended with another
		}
		if !r.now.Before(x.limit()) {
			r.reset(x)
		}
	}
	r.expireQuestions()
	r.expireOutside()
	r.expireCommits()
	r.expireMessages()
}
