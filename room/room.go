// Package room is the protocol of a room as a state machine: docs/PROTOCOL.md
// sections 4 to 11. It has no goroutine, no clock, no socket and no randomness
// of its own. Whoever drives it calls a method for each thing that happens
// (a peer appeared, a publication or a frame arrived, time passed, a
// computation ended, the user typed), and then takes out of Ready what is to be
// published, sent, dialled, computed and shown. So the same machine runs over
// libp2p in package node, and over a simulated network in tests.
//
// The state is a set of signed records (package record); members, head and keys
// are functions of that set, and so do not depend on the order in which records
// arrive:
//
//	days.go       what a process makes for each day                       §7.1
//	graph.go      contributions and edges of a day, and who is a member   §6, §7.2
//	process.go    what is known of a working key                          §6
//	liveness.go   who is still there                                      §7.5
//	away.go       who will be back                                        §8.6
//	notice.go     which keys are good no more                             §7.7
//	records.go    what is kept, and what has to wait                      §6.1
//	prove.go      two peers prove themselves to each other                §7
//	dial.go       with whom, and which encapsulations are opened          §7
//	exchange.go   the streams on which they do it                         §11.1
//	compare.go    two peers tell each other what they know                §11.3
//	due.go        with whom, and when                                     §11.3
//	tree.go       who hangs on whom, and whose turn it is                 §7.3
//	channel.go    with which processes to have channels                   §11.2
//	epoch.go      how far each commit has come                            §8
//	accept.go     which commits count                                     §8.1
//	secret.go     how their secrets spread                                §8.2
//	open.go       terms that nobody handed over                           §8.2
//	differ.go     what people read of another head
//	head.go       which of them is the head, and what is kept of others   §8.3
//	commit.go     when and how to commit                                  §8.4
//	message.go    sending and receiving                                   §8.5, §9
//	held.go       what waits to be sent                                   §9.4
//	absence.go    what may be missing, since we were away                 §9.5
//	words.go      words that only some can read                           §9.6
//	about.go      replies, reactions, edits, withdrawals                  §9.8
//	outside.go    questions from outside                                  §9.7
//	asked.go      what is kept of them
//	inquiry.go    who asks them
//	files.go      files, and which of their pieces are here               §9.9
//	keepfiles.go  .. and what gives way                                   §9.9
//	fetch.go      how these go from member to member                      §11.6
//	provider.go   .. and whom to ask                                      §11.6
//	pace.go       how many messages one may send                          §9
//	transcript.go what was said in an epoch                               §9.1
//	show.go       what is shown of it                                     §9, §9.1
//	order.go      .. and in which order
//	quote.go      .. of a message that another is about                   §9.8
//	gaps.go       what is missing of it                                   §9.1
//	journal.go    what is kept on disk                                    §9.2
//	history.go    reading that back                                       §9.2
//	receipts.go   who has what we said                                    §9.3
//	quota.go      what gives way when that is too much                    §9.1
//	shorten.go    how many bytes are kept                                 §9.1
//	logs.go       two peers compare what was said                         §11.4
//	publish.go    what comes from the topic                               §10
//	form.go       .. and what relays may know of it                       §10
//	attest.go     one member proves a policy to another                   §7.6
//	user.go       what else the user asks
//	ready.go      what comes out: what is to be done, and events
//	descriptor.go what a room is                                          §4.1
//	link.go       .. in a line of text                                    §4.2
//	encapsulator.go what it needs of attributes                           §5
//	limits.go     how many, how long                                      §12
package room

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// Config is what a room needs to begin.
type Config struct {
	// Descriptor says which room.
	Descriptor *Descriptor
	// Identity is the peer's libp2p key. It signs contributions only.
	Identity ed25519.PrivateKey
	// Encapsulator does the attribute-based work.
	Encapsulator Encapsulator
	// ValidOn tells whether the member's key is valid on a day.
	ValidOn func(abe.Day) bool
	// Serial is that of the member's key; notices name it.
	Serial uint64
	// CheckNotice tells whether a notice is the domain's; nil: none is taken.
	CheckNotice func(*abe.Notice) error
	// Notice is the domain's newest that is known; it may be nil.
	Notice *abe.Notice
	// Rand is the source of all randomness; it must not fail.
	Rand io.Reader
	// Now is the time of the process' start. Its milliseconds are the serial of
	// the process' contributions.
	Now time.Time
	// Name is what the member calls itself; it may be empty.
	Name string
	// Addresses are the process' multiaddrs, as bytes.
	Addresses [][]byte
	// Rate is how many messages a second each member may send, and ten times as
	// many at once; 0: 100 a second; negative: no limit, for benchmarks. All members
	// must have the same.
	Rate int
	// Journal is where the room reads back what it asked to have saved, also by
	// the peer's last process; nil: nothing is saved.
	Journal Journal
	// Keep is about how many bytes the journal may come to; 0: no bound.
	Keep int64
	// Pieces is where pieces of files are kept; nil: nowhere, so that none is sent or fetched.
	// KeepFiles is up to how many bytes.
	Pieces    Pieces
	KeepFiles int64
	// Replay is how many of the last messages in the journal are shown at the
	// start, as history.
	Replay int
	// Hold is for how long after it was written a message is sent without another word of
	// the user; 0: for ever.
	Hold time.Duration
}

// Room is one process' part in one room. It is not safe for concurrent use.
type Room struct {
	cfg      Config
	id       ake.Hash
	self     peer.ID
	identity [32]byte // the identity's public key
	serial   uint64
	now      time.Time
	closed   bool // this process has left
	// supersededReported: the user was told that another process takes part as this peer.
	supersededReported bool

	working   ed25519.PrivateKey
	workingID [32]byte
	presence  *record.Presence
	name      *record.Name

	// Members: the days' graphs, and what is known of processes.
	days          map[abe.Period]*graph
	renewAt       map[abe.Period]time.Time
	notices       notices
	processes     map[[32]byte]*process
	workingKeys   map[[32]byte]bool // of the contributions that are kept
	presenceRefs  map[ake.Hash]int  // presences that commits list that are kept: in how many
	cut           map[[32]byte]bool // whom our user does without, by identity
	readers       readers
	beatAt        time.Time
	lastHeard     time.Time // when a stream last brought a beat of another process
	names         newNames
	spreadTermsAt time.Time // when channels are to bring others new terms; zero: there are none
	waiting       waitingSet
	offers        [2]offer // without and with names

	newRecords bool   // records were added since the last retryWaiting
	version    uint64 // another one whenever what is worked out from the state may differ
	reconsider bool   // something a commit depends on may have changed since that was considered

	// Commits, and whose turn it is to make one.
	commits        map[ake.Hash]*epoch
	head           *epoch
	tooHigh        bool                    // a commit is too high for now
	retired        map[ake.Hash]abe.Period // epochs of ours whose keys and logs are over
	droppedCommits droppedCommits
	turn           turn
	committing     committing

	// Peers, channels to their processes, and streams.
	neighbours  map[peer.ID]*neighbour
	compareAt   time.Time
	membersTurn bool // the last comparison that was due was for a member, if one was near
	proofs      proofs
	channels    channels
	streams     streams
	questions   questions

	encapsulationTime time.Duration // how long our encapsulation took to make

	// What is said.
	outbox   outbox
	absence  absence
	lamport  uint64
	skips    pace // of keys that messages step over
	logs     logs
	receipts receiptTimes
	words    closed // words for some that are not opened yet
	about    abouts
	outside  outsides
	files    files

	tasks tasks
	ready Ready
}

// New begins a room: its first outputs are ready at once.
func New(cfg Config) (*Room, error) {
	pub := cfg.Identity.Public().(ed25519.PublicKey)
	if len(cfg.Name) > record.MaxNameSize {
		return nil, fmt.Errorf("a name of %d bytes; the limit is %d", len(cfg.Name), record.MaxNameSize)
	}
	r := &Room{
		cfg:            cfg,
		id:             cfg.Descriptor.ID(),
		self:           peerOf([32]byte(pub)),
		identity:       [32]byte(pub),
		serial:         uint64(cfg.Now.UnixMilli()),
		now:            cfg.Now,
		days:           make(map[abe.Period]*graph),
		renewAt:        make(map[abe.Period]time.Time),
		processes:      make(map[[32]byte]*process),
		workingKeys:    make(map[[32]byte]bool),
		waiting:        waitingSet{recordKeys: make(map[recordKey]bool), terms: make(map[ake.Hash]ake.Term)},
		names:          newNames{fresh: make(map[[32]byte]bool)},
		commits:        make(map[ake.Hash]*epoch),
		droppedCommits: droppedCommits{has: make(map[ake.Hash]time.Time)},
		committing: committing{
			missed: make(map[ake.Hash]int), omissions: make(map[peer.ID]int), awaiting: make(map[[32]byte]time.Time),
		},
		cut:          make(map[[32]byte]bool),
		readers:      make(readers),
		presenceRefs: make(map[ake.Hash]int),
		proofs:       proofs{firstPeers: make(map[peer.ID]bool), idleSince: make(map[peer.ID]time.Time)},
		channels:     channels{byKey: make(map[[32]byte]*channel)},
		streams:      streams{byID: make(map[StreamID]*exchange), next: 1},
		retired:      make(map[ake.Hash]abe.Period),
		neighbours:   make(map[peer.ID]*neighbour),
		tasks:        tasks{done: make(map[TaskID]func(any))},
		files:        newFiles(cfg.KeepFiles),
		about:        abouts{of: make(changesOf), found: make(map[ake.Hash]logRef), paces: make(map[[32]byte]*pace)},
		receipts:     receiptTimes{changed: make(map[ake.Hash]bool)},
		logs: logs{
			transcripts: make(map[ake.Hash]*transcript), orphans: make(map[ake.Hash][32]byte),
			dropped:    make(map[ake.Hash]abe.Day),
			gaps:       make(map[*authorLog]logRef),
			allowances: make(map[[32]byte]*allowance),
			accounts:   make(map[[32]byte]*account),
			limits:     limitsOf(cfg.Keep),
		},
	}
	if cfg.Notice != nil && cfg.CheckNotice != nil && cfg.CheckNotice(cfg.Notice) == nil {
		r.notices.newest = cfg.Notice
	}
	var err error
	_, r.working, err = ed25519.GenerateKey(cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("drawing a working key: %w", err)
	}
	r.workingID = [32]byte(r.working.Public().(ed25519.PublicKey))
	r.announce(&record.Presence{Addresses: cfg.Addresses})
	if cfg.Name != "" {
		r.SetName(cfg.Name)
	}
	r.compareAt = r.now.Add(comparePeriod)
	if cfg.Journal != nil {
		if err := r.recall(); err != nil {
			return nil, err
		}
		if err := r.recallHeld(); err != nil {
			return nil, err
		}
		if err := r.recallAbsence(); err != nil {
			return nil, err
		}
		r.sweepFiles()
	}
	r.finish()
	return r, nil
}

// announce signs the process' next presence and keeps it.
func (r *Room) announce(p *record.Presence) {
	if r.presence != nil {
		p.Serial = r.presence.Serial + 1
	}
	p.Sign(r.id, r.working)
	r.presence = p
	r.process(r.workingID).takePresence(p, r.presenceListed)
	r.newRecords = true
}

// SetAddresses tells the room where the process can be reached.
func (r *Room) SetAddresses(now time.Time, addrs [][]byte) {
	r.advance(now)
	p := &record.Presence{Addresses: addrs}
	p.Sign(r.id, r.working)
	if string(p.AppendAddresses(nil)) != string(r.presence.AppendAddresses(nil)) && !r.closed {
		r.announce(p)
	}
	r.finish()
}

// SetName changes what the member calls itself.
func (r *Room) SetName(name string) {
	n := &record.Name{Serial: uint64(r.now.UnixMilli()), Text: name}
	if r.name != nil && n.Serial <= r.name.Serial {
		n.Serial = r.name.Serial + 1
	}
	n.Sign(r.id, r.working)
	r.name = n
	r.process(r.workingID).name = n
	r.newRecords = true
}

// AddFirstPeer tells the room by which peers the user came here, from a bootstrap address
// or a link: strangers are tried after them.
func (r *Room) AddFirstPeer(p peer.ID) {
	r.proofs.firstPeers[p] = true
	if n := r.neighbours[p]; n != nil {
		n.first = true
	}
}

// ID is the room's id.
func (r *Room) ID() ake.Hash { return r.id }

// Self is the peer's id.
func (r *Room) Self() peer.ID { return r.self }

// Tick tells the room that time has passed.
func (r *Room) Tick(now time.Time) {
	r.advance(now)
	r.newRecords = r.newRecords || r.tooHigh
	r.ready.Save, r.logs.unsaved = append(r.ready.Save, r.logs.unsaved...), nil
	r.expire()
	r.finish()
}

// Leave makes the process' last presence and tells everybody that the peer has left
// for good. Nothing is sent after it.
// What waits to be sent is given up.
func (r *Room) Leave(now time.Time) {
	if !r.closed {
		r.Drop(now, nil)
		r.forgetAbsence()
	}
	r.end(now, &record.Presence{Left: true})
}

// GoAway is Leave for somebody who will be back: what is said until then is kept for
// them by those who are here.
func (r *Room) GoAway(now time.Time) {
	if !r.closed {
		r.advance(now)
		r.saveHeld()
		r.saveAbsence()
	}
	r.end(now, &record.Presence{Away: true})
}

func (r *Room) end(now time.Time, last *record.Presence) {
	r.advance(now)
	if r.closed {
		return
	}
	r.announce(last)
	r.closed = true
	for _, id := range r.streams.sorted() {
		x := r.streams.byID[id]
		r.ready.Hang = append(r.ready.Hang, Hang{Stream: x.id, Reset: true})
		r.dropExchange(x)
	}
	r.publish(record.Encode(r.presence))
	for _, p := range r.sortedNeighbours() {
		x := r.openStream(p, ProtocolSync)
		r.send(x, record.EncodeRecords([]record.Record{r.presence})...)
		r.hangUp(x)
	}
	r.ready.Wake = time.Time{}
}

// finish draws the consequences of whatever happened.
func (r *Room) finish() {
	r.ready.Wake = time.Time{}
	if r.closed {
		return
	}
	r.runTimers()
	r.takeWaiting()
	r.renew()
	r.beat()
	r.retryWaiting()
	if r.reconsider {
		r.channels.considerAt = r.now
	}
	if r.tooHigh {
		r.wakeAt(r.now.Add(time.Second))
	}
	r.letGoOrphans()
	r.sendNames()
	r.showNamed()
	r.spreadTerms()
	r.chase()
	r.spreadLogs()
	r.considerOpening()
	r.flush()
	r.takeOutside()
	r.openWords()
	r.noteHere()
	r.considerCommit()
	r.considerDialling()
	r.considerChannels()
	r.fetch()
	r.poseQuestion()
	r.wakeQuestions()
	r.chaseReceipts()
	r.schedule()
	r.wakeForGaps()
	r.reportReceipts()
}

// draw takes 32 bytes of randomness.
func (r *Room) draw() ake.Secret {
	s, err := ake.NewSecret(r.cfg.Rand)
	if err != nil {
		// Config.Rand must not fail: to go on with less randomness would be worse.
		panic("room: " + err.Error())
	}
	return s
}

// random is a number below n, for choices on which nothing secret depends.
func (r *Room) random(n int) int {
	s := r.draw()
	b := s.Bytes()
	return int((uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])) % uint64(n))
}

// idPrefix is how the libp2p id of an Ed25519 key begins: PROTOCOL.md §1.
const idPrefix = "\x00\x24\x08\x01\x12\x20"

// peerOf is the libp2p id of an identity key.
func peerOf(identity [32]byte) peer.ID { return peer.ID(idPrefix + string(identity[:])) }

// identityOf is the identity key in a libp2p id; ok is false for other kinds of
// keys, which have no place in a room.
func identityOf(p peer.ID) (identity [32]byte, ok bool) {
	key, ok := strings.CutPrefix(string(p), idPrefix)
	if !ok || len(key) != len(identity) {
		return identity, false
	}
	return [32]byte([]byte(key)), true
}
