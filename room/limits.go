package room

import (
	"math"
	"time"
)

// PROTOCOL.md §12, and the times of §8.4 and §11.3.
const (
	maxNodes           = 4096
	maxEdges           = 65536
	maxWaitingRecords  = 256
	maxWaitingTerms    = 1024 // terms of contributions that have not come
	maxPromised        = 256  // edges to contributions that have not come
	maxReaders         = 4096 // who was in others' epochs
	maxNewNames        = 64   // names that are passed on at once
	maxPresences       = 16   // presences kept of one process
	maxPairs           = 4    // that show that it misbehaved
	maxWaitingCommits  = 16   // commits by committers that are not known
	maxCommits         = 256
	maxDroppedCommits  = 1024  // commits that were dropped, and are not taken again for a while
	maxMissed          = 2     // turns that a member may miss before it ranks last for the day
	maxRemembered      = 65536 // epochs of a day that are remembered by id
	maxHeld            = 1000
	maxWaitingMessages = 64
	maxBodiesInMemory  = 10000   // bodies of messages in memory
	maxMessages        = 1000000 // messages of which the ids are; half of them of one branch
	maxTranscripts     = 32768   // an epoch every 4 s for a day and a half
	maxPlaces          = 262144  // in their lists
	maxAuthorLog       = 400000  // .. of one author in one epoch: more than the pace allows in an hour
	lamportRate        = 1 << 11 // by how much the greatest Lamport time that is heard grows in a millisecond
	maxSecondMessages  = 16      // messages of one author and epoch that contradict each other
	maxLogBytes        = 8 << 20 // of logs sent in one comparison
	maxReceipts        = 1000    // messages of ours of which it is told how far they have come
	sendAtOnce         = 256     // messages read back from a journal at once
	maxAnswering       = 256
	maxIdlers          = 1024 // peers whose last proof showed nothing
	maxDialsAMinute    = 6    // that lead to an opening; and as many with those by which we came
	maxDialling        = 32   // at once that were not answered
	maxCatchUp         = 4    // comparisons at once with those who are behind
	heightsAtOnce      = 64
	heightsASecond     = 20

	maxPublishedCommit = 8 << 10

	checksAtOnce = 4096               // signatures in transcripts of one branch
	checkRate    = checksAtOnce / 60. // .. a second

	recordsAtOnce = 16384 // records and beats taken from one peer: thrice what there is in a room of a thousand
	recordRate    = 128   // .. a second
	commitCost    = 16    // a commit counts as so many

	pendingTime         = 30 * time.Second
	droppedTime         = time.Minute // until a commit that was dropped is taken again
	exchangeTime        = 30 * time.Second
	keysKept            = 2 * time.Minute
	nameTime            = time.Second      // that a newcomer's first words wait for their name
	gapReportTime       = time.Second      // until a gap is spoken of
	gapTime             = 15 * time.Second // until what comes after it is shown
	receiptPeriod       = time.Second
	chaseReceiptsPeriod = 2 * time.Second
	spreadTime          = time.Second // after what was said elsewhere came, to pass it on
	minRetention        = 24 * time.Hour
	emptyTime           = time.Minute     // that a transcript is kept in which nothing was said, as far as is known yet
	resendTranscript    = 2 * time.Minute // until a transcript that was not taken is sent again
	comparePeriod       = 10 * time.Second
	backPeriod          = 2 * time.Second // until who was away is told that something may be missing
	nameEvery           = 2 * time.Second // new names are passed on
	termEvery           = 250 * time.Millisecond
	newcomerTime        = time.Second // how long who was just let in may be telling what it knows
	// forwardTime is how long the topic's copy of what a stream brought first is
	// forwarded all the same: others may have no such stream.
	forwardTime   = 30 * time.Second
	helloTime     = 2 * time.Second
	minCompareGap = 500 * time.Millisecond // at the earliest again with the same peer
	retryProof    = 30 * time.Second
	retryAlone    = 5 * time.Second
	strangerTime  = 10 * time.Second // for a stranger to show that it opened ours
	// considerPeriod is how often a commit is considered although nothing was
	// heard: silence and age come with time alone.
	considerPeriod = time.Second
	quiet          = 100 * time.Millisecond
	idleTime       = 4 * time.Second        // until who dialled a proof and showed nothing is answered again
	leastAnswer    = 100 * time.Millisecond // to what had to be opened
	mostAnswer     = 2 * time.Second        // .. whatever our own encapsulation took: the process may have slept
	stalledTime    = 500 * time.Millisecond // after which a proof that was not answered is not waited for
	frameTime      = 5 * time.Second        // for the second message of a proof that we dialled
	otherDials     = 5 * time.Second
	dayGrace       = 5 * time.Minute
	earlyDay       = time.Hour
	noticeEvery    = time.Minute // notices are taken, if the domain makes so many
	// dayTurn is how much before its midnight a day's first commit may be a head,
	// and how much after it those who have not proved themselves for it do not count.
	dayTurn = 2 * time.Minute
	// noticeTurn is how long after a notice came those do not count who have not proved
	// themselves after it. Until then what is typed may have to wait for them.
	noticeTurn = 30 * time.Second
	// omissionTime is how long a commit may leave somebody out, for a reason that may
	// still come, before people are told.
	omissionTime = 10 * time.Second
	// maxOmissionsReported is of how many such commits people are told at once; then of one in
	// each omissionTime.
	maxOmissionsReported = 8
	maxPatience          = 5 * time.Minute
	// maxStopped is for how long, of a minute, those who go keep us from sending, where
	// leastHere of the head are not gone.
	maxStopped = 2 * time.Second
	leastHere  = 8
	// maxSeniors is how many of a full room keep their places before turns decide.
	maxSeniors = 768
	// juniorTime is for how long who comes into a full room gives nobody's place away.
	juniorTime   = time.Hour
	rotatePeriod = time.Hour
	// rotateSlack is by how much another may be ahead of us in calling a head old.
	rotateSlack = time.Minute
	// maxReferrers is with how many of those who sent a commit we compare for what it refers to.
	maxReferrers = 8
)

// tail is L of PROTOCOL.md §8.4: how long gossip takes to reach nearly all of n
// members.
func tail(n int) time.Duration {
	return 500*time.Millisecond + time.Duration(150*math.Log2(float64(max(n, 1)))*float64(time.Millisecond))
}

// unread is how long one waits for the secret of a commit before one does what is
// to be done about it: opens a term, or commits anew.
func unread(n int) time.Duration { return tail(n) * 3 / 2 }

// leastDistance is how far apart the commits of one peer are.
func leastDistance(n int) time.Duration {
	return max(300*time.Millisecond, time.Duration(n)*2*time.Millisecond)
}
