package chat

import (
	"fmt"
	"strings"
	"testing"

	"coterie/crypto/abe"
	"coterie/room"
)

// TestSplitTo: of what follows /to, the policy ends where it says; where it may go on in the
// words nothing is sent.
func TestSplitTo(t *testing.T) {
	for _, c := range []struct{ args, policy, words string }{
		{`Professor hello`, `"Professor"`, "hello"},
		{`"Professor" hello, all`, `"Professor"`, "hello, all"},
		{`"5th year" hello`, `"5th year"`, "hello"},
		{`(NTNU and "5th year") hello (all)`, `"NTNU" and "5th year"`, "hello (all)"},
		{`'NTNU and "5th year"' hello`, `"NTNU" and "5th year"`, "hello"},
		{`("a b" or (c and d))  two  spaces`, `"a b" or ("c" and "d")`, "two  spaces"},
		{`dept="A b" hello`, `dept = "A b"`, "hello"},
		{`age>=18 hello`, `age >= 18`, "hello"},
		{`(2 of (a, b, c)) hello`, `2 of ("a", "b", "c")`, "hello"},
		{`(")") hello`, `")"`, "hello"},
		{`Professor "or" not`, `"Professor"`, `"or" not`},
		{`Professor orders`, `"Professor"`, `orders`},
		{"Professor\nhello", `"Professor"`, "hello"},
	} {
		say, ok := ParseTo(c.args).(Say)
		p, err := abe.ParsePolicy(say.To)
		if !ok || err != nil || p.String() != c.policy || say.Text != c.words {
			t.Errorf("%s: %+v, %v", c.args, ParseTo(c.args), err)
		}
	}
	for _, bad := range []string{
		`NTNU and "5th year" hello`, `"NTNU" or Professor hello`, `NTNU AND x`, `2 of (a, b) hello`, `dept = A hello`,
		`dept= A hello`, `age >= 18 hello`, `dept =A hello`, `dept != A hello`, `"Professor hello`, `(Professor hello`,
		`Professor) hello`,
		`'Professor hello`, `'Professor'hello`, `(not Professor) hello`, `not Professor hello`, `Professor: hello`,
		`(Professor or) hello`, `() hello`, `"" hello`, `021x=021 hello`,
		`(` + strings.Repeat("a or ", 33) + `a) hello`, `Professor ` + strings.Repeat("x", 8191),
	} {
		switch c := ParseTo(bad).(type) {
		case Bad:
			if c.Err.Text == "" || len(c.Err.Hints) == 0 && c.Err.Code != "bad-policy" {
				t.Errorf("%.40s: %+v", bad, c.Err)
			}
		case Say:
			t.Errorf("%.40s is sent to %s: %.40s", bad, c.To, c.Text)
		default:
			t.Errorf("%.40s: %+v", bad, c)
		}
	}
	for _, args := range []string{`Professor`, `"5th year"`, `(a or b)`, `'a or b'`, ` Professor `} {
		if _, ok := Parse("/to " + args).(To); !ok {
			t.Errorf("%s: %+v", args, Parse("/to "+args))
		}
	}
	for _, stray := range []string{" /to Professor x", "\t/to Professor x", "  /to"} {
		if _, ok := Parse(stray).(Bad); !ok {
			t.Errorf("%q: %+v", stray, Parse(stray))
		}
	}
	if _, ok := Parse("I walk /to school").(Say); !ok {
		t.Error("words with /to in them cannot be said")
	}
	if _, ok := Parse("/to").(Bad); !ok {
		t.Errorf("/to alone: %+v", Parse("/to"))
	}
}

// FuzzSplitTo: nothing that is typed is said to all, and what is said was typed.
func FuzzSplitTo(f *testing.F) {
	for _, s := range []string{`Professor hello`, `("a\\"b" or c) x`, `'a' x`, `a) b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		say, ok := Parse("/to " + args).(Say)
		if !ok {
			return
		}
		if say.To == "" || say.Text == "" || !strings.Contains(args, say.Text) || !strings.Contains(args, say.To) {
			t.Errorf("%q: %+v", args, say)
		}
		if _, err := ToPolicy(say.To, say.Text); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	})
}

// TestWhomFor: of whom words would be for is said what is known: who proved the policy to this
// user, and is here; and that is not more than there is.
func TestWhomFor(t *testing.T) {
	s := inRoom()
	about := func() string {
		a, ok := s.Answer(To{`Professor`}, noon)
		if !ok {
			t.Fatal("no answer")
		}
		return strings.Join(a.Lines, "\n")
	}
	if got := about(); !strings.Contains(got, "nobody knows who can read it") ||
		!strings.Contains(got, "does not satisfy it") {
		t.Error(got)
	}
	s.Take(Event{Room: s.ID, At: noon, What: room.EpochStarted{Members: []room.Member{{Peer: s.Self},
		{Peer: ann, Name: "ann"}, {Peer: per, Name: "per"}}}})
	for _, p := range []struct {
		a    room.Attested
		want string
	}{
		{room.Attested{Member: room.Member{Peer: ann}, Policy: `"Professor"`}, "nobody knows who"},
		{room.Attested{Member: room.Member{Peer: ann}, Policy: `"Professor"`, OK: true, Given: true}, "nobody knows who"},
		{room.Attested{Member: room.Member{Peer: ann}, Policy: `"Student"`, OK: true}, "nobody knows who"},
		{room.Attested{Member: room.Member{Peer: ann}, Policy: `"Professor"`, OK: true},
			"1 of the 2 others here has proved it to you: ann; of the rest nobody knows"},
		{room.Attested{Member: room.Member{Peer: per}, Policy: `"Professor"`, OK: true},
			"2 of the 2 others here have proved it to you: ann and per"},
	} {
		s.Take(Event{Room: s.ID, At: noon, What: p.a})
		if got := about(); !strings.Contains(got, p.want) {
			t.Errorf("after %+v: %s", p.a, got)
		}
	}
	s.Take(Event{Room: s.ID, At: noon, What: room.Departed{Member: room.Member{Peer: ann}}})
	if got := about(); !strings.Contains(got, "1 of the 1 other here has proved it to you: per") {
		t.Error(got)
	}
	got := fmt.Sprint(s.Take(Event{Room: s.ID, At: noon, What: room.Sent{To: `"Professor"`}}))
	if !strings.Contains(got, "alone") {
		t.Error("it is not told whom they are for")
	}
	if got := s.Take(Event{Room: s.ID, At: noon, What: room.Sent{To: `"Professor"`}}); got != nil {
		t.Errorf("it is told again: %v", got)
	}
	if got := s.Take(Event{Room: s.ID, At: noon, What: room.Sent{}}); got != nil {
		t.Errorf("words for all are told of: %v", got)
	}
}
