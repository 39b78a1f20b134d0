package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"coterie/room/record"
)

// TestReadBack: what is read back is what a process that starts again shows, with the same authors,
// and damage to the disk takes away what it damages and nothing else.
func TestReadBack(t *testing.T) {
	n := newNetwork(t, 121)
	var disk memJournal
	identity := newIdentity(n.seed32())
	ann := n.startOn(&disk, "ann", always, identity, n.seed32(), 0)
	bob := n.add("bob", true)
	n.connect(ann, bob)
	n.until(20*time.Second, "one epoch", func() bool { return together(ann, bob) })
	for i := range 3 {
		ann.say(fmt.Sprint("ann ", i))
		bob.say(fmt.Sprint("bob ", i))
		n.allHear(time.Second, fmt.Sprint("bob ", i), ann)
	}
	self, id := ann.room.Self(), ann.room.id
	n.stop(ann)
	read := func(j *memJournal, most int) (said []string) {
		_, err := ReadBack(j, id, self, func(m *record.Signed) bool { return m.Body.Text != "ann 1" }, func(d Delivered) bool {
			if !d.History || d.Self != (d.Author.Peer == self) || d.Author.Name != d.Message.Text[:3] {
				t.Errorf("%q is by %q, self %v, history %v", d.Message.Text, d.Author.Name, d.Self, d.History)
			}
			said = append(said, d.Message.Text)
			return len(said) < most
		})
		if err != nil {
			t.Error(err)
		}
		slices.Sort(said)
		return said
	}
	whole := []string{"ann 0", "ann 2", "bob 0", "bob 1", "bob 2"}
	if got := read(&disk, 10); !slices.Equal(got, whole) {
		t.Errorf("read back %q", got)
	}
	if got := read(&disk, 2); len(got) != 2 {
		t.Errorf("it went on to %q", got)
	}
	again := n.startOn(&disk, "ann", always, identity, n.seed32(), 0)
	var shown []string
	for _, d := range again.messages {
		if d.Message.Text != "ann 1" {
			shown = append(shown, d.Message.Text)
		}
	}
	if slices.Sort(shown); !slices.Equal(shown, whole) {
		t.Errorf("a process that starts again shows %q", shown)
	}

	first := slices.IndexFunc(disk.order, func(s Saved) bool { return s.Counter > 0 })
	for name, c := range map[string]struct {
		damage func(all []Saved) []Saved
		left   int
	}{
		"a head twice": {func(all []Saved) []Saved { return slices.Insert(all, 1, all[0]) }, 5},
		"names that came later": {func(all []Saved) []Saved {
			isName := func(s Saved) bool { return s.Counter == 0 && s.Author != Head && !s.Rest }
			names := slices.DeleteFunc(slices.Clone(all), func(s Saved) bool { return !isName(s) })
			return append(slices.DeleteFunc(all, isName), names...)
		}, 5},
		"no head":          {func(all []Saved) []Saved { return all[1:] }, 0},
		"a damaged head":   {func(all []Saved) []Saved { all[0].Data = all[0].Data[1:]; return all }, 0},
		"no data":          {func(all []Saved) []Saved { all[0].Data = nil; return all }, 0},
		"another author":   {func(all []Saved) []Saved { all[first].Author ^= 1; return all }, 4},
		"no such author":   {func(all []Saved) []Saved { all[first].Author = 2; return all }, 4},
		"a damaged record": {func(all []Saved) []Saved { all[first].Data = all[first].Data[1:]; return all }, 4},
	} {
		j := &memJournal{order: c.damage(slices.Clone(disk.order))}
		if got := read(j, 10); len(got) != c.left {
			t.Errorf("%s: %q is left, not %d", name, got, c.left)
		}
	}
}
