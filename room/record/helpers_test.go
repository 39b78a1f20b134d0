package record

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha3"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// stream is the randomness of tests and vectors: SHAKE256 of a text.
func stream(seed string) io.Reader {
	s := sha3.NewSHAKE256()
	s.Write([]byte(seed))
	return s
}

func secretOf(text string) ake.Secret {
	s, err := ake.NewSecret(stream(text))
	if err != nil {
		panic(err)
	}
	return s
}

func hashOf(text string) ake.Hash { return ake.Sum("test", []byte(text)) }

// keyOf is the Ed25519 key whose seed is the stream of a text.
func keyOf(text string) ed25519.PrivateKey {
	s := secretOf(text)
	return ed25519.NewKeyFromSeed(s.Bytes())
}

func publicOf(k ed25519.PrivateKey) [32]byte { return [32]byte(k.Public().(ed25519.PublicKey)) }

const testDay abe.Day = 20_770

var testRoom = hashOf("room")

// A person is one process of a peer, with its records for testDay.
type person struct {
	identity, working ed25519.PrivateKey
	term              ake.Term
	contribution      *Contribution
	presence          *Presence
	name              *Name
}

func newPerson(text string) *person {
	p := &person{identity: keyOf(text + " identity"), working: keyOf(text + " working"), term: ake.Term{Secret: secretOf(text + " term")}}
	ctx := &ake.Context{Room: testRoom, Identity: publicOf(p.identity), Serial: 1_795_424_400_000, Day: testDay, Working: publicOf(p.working)}
	p.contribution = NewContribution(p.identity, ctx, &ake.Encapsulated{Term: p.term, Bytes: []byte(text + " encapsulation")})
	p.presence = &Presence{Serial: 2, Ephemeral: x25519Of(text), Addresses: addresses("/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/udp/4001/quic-v1")}
	p.presence.Sign(testRoom, p.working)
	p.name = &Name{Serial: 3, Text: text}
	p.name.Sign(testRoom, p.working)
	return p
}

func x25519Of(text string) [32]byte {
	k, err := ephemeral(text)
	if err != nil {
		panic(err)
	}
	return [32]byte(k.PublicKey().Bytes())
}

func addresses(texts ...string) (out [][]byte) {
	for _, text := range texts {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			panic(err)
		}
		out = append(out, a.Bytes())
	}
	return out
}

func newEdge(from, to *person) *Edge {
	e := &Edge{Day: testDay, From: from.contribution.ID(), To: to.contribution.ID()}
	e.Sign(testRoom, from.working)
	return e
}

func newJoin(sponsor, newcomer *person) *Join {
	j := &Join{
		Contribution: newcomer.contribution, Presence: newcomer.presence,
		In: newEdge(sponsor, newcomer), Out: newEdge(newcomer, sponsor),
		Epoch: hashOf("epoch"),
	}
	io.ReadFull(stream("join nonce"), j.Nonce[:])
	keys, _ := ake.NewKeys(secretOf("epoch secret"), nil)
	secret := JoinSecret{Term: newcomer.term, Name: newcomer.name}
	var err error
	if j.Sealed, err = keys.SealJoin(j.Nonce, secret.Append(nil), j.Associated()); err != nil {
		panic(err)
	}
	j.Sign(testRoom, sponsor.working)
	return j
}

func newSigned(author *person, text string) *Signed {
	m := &Signed{
		Body:  Body{Counter: 2, Previous: hashOf("previous"), Time: 1_795_424_400_000, Lamport: 5, Kind: KindText, Text: text},
		Epoch: hashOf("epoch"), CID: author.contribution.ID(),
	}
	m.Sign(testRoom, author.working)
	return m
}

func newMessage(author *person, text string) *Message {
	keys, chains := ake.NewKeys(secretOf("epoch secret"), []ake.Hash{author.contribution.ID()})
	signed := newSigned(author, text)
	m := &Message{Epoch: signed.Epoch}
	io.ReadFull(stream("guard"), m.Guard[:])
	key, err := chains[0].Peek(signed.Counter)
	if err != nil {
		panic(err)
	}
	if m.Sealed, err = ake.SealMessage(key, testRoom, m.Epoch, m.Guard, signed.Content()); err != nil {
		panic(err)
	}
	header, err := keys.SealHeader(testRoom, m.Epoch, m.Guard, m.Sealed, 0, signed.Counter)
	if err != nil {
		panic(err)
	}
	copy(m.Header[:], header)
	return m
}

// newList is the list of these people.
func newList(people ...*person) List {
	var l List
	for _, p := range people {
		l = append(l, Entry{Identity: p.contribution.Identity, CID: p.contribution.ID(), Presence: p.presence.ID()})
	}
	l.Sort()
	return l
}

// newCommit is a commit of right form and signature; its wraps, seal and tag
// are any bytes, as whoever is not listed sees them.
func newCommit(by *person, list List, prevs []ake.Hash, removals ...Evidence) *Commit {
	c := &Commit{Header: Header{
		Day: testDay, Height: uint64(1 + len(prevs)), Prevs: prevs, By: by.contribution.ID(),
		Members: uint32(len(list)), List: list.Hash(), OneTime: x25519Of("one time"),
	}, Base: WholeList, Changes: list, Tag: hashOf("tag")}
	c.SetEvidence(removals)
	c.Wraps = make([]byte, (len(list)-1)*ake.SecretSize)
	io.ReadFull(stream("wraps"), c.Wraps)
	c.Sealed = make([]byte, ake.SealSize(1))
	io.ReadFull(stream("seal"), c.Sealed)
	c.Settle()
	c.Sign(testRoom, by.working)
	return c
}

func sortedHashes(texts ...string) (out []ake.Hash) {
	for _, text := range texts {
		out = append(out, hashOf(text))
	}
	for i := range out {
		for j := range out[:i] {
			if bytes.Compare(out[i][:], out[j][:]) < 0 {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

// A format is one kind of record or frame: what it looks like, and how it is
// taken and encoded again.
type format struct {
	name string
	// good are encodings without type byte.
	good [][]byte
	// again parses and encodes again.
	again func(b []byte) ([]byte, error)
	// verify parses and checks all signatures; nil if nothing is signed.
	verify func(b []byte) error
}

// reencode makes again out of a parser and an encoder.
func reencode[T any](parse func([]byte) (T, error), encode func(T) []byte) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		v, err := parse(b)
		if err != nil {
			return nil, err
		}
		return encode(v), nil
	}
}

// formats are all of them.
func formats() []format {
	ann, bob, eve := newPerson("ann"), newPerson("bob"), newPerson("eve")
	left := *bob.presence
	left.Left, left.Addresses = true, nil
	left.Sign(testRoom, bob.working)
	nameless := &Name{Serial: 1}
	nameless.Sign(testRoom, ann.working)
	all, two := newList(ann, bob, eve), newList(ann, bob)
	prevs := sortedHashes("one", "two")
	delta := newCommit(bob, all, prevs, Evidence{EvidenceLeft, hashOf("x"), hashOf("y")}, Evidence{EvidenceSuperseded, hashOf("x"), hashOf("y")})
	delta.Base, delta.Changes = 1, all[1:2]
	commit := func(c *Commit) []byte { return c.Append(nil) }
	message := newSigned(ann, "Hello, world")
	epoch, cid := message.Epoch, message.CID

	return []format{{
		name: "contribution", good: [][]byte{ann.contribution.Append(nil), bob.contribution.Append(nil)},
		again: reencode(ParseContribution, func(c *Contribution) []byte { return c.Append(nil) }),
		verify: func(b []byte) error {
			c, err := ParseContribution(b)
			if err != nil {
				return err
			}
			return c.Verify(testRoom)
		},
	}, {
		name: "presence", good: [][]byte{ann.presence.Append(nil), left.Append(nil)},
		again: reencode(ParsePresence, func(p *Presence) []byte { return p.Append(nil) }),
		verify: func(b []byte) error {
			p, err := ParsePresence(b)
			if err != nil {
				return err
			}
			return p.Verify(testRoom)
		},
	}, {
		name: "edge", good: [][]byte{newEdge(ann, bob).Append(nil)},
		again: reencode(ParseEdge, func(e *Edge) []byte { return e.Append(nil) }),
		verify: func(b []byte) error {
			e, err := ParseEdge(b)
			if err != nil {
				return err
			}
			return e.Verify(testRoom, ann.contribution)
		},
	}, {
		name: "name", good: [][]byte{ann.name.Append(nil), nameless.Append(nil)},
		again: reencode(ParseName, func(n *Name) []byte { return n.Append(nil) }),
		verify: func(b []byte) error {
			n, err := ParseName(b)
			if err != nil {
				return err
			}
			return n.Verify(testRoom)
		},
	}, {
		name:  "commit",
		good:  [][]byte{commit(newCommit(ann, two, nil)), commit(newCommit(ann, all, prevs)), commit(delta)},
		again: reencode(ParseCommit, commit),
		verify: func(b []byte) error {
			c, err := ParseCommit(b)
			if err != nil {
				return err
			}
			by := ann
			if c.By == bob.contribution.ID() {
				by = bob
			}
			if err := c.Verify(testRoom, by.contribution); err != nil {
				return err
			}
			// The list is signed by its hash, so it is part of verifying.
			_, err = c.Rebuild(newList(ann, eve))
			if c.Base != WholeList {
				_, err = c.Rebuild(List{all[0], all[2]})
			}
			return err
		},
	}, {
		name: "join", good: [][]byte{newJoin(ann, bob).Append(nil)},
		again: reencode(ParseJoin, func(j *Join) []byte { return j.Append(nil) }),
		verify: func(b []byte) error {
			j, err := ParseJoin(b)
			if err != nil {
				return err
			}
			return j.Verify(testRoom, ann.contribution)
		},
	}, {
		name: "message", good: [][]byte{newMessage(ann, "").Append(nil), newMessage(ann, string(make([]byte, 300))).Append(nil)},
		again: reencode(ParseMessage, func(m *Message) []byte { return m.Append(nil) }),
	}, {
		name: "content", good: [][]byte{message.Content(), newSigned(ann, string(make([]byte, MaxText))).Content()},
		again: reencode(func(b []byte) (*Signed, error) { return ParseContent(epoch, cid, b) }, (*Signed).Content),
		verify: func(b []byte) error {
			m, err := ParseContent(epoch, cid, b)
			if err != nil {
				return err
			}
			return m.Verify(testRoom, ann.contribution)
		},
	}, {
		name: "log", good: [][]byte{message.AppendLog(nil)},
		again: reencode(ParseLog, func(m *Signed) []byte { return m.AppendLog(nil) }),
		verify: func(b []byte) error {
			m, err := ParseLog(b)
			if err != nil {
				return err
			}
			return m.Verify(testRoom, ann.contribution)
		},
	}, {
		name: "join secret",
		good: [][]byte{
			(&JoinSecret{Term: ann.term, Name: ann.name}).Append(nil),
			(&JoinSecret{Term: ann.term}).Append(nil),
		},
		again: reencode(ParseJoinSecret, func(s *JoinSecret) []byte { return s.Append(nil) }),
	}, {
		name: "hello", good: [][]byte{newHello(0).Encode()[1:], newHello(2).Encode()[1:], newHello(4).Encode()[1:]},
		again: reencode(ParseHello, func(h *Hello) []byte { return h.Encode()[1:] }),
	}, {
		name: "ask", good: [][]byte{new(Ask).Encode()[1:], newAsk().Encode()[1:]},
		again: reencode(ParseAsk, func(a *Ask) []byte { return a.Encode()[1:] }),
	}, {
		name: "question", good: [][]byte{newQuestion("").Append(nil), newQuestion(`"Professor"`).Append(nil)},
		again: reencode(ParseQuestion, func(q *Question) []byte { return q.Append(nil) }),
		verify: func(b []byte) error {
			q, err := ParseQuestion(b)
			if err != nil {
				return err
			}
			return q.Verify(testRoom, newPerson("ann").contribution)
		},
	}, {
		name: "have", good: [][]byte{new(Have).Encode()[1:], newHave().Encode()[1:]},
		again: reencode(ParseHave, func(h *Have) []byte { return h.Encode()[1:] }),
	}, {
		name: "transcript", good: [][]byte{newTranscript("ann", "bob").Append(nil), newTranscript("ann", "bob", "cyn").Append(nil)},
		again: reencode(func(b []byte) (*Transcript, error) { return ParseTranscript(testRoom, b) }, func(x *Transcript) []byte { return x.Append(nil) }),
		verify: func(b []byte) error {
			x, err := ParseTranscript(testRoom, b)
			if err != nil {
				return err
			}
			return x.Verify(testRoom)
		},
	}, {
		name: "terms", good: [][]byte{EncodeTerms(nil)[1:], EncodeTerms(newTerms(3))[1:]},
		again: reencode(ParseTerms, func(terms []ake.SealedTerm) []byte { return EncodeTerms(terms)[1:] }),
	}, {
		name: "fields", good: [][]byte{nil, EncodeFields(FrameProve1, nil)[1:], EncodeFields(FrameProve1, []byte("a"), nil, []byte("bcd"))[1:]},
		again: reencode(ParseFields, func(f [][]byte) []byte { return EncodeFields(FrameProve1, f...)[1:] }),
	}}
}

func newHello(days int) *Hello {
	h := &Hello{Room: testRoom, Digest: hashOf("digest"), Head: hashOf("head"), Logs: hashOf("logs")}
	for i := range days {
		h.Days = append(h.Days, HelloDay{Day: testDay + abe.Day(i), CID: hashOf(fmt.Sprint("cid ", i)), Size: uint32(10 * i)})
	}
	h.Sign(publicOf(keyOf("bob identity")), keyOf("ann working"))
	return h
}

func newAsk() *Ask {
	a := &Ask{Terms: sortedHashes("t", "u")}
	for i := range 3 {
		a.Have = append(a.Have, [ShortID]byte(binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i))))
	}
	a.Logs = true
	a.Transcripts = []AskTranscript{{Epoch: hashOf("another"), Digest: hashOf("one")}, {Epoch: hashOf("epoch"), Digest: hashOf("two")}}
	slices.SortFunc(a.Transcripts, func(x, y AskTranscript) int { return bytes.Compare(x.Epoch[:], y.Epoch[:]) })
	return a
}

func newHave() *Have {
	chain := hashOf("chain")
	h := &Have{Epoch: hashOf("epoch"), Held: []Held{{Upto: 3, Ahead: []bool{false, true, false, false, false, false, false, false, true}}, {}}}
	copy(h.Held[0].Chain[:], chain[:])
	return h
}

// newTranscript is of an epoch that the first began, and that all but the last
// have named themselves in.
func newTranscript(names ...string) *Transcript {
	var people []*person
	for _, n := range names {
		people = append(people, newPerson(n))
	}
	t := &Transcript{List: newList(people...)}
	t.News = *newCommit(people[0], t.List, sortedHashes("p")).News()
	for i := range t.List {
		for j, p := range people {
			if p.contribution.ID() != t.List[i].CID {
				continue
			}
			t.Authors = append(t.Authors, p.contribution)
			if j < len(people)-1 {
				t.SetName(p.name)
			}
		}
	}
	return t
}

func newTerms(n int) (out []ake.SealedTerm) {
	for i := range n {
		out = append(out, ake.SealedTerm{CID: hashOf(fmt.Sprint("cid ", i)), Term: ake.Term{Secret: secretOf(fmt.Sprint("term ", i))}})
	}
	return out
}

func formatNamed(t testing.TB, name string) format {
	t.Helper()
	for _, f := range formats() {
		if f.name == name {
			return f
		}
	}
	t.Fatal("no format ", name)
	return format{}
}

func ephemeral(text string) (*ecdh.PrivateKey, error) {
	s := secretOf(text + " ephemeral")
	return ecdh.X25519().NewPrivateKey(s.Bytes())
}

// newQuestion is ann's to bob.
func newQuestion(policy string) *Question {
	ann, bob := newPerson("ann"), newPerson("bob")
	oneTime, err := ephemeral("question")
	if err != nil {
		panic(err)
	}
	q := &Question{
		Day: ann.contribution.Day, Asker: ann.contribution.ID(), Prover: bob.contribution.ID(), Ephemeral: bob.presence.Ephemeral,
		OneTime: [32]byte(oneTime.PublicKey().Bytes()), Policy: policy, Encapsulation: []byte("what the question's policy was encapsulated to"),
	}
	q.Sign(testRoom, ann.working)
	return q
}
