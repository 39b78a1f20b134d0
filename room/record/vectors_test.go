package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coterie/crypto/ake"
	"coterie/crypto/golden"
)

type hexBytes = golden.Hex

func vectorJSON(t *testing.T, name string, v any) {
	t.Helper()
	golden.JSON(t, filepath.Join("testdata", name), v)
}

// A vector is one record or frame behind its type, as it travels.
type vector struct {
	Name   string   `json:"name"`
	Signed hexBytes `json:"signed,omitempty"` // what the signature covers
	ID     hexBytes `json:"id,omitempty"`
	Bytes  hexBytes `json:"bytes"`
}

// TestVectorsRecords is one room of two members, ann and bob, from their
// contributions to a message under the epoch that ann starts: PROTOCOL.md §5 to
// §10. Each record is with its type, as it travels; inputs are in "secrets".
func TestVectorsRecords(t *testing.T) {
	type peer struct {
		IdentitySeed  hexBytes `json:"identity_seed"`
		WorkingSeed   hexBytes `json:"working_seed"`
		Encapsulation hexBytes `json:"encapsulation"` // stands for one; crypto/ake's vectors have real ones
		Term          hexBytes `json:"term"`
	}
	type vectors struct {
		Room    hexBytes        `json:"room"`
		Secrets map[string]peer `json:"secrets"`
		D       hexBytes        `json:"d"`
		List    hexBytes        `json:"list"`
		SID     hexBytes        `json:"sid"`
		Core    hexBytes        `json:"core"`
		KABE    hexBytes        `json:"kabe"`
		Secret  hexBytes        `json:"epoch_secret"`
		Content hexBytes        `json:"content"`
		Base    hexBytes        `json:"base_list"` // of the commits in three forms
		Listed  hexBytes        `json:"their_list"`
		// Of those with two away: whom the base has away, and they.
		BaseAway hexBytes `json:"base_away"`
		Away     hexBytes `json:"their_away"`
		Records  []vector `json:"records"`
	}
	ann, bob := newPerson("ann"), newPerson("bob")
	v := vectors{Room: testRoom[:], Secrets: make(map[string]peer)}
	for name, p := range map[string]*person{"ann": ann, "bob": bob} {
		v.Secrets[name] = peer{p.identity.Seed(), p.working.Seed(), p.encapsulation, p.term.Bytes()}
	}
	add := func(name, signedAs string, signed []byte, id ake.Hash, b []byte) {
		r := vector{Name: name, Bytes: b}
		if signedAs != "" {
			r.Signed = ake.SigningInput(signedAs, testRoom, signed)
		}
		if id != (ake.Hash{}) {
			r.ID = id[:]
		}
		v.Records = append(v.Records, r)
	}
	left := *bob.presence
	left.Left, left.Serial, left.Addresses = true, 9, nil
	left.Sign(testRoom, bob.working)
	in, out, beat := newEdge(ann, bob), newEdge(bob, ann), newBeat(bob)
	add("contribution of ann", "contribution", ann.contribution.body(nil), ann.contribution.ID(), Encode(ann.contribution))
	add("contribution of bob", "contribution", bob.contribution.body(nil), bob.contribution.ID(), Encode(bob.contribution))
	add("presence of ann", "presence", ann.presence.body(nil), ann.presence.ID(), Encode(ann.presence))
	add("presence of bob", "presence", bob.presence.body(nil), bob.presence.ID(), Encode(bob.presence))
	gone := *bob.presence
	gone.Away, gone.Serial, gone.Addresses = true, 9, nil
	gone.Sign(testRoom, bob.working)
	add("presence of bob, who goes away", "presence", gone.body(nil), gone.ID(), Encode(&gone))
	add("last presence of bob", "presence", left.body(nil), left.ID(), Encode(&left))
	add("edge from ann to bob", "edge", in.body(nil), in.ID(), Encode(in))
	add("edge from bob to ann", "edge", out.body(nil), out.ID(), Encode(out))
	add("name of bob", "name", bob.name.body(nil), bob.name.ID(), Encode(bob.name))
	add("beat of bob", "beat", beat.body(nil), ake.Hash{}, beat.Append([]byte{TypeBeat}))
	j := newJoin(ann, bob)
	if err := j.Verify(testRoom, ann.contribution); err != nil {
		t.Fatal(err)
	}
	add("join of bob, let in by ann", "", nil, ake.Hash{}, j.Append([]byte{TypeJoin}))

	// The commit, as PROTOCOL.md §8 has it.
	list := newList(ann, bob)
	byCID := map[ake.Hash]*person{ann.contribution.ID(): ann, bob.contribution.ID(): bob}
	var addrs []byte
	var members []ake.Member
	for _, e := range list {
		p := byCID[e.CID]
		addrs = p.presence.AppendAddresses(addrs)
		members = append(members, ake.Member{Identity: e.Identity, Term: p.term})
	}
	sid := ake.Sum("coterie/2 sid", testRoom[:], list.Bytes(), addrs)
	c, d := newCommit(ann, list), testSecret()
	epoch, kabe := c.ID(), ake.Attributes(sid, members)
	secret, err := ake.EpochSecret(epoch, kabe, d)
	if err != nil {
		t.Fatal(err)
	}
	addCommit := func(name string, c *Commit) {
		id := c.ID()
		add(name, "commit", id[:], id, Encode(c))
	}
	addCommit("commit of ann", c)
	v.D, v.SID, v.List, v.Core, v.KABE, v.Secret = d.Bytes(), sid[:], list.Bytes(), c.Core(), kabe.Bytes(), secret.Bytes()

	// A message of ann under it, in its third minute.
	keys := ake.NewKeys(secret, []ake.Hash{list[0].CID, list[1].CID})
	at := list.Index(ann.contribution.ID())
	counter, key := keys.Chain(at).Next()
	said := &Signed{Body: Body{Counter: counter, Time: 1_795_424_400_000, Lamport: 1, Kind: KindText, Text: "Hei, bob"}, Epoch: epoch, CID: ann.contribution.ID()}
	said.Sign(testRoom, ann.working)
	m := &Message{Epoch: epoch, Step: 2, Guard: [4]byte{1, 2, 3, 4}}
	if m.Sealed, err = ake.SealMessage(key, testRoom, epoch, m.Guard, said.Content()); err != nil {
		t.Fatal(err)
	}
	header, err := keys.SealHeader(testRoom, epoch, m.Step, m.Guard, m.Sealed, uint32(at), counter)
	if err != nil {
		t.Fatal(err)
	}
	copy(m.Header[:], header)
	v.Content = said.Content()
	add("message of ann", "message", said.signedPart(), said.ID(testRoom), m.Append([]byte{TypeMessage}))
	some := newWords(ann, nil)
	add("words of ann for some, as in logs", "message", some.signedPart(), some.ID(testRoom), some.AppendLog([]byte{FrameLog}))
	asked, answered := asMessage(ann, KindQuestion, newOutside(nil).Append(nil)), asMessage(ann, KindAnswer, newOutsideAnswer(boxSize).Append(nil))
	add("question from outside that ann took, as in logs", "message", asked.signedPart(), asked.ID(testRoom), asked.AppendLog([]byte{FrameLog}))
	add("answer of ann to one, as in logs", "message", answered.signedPart(), answered.ID(testRoom), answered.AppendLog([]byte{FrameLog}))
	for i, name := range []string{"reply of ann", "reaction of ann", "reaction of ann, taken back", "edit of ann", "withdrawal of ann"} {
		about := goodAbout()[i]
		add(name+", as in logs", "message", about.signedPart(), about.ID(testRoom), about.AppendLog([]byte{FrameLog}))
	}
	file := goodFiles()[1]
	add("file of ann, as in logs", "message", file.signedPart(), file.ID(testRoom), file.AppendLog([]byte{FrameLog}))

	// A later commit in each of its forms, and commits with evidence.
	base, listed := baseList(), newList(ann, bob, newPerson("eve"))
	v.Base, v.Listed = base.Bytes(), listed.Bytes()
	change := newChange(ann, base, listed)
	addCommit("commit of ann, its list left out", change.Bare())
	addCommit("the same, its list as a change", change)
	addCommit("the same, its list whole", change.Whole(listed, nil))
	v.BaseAway, v.Away = awayOf("kim").append(nil), awayOf("joe", "kim").append(nil)
	waits := newChange(ann, base, listed)
	waits.Away = awayOf("joe", "kim").Hash()
	waits.seal(ann)
	waits = waits.Change(base, listed, awayOf("kim"), awayOf("joe", "kim"))
	addCommit("commit of ann with two away, its lists as changes", waits)
	addCommit("the same with two away, its lists whole", waits.Whole(listed, awayOf("joe", "kim")))
	for i, what := range []string{"left", "superseded", "silent", "misbehaved"} {
		addCommit("commit of ann with evidence: "+what, newChange(ann, base, listed, evidence()[i]))
	}
	addCommit("commit of ann with evidence of each kind", newChange(ann, base, listed, evidence()...))
	for _, r := range v.Records {
		if r.Bytes[0] > TypeCommit {
			continue
		}
		if got, err := Parse(r.Bytes); err != nil || !bytes.Equal(Encode(got), r.Bytes) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	vectorJSON(t, "records.json", v)
}

// TestVectorsHashes is about hashes over what records say that no record
// carries as it is: PROTOCOL.md §8.
func TestVectorsHashes(t *testing.T) {
	one, another := hashOf("one presence"), hashOf("another presence")
	both, silent := MisbehaviourRef(one, another), SilentRef(1_795_424_401_000)
	if both != MisbehaviourRef(another, one) {
		t.Error("two references to one misbehaviour")
	}
	c := newCommit(newPerson("ann"), baseList(), evidence()...)
	hash := baseList().Hash()
	type named struct {
		Name string   `json:"name"`
		In   hexBytes `json:"in"`
		Out  hexBytes `json:"out"`
	}
	vectorJSON(t, "hashes.json", []named{
		{"misbehaviour of two presences", slices.Concat(one[:], another[:]), both[:]},
		{"the same, told in the other order", slices.Concat(another[:], one[:]), both[:]},
		{"silent since a serial", binary.BigEndian.AppendUint64(nil, 1_795_424_401_000), silent[:]},
		{"silent, none heard", make([]byte, 8), make([]byte, ake.HashSize)},
		{"evidence", c.appendEvidence(nil), append([]byte(nil), c.Header.Evidence[:]...)},
		{"no evidence", []byte{0, 0}, append([]byte(nil), newCommit(newPerson("ann"), baseList()).Header.Evidence[:]...)},
		{"list", baseList().Bytes(), hash[:]},
	})
}

// TestVectorsFrames is at least one of each frame, behind its type: PROTOCOL.md
// §7, §7.6 and §11.
func TestVectorsFrames(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	answer, other := hashOf("answer"), hashOf("the other answer")
	list := newList(ann, bob)
	vs := []vector{
		{Name: "1: contribution, presence", Bytes: EncodeFields(FrameProve1, ann.contribution.Append(nil), ann.presence.Append(nil))},
		{Name: "2: contribution, presence, encapsulation", Bytes: EncodeFields(FrameProve2, bob.contribution.Append(nil), bob.presence.Append(nil), bob.encapsulation)},
		{Name: "3: answer, encapsulation", Bytes: EncodeFields(FrameProve3, answer[:], ann.encapsulation)},
		{Name: "4: answer, edge", Bytes: EncodeFields(FrameProve4, other[:], newEdge(bob, ann).Append(nil))},
		{Name: "5: edge", Bytes: EncodeFields(FrameProve5, newEdge(ann, bob).Append(nil))},
		{Name: "16: hello of two days", Bytes: newHello(2).Encode()},
		{Name: "16: hello of none", Bytes: newHello(0).Encode()},
		{Name: "17: ask, everything empty", Bytes: new(Ask).Encode()},
		{Name: "17: ask", Bytes: newAsk().Encode()},
	}
	for _, f := range EncodeRecords([]Record{ann.contribution, ann.presence}) {
		vs = append(vs, vector{Name: "18: records", Bytes: f})
	}
	vs = append(vs, []vector{
		{Name: "19: terms", Bytes: EncodeTerms(newTerms(2))},
		{Name: "20: log", Bytes: newSigned(ann, "Hei").AppendLog([]byte{FrameLog})},
		{Name: "21: done", Bytes: []byte{FrameDone}},
		{Name: "22: beats", Bytes: EncodeFields(FrameBeats, newBeat(ann).Append(nil), newBeat(bob).Append(nil))},
		{Name: "23: want", Bytes: EncodeWant(sortedHashes("a", "b"))},
		{Name: "24: transcript of an epoch of ann and bob", Bytes: newTranscript("ann", "bob").Append([]byte{FrameTranscript})},
		{Name: "25: have", Bytes: newHave().Encode()},
		{Name: "25: have of nobody", Bytes: new(Have).Encode()},
		{Name: "26: told", Bytes: []byte{FrameTold}},
		{Name: "27: secret with its commit, the list left out", Bytes: newHandover(newCommit(ann, list).Bare()).Encode()},
		{Name: "27: secret with its commit, the list whole", Bytes: newHandover(newCommit(ann, list)).Encode()},
		{Name: "64: question", Bytes: newQuestion(`"Professor"`).Append([]byte{FrameQuestion})},
		{Name: "65: answer", Bytes: append([]byte{FrameAnswer}, answer[:]...)},
		{Name: "72: question from outside", Bytes: EncodeOutside(testTopic, newOutside(nil).Append(nil))},
		{Name: "73: token", Bytes: EncodeFetch(testTopic, secretOf("token"))},
		{Name: "80: seek", Bytes: EncodeSeek(sortedHashes("a", "b"))},
		{Name: "74: reply, not known", Bytes: EncodeReply(ReplyUnknown, nil)},
		{Name: "74: reply, taken, one answer", Bytes: EncodeReply(ReplyTaken, newBoxes(1))},
	}...)
	for _, v := range vs {
		f := formatOfFrame(v.Bytes[0])
		if f == nil {
			if len(v.Bytes) != 1 {
				t.Errorf("%s: nobody takes it", v.Name)
			}
			continue
		}
		if again, err := f.again(v.Bytes[1:]); err != nil || !bytes.Equal(again, v.Bytes[1:]) {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	vectorJSON(t, "frames.json", vs)
}

// formatOfFrame is the format of a frame's body; nil: it has none.
func formatOfFrame(typ byte) *format {
	switch typ {
	case FrameProve1, FrameProve2, FrameProve3, FrameProve4, FrameProve5, FrameBeats:
		typ = FrameRecords
	}
	for _, f := range frameFormats() {
		if f.typ == typ {
			return &f
		}
	}
	return nil
}

// TestSeeds keeps the seeds of the fuzz targets on disk, for whoever fuzzes
// another implementation.
func TestSeeds(t *testing.T) {
	for _, f := range formats() {
		target := "FuzzParse" + strings.ToUpper(f.name[:1]) + f.name[1:]
		if f.isRecord() {
			target = "FuzzParseRecord"
		}
		for i, b := range f.good {
			if len(b) > 4000 {
				continue // made again by the target itself
			}
			if f.isRecord() {
				b = append([]byte{f.typ}, b...)
			}
			name := fmt.Sprintf("%s-%d", f.name, i)
			golden.Compare(t, filepath.Join("testdata", "fuzz", target, name), []byte("go test fuzz v1\n[]byte("+strconv.Quote(string(b))+")\n"))
		}
	}
}
