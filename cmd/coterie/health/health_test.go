package health

import (
	"testing"
	"time"
)

var fine = Facts{KeyDays: 90, Expires: "2027-02-21", Direct: 2, Members: 3, MaySend: true, Others: 2, Peers: 2}

func with(change func(*Facts)) Facts {
	f := fine
	change(&f)
	return f
}

var cases = []struct {
	name  string
	facts Facts
	word  Code // in the end
	text  string
}{
	{"all is well", fine, OK, ""},
	{"the key lapsed", with(func(f *Facts) { f.KeyDays = 0 }), Expired, "Your key lapsed on 2027-02-21."},
	{"nobody takes the proof", with(func(f *Facts) { f.Members, f.Refusals, f.Others = 0, 3, 3 }), Refused,
		"3 members answered and none accepted your proof."},
	{"no network", with(func(f *Facts) { f.Direct, f.Members, f.Others, f.Bootstraps, f.Held = 0, 0, 0, 1, 2 }), Offline,
		"No peer is connected. 2 messages are held until somebody can read them."},
	{"nobody is here but a relay", with(func(f *Facts) {
		f.Direct, f.Relays, f.Members, f.Others, f.Held = 0, 1, 0, 0,
			1
	}), Alone,
		"Nobody else is here. 1 message is held until somebody can read it."},
	{"the only other one has gone, and nothing is connected", with(func(f *Facts) {
		f.Direct, f.Members, f.Others, f.Bootstraps, f.Parted = 0, 1, 0, 1, "ann went away"
	}), Alone, "Nobody else is here: ann went away. No peer is connected."},
	{"all said good-bye, and one that is connected does not answer", with(func(f *Facts) {
		f.Members, f.Others, f.Mute, f.Parted = 1, 0, true, "ann left"
	}), Offline, "No peer answers."},
	{"no address was given, and nobody was met", with(func(f *Facts) { f.Direct, f.Members, f.Others = 0, 0, 0 }), Offline,
		"No peer is connected yet: /link invites others."},
	{"no address was given, and the cable is pulled", with(func(f *Facts) { f.Direct, f.Members, f.Others = 0, 8, 0 }),
		Offline,
		"No peer is connected."},
	{"nobody answers on the connections that there are", with(func(f *Facts) { f.Members, f.Mute = 8, true }), Offline,
		"No peer answers."},
	{"all others are gone", with(func(f *Facts) { f.Direct, f.Relays, f.Members, f.Others, f.Held = 0, 1, 8, 0, 1 }),
		Alone,
		"None of the 7 other members is connected. 1 message is held until somebody can read it."},
	{"the only other one is gone, and strangers are here", with(func(f *Facts) { f.Members, f.Others = 2, 0 }), Alone,
		"The other member is not connected."},
	{"a view differs", with(func(f *Facts) { f.Differ = []string{"ann"} }), Split, "ann sees other members than you do."},
	{"the clock is behind", with(func(f *Facts) { f.Skew, f.SkewOf = -182*time.Minute, 4 }), Clock,
		"This computer's clock is 3 h 2 min behind the others (median of 4)."},
	{"a clock so far off that nobody is connected", with(func(f *Facts) {
		f.Direct, f.Members, f.Others,
			f.ClockApart = 0, 0, 0, true
	}), Clock,
		"This computer's clock and that of a peer that answers are more than an hour apart."},
	{"the clock was set back", with(func(f *Facts) { f.Skew, f.SkewOf, f.SetBack = time.Second, 4, 23*time.Hour }), Clock,
		"This computer's clock was set back, and this room is 23 h 0 min ahead of it."},
	{"the clock was set back, and wrongly", with(func(f *Facts) {
		f.Skew, f.SkewOf, f.SetBack = -time.Hour, 4,
			time.Hour
	}), Clock,
		"This computer's clock is 1 h 0 min behind the others (median of 4)."},
	{"joining", with(func(f *Facts) { f.Members = 0 }), Joining, "Joining: 2 peers are here."},
	{"rekeying", with(func(f *Facts) { f.MaySend, f.Held = false, 1 }), Joining,
		"New keys are on their way. 1 message is held until somebody can read it."},
	{"messages are missing", with(func(f *Facts) { f.Missing = 2 }), Behind, "2 messages are missing here; fetching."},
	{"relayed", with(func(f *Facts) { f.Direct, f.Relayed = 0, 2 }), Relayed,
		"Every path is relayed: neither end could dial the other."},
	{"UDP blocked", with(func(f *Facts) { f.Direct, f.Relayed, f.UDPBlocked = 0, 2, true }), Relayed,
		"Every path is relayed: UDP does not get out of this network."},
	{"one of a newer protocol", with(func(f *Facts) { f.Newer, f.Peers, f.Version = 1, 1, 3 }), Old,
		"1 of 1 peer speaks protocol 3 and cannot be heard."},
	{"a newer protocol", with(func(f *Facts) { f.Newer, f.Peers, f.Version = 3, 5, 2 }), Old,
		"3 of 5 peers speak protocol 2 and cannot be heard."},
	{"lapsing", with(func(f *Facts) { f.KeyDays = 6 }), Expiring, "Your key lapses in 6 days, on 2027-02-21."},
}

func TestItems(t *testing.T) {
	for _, c := range cases {
		var w Watch
		start := time.Unix(0, 0)
		w.Step(start, c.facts)
		shown := w.Step(start.Add(time.Minute), c.facts)
		if Word(shown) != c.word {
			t.Errorf("%s: %s, want %s", c.name, Word(shown), c.word)
		}
		if c.word != OK && (len(shown) != 1 || shown[0].Text != c.text) {
			t.Errorf("%s: %d items: %+v", c.name, len(shown), shown)
		}
	}
}

// TestEveryCode: each code can be reached, and is ranked.
func TestEveryCode(t *testing.T) {
	seen := make(map[Code]bool)
	for _, c := range cases {
		seen[c.word] = true
	}
	for _, c := range order {
		if !seen[c] {
			t.Errorf("no case leads to %s", c)
		}
	}
}

// TestOneCauseOneLine: what is explained by something worse is not shown
// beside it, not even while that is not old enough to be seen.
func TestOneCauseOneLine(t *testing.T) {
	cut := with(func(f *Facts) { f.Direct, f.Members, f.Others, f.Bootstraps, f.Missing = 0, 0, 0, 1, 4 })
	var w Watch
	start := time.Unix(0, 0)
	for _, s := range []struct {
		after time.Duration
		want  Code
	}{{0, OK}, {blip - 1, OK}, {blip, Offline}, {time.Hour, Offline}} {
		shown := w.Step(start.Add(s.after), cut)
		if Word(shown) != s.want || len(shown) > 1 {
			t.Errorf("after %v: %v (%d items), want %v", s.after, Word(shown), len(shown), s.want)
		}
	}
}

// TestBlips: what comes and goes is not shown, and begins anew each time.
func TestBlips(t *testing.T) {
	off := with(func(f *Facts) { f.Direct, f.Relayed, f.Relays, f.Bootstraps = 0, 0, 0, 1 })
	var w Watch
	now := time.Unix(0, 0)
	for range 10 {
		w.Step(now, off)
		now = now.Add(blip - time.Second)
		if shown := w.Step(now, off); len(shown) > 0 {
			t.Fatalf("shown after %v", blip-time.Second)
		}
		w.Step(now, fine)
		now = now.Add(time.Second)
	}
	w.Step(now, off)
	if shown := w.Step(now.Add(blip), off); Word(shown) != Offline {
		t.Errorf("got %+v", shown)
	}
}

// TestWorstFirst: whatever is wrong at once, one word is shown, the worst.
func TestWorstFirst(t *testing.T) {
	f := with(func(f *Facts) {
		f.KeyDays, f.Missing, f.Relayed, f.Direct, f.Skew, f.SkewOf = 3, 1, 1, 0, time.Hour, 2
	})
	var w Watch
	w.Step(time.Unix(0, 0), f)
	var got []Code
	for _, i := range w.Step(time.Unix(60, 0), f) {
		got = append(got, i.Code)
	}
	want := []Code{Clock, Behind, Relayed, Expiring}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
