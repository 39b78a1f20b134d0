package record

import (
	"bytes"
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

// testPeriod is after a notice.
const testPeriod = abe.Period(1_795_424_400<<32 | uint64(testDay))

var testRoom = hashOf("room")

// A person is one process of a peer, with its records for testDay.
type person struct {
	identity, working ed25519.PrivateKey
	term              ake.Term
	encapsulation     []byte
	contribution      *Contribution
	presence          *Presence
	name              *Name
}

func newPerson(text string) *person {
	p := &person{identity: keyOf(text + " identity"), working: keyOf(text + " working"), term: ake.Term{Secret: secretOf(text + " term")}}
	ctx := &ake.Context{Room: testRoom, Identity: publicOf(p.identity), Serial: 1_795_424_400_000, Period: testPeriod, Working: publicOf(p.working)}
	p.encapsulation = []byte(text + " encapsulation")
	p.contribution = NewContribution(p.identity, ctx, &ake.Encapsulated{Term: p.term, Bytes: p.encapsulation})
	p.presence = &Presence{Serial: 2, Addresses: addresses("/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/udp/4001/quic-v1")}
	p.presence.Sign(testRoom, p.working)
	p.name = &Name{Serial: 3, Text: text}
	p.name.Sign(testRoom, p.working)
	return p
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
	e := &Edge{Period: testPeriod, From: from.contribution.ID(), To: to.contribution.ID()}
	e.Sign(testRoom, from.working)
	return e
}

func newBeat(of *person) *Beat {
	b := &Beat{Serial: 1_795_424_401_000}
	b.Sign(testRoom, of.working)
	return b
}

func newJoin(sponsor, newcomer *person) *Join {
	return &Join{
		Contribution: newcomer.contribution, Presence: newcomer.presence,
		In: newEdge(sponsor, newcomer), Out: newEdge(newcomer, sponsor), Encapsulation: newcomer.encapsulation,
	}
}

func newSigned(author *person, text string) *Signed {
	m := &Signed{
		Body:  Body{Counter: 2, Previous: hashOf("previous"), Time: 1_795_424_400_000, Lamport: 5, Kind: KindText, Text: text},
		Epoch: hashOf("epoch"), CID: author.contribution.ID(),
	}
	m.Sign(testRoom, author.working)
	return m
}

// newWords are words for some of a member: their encapsulation and what is sealed are bytes
// that nothing opens.
func newWords(author *person, change func(w *Words)) *Signed {
	w := &Words{Policy: `"Professor" or age = 21`, Encapsulation: make([]byte, 100), Sealed: make([]byte, 512+16)}
	io.ReadFull(stream("words"), w.Encapsulation)
	io.ReadFull(stream("sealed words"), w.Sealed)
	if change != nil {
		change(w)
	}
	m := newSigned(author, string(w.Append(nil)))
	m.Kind = KindTo
	m.Sign(testRoom, author.working)
	return m
}

func newMessage(author *person, text string) *Message {
	keys := ake.NewKeys(secretOf("epoch secret"), []ake.Hash{author.contribution.ID()})
	signed := newSigned(author, text)
	m := &Message{Epoch: signed.Epoch, Step: 3}
	io.ReadFull(stream("guard"), m.Guard[:])
	key, err := keys.Chain(0).Peek(signed.Counter)
	if err != nil {
		panic(err)
	}
	if m.Sealed, err = ake.SealMessage(key, testRoom, m.Epoch, m.Guard, signed.Content()); err != nil {
		panic(err)
	}
	header, err := keys.SealHeader(testRoom, m.Epoch, m.Step, m.Guard, m.Sealed, 0, signed.Counter)
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

// counted is a list of n that nobody is in, for limits.
func counted(n int) List {
	l := make(List, n)
	for i := range l {
		binary.BigEndian.PutUint32(l[i].Identity[:], uint32(i+1))
		binary.BigEndian.PutUint32(l[i].CID[:], uint32(i+1))
	}
	return l
}

// awayOf are those away, last here on the day of the tests.
func awayOf(names ...string) (out Away) {
	for _, name := range names {
		out = append(out, Absentee{newPerson(name).contribution.Identity, testDay})
	}
	out.Sort()
	return out
}

// newCommit is the first commit of a day, carrying its whole list.
func newCommit(by *person, list List, removals ...Evidence) *Commit {
	c := &Commit{Brief: Brief{Header: Header{
		Period: testPeriod, Height: 1, By: by.contribution.ID(), Members: uint32(len(list)), List: list.Hash(),
	}}, Form: ListWhole, Added: list}
	c.SetEvidence(removals)
	c.seal(by)
	return c
}

// newChange is one that follows a commit of a base list, carrying its list as
// what is other.
func newChange(by *person, base, list List, removals ...Evidence) *Commit {
	c := newCommit(by, list, removals...)
	c.Height, c.Base = 2, hashOf("base")
	c.seal(by)
	return c.Change(base, list, nil, nil)
}

// testSecret is d of every commit here.
func testSecret() ake.Secret { return secretOf("d") }

// seal commits to d and signs, whatever else the commit says.
func (c *Commit) seal(by *person) {
	c.Secret = ake.CommitSecret(c.Core(), testSecret())
	c.ComputeID()
	c.Sign(testRoom, by.working)
}

// evidence has one of each kind.
func evidence() []Evidence {
	return []Evidence{
		{EvidenceLeft, hashOf("cid of one who left"), hashOf("its last presence")},
		{EvidenceSuperseded, hashOf("cid of one who began anew"), hashOf("cid of the later one")},
		{EvidenceSilent, hashOf("cid of one who is silent"), SilentRef(1_795_424_401_000)},
		{Kind: EvidenceCut, CID: hashOf("cid of one who was cut")},
		{EvidenceMisbehaved, hashOf("cid of one who misbehaved"), MisbehaviourRef(hashOf("one presence"), hashOf("another presence"))},
	}
}

func sortedHashes(texts ...string) (out []ake.Hash) {
	for _, text := range texts {
		out = append(out, hashOf(text))
	}
	slices.SortFunc(out, func(a, b ake.Hash) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// A format is one kind of record or frame: what it looks like, and how it is
// taken and encoded again.
type format struct {
	name string
	// typ is the byte before it, wherever it travels; 0: it has none.
	typ byte
	// good are encodings without type byte.
	good [][]byte
	// again parses and encodes again.
	again func(b []byte) ([]byte, error)
	// verify parses and checks all signatures; nil if nothing is signed.
	verify func(b []byte) error
}

// isRecord reports whether it can stand in the set of records.
func (f *format) isRecord() bool { return f.typ > 0 && f.typ <= TypeCommit }

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

func newHello(days int) *Hello {
	h := &Hello{Room: testRoom, Notice: 1_795_424_400, Digest: hashOf("digest"), Head: hashOf("head"), Logs: hashOf("logs"),
		Whole: 1764000000000, GapFrom: 1764000001000, GapTo: 1764000002000}
	for i := range days {
		h.Days = append(h.Days, HelloDay{Period: testPeriod + abe.Period(i), CID: hashOf(fmt.Sprint("cid ", i)), Size: uint32(10 * i)})
	}
	return h
}

func newAsk() *Ask {
	a := &Ask{Terms: sortedHashes("t", "u")}
	for i := range 3 {
		a.Have = append(a.Have, [ShortID]byte(binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i))))
	}
	a.Logs, a.Bits, a.Prefix = true, 3, 0x40000000
	a.Transcripts = []AskTranscript{{Epoch: hashOf("another"), Digest: hashOf("one")}, {Epoch: hashOf("epoch"), Digest: hashOf("two")}}
	slices.SortFunc(a.Transcripts, func(x, y AskTranscript) int { return bytes.Compare(x.Epoch[:], y.Epoch[:]) })
	a.Beats = []uint32{1792000000, 0, 1792000015}
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
	t.Away = awayOf("joe")
	c := newCommit(people[0], t.List)
	c.Away = t.Away.Hash()
	c.seal(people[0])
	t.Brief = c.Brief
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

func newTerms(n int) (out []ake.MemberTerm) {
	for i := range n {
		out = append(out, ake.MemberTerm{CID: hashOf(fmt.Sprint("cid ", i)), Term: ake.Term{Secret: secretOf(fmt.Sprint("term ", i))}})
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

// newQuestion is ann's to bob.
func newQuestion(policy string) *Question {
	ann, bob := newPerson("ann"), newPerson("bob")
	return &Question{
		Period: testPeriod, Asker: ann.contribution.ID(), Prover: bob.contribution.ID(), Nonce: hashOf("nonce"),
		Policy: policy, Encapsulation: []byte("what the question's policy was encapsulated to"),
	}
}

func newHandover(c *Commit) *Handover { return &Handover{D: testSecret(), Commit: c} }
