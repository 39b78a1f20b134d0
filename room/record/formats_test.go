package record

import (
	"errors"

	"coterie/crypto/ake"
)

// verified is the verify of a format out of a parser and a method.
func verified[T any](parse func([]byte) (T, error), verify func(T) error) func([]byte) error {
	return func(b []byte) error {
		v, err := parse(b)
		if err != nil {
			return err
		}
		return verify(v)
	}
}

var errSecret = errors.New("d is not the secret of the commit")

// baseList is what changes refer to here: ann, eve and joe.
func baseList() List { return newList(newPerson("ann"), newPerson("eve"), newPerson("joe")) }

// formats are all of them.
func formats() []format { return append(recordFormats(), frameFormats()...) }

func recordFormats() []format {
	ann, bob, eve, joe := newPerson("ann"), newPerson("bob"), newPerson("eve"), newPerson("joe")
	left := *bob.presence
	left.Left, left.Addresses = true, nil
	left.Sign(testRoom, bob.working)
	nameless := &Name{Serial: 1}
	nameless.Sign(testRoom, ann.working)
	all, two := newList(ann, bob, eve), newList(ann, bob)
	base := baseList()
	change := newChange(bob, base, all, Evidence{EvidenceLeft, joe.contribution.ID(), hashOf("x")})
	said := newSigned(ann, "Hello, world")
	content := func(b []byte) (*Signed, error) { return ParseContent(said.Epoch, said.CID, b) }
	bySigner := func(m *Signed) error { return m.Verify(testRoom, ann.contribution) }

	return []format{{
		name: "contribution", typ: TypeContribution,
		good:   [][]byte{ann.contribution.Append(nil), bob.contribution.Append(nil)},
		again:  reencode(ParseContribution, func(c *Contribution) []byte { return c.Append(nil) }),
		verify: verified(ParseContribution, func(c *Contribution) error { return c.Verify(testRoom) }),
	}, {
		name: "presence", typ: TypePresence,
		good:   [][]byte{ann.presence.Append(nil), left.Append(nil)},
		again:  reencode(ParsePresence, func(p *Presence) []byte { return p.Append(nil) }),
		verify: verified(ParsePresence, func(p *Presence) error { return p.Verify(testRoom) }),
	}, {
		name: "edge", typ: TypeEdge,
		good:   [][]byte{newEdge(ann, bob).Append(nil)},
		again:  reencode(ParseEdge, func(e *Edge) []byte { return e.Append(nil) }),
		verify: verified(ParseEdge, func(e *Edge) error { return e.Verify(testRoom, ann.contribution) }),
	}, {
		name: "name", typ: TypeName,
		good:   [][]byte{ann.name.Append(nil), nameless.Append(nil)},
		again:  reencode(ParseName, func(n *Name) []byte { return n.Append(nil) }),
		verify: verified(ParseName, func(n *Name) error { return n.Verify(testRoom) }),
	}, {
		name: "commit", typ: TypeCommit,
		good: [][]byte{
			newCommit(ann, two).Append(nil), newCommit(ann, all, evidence()...).Append(nil),
			change.Append(nil), change.Whole(all, nil).Append(nil), change.Bare().Append(nil),
		},
		again: reencode(ParseCommit, func(c *Commit) []byte { return c.Append(nil) }),
		verify: verified(ParseCommit, func(c *Commit) error {
			by := ann
			if c.By == bob.contribution.ID() {
				by = bob
			}
			if err := c.Verify(testRoom, by.contribution); err != nil || c.Form == ListOmitted {
				return err
			}
			// The list is signed by its hash, so it is part of verifying.
			_, _, err := c.Rebuild(base, nil)
			return err
		}),
	}, {
		name: "join", typ: TypeJoin,
		good:   [][]byte{newJoin(ann, bob).Append(nil)},
		again:  reencode(ParseJoin, func(j *Join) []byte { return j.Append(nil) }),
		verify: verified(ParseJoin, func(j *Join) error { return j.Verify(testRoom, ann.contribution) }),
	}, {
		name: "message", typ: TypeMessage,
		good:  [][]byte{newMessage(ann, "").Append(nil), newMessage(ann, string(make([]byte, 300))).Append(nil)},
		again: reencode(ParseMessage, func(m *Message) []byte { return m.Append(nil) }),
	}, {
		name: "content",
		good: append([][]byte{said.Content(), newSigned(ann, string(make([]byte, MaxText))).Content(),
			newWords(ann, nil).Content(), asMessage(ann, KindQuestion, newOutside(nil).Append(nil)).Content(),
			asMessage(ann, KindAnswer, newOutsideAnswer(boxSize).Append(nil)).Content()}, encoded(append(goodAbout(), goodFiles()...), (*Signed).Content)...),
		// Epoch and author are not in it.
		again:  reencode(content, (*Signed).Content),
		verify: verified(content, bySigner),
	}, {
		name: "beat", typ: TypeBeat,
		good:   [][]byte{newBeat(ann).Append(nil)},
		again:  reencode(ParseBeat, func(b *Beat) []byte { return b.Append(nil) }),
		verify: verified(ParseBeat, func(b *Beat) error { return b.Verify(testRoom) }),
	}}
}

func frameFormats() []format {
	ann, bob := newPerson("ann"), newPerson("bob")
	said := newSigned(ann, "Hello, world")
	first := newCommit(ann, newList(ann, bob))
	transcript := func(b []byte) (*Transcript, error) { return ParseTranscript(testRoom, b) }

	return append([]format{{
		name: "hello", typ: FrameHello,
		good:  [][]byte{newHello(0).Encode()[1:], newHello(2).Encode()[1:], newHello(4).Encode()[1:]},
		again: reencode(ParseHello, func(h *Hello) []byte { return h.Encode()[1:] }),
	}, {
		name: "ask", typ: FrameAsk,
		good:  [][]byte{new(Ask).Encode()[1:], newAsk().Encode()[1:]},
		again: reencode(ParseAsk, func(a *Ask) []byte { return a.Encode()[1:] }),
	}, {
		name: "fields", typ: FrameRecords,
		good:  [][]byte{nil, EncodeFields(FrameProve1, nil)[1:], EncodeFields(FrameProve1, []byte("a"), nil, []byte("bcd"))[1:]},
		again: reencode(ParseFields, func(f [][]byte) []byte { return EncodeFields(FrameProve1, f...)[1:] }),
	}, {
		name: "terms", typ: FrameTerms,
		good:  [][]byte{EncodeTerms(nil)[1:], EncodeTerms(newTerms(3))[1:]},
		again: reencode(ParseTerms, func(terms []ake.MemberTerm) []byte { return EncodeTerms(terms)[1:] }),
	}, {
		name: "log", typ: FrameLog,
		good: append([][]byte{said.AppendLog(nil), newWords(ann, nil).AppendLog(nil),
			asMessage(ann, KindQuestion, newOutside(nil).Append(nil)).AppendLog(nil),
			asMessage(ann, KindAnswer, newOutsideAnswer(boxSize).Append(nil)).AppendLog(nil)}, encoded(append(goodAbout(), goodFiles()...), inLog)...),
		again:  reencode(ParseLog, func(m *Signed) []byte { return m.AppendLog(nil) }),
		verify: verified(ParseLog, func(m *Signed) error { return m.Verify(testRoom, ann.contribution) }),
	}, {
		name: "want", typ: FrameWant,
		good:  [][]byte{EncodeWant(sortedHashes("a"))[1:], EncodeWant(sortedHashes("a", "b", "c"))[1:]},
		again: reencode(ParseWant, func(epochs []ake.Hash) []byte { return EncodeWant(epochs)[1:] }),
	}, {
		name: "transcript", typ: FrameTranscript,
		good:   [][]byte{newTranscript("ann", "bob").Append(nil), newTranscript("ann", "bob", "cyn").Append(nil)},
		again:  reencode(transcript, func(x *Transcript) []byte { return x.Append(nil) }),
		verify: verified(transcript, func(x *Transcript) error { return x.Verify(testRoom) }),
	}, {
		name: "have", typ: FrameHave,
		good:  [][]byte{new(Have).Encode()[1:], newHave().Encode()[1:]},
		again: reencode(ParseHave, func(h *Have) []byte { return h.Encode()[1:] }),
	}, {
		name: "secret", typ: FrameSecret,
		good:  [][]byte{newHandover(first).Encode()[1:], newHandover(first.Bare()).Encode()[1:]},
		again: reencode(ParseHandover, func(h *Handover) []byte { return h.Encode()[1:] }),
		verify: verified(ParseHandover, func(h *Handover) error {
			if !ake.Fits(h.Commit.Core(), h.D, h.Commit.Secret) {
				return errSecret
			}
			if err := h.Commit.Verify(testRoom, ann.contribution); err != nil || h.Commit.Form == ListOmitted {
				return err
			}
			_, _, err := h.Commit.Rebuild(nil, nil)
			return err
		}),
	}, {
		name: "question", typ: FrameQuestion,
		good:  [][]byte{newQuestion("").Append(nil), newQuestion(`"Professor"`).Append(nil)},
		again: reencode(ParseQuestion, func(q *Question) []byte { return q.Append(nil) }),
	}, {
		name: "answer", typ: FrameAnswer,
		good:  [][]byte{newHave().Epoch[:]},
		again: reencode(ParseAnswer, func(h ake.Hash) []byte { return h[:] }),
	}}, append(outsideFormats(), fileFormats()...)...)
}
