package node

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room"
)

// file is the last file that a member was shown, and how it stands with it.
func (m *simMember) file() (id ake.Hash, state string) {
	m.each(func(_ time.Time, e Event) {
		if d, ok := e.(room.Delivered); ok && d.File != nil {
			id, state = d.ID, d.File.State
		}
		if c, ok := e.(room.FileChanged); ok && c.ID == id {
			state = c.State
		}
	})
	return id, state
}

// waitForFile lets time pass until a member has the last file that it was shown.
func (m *simMember) waitForFile(limit time.Duration) ake.Hash {
	m.sim.t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		id, state := m.file()
		if state == room.FileHere {
			return id
		}
		if time.Now().After(deadline) {
			m.story(deadline.Add(-limit))
			m.sim.t.Fatalf("%s: after %v the file is %q", m.name, limit, state)
		}
	}
}

// TestFileGoesRound: a file goes to one member, its author leaves, and a third gets it from the
// second: the same bytes.
func TestFileGoesRound(t *testing.T) {
	virtual(t, func(s *sim) {
		s.calm(3)
		data := make([]byte, 3<<20+5)
		rand.Read(data)
		if err := s.members[0].SendFile(nil, "talk.mp4", data); err != nil {
			t.Fatal(err)
		}
		s.members[0].waitForFile(10 * time.Second)
		time.Sleep(3 * time.Second)
		id, state := s.members[1].file()
		if state != room.FileThere {
			t.Fatalf("unasked it is %q", state)
		}
		start := time.Now()
		if err := s.members[1].FetchFile(id); err != nil {
			t.Fatal(err)
		}
		s.members[1].waitForFile(time.Minute)
		t.Logf("3 MiB took %v", time.Since(start))
		s.members[0].leave()
		time.Sleep(5 * time.Second)
		if err := s.members[2].FetchFile(id); err != nil {
			t.Fatal(err)
		}
		s.members[2].waitForFile(time.Minute)
		var got bytes.Buffer
		if err := s.members[2].WriteFile(id, &got); err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Fatalf("%d bytes of %d, %v", got.Len(), len(data), err)
		}
	})
}

// TestFileLeavesRoomForWords: while a member fetches a large file from another, over 20 Mbit/s, what
// that one says arrives within half a second.
func TestFileLeavesRoomForWords(t *testing.T) {
	virtual(t, func(s *sim) {
		s.calm(3)
		data := make([]byte, 16<<20)
		rand.Read(data)
		if err := s.members[0].SendFile(nil, "talk.mp4", data); err != nil {
			t.Fatal(err)
		}
		id := s.members[0].waitForFile(10 * time.Second)
		time.Sleep(3 * time.Second)
		for _, m := range s.members[1:] {
			if err := m.FetchFile(id); err != nil {
				t.Fatal(err)
			}
		}
		said := make(map[string]time.Time)
		for i := 0; ; i++ {
			if _, state := s.members[1].file(); state == room.FileHere || i == 200 {
				if i < 20 {
					t.Fatalf("it is %q after %d words", state, i)
				}
				break
			}
			text := time.Now().String()
			said[text] = time.Now()
			s.members[0].say(text)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		var slowest time.Duration
		heard := 0
		s.members[1].each(func(at time.Time, e Event) {
			if d, ok := e.(room.Delivered); ok && !said[d.Message.Text].IsZero() {
				heard++
				slowest = max(slowest, at.Sub(said[d.Message.Text]))
			}
		})
		t.Logf("%d of %d words heard, the slowest after %v", heard, len(said), slowest)
		if heard < len(said) || slowest > 500*time.Millisecond {
			t.Error("the file keeps words from coming")
		}
	})
}
