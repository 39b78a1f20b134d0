package room

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// simLiveness tells whether rooms notice that a peer is dead. Until they do, a
// head may go on listing who crashed or is cut off.
const simLiveness = true

// A looker checks the rules that hold after every step, and at rest.
type looker struct {
	w      *sim
	kinds  map[[32]byte]*simPeer // by identity
	ids    map[peer.ID]*simPeer
	epochs map[ake.Hash]*simEpoch
	texts  map[said]string
	byText map[string]said // each text is typed once
	had    []map[said]bool // by peer: what any of its processes was given as new
	seen   []map[said]bool // .. or read back
	procs  map[*simNode]*seenOf
	count  int
	all    uint64 // a checksum of all that arrived, in its order
}

var arrivals = maphash.MakeSeed()

// A simEpoch is what everybody in an epoch must agree on.
type simEpoch struct {
	sid     ake.Hash
	members []peer.ID
}

// said names a message.
type said struct {
	epoch   ake.Hash
	author  peer.ID
	counter uint64
}

// seenOf is what one process has shown so far.
type seenOf struct {
	head     *epoch
	had      map[said]bool
	last     map[said]uint64 // by epoch and author
	typed    int
	sent     int
	gone     map[[32]byte]bool // working keys of whom it was told that they left
	openings []time.Time       // of strangers' encapsulations
	closed   map[ake.Hash]bool // words for some that are not opened yet
	views    map[ake.Hash]*Delivered
}

func (k *looker) init(w *sim) {
	k.w = w
	k.kinds = make(map[[32]byte]*simPeer)
	k.ids = make(map[peer.ID]*simPeer)
	k.epochs = make(map[ake.Hash]*simEpoch)
	k.texts = make(map[said]string)
	k.byText = make(map[string]said)
	k.procs = make(map[*simNode]*seenOf)
}

func (k *looker) know() {
	for _, p := range k.w.peers {
		pub := [32]byte(p.identity.Public().(ed25519.PublicKey))
		k.kinds[pub] = p
		id := peerOf(pub)
		k.ids[id] = p
		k.had = append(k.had, make(map[said]bool))
		k.seen = append(k.seen, make(map[said]bool))
	}
}

func (k *looker) of(s *simNode) *seenOf {
	o := k.procs[s]
	if o == nil {
		o = &seenOf{had: make(map[said]bool), last: make(map[said]uint64), gone: make(map[[32]byte]bool), closed: make(map[ake.Hash]bool)}
		k.procs[s] = o
	}
	return o
}

// peer is whose process a node is.
func (k *looker) peer(s *simNode) int { return k.kinds[s.room.identity].index }

func (k *looker) typed(s *simNode) { k.of(s).typed++ }

// saved notes what an author has on its disk: that was said, even if its process
// ended before anybody heard it.
func (k *looker) saved(s *simNode, m Saved) {
	if m.Author == Head || m.Counter == 0 || m.Counter >= wordsMark {
		return
	}
	b, err := record.ParseLog(m.Data)
	if err != nil {
		k.w.fail("saved", "%s saved what is no message", s.name)
	}
	t := s.room.logs.transcripts[m.Epoch]
	if t == nil || m.Author != t.ownIndex {
		return
	}
	if isOutside(b.Kind) {
		return
	}
	key := said{m.Epoch, s.actor.Self(), m.Counter}
	if _, ok := k.texts[key]; !ok {
		d := Delivered{Message: b.Body}
		readWords(&d, t.log(m.Author).words[m.Counter])
		readFile(&d)
		changesOf(nil).apply(&d, [32]byte{}, viewer{})
		k.texts[key] = d.Message.Text
	}
}

// entitled reports whether a peer may be in an epoch of a day: lapsed keys until
// the day is over.
func (k *looker) entitled(p *simPeer, e *epoch) bool {
	return k.mayRead(p, e.commit.Period)
}

// mayRead reports whether a peer may be told what is said in a period.
func (k *looker) mayRead(p *simPeer, of abe.Period) bool {
	switch p.kind {
	case 'm':
		return true
	case 'v', 'w':
		return !k.w.notices[of.Notice()].Names(p.serial())
	case 'l':
		return !k.w.began.Before(of.Start())
	}
	return false
}

// arriving notes who is told that somebody left.
func (k *looker) arriving(s *simNode, data []byte) {
	k.all = k.all<<7 + k.all>>57 + uint64(k.w.now.UnixNano()) + maphash.Bytes(arrivals, data)
	if s.room == nil || len(data) == 0 {
		return
	}
	note := func(b []byte) {
		if len(b) > 41 && b[0] == record.TypePresence && b[41] != 0 { // the flags
			if p, err := record.ParsePresence(b[1:]); err == nil && p.Left && s.room.hasWorking(p.Working) && p.Verify(s.room.id) == nil {
				k.of(s).gone[p.Working] = true
			}
		}
	}
	switch data[0] {
	case record.TypePresence:
		note(data)
	case record.FrameRecords:
		if fields, err := record.ParseFields(data[1:]); err == nil {
			for _, f := range fields {
				note(f)
			}
		}
	}
}

// opening: only dialling may cost an opening of what does not open, and that is
// budgeted.
func (k *looker) opening(s *simNode, of [32]byte) {
	p := k.kinds[of]
	if p != nil && (p.kind == 'm' || p.kind == 'l' || p.kind == 'v' || p.kind == 'w') {
		return
	}
	o := k.of(s)
	o.openings = append(o.openings, k.w.now)
	recent := 0
	for _, t := range o.openings {
		if k.w.now.Sub(t) < time.Minute-exchangeTime { // what a dial leads to may come so much later
			recent++
		}
	}
	if recent > maxDialsAMinute {
		k.w.fail("openings", "%s opened %d strangers' encapsulations within a minute", s.name, recent)
	}
}

// took looks at an event.
func (k *looker) took(s *simNode, e Event) {
	o := k.of(s)
	switch e := e.(type) {
	case EpochStarted:
		k.keys(s)
		var members []peer.ID
		for _, m := range e.Members {
			members = append(members, m.Peer)
		}
		was := k.epochs[e.ID]
		if was == nil {
			k.epochs[e.ID] = &simEpoch{sid: e.SID, members: members}
		} else if was.sid != e.SID || !slices.Equal(was.members, members) {
			k.w.fail("split", "%s: epoch %x has two sids or member lists", s.name, e.ID[:4])
		}
	case Restored:
		o.typed += len(e.Messages)
	case Sent:
		o.sent++
		if text, ok := e.Ref.(string); ok {
			k.texts[said{e.Epoch, s.actor.Self(), e.Counter}] = text
		}
		k.maySend(s, e)
	case Changed:
		k.changed(s, e)
	case Delivered:
		k.views(s)[e.ID] = &e
		m := said{e.Epoch, e.Author.Peer, e.Message.Counter}
		if o.had[m] || !e.History && k.had[k.peer(s)][m] {
			k.w.fail("twice", "%s was given %q by %s twice", s.name, e.Message.Text, e.Author.Name)
		}
		o.had[m] = true
		k.seen[k.peer(s)][m] = true
		if !e.History {
			k.had[k.peer(s)][m] = true
		}
		author := said{e.Epoch, e.Author.Peer, 0}
		if e.Late != (o.last[author] >= m.counter) {
			k.w.fail("order", "%s was given message %d by %s after %d (late: %v)", s.name, m.counter, e.Author.Name, o.last[author], e.Late)
		}
		o.last[author] = max(o.last[author], m.counter)
		k.reads(s, e)
		if e.Edited || e.Withdrawn {
			k.changedText(s, e)
		} else if e.To == "" || e.Reading == Read {
			if was, ok := k.byText[e.Message.Text]; ok && was != m {
				k.w.fail("again", "%s was given %q by %s, which was said before", s.name, e.Message.Text, e.Author.Name)
			}
			k.byText[e.Message.Text] = m
		}
		if text, ok := k.texts[m]; !ok || text != e.Message.Text && !e.Edited && !e.Withdrawn && (e.To == "" || e.Reading == Read) {
			k.w.fail("forged", "%s was given %q as by %s, who said %q", s.name, e.Message.Text, e.Author.Name, text)
		}
		if x := s.room.logs.transcripts[e.Epoch]; x == nil || !x.reads(s.room.identity) && s.room.cfg.Descriptor.History == 0 {
			k.w.fail("entitled", "%s was given %q, of an epoch it is not in", s.name, e.Message.Text)
		}
		if x := s.room.logs.transcripts[e.Epoch]; x != nil && !k.mayRead(k.kinds[s.room.identity], x.Brief.Period) {
			k.w.fail("entitled", "%s was given %q, of %v", s.name, e.Message.Text, x.Brief.Period)
		}
		if e.File != nil {
			k.fileChanged(s, e.ID, *e.File)
		}
	case FileChanged:
		k.fileChanged(s, e.ID, e.FileInfo)
	case FileFailed:
		o.typed--
	case NoticeTaken:
		p := k.kinds[s.room.identity]
		if p.notice = e.Notice; p.kind == 'v' && e.Own {
			k.w.at(0, func() {
				if !s.down && !s.paused && !s.room.closed {
					s.room.Leave(s.clock())
					p.leftAt = k.w.now
					k.w.drain(s)
					k.w.at(time.Second, func() { k.w.stop(s) })
				}
			})
		} else if e.Own && p.kind != 'v' {
			k.w.fail("notice", "%s takes the notice as its own", s.name)
		}
	case Opened:
		k.views(s)[e.ID] = &e.Delivered
		if k.reads(s, e.Delivered); e.Reading == NotOpened {
			k.w.fail("words", "%s opened words and did not", s.name)
		}
	case OutsideQuestion:
		policy, ok := k.w.asked[e.Text]
		if !ok || policy != e.For || policy != "" && !simReads(policy, k.peer(s)) {
			k.w.fail("outside", "%s reads the question %q for %q", s.name, e.Text, policy)
		}
	case OutsideAnswer:
		if by, ok := k.w.answers[e.Text]; !ok || by != e.By.Peer {
			k.w.fail("outside", "%s reads the answer %q of %s", s.name, e.Text, e.By.Peer)
		}
	case Failed:
		if errors.Is(e.Err, errSimFull) {
			return
		}
		k.w.fail("failed", "%s: %s: %v", s.name, e.Doing, e.Err)
	}
}

// reads: who satisfies the policy of words for some reads them, and nobody else but their
// author.
func (k *looker) reads(s *simNode, d Delivered) {
	if d.To == "" || d.Reading == NotOpened {
		delete(k.of(s).closed, d.ID)
		if d.To != "" {
			k.of(s).closed[d.ID] = true
		}
		return
	}
	delete(k.of(s).closed, d.ID)
	x := s.room.logs.transcripts[d.Epoch]
	suite := s.room.cfg.Encapsulator.(*fakeSuite)
	may := simReads(d.To, k.peer(s)) && x != nil && suite.satisfies(x.Brief.Period.Day())
	if read := d.Reading == Read; read != may && !(read && d.Self) {
		k.w.fail("words", "%s reads words for %s: %v", s.name, d.To, read)
	}
}

// maySend: one sends only under a head that lists nobody one knows to be gone.
func (k *looker) maySend(s *simNode, e Sent) {
	r := s.room
	x := r.commits[e.Epoch]
	if x == nil {
		k.w.fail("send", "%s sent in an epoch it does not have", s.name)
	}
	g := r.days[x.commit.Period]
	if end := (x.commit.Period + 1).Start().Add(dayGrace); r.now.After(end) {
		k.w.fail("send", "%s sent in an epoch of a day that ended %v ago", s.name, r.now.Sub(end))
	}
	if len(x.list) < 2 {
		k.w.fail("send", "%s sent to nobody", s.name)
	}
	if x.commit.Period.Notice() != r.notices.number() {
		k.w.fail("send", "%s sent in an epoch of before a notice that it has taken", s.name)
	}
	for _, m := range x.list {
		c := g.contribution(m.CID)
		p := r.processes[c.Working]
		if k.of(s).gone[c.Working] || p != nil && p.newest != nil && p.newest.Left {
			k.w.fail("send", "%s sent to %s, who it knows left", s.name, k.name(m.Identity))
		}
		for cid := range g.members() {
			if d := g.contribution(cid); d.Identity == c.Identity && d.Serial > c.Serial {
				k.w.fail("send", "%s sent to %s, who it knows came back as another process", s.name, k.name(m.Identity))
			}
		}
	}
}

func (k *looker) name(identity [32]byte) string {
	if p := k.kinds[identity]; p != nil {
		return fmt.Sprintf("%c%d", p.kind, p.index)
	}
	return fmt.Sprintf("%x", identity[:4])
}

// keys: only who is listed and satisfies the policy holds an epoch's keys, and
// all listed satisfy it.
func (k *looker) keys(s *simNode) {
	r := s.room
	me := k.kinds[r.identity]
	for id, e := range r.commits {
		if e.keys == nil {
			continue
		}
		if !k.entitled(me, e) {
			k.w.fail("keys", "%s holds the keys of an epoch", s.name)
		}
		g := r.days[e.commit.Period]
		if e.ownIndex < 0 || g != nil && g.own != nil && e.list[e.ownIndex].CID != g.own.cid {
			k.w.fail("keys", "%s holds the keys of epoch %x and is not in it", s.name, id[:4])
		}
		for _, m := range e.list {
			if p := k.kinds[m.Identity]; p == nil || !k.entitled(p, e) {
				k.w.fail("members", "%s takes %s for a member", s.name, k.name(m.Identity))
			}
		}
		if over := e.supersededAt; e.status == commitSuperseded && s.ticked.Sub(over) > keysKept+2*comparePeriod {
			k.w.fail("erase", "%s keeps the keys of an epoch superseded %v ago", s.name, s.ticked.Sub(over))
		}
	}
	if me.kind != 'm' && me.kind != 'l' && me.kind != 'v' && me.kind != 'w' {
		for _, g := range r.days {
			for cid, n := range g.nodes {
				if n.term != nil && cid != g.own.cid {
					k.w.fail("keys", "%s, an outsider, holds a member's term", s.name)
				}
			}
		}
	}
}

// stepped looks at a node after whatever happened to it.
func (k *looker) stepped(s *simNode) {
	r := s.room
	if r == nil {
		return
	}
	o := k.of(s)
	if h := r.head; h != o.head {
		if o.head != nil && (h == nil || !above(h, o.head)) {
			k.w.fail("head", "%s: the head went back", s.name)
		}
		if o.head != nil {
			k.omitted(s, o.head, h)
		}
		o.head = h
	}
	k.bounds(s)
	if k.count++; k.count%64 == 0 {
		k.keys(s)
	}
}

// omitted: who was in a head, here or away, is in the next, unless it left for good or
// was away for too long. It may take others a while to know that it left.
func (k *looker) omitted(s *simNode, was, is *epoch) {
	check := func(identity [32]byte, last abe.Day) {
		last = min(last, is.commit.Period.Day())
		if is.list.Of(identity) >= 0 || is.away.Of(identity) >= 0 || !s.room.mayBeAway(last, is.commit.Period.Day()) {
			return
		}
		if p := k.kinds[identity]; p == nil || p.kind == 'o' || p.kind == 'f' || p.kind == 'r' || p.kind == 'p' || !p.leftAt.IsZero() {
			return
		}
		k.w.fail("omitted", "%s: the head of height %d leaves out %s", s.name, is.commit.Height, k.name(identity))
	}
	for i := range was.list {
		check(was.list[i].Identity, was.commit.Period.Day())
	}
	for i := range was.away {
		check(was.away[i].Identity, was.away[i].Day)
	}
}

// above is the order of heads: day, height, E.
func above(a, b *epoch) bool {
	x, y := a.commit, b.commit
	i, j := x.ID(), y.ID()
	return cmp.Or(cmp.Compare(x.Period, y.Period), cmp.Compare(x.Height, y.Height), bytes.Compare(i[:], j[:])) > 0
}

// bounds: whatever is kept or queued is bounded.
func (k *looker) bounds(s *simNode) {
	r := s.room
	within := func(what string, n, limit int) {
		if n > limit {
			k.w.fail("bounds", "%s: %d %s, the limit is %d", s.name, n, what, limit)
		}
	}
	within("waiting records", len(r.waiting.records), maxWaitingRecords)
	within("commits", len(r.commits), maxCommits)
	within("commits by strangers", len(r.waiting.commits), maxWaitingCommits)
	within("channels", len(r.channels.byKey), 64+drawnChannels+1)
	within("held messages", len(r.outbox.held), maxHeld)
	within("words that are not opened", len(r.words.queue), maxClosedWords+maxOutside)
	within("questions from outside", len(r.outside.byID), maxOutside)
	within("questions from outside that wait", len(r.outside.queue), maxWaitingOutside)
	for _, a := range r.outside.byID {
		within("answers to a question", len(a.replies), record.MaxReplies)
	}
	within("waiting messages", len(r.waiting.messages), maxWaitingMessages)
	within("exchanges", len(r.streams.byID), maxAnswering+1+32*(len(r.neighbours)+1))
	within("days", len(r.days), 6)
	within("renewals", len(r.renewAt), 3)
	within("tasks", len(r.tasks.done), maxAnswering+maxDialling+maxOpenings+4)
	within("bodies in memory", len(r.logs.inMemory), maxBodiesInMemory)
	k.filesBound(s, within)
	within("transcripts", len(r.logs.transcripts), maxTranscripts+1)
	within("gaps", len(r.logs.gaps), len(r.logs.transcripts)*record.MaxMembers)
	nodes := 0
	for _, g := range r.days {
		within("nodes", len(g.nodes), maxNodes+1)
		within("edges", len(g.edges), maxEdges)
		nodes += len(g.nodes)
	}
	within("processes", len(r.processes), nodes+1)
	if k.count%64 == 1 {
		for _, p := range r.processes {
			within("presences of one process", len(p.presences), maxPresences+1)
		}
	}
}

// components are the running processes that should be in one epoch: connected by
// links on which streams can be had, over others that are.
func (k *looker) components() [][]*simNode {
	w := k.w
	seen := make(map[*simNode]bool)
	member := func(s *simNode) bool {
		p := w.peers[s.peer]
		return s.room != nil && !s.down && !s.paused && !s.room.closed &&
			(p.kind == 'm' || (p.kind == 'v' || p.kind == 'w') && !slices.Contains(w.revoked, p.serial()) || p.kind == 'l' && s.room.today().Day() <= abe.DayOf(w.began))
	}
	var out [][]*simNode
	for _, p := range w.peers {
		if p.proc == nil || seen[p.proc] || !member(p.proc) {
			continue
		}
		comp := k.reachable(p.proc, w.nodes, member)
		for _, s := range comp {
			seen[s] = true
		}
		out = append(out, comp)
	}
	return out
}

// atRest tells what is not as it should be when nothing happens any more.
func (k *looker) atRest() *failure {
	bad := func(rule, format string, args ...any) *failure {
		return &failure{rule: "rest-" + rule, text: fmt.Sprintf(format, args...)}
	}
	for _, comp := range k.components() {
		if len(comp) == 1 {
			continue
		}
		// Whose key has lapsed passes on yesterday's beats for a while.
		wide := k.reachable(comp[0], k.w.nodes, func(s *simNode) bool {
			kind := k.w.peers[s.peer].kind
			return !s.down && !s.paused && s.room != nil && !s.room.closed && slices.Contains([]byte("mlvw"), kind)
		})
		head := comp[0].room.head
		for _, s := range comp {
			h := s.room.head
			switch {
			case h == nil:
				return bad("heads", "%s has no head", s.name)
			case h.commit.Period < s.room.today():
				return bad("heads", "the head of %s is of a day before", s.name)
			case head.commit.Period != h.commit.Period:
				return bad("heads", "the heads of %s and %s are of different days", s.name, comp[0].name)
			}
		}
		today := head.commit.Period // by the clock that is ahead
		for _, s := range comp {
			h := s.room.head
			own := s.room.days[today].own.cid
			for _, t := range comp {
				if t.room.head.list.Index(own) < 0 {
					return bad("members", "%s does not list %s", t.name, s.name)
				}
			}
			if h.commit.ID() != head.commit.ID() || h.sid != head.sid {
				return bad("heads", "%s and %s have different heads", s.name, comp[0].name)
			}
			for _, m := range h.list {
				c := s.room.days[today].contribution(m.CID)
				if s.room.processes[c.Working].ended() {
					return bad("members", "%s lists %s, who it knows left", s.name, k.name(m.Identity))
				}
			}
			if simLiveness {
				for _, m := range h.list {
					if p := k.kinds[m.Identity]; !p.running() || !slices.Contains(wide, p.proc) && !k.gossips(s, p.proc) || s.room.days[today].contribution(m.CID).Working != p.proc.room.workingID {
						return bad("members", "%s lists %s, who is not there", s.name, k.name(m.Identity))
					}
				}
			}
			if n := len(k.of(s).closed); n > 0 {
				return bad("words", "%s has %d words for some not opened yet", s.name, n)
			}
			if len(s.room.outbox.held) > 0 {
				return bad("held", "%s holds %d messages", s.name, len(s.room.outbox.held))
			}
		}
		if f := k.logsAgree(comp); f != nil {
			return f
		}
		if f := k.changesAgree(comp); f != nil {
			return f
		}
		if f := k.filesAgree(comp); f != nil {
			return f
		}
	}
	return nil
}

// logsAgree: what one member holds, all members of its epoch hold alike, and
// have shown.
func (k *looker) logsAgree(comp []*simNode) *failure {
	for _, h := range comp {
		for _, id := range sortedHashes(h.room.logs.transcripts) {
			t := h.room.logs.transcripts[id]
			if t.count == 0 {
				continue
			}
			// Logs go from member to member: a chain of these must lead there.
			chain := k.reachable(h, comp, func(s *simNode) bool { return t.reads(s.room.identity) || h.room.isHistory(t) })
			for _, s := range chain {
				bad := func(format string, args ...any) *failure {
					return &failure{rule: "rest-logs", text: fmt.Sprintf("%s holds epoch %x (height %d) of which %s was: ", h.name, id[:4], t.Brief.Height, s.name) + fmt.Sprintf(format, args...)}
				}
				x := s.room.logs.transcripts[id]
				if x == nil || x.count == 0 {
					return bad("it holds nothing of it")
				}
				if a, b := t.sum(h.room.id), x.sum(s.room.id); a != b {
					return bad("%d messages, and it %d others", t.count, x.count)
				}
				for i := range x.logs {
					author := peerOf(t.List[i].Identity)
					for c := uint64(1); c <= x.log(i).highest(); c++ {
						if _, about := x.log(i).about[c]; about {
							continue
						}
						if x.log(i).outside[c] {
							if what := s.lacksOutside(x, i, c); what != "" {
								return bad("message %d of %s is %s", c, k.name(t.List[i].Identity), what)
							}
							continue
						}
						if _, ok := x.log(i).id(c); ok && !k.seen[k.peer(s)][said{id, author, c}] {
							return bad("message %d of %s was not shown", c, k.name(t.List[i].Identity))
						}
					}
				}
			}
		}
	}
	return nil
}

// gossips reports whether publications go both ways between two processes, over
// whatever links carry something in one direction: that is enough to beat, and
// so to be a member, though not for streams.
func (k *looker) gossips(a, b *simNode) bool {
	reaches := func(from, to *simNode) bool {
		seen := []*simNode{from}
		for i := 0; i < len(seen); i++ {
			for far, l := range seen[i].links {
				if l.carries(seen[i]) && !far.down && !slices.Contains(seen, far) {
					seen = append(seen, far)
				}
			}
		}
		return slices.Contains(seen, to)
	}
	return reaches(a, b) && reaches(b, a)
}

// reachable are those of comp to whom streams lead from h, over others for whom
// ok holds.
func (k *looker) reachable(h *simNode, comp []*simNode, ok func(*simNode) bool) []*simNode {
	out := []*simNode{h}
	for i := 0; i < len(out); i++ {
		for _, s := range comp {
			if l := out[i].links[s]; l != nil && l.both() && ok(s) && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// finally looks at the whole run.
func (k *looker) finally() {
	w := k.w
	for _, s := range w.nodes {
		if s.room == nil || s.down {
			continue
		}
		k.keys(s)
		for id, told := range w.files.told[s] {
			if told.State == FileHere && !s.paused {
				w.keep(s, id)
			}
		}
	}
	for _, comp := range k.components() {
		for _, s := range comp {
			if o := k.of(s); o.sent+len(s.room.outbox.held) != o.typed {
				w.fail("lost", "%s was given %d messages to send, sent %d and holds %d", s.name, o.typed, o.sent, len(s.room.outbox.held))
			}
		}
	}
	if limit := 6*w.changes + 10; w.commits > limit {
		w.fail("many-commits", "%d commits for %d changes", w.commits, w.changes)
	}
}
