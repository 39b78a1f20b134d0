package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/room"
)

// TestAskThroughRelay: somebody without a key, who knows a relay alone, finds a member behind it,
// asks, and is answered. The relay reads neither. Where nobody is, or nobody of this room, nobody
// takes it.
func TestAskThroughRelay(t *testing.T) {
	r, tape := relay(t)
	d := *descriptor(t, "ONE")
	d.Questions = true
	key := issue(t, "ONE")
	ann, bob := behind(t, r, &d, "ann", key), behind(t, r, &d, "bob", issue(t, "ONE", "TWO"))
	for _, m := range []*member{ann, bob} {
		see[room.EpochStarted](t, m, "an epoch of two", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	}
	two, err := abe.ParsePolicy("TWO")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	ask := func(also *abe.Policy, text string) (*Asker, *room.Inquiry) {
		a, err := NewAsker(&d, r.Addresses())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		in, err := room.Inquire(rand.Reader, key.Domain(), &d, also, abe.DayOf(time.Now()), nil, text)
		if err != nil {
			t.Fatal(err)
		}
		for {
			said := a.Hand(ctx, in, nil)
			if said.Taken {
				return a, in
			}
			if ctx.Err() != nil {
				t.Fatalf("not taken: %+v", said)
			}
			time.Sleep(time.Second) // members offer themselves to the table in their own time
		}
	}
	a, in := ask(two, "a question for some")
	q := see[room.OutsideQuestion](t, bob, "the question", func(q room.OutsideQuestion) bool {
		return q.Text == "a question for some"
	})
	if err := bob.AnswerOutside(q.Number, "an answer for one"); err != nil {
		t.Fatal(err)
	}
	for said := a.Fetch(ctx, in); ; said = a.Fetch(ctx, in) {
		if len(said.Answers) > 0 {
			if words, err := in.Read(said.Answers[0]); err != nil || words != "an answer for one" {
				t.Errorf("%q, %v", words, err)
			}
			break
		}
		if ctx.Err() != nil || !said.Taken {
			t.Fatalf("no answer: %+v", said)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if got := tape(); bytes.Contains(got, []byte("a question for")) || bytes.Contains(got, []byte("an answer for")) {
		t.Error("the relay reads it")
	}
	if qs, err := ann.OutsideQuestions(); err != nil || len(qs) > 0 {
		t.Errorf("ann reads %+v, %v", qs, err)
	}
	// Where nobody is, or nobody who takes questions.
	nowhere, err := NewAsker(&d, []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")})
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	if said := nowhere.Hand(ctx, in, nil); said.Members != 0 || said.Taken || len(said.Failed) == 0 {
		t.Errorf("nobody says %+v", said)
	}
	other := d
	other.Name = "another"
	elsewhere, err := NewAsker(&other, ann.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if said := elsewhere.Hand(ctx, in, nil); said.Members != 1 || said.Taken || said.Later {
		t.Errorf("of another room: %+v", said)
	}
}
