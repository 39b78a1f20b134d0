package room

import (
	"testing"
	"time"
)

// TestDiffers: a member that says for a while that it is in another epoch is
// shown as one whose view differs, until it says otherwise or we move on.
func TestDiffers(t *testing.T) {
	n := newNetwork(t, 92)
	all := n.party("ann", "bob", "cyn")
	ann, bob := all[0], all[1]
	head := bob.room.head
	id := StreamID(1 << 20)
	says := func(of *epoch, now time.Time) {
		t.Helper()
		bob.room.head = of
		hello := bob.room.hello(&exchange{})
		bob.room.head = head
		id += 2
		ann.room.StreamOpened(now, id, bob.room.self, [32]byte{}, ProtocolSync)
		ann.room.StreamFrame(now, id, hello)
		ann.room.StreamClosed(now, id)
	}
	differs := func(now time.Time) (out []string) {
		for _, m := range ann.room.Status(now).Members {
			if m.Differs {
				out = append(out, m.Name)
			}
		}
		return out
	}
	var older *epoch
	for _, e := range bob.room.commits {
		if e != head {
			older = e
		}
	}
	if older == nil {
		t.Fatal("there was one epoch only: the test shows nothing")
	}
	at := n.now
	for _, step := range []struct {
		after time.Duration
		says  *epoch
		want  bool
	}{
		{0, older, false},
		{differTime - time.Second, older, false},
		{time.Second, older, true},
		{time.Minute, nil, true},
		{time.Second, head, false},
		{time.Second, older, false},
		{differTime, older, true},
	} {
		at = at.Add(step.after)
		says(step.says, at)
		if got := differs(at); (len(got) == 1 && got[0] == "bob") != step.want {
			t.Fatalf("%v after the beginning %q differ, want bob: %v", at.Sub(n.now), got, step.want)
		}
	}
	if got := differs(at.Add(differKept)); len(got) > 0 {
		t.Errorf("%q differ, long after they said so", got)
	}
	ann.room.head = older
	if got := differs(at); len(got) > 0 {
		t.Errorf("%q differ from an epoch of which they said nothing", got)
	}
}
