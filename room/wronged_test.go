package room

import (
	"testing"
	"time"

	"coterie/room/record"
)

// TestHeadThatDropsTheLiving: nothing is sent under a head that drops somebody
// as silent of whom a greater serial was heard since; what is typed waits for
// the next one (PROTOCOL.md §8.4).
func TestHeadThatDropsTheLiving(t *testing.T) {
	k := newBenchRoom(t, 5)
	a, lost := k.a, k.b
	a.PeerConnected(k.now, lost.self)
	p := a.processes[lost.workingID]
	p.heard, p.beat, a.heardAny = k.now.Add(-time.Hour), nil, k.now
	k.commit(t)
	if r := a.head.commit.Removals; len(r) != 1 || r[0].Kind != record.EvidenceSilent {
		t.Fatalf("the commit removes %+v", r)
	}
	a.Ready()

	send := func(text string) (published, held bool) {
		t.Helper()
		if err := a.Send(k.now, nil, record.KindText, text); err != nil {
			t.Fatal(err)
		}
		out := a.Ready()
		for _, data := range out.Publish {
			published = published || data[0] == record.TypeMessage
		}
		for _, e := range out.Events {
			if _, ok := e.(Held); ok {
				held = true
			}
		}
		return published, held
	}
	if published, held := send("as far as one knows, it is silent"); !published || held {
		t.Fatalf("published %v, held %v", published, held)
	}
	beat := lost.processes[lost.workingID].beat
	if !a.tookBeats(record.EncodeFields(record.FrameBeats, beat.Append(nil))[1:]) {
		t.Fatal("the beat was not taken")
	}
	if published, held := send("it is not"); published || !held {
		t.Errorf("published %v, held %v", published, held)
	}
	// Whoever called it silent had only heard less of it.
	k.now = k.now.Add(10 * time.Second)
	p.heard, a.heardAny = k.now.Add(-time.Hour), k.now
	if published, held := send("it is silent after all"); !published || held {
		t.Errorf("published %v, held %v", published, held)
	}
}

// TestSilenceUnderAnother: the same if another commit, without a word on anybody,
// rests on the one that drops somebody.
func TestSilenceUnderAnother(t *testing.T) {
	k := newBenchRoom(t, 5)
	a, lost := k.a, k.b
	a.PeerConnected(k.now, lost.self)
	p := a.processes[lost.workingID]
	p.heard, p.beat, a.heardAny = k.now.Add(-time.Hour), nil, k.now
	k.commit(t)
	k.commit(t)
	if r := a.head.commit.Removals; len(r) != 0 {
		t.Fatalf("the commit removes %+v", r)
	}
	if !a.maySend() {
		t.Fatal("a head that is right does not do")
	}
	beat := lost.processes[lost.workingID].beat
	if !a.tookBeats(record.EncodeFields(record.FrameBeats, beat.Append(nil))[1:]) {
		t.Fatal("the beat was not taken")
	}
	if a.maySend() {
		t.Error("one would send without somebody who was called silent and is not")
	}
}
