package record

import (
	"errors"
	"testing"

	"coterie/crypto/ake"
)

// TestJoinAcrossDays: a join was valid whose edges were of two days, from a
// sponsor's contribution of one to a newcomer's of the other.
func TestJoinAcrossDays(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	tomorrow := *bob
	ctx := bob.contribution.Context(testRoom)
	ctx.Period++
	tomorrow.contribution = NewContribution(bob.identity, ctx, &ake.Encapsulated{Term: bob.term, Bytes: bob.encapsulation})
	j := newJoin(ann, &tomorrow)
	j.Out.Period++
	j.Out.Sign(testRoom, bob.working)
	if err := j.Verify(testRoom, ann.contribution); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

// TestJoinOfStrangers: everything in a join must be of the same two peers.
func TestJoinOfStrangers(t *testing.T) {
	ann, bob, eve := newPerson("ann"), newPerson("bob"), newPerson("eve")
	if err := newJoin(ann, bob).Verify(testRoom, ann.contribution); err != nil {
		t.Fatal(err)
	}
	if err := newJoin(ann, bob).Verify(testRoom, eve.contribution); !errors.Is(err, ErrSignature) {
		t.Error("sponsored by another:", err)
	}
	if err := newJoin(ann, bob).Verify(hashOf("another room"), ann.contribution); !errors.Is(err, ErrSignature) {
		t.Error("in another room:", err)
	}
	for what, change := range map[string]func(j *Join){
		"another's contribution":  func(j *Join) { j.Contribution = eve.contribution },
		"another's presence":      func(j *Join) { j.Presence = eve.presence },
		"an edge to another":      func(j *Join) { j.In = newEdge(ann, eve) },
		"an edge from another":    func(j *Join) { j.In = newEdge(eve, bob) },
		"an edge back to another": func(j *Join) { j.Out = newEdge(bob, eve) },
		"an edge back by another": func(j *Join) { j.Out = newEdge(eve, ann) },
		"the edges swapped":       func(j *Join) { j.In, j.Out = j.Out, j.In },
		"the same edge twice":     func(j *Join) { j.Out = j.In },
		"a forged edge back":      func(j *Join) { e := *j.Out; e.Sign(testRoom, ann.working); j.Out = &e },
		"a forged presence":       func(j *Join) { p := *j.Presence; p.Serial++; j.Presence = &p },
		"a forged contribution":   func(j *Join) { c := *j.Contribution; c.Serial++; j.Contribution = &c },
		"a contribution re-signed": func(j *Join) {
			c := *j.Contribution
			copy(c.Signature[:], sign(eve.identity, "contribution", testRoom, c.body(nil)))
			j.Contribution = &c
		},
	} {
		j := newJoin(ann, bob)
		change(j)
		got, err := ParseJoin(j.Append(nil))
		if err == nil {
			err = got.Verify(testRoom, ann.contribution)
		}
		if !errors.Is(err, ErrSignature) && !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
