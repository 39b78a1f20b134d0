package room

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Files under attack, and where things go wrong: PROTOCOL.md §9.9 and §11.6.

// seeksTo counts the seeks that a node was sent, and the pieces that it sent.
type seeksTo struct{ seeks, pieces map[string]int }

// countSeeks counts, and has change decide about each frame with pieces besides.
func (n *network) countSeeks(change func(s *simNode, frame []byte) []byte) *seeksTo {
	c := &seeksTo{make(map[string]int), make(map[string]int)}
	n.rewrite = func(s *simNode, data []byte) []byte {
		switch data[0] {
		case record.FrameSeek:
			c.seeks[s.name]++
		case record.FramePiece:
			if len(data) > 1 {
				c.pieces[s.name]++
			}
		default:
			return data
		}
		if change != nil {
			return change(s, data)
		}
		return data
	}
	return c
}

// TestFileGarbage: a member that serves garbage is not asked again for ten minutes, and the file
// comes from others, as it was.
func TestFileGarbage(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "eve", "cyn")
	ann, bob, eve, cyn := all[0], all[1], all[2], all[3]
	data := someFile(5 << 20)
	id := n.sendFile(t, ann, "talk.mp4", data)
	for _, s := range []*simNode{bob, eve} {
		n.fetchFile(t, s, id)
	}
	n.run(30 * time.Second)
	if !n.has(t, bob, id, data) || !n.has(t, eve, id, data) {
		t.Fatal("bob and eve do not have it")
	}
	n.stop(ann)
	garbage := 0
	n.countSeeks(func(s *simNode, frame []byte) []byte {
		if s == eve && frame[0] == record.FramePiece && len(frame) > 1 {
			garbage++
			frame = bytes.Clone(frame)
			frame[len(frame)/2] ^= 1
		}
		return frame
	})
	n.fetchFile(t, cyn, id)
	n.run(time.Minute)
	if !n.has(t, cyn, id, data) {
		t.Fatal("cyn does not have it, and bob has")
	}
	if garbage == 0 || garbage > record.MaxSeek {
		t.Errorf("%d pieces of garbage were sent", garbage)
	}
	garbage = 0
	again := n.sendFile(t, bob, "second.mp4", someFile(4<<20))
	n.fetchFile(t, eve, again)
	n.run(30 * time.Second)
	n.stop(bob)
	n.fetchFile(t, cyn, again)
	n.run(5 * time.Minute)
	if garbage > 0 {
		t.Error("who served garbage is asked again")
	}
	n.run(6 * time.Minute)
	if garbage == 0 {
		t.Error("who served garbage is never asked again: the test shows nothing")
	}
}

// TestFileSlow: members that take what they are asked and answer nothing keep nobody from the file,
// though they are many: they hang on one branch.
func TestFileSlow(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	mallory := n.add("mallory", true) // whom ann let in, and who makes up the others
	n.connect(mallory, ann)
	n.run(5 * time.Second)
	slow := map[*simNode]bool{mallory: true}
	for i := range 4 {
		s := n.add(fmt.Sprint("made up ", i), true)
		n.connect(s, mallory)
		n.run(3 * time.Second)
		slow[s] = true
	}
	n.connectAll()
	n.run(20 * time.Second)
	data := someFile(6 << 20)
	id := n.sendFile(t, ann, "talk.mp4", data)
	n.fetchFile(t, bob, id)
	n.run(30 * time.Second)
	n.stop(ann)
	n.run(time.Minute)
	for s := range slow {
		n.pause(s)
	}
	n.fetchFile(t, cyn, id)
	n.run(time.Second)
	waits := 0
	for _, x := range cyn.room.streams.byID {
		if x.protocol == ProtocolFile && x.peer != bob.actor.Self() {
			waits++
		}
	}
	if waits == 0 || waits > maxSeekingBranch {
		t.Errorf("cyn waits for %d that are slow", waits)
	}
	n.run(time.Minute)
	if !n.has(t, cyn, id, data) {
		_, info, _ := cyn.room.File(id)
		t.Fatalf("cyn has %d of %d bytes, and bob has all", info.Have, len(data))
	}
}

// TestFileSilent: who takes what it is asked and answers nothing is left alone for a minute; who is
// back on a new channel, and has it now, is asked at once, whatever it said before.
func TestFileSilent(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	data := someFile(2 << 20)
	id := n.sendFile(t, ann, "talk.mp4", data)
	n.run(2 * time.Second)
	n.stop(ann)
	n.run(5 * time.Second)
	silent := true
	c := n.countSeeks(func(s *simNode, frame []byte) []byte {
		if silent && frame[0] == record.FrameSeek {
			return nil // bob does as if he had not heard
		}
		return frame
	})
	n.fetchFile(t, cyn, id)
	n.run(5 * time.Minute)
	if c.seeks["cyn"] < 3 || c.seeks["cyn"] > 4 {
		t.Errorf("bob, who says nothing, is asked %d times in 5 minutes", c.seeks["cyn"])
	}
	silent = false
	n.run(10 * time.Minute) // he says that he has it not
	for h, piece := range pieces["ann"].of {
		must(t, pieces["bob"].Put(h, piece))
	}
	n.fetchFile(t, bob, id)
	c.seeks["cyn"] = 0
	n.run(time.Minute)
	if c.seeks["cyn"] > 0 {
		t.Fatal("bob is asked all the time: the test shows nothing")
	}
	n.disconnect(bob, cyn)
	n.run(10 * time.Second)
	n.connect(bob, cyn)
	n.run(30 * time.Second)
	if !n.has(t, cyn, id, data) {
		t.Error("cyn does not have it, and bob has")
	}
}

// TestFileStrangers: who is no member, asks outside a channel, or asks for what is in no message that
// is kept, gets nothing.
func TestFileStrangers(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	id := n.sendFile(t, ann, "plan.pdf", someFile(200_000))
	n.run(5 * time.Second)
	f, _, err := bob.room.File(id)
	must(t, err)
	outsider := n.addSpy("olga", newIdentity(n.seed32()))
	n.connect(n.nodes[len(n.nodes)-1], bob)
	n.run(time.Second)
	stream := outsider.open(bob, ProtocolFile, record.EncodeSeek(f.Hashes))
	n.run(5 * time.Second)
	if got := outsider.got(stream, record.FramePiece); len(got) > 0 || !outsider.over[stream] {
		t.Errorf("a stranger got %d pieces; over: %v", len(got), outsider.over[stream])
	}
	// What lies on the disk and belongs to no message that bob keeps.
	h := ake.PieceHash([]byte("a piece of another room"))
	must(t, pieces["bob"].Put(h, []byte("a piece of another room")))
	c := n.countSeeks(nil)
	ch := ann.room.channelTo(bob.actor.Self())
	x := ann.room.openChannelStream(ch, ProtocolFile)
	x.seeks = []ake.Hash{h}
	ann.room.send(x, record.EncodeSeek(x.seeks))
	n.drain(ann)
	n.run(5 * time.Second)
	if c.seeks["ann"] != 1 || c.pieces["bob"] > 0 {
		t.Errorf("%d seeks, %d pieces", c.seeks["ann"], c.pieces["bob"])
	}
}

// TestFileFlood: a member that sends a thousand files has others fetch up to 32 MiB of them, and is
// in the way of nobody else's.
func TestFileFlood(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	var ids []ake.Hash
	for i := range 60 {
		ids = append(ids, n.sendFile(t, eve, fmt.Sprint("flood ", i), someFile(MaxUnasked-i)))
	}
	n.run(time.Minute)
	got := 0
	for _, p := range pieces["bob"].of {
		got += len(p)
	}
	if got < 20<<20 || got > 36<<20 {
		t.Errorf("%d bytes were fetched unasked", got)
	}
	data := someFile(500_000)
	id := n.sendFile(t, ann, "plan.pdf", data)
	n.run(30 * time.Second)
	if !n.has(t, bob, id, data) {
		t.Error("ann's file is not fetched")
	}
	// Who wants one of them all the same, gets it.
	n.fetchFile(t, bob, ids[59])
	n.run(30 * time.Second)
	if !n.has(t, bob, ids[59], someFile(MaxUnasked-59)) {
		t.Error("what bob asks for is not fetched")
	}
}

// TestFileGivesWay: what nobody asked for gives way, of the branch with most first, and displaces
// nothing that a user posted or asked for.
func TestFileGivesWay(t *testing.T) {
	const limit = 4 << 20
	n, _ := fileNetwork(t, 1<<30)
	inner := n.configure
	n.configure = func(s *simNode, c *Config) {
		if inner(s, c); s.name == "bob" {
			c.KeepFiles = limit
		}
	}
	// Ann and eve prove themselves to bob, so that each has a branch of its own.
	bob, ann, eve := n.add("bob", true), n.add("ann", true), n.add("eve", true)
	n.connect(bob, ann)
	n.run(10 * time.Second)
	n.connect(bob, eve)
	n.run(10 * time.Second)
	if g := bob.day(); g.branch(ann.own()) == g.branch(eve.own()) {
		t.Fatal("they have one branch: the test shows nothing")
	}
	own := n.sendFile(t, bob, "own", someFile(1<<20))
	first := n.sendFile(t, ann, "first", someFile(300_000))
	n.run(10 * time.Second)
	var flood []ake.Hash
	for i := range 8 {
		flood = append(flood, n.sendFile(t, eve, fmt.Sprint("flood ", i), someFile(800_000+i)))
		n.run(5 * time.Second)
	}
	here := func(id ake.Hash) bool { f, _ := bob.room.FileState(id); return f.State == FileHere }
	kept := 0
	for _, id := range flood {
		if here(id) {
			kept++
		}
	}
	if kept == 0 || kept > 2 || !here(flood[7]) || here(flood[0]) || !here(own) || !here(first) {
		t.Errorf("%d of the flood are kept; own %v, ann's %v", kept, here(own), here(first))
	}
	if st := bob.fileStates(flood[0]); st[len(st)-1] != FileThere {
		t.Errorf("bob is told %v", st)
	}
	if bob.room.files.bytes > limit {
		t.Errorf("%d bytes are kept", bob.room.files.bytes)
	}
	// What bob asks for takes its place, and is not displaced.
	n.fetchFile(t, bob, flood[0])
	n.run(10 * time.Second)
	for i := range 6 {
		n.sendFile(t, eve, fmt.Sprint("more ", i), someFile(900_000+i))
		n.run(5 * time.Second)
	}
	if !here(flood[0]) || !here(own) {
		t.Errorf("asked for: %v, own: %v", here(flood[0]), here(own))
	}
	if err := bob.room.SendFile(bob.clock(), nil, "too large", make([]byte, 5<<20)); !errors.Is(err, ErrFilesFull) {
		t.Errorf("what there is no room for: %v", err)
	}
}

// TestFileAway: who was away when a file was sent gets it when they are back, from whoever has it.
func TestFileAway(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	disks, all := n.onDisks("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	bob.goAway()
	n.until(20*time.Second, "bob away", func() bool { return awayFrom(bob, ann, cyn) })
	small, large := someFile(700_000), someFile(3<<20)
	id, id2 := n.sendFile(t, ann, "small", small), n.sendFile(t, ann, "large", large)
	n.fetchFile(t, cyn, id2)
	n.run(30 * time.Second)
	n.stop(ann)
	n.run(5 * time.Second)
	back := n.startOn(disks[1], "bob", always, bob.room.cfg.Identity, n.seed32(), 0)
	n.connect(back, cyn)
	n.run(time.Minute)
	if !n.has(t, back, id, small) {
		t.Error("bob has not what was sent while he was away")
	}
	n.fetchFile(t, back, id2)
	n.run(30 * time.Second)
	if !n.has(t, back, id2, large) {
		t.Error("bob has not what he asks for")
	}
}

// TestFileAgain: a process that starts has what the last one had, goes on with what that had begun,
// and lets go of what belongs to nothing.
func TestFileAgain(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	disks, all := n.onDisks("ann", "bob")
	ann, bob := all[0], all[1]
	small, large := someFile(200_000), someFile(6<<20)
	id, id2 := n.sendFile(t, ann, "small", small), n.sendFile(t, ann, "large", large)
	n.run(5 * time.Second)
	n.fetchFile(t, bob, id2)
	for range 100 {
		if _, info, _ := bob.room.File(id2); info.Have > 1<<20 {
			break
		}
		n.run(10 * time.Millisecond)
	}
	n.stop(bob)
	if some := len(pieces["bob"].of); some < 5 || some > 45 {
		t.Fatalf("%d pieces are here: the test shows nothing", some)
	}
	orphan := ake.PieceHash([]byte("orphan"))
	must(t, pieces["bob"].Put(orphan, []byte("orphan")))
	n.run(5 * time.Second)
	again := n.startOn(disks[1], "bob", always, bob.room.cfg.Identity, n.seed32(), 0)
	if !n.has(t, again, id, small) {
		t.Error("what was here is not")
	}
	n.connect(again, ann)
	n.run(time.Minute)
	if !n.has(t, again, id2, large) {
		t.Error("what was begun is not fetched on")
	}
	if pieces["bob"].of[orphan] != nil {
		t.Error("what belongs to nothing is kept")
	}
	shown := slices.IndexFunc(again.messages, func(d Delivered) bool { return d.ID == id })
	if shown < 0 || again.messages[shown].File == nil || again.messages[shown].File.State != FileHere {
		t.Error("the file is not shown as here")
	}
}

// TestFileGoes: pieces go when their message does: when it is withdrawn, not kept any more, or its
// whole transcript is dropped; but not while another message has them.
func TestFileGoes(t *testing.T) {
	for _, how := range []string{"withdrawn", "shortened", "dropped", "withdrawn by another"} {
		t.Run(how, func(t *testing.T) {
			n, pieces := fileNetwork(t, 1<<30)
			_, all := n.onDisks("ann", "bob")
			ann, bob := all[0], all[1]
			id := n.sendFile(t, ann, "plan", someFile(200_000))
			n.run(5 * time.Second)
			f := bob.room.files.byID[id]
			if f == nil || len(pieces["bob"].of) != 2 {
				t.Fatalf("bob has %d pieces", len(pieces["bob"].of))
			}
			switch how {
			case "withdrawn":
				must(t, ann.room.SendAbout(ann.clock(), nil, record.KindWithdrawal, id, ""))
				n.drain(ann)
			case "withdrawn by another":
				// An honest process refuses; another's would go out, and not count.
				a := record.About{Target: id}
				must(t, bob.room.say(bob.clock(), held{kind: record.KindWithdrawal, text: a.Text()}))
				n.drain(bob)
			case "shortened":
				bob.room.shortenLog(f.ref.t, f.ref.index, 1<<30)
				n.drain(bob)
			case "dropped":
				bob.room.dropTranscript(f.ref.t)
				n.drain(bob)
			}
			n.run(5 * time.Second)
			if how == "withdrawn by another" {
				if len(pieces["bob"].of) != 2 || len(pieces["ann"].of) != 2 {
					t.Error("a file goes though its author has not withdrawn it")
				}
				return
			}
			if len(pieces["bob"].of) > 0 || bob.room.files.bytes != 0 || len(bob.room.files.refs) > 0 {
				t.Errorf("%d pieces stay; %d bytes are charged", len(pieces["bob"].of), bob.room.files.bytes)
			}
			if st := bob.fileStates(id); st[len(st)-1] != FileGone {
				t.Errorf("bob is told %v", st)
			}
			if how == "withdrawn" && len(pieces["ann"].of) > 0 {
				t.Error("the author keeps what they withdrew")
			}
		})
	}
}

// TestFileShared: another message with the same hashes, which anybody can make, neither has pieces
// go that are needed, nor keeps them.
func TestFileShared(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	id := n.sendFile(t, ann, "plan", someFile(200_000))
	n.run(5 * time.Second)
	f, _, err := eve.room.File(id)
	must(t, err)
	copied := *f
	copied.Name = "copied"
	must(t, eve.room.say(eve.clock(), held{kind: record.KindFile, text: string(copied.Append(nil))}))
	n.drain(eve)
	n.run(5 * time.Second)
	var theirs ake.Hash
	for _, d := range bob.messages {
		if d.Message.Text == "copied" {
			theirs = d.ID
		}
	}
	withdraw := func(s *simNode, id ake.Hash) {
		must(t, s.room.SendAbout(s.clock(), nil, record.KindWithdrawal, id, ""))
		n.drain(s)
		n.run(3 * time.Second)
	}
	withdraw(eve, theirs)
	if len(pieces["bob"].of) != 2 || !n.has(t, bob, id, someFile(200_000)) {
		t.Fatal("another's message has ann's pieces go")
	}
	withdraw(ann, id)
	if len(pieces["bob"].of) != 0 {
		t.Error("the pieces stay")
	}
}

// TestFileHeld: a file that nobody can read yet waits, also for the next process, and its pieces go
// if it is dropped.
func TestFileHeld(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	inner := n.configure
	n.configure = func(s *simNode, c *Config) {
		name := s.name
		s.name = strings.TrimRight(name, "'")
		inner(s, c)
		s.name = name
	}
	var disk memJournal
	kari := n.startHeld(&disk, nil, 0)
	data := someFile(200_000)
	for _, name := range []string{"wait", "drop"} {
		must(t, kari.room.SendFile(kari.clock(), name, name, data))
		n.drain(kari)
		n.run(time.Second)
	}
	if len(pieces["kari"].of) != 4 || disk.held() != 2 {
		t.Fatalf("%d pieces, %d held", len(pieces["kari"].of), disk.held())
	}
	dropped := kari.room.Drop(kari.clock(), func(m HeldMessage) bool { return m.Text == "drop" })
	n.drain(kari)
	n.run(time.Second)
	if len(dropped) != 1 || len(pieces["kari"].of) != 2 {
		t.Fatalf("dropped %v, %d pieces stay", dropped, len(pieces["kari"].of))
	}
	n.stop(kari)
	n.run(time.Minute)
	again := n.startHeld(&disk, kari, 0)
	n.run(time.Second)
	if r := events[Restored](again); len(r) != 1 || r[0].Messages[0].Text != "wait" || len(pieces["kari"].of) != 2 {
		t.Fatalf("restored %+v; %d pieces", r, len(pieces["kari"].of))
	}
	ann := n.add("ann", true)
	n.connectAll()
	n.run(30 * time.Second)
	if len(ann.messages) != 1 || !n.has(t, ann, ann.messages[0].ID, data) {
		t.Errorf("ann has %v", ann.texts())
	}
	if again.room.files.bytes != ann.room.files.bytes {
		t.Errorf("%d bytes are charged, and to ann %d", again.room.files.bytes, ann.room.files.bytes)
	}
}

// TestFileDamaged: what the disk has lost is not served as if it was there, and comes again from
// others; a disk that takes nothing ends the fetching, and nothing else.
func TestFileDamaged(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	data := someFile(1 << 20)
	id := n.sendFile(t, ann, "plan", data)
	n.run(10 * time.Second)
	f, _, err := bob.room.File(id)
	must(t, err)
	delete(pieces["bob"].of, f.Hashes[3])
	bob.room.LostPiece(bob.clock(), f.Hashes[3])
	n.drain(bob)
	if _, info, _ := bob.room.File(id); info.State != FileFetching {
		t.Errorf("it is %q", info.State)
	}
	n.run(10 * time.Second)
	if !n.has(t, bob, id, data) {
		t.Error("it did not come again")
	}
	pieces["cyn"].failed = errors.New("no space")
	id = n.sendFile(t, ann, "more", someFile(2<<20))
	n.fetchFile(t, cyn, id)
	n.run(10 * time.Second)
	if st := cyn.fileStates(id); st[len(st)-1] != FileThere || len(cyn.failed) == 0 {
		t.Errorf("cyn is told %v, %v", st, cyn.failed)
	}
	ann.say("go on")
	n.allHear(2*time.Second, "go on", bob, cyn)
	if len(cyn.room.files.asking) > 0 {
		t.Errorf("%d pieces are being asked for still", len(cyn.room.files.asking))
	}
}

// TestFileCutShort: a piece that the disk has cut short is not here for the next process, and comes again.
func TestFileCutShort(t *testing.T) {
	n, pieces := fileNetwork(t, 1<<30)
	disks, all := n.onDisks("ann", "bob")
	bob := all[1]
	data := someFile(300_000)
	id := n.sendFile(t, all[0], "plan", data)
	n.run(5 * time.Second)
	f, _, err := bob.room.File(id)
	must(t, err)
	n.stop(bob)
	pieces["bob"].of[f.Hashes[1]] = pieces["bob"].of[f.Hashes[1]][:1000]
	n.run(5 * time.Second)
	again := n.startOn(disks[1], "bob", always, bob.room.cfg.Identity, n.seed32(), 0)
	if _, info, _ := again.room.File(id); info.State != FileFetching {
		t.Errorf("it is %q", info.State)
	}
	n.connectAll()
	n.run(20 * time.Second)
	if !n.has(t, again, id, data) {
		t.Error("it did not come again")
	}
}

// TestFileSlowDisk: where the disk is slower than those who serve, what waits for it is bounded, and the
// file comes all the same.
func TestFileSlowDisk(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	data := someFile(14 << 20)
	id := n.sendFile(t, ann, "talk.mp4", data)
	n.fetchFile(t, cyn, id)
	n.run(30 * time.Second)
	if !n.has(t, cyn, id, data) {
		t.Fatal("cyn does not have it")
	}
	n.work = func(s *simNode, _ any) time.Duration {
		if s == bob {
			return seekAgainTime + 5*time.Second
		}
		return 50 * time.Millisecond
	}
	c := n.countSeeks(nil)
	n.fetchFile(t, bob, id)
	most := 0
	for range 600 {
		n.run(100 * time.Millisecond)
		most = max(most, len(bob.room.files.asking))
	}
	if most != maxAsking {
		t.Errorf("%d pieces were asked for at once, or waited for the disk", most)
	}
	if !n.has(t, bob, id, data) {
		t.Error("bob does not have it")
	}
	if sent := c.pieces["ann"] + c.pieces["cyn"]; sent != len(data)/ake.PieceSize {
		t.Errorf("%d pieces were sent for a file of %d", sent, len(data)/ake.PieceSize)
	}
}

// TestFileServedPace: one peer that asks again and again for what it has is served at a pace, and
// not after that.
func TestFileServedPace(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	all := n.party("ann", "eve")
	ann, eve := all[0], all[1]
	id := n.sendFile(t, ann, "plan", someFile(1<<20))
	n.run(5 * time.Second)
	f, _, err := eve.room.File(id)
	must(t, err)
	c := n.countSeeks(nil)
	for range 300 {
		if ch := eve.room.channelTo(ann.actor.Self()); ch != nil {
			x := eve.room.openChannelStream(ch, ProtocolFile)
			x.seeks = f.Hashes[:8]
			eve.room.send(x, record.EncodeSeek(x.seeks))
			n.drain(eve)
		}
		n.run(100 * time.Millisecond)
	}
	served := c.pieces["ann"] * ake.PieceSize
	if served < 8<<20 || served > (8+31+1)<<20 {
		t.Errorf("in 30 s %d MiB were served", served>>20)
	}
}

// TestFileServedBranch: a member and those whom they made up, who ask again and again for what they have,
// are served a part of what there is; who hangs on another branch is served at once.
func TestFileServedBranch(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	all := n.party("ann", "cyn")
	ann, cyn := all[0], all[1]
	mallory := n.add("mallory", true) // whom ann let in, and who makes up the others
	n.connect(mallory, ann)
	n.run(5 * time.Second)
	greedy := []*simNode{mallory}
	for i := range 5 {
		s := n.add(fmt.Sprint("made up ", i), true)
		n.connect(s, mallory)
		n.run(3 * time.Second)
		greedy = append(greedy, s)
	}
	n.connectAll()
	n.run(20 * time.Second)
	id := n.sendFile(t, ann, "plan", someFile(1<<20))
	n.run(30 * time.Second)
	for _, s := range greedy {
		if b, _ := ann.room.branchOf(ann.room.today(), ake.Hash{}, s.room.identity); b != mallory.room.identity {
			t.Fatalf("%s is of another branch: the test shows nothing", s.name)
		}
	}
	f, _, err := cyn.room.File(id)
	must(t, err)
	ask := func(s *simNode) *exchange {
		ch := s.room.channelTo(ann.actor.Self())
		if ch == nil {
			t.Fatalf("%s has no channel", s.name)
		}
		x := s.room.openChannelStream(ch, ProtocolFile)
		x.seeks = f.Hashes[:8]
		s.room.send(x, record.EncodeSeek(x.seeks))
		n.drain(s)
		return x
	}
	c := n.countSeeks(nil)
	for range 200 {
		for _, s := range greedy {
			ask(s)
		}
		n.run(100 * time.Millisecond)
	}
	served := c.pieces["ann"] * ake.PieceSize
	if served < 16<<20 || served > (16+2*20+2)<<20 {
		t.Errorf("in 20 s %d MiB were served", served>>20)
	}
	x := ask(cyn)
	if n.run(time.Second); x.brought != 8 {
		t.Errorf("cyn was served %d pieces", x.brought)
	}
}

// TestFileLiesBeside: another message that names a piece of a file, and says that it has another length, keeps
// nothing of it when the file goes, in this process or the next; nor does it have the file go.
func TestFileLiesBeside(t *testing.T) {
	for _, size := range []uint32{1, ake.PieceSize - 1, ake.PieceSize} {
		n, pieces := fileNetwork(t, 1<<30)
		disks, all := n.onDisks("ann", "bob", "eve")
		ann, bob, eve := all[0], all[1], all[2]
		data := someFile(3000)
		id := n.sendFile(t, ann, "plan", data)
		n.run(5 * time.Second)
		f, _, err := eve.room.File(id)
		must(t, err)
		lie := record.File{Name: "lie", Size: size, Key: f.Key, Hashes: f.Hashes}
		must(t, eve.room.say(eve.clock(), held{kind: record.KindFile, text: string(lie.Append(nil))}))
		n.drain(eve)
		n.run(5 * time.Second)
		last := bob.messages[len(bob.messages)-1]
		if last.Message.Text != "lie" || last.File == nil {
			t.Fatalf("bob is shown %+v", last)
		}
		if err := bob.room.FetchFile(bob.clock(), last.ID); !errors.Is(err, ErrFileLies) {
			t.Errorf("what lies is fetched: %v", err)
		}
		n.stop(bob)
		n.run(time.Second)
		bob = n.startOn(disks[1], "bob", always, bob.room.cfg.Identity, n.seed32(), 0)
		n.connectAll()
		n.run(20 * time.Second)
		if len(bob.room.files.byID) != 1 || !n.has(t, bob, id, data) {
			t.Errorf("bob keeps %d files", len(bob.room.files.byID))
		}
		must(t, ann.room.SendAbout(ann.clock(), nil, record.KindWithdrawal, id, ""))
		n.drain(ann)
		n.run(10 * time.Second)
		if k := len(pieces["bob"].of); k > 0 || bob.room.files.bytes != 0 {
			t.Errorf("bob keeps %d pieces, and is charged %d", k, bob.room.files.bytes)
		}
	}
}

// TestFileLiesMeanwhile: nor is a file kept that says another length of a piece that is just being written.
func TestFileLiesMeanwhile(t *testing.T) {
	n, _ := fileNetwork(t, 1<<30)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	n.work = func(s *simNode, _ any) time.Duration {
		if s == bob {
			return 3 * time.Second
		}
		return 10 * time.Millisecond
	}
	data := someFile(3000)
	id := n.sendFile(t, ann, "plan", data)
	for range 30 {
		if n.run(100 * time.Millisecond); len(bob.room.files.writing) > 0 {
			break
		}
	}
	f, _, err := eve.room.File(id)
	must(t, err)
	lie := record.File{Name: "lie", Size: 1, Key: f.Key, Hashes: f.Hashes}
	must(t, eve.room.say(eve.clock(), held{kind: record.KindFile, text: string(lie.Append(nil))}))
	n.drain(eve)
	n.run(time.Second)
	if len(bob.room.files.writing) != 1 || len(bob.room.files.byID) != 2 {
		t.Fatalf("bob writes %d pieces, of %d files: the test shows nothing", len(bob.room.files.writing), len(bob.room.files.byID))
	}
	n.run(10 * time.Second)
	if len(bob.room.files.byID) != 1 || !n.has(t, bob, id, data) {
		t.Errorf("bob keeps %d files", len(bob.room.files.byID))
	}
}

// TestFileLies: of a file whose pieces have other lengths than its message says nothing is kept, nor is
// it fetched again: what is charged for a file is what it takes. What is right beside it is kept.
func TestFileLies(t *testing.T) {
	for name, lengths := range map[string][]int{
		"far longer": {record.MaxFrame - 1}, "longer": {ake.MaxPiece}, "a byte longer": {2 + ake.PieceOverhead},
		"shorter": {ake.PieceOverhead}, "the second longer": {ake.MaxPiece, 3 + ake.PieceOverhead},
	} {
		t.Run(name, func(t *testing.T) {
			n, pieces := fileNetwork(t, 1<<30)
			all := n.party("bob", "eve")
			bob, eve := all[0], all[1]
			lie := record.File{Name: "lie", Size: 1 + uint32(len(lengths)-1)*ake.PieceSize, Key: eve.room.draw()}
			for _, length := range lengths {
				piece := someFile(length)
				h := ake.PieceHash(piece)
				pieces["eve"].of[h] = piece
				eve.room.files.refs[h] = pieceRef{files: 1} // so that she gives it
				lie.Hashes = append(lie.Hashes, h)
			}
			sent := n.countSeeks(nil)
			must(t, eve.room.say(eve.clock(), held{kind: record.KindFile, text: string(lie.Append(nil))}))
			n.drain(eve)
			n.run(time.Minute)
			if sent.pieces["eve"] == 0 || sent.pieces["eve"] > len(lengths) {
				t.Errorf("eve sent %d pieces", sent.pieces["eve"])
			}
			if k := len(pieces["bob"].of); k > 0 || bob.room.files.bytes != 0 || len(bob.room.files.byID) > 0 {
				t.Errorf("bob keeps %d pieces, and is charged %d", k, bob.room.files.bytes)
			}
			if pieces["bob"].puts >= len(lengths) {
				t.Errorf("what lies came to the disk")
			}
			data := someFile(1000)
			id := n.sendFile(t, eve, "no lie", data)
			n.run(5 * time.Second)
			if !n.has(t, bob, id, data) {
				t.Error("bob does not have what is no lie")
			}
		})
	}
}
