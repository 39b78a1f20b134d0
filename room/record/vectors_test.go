package record

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"coterie/crypto/ake"
)

var update = flag.Bool("update", false, "write testdata anew")

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func vectorJSON(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	testFile(t, name, b.Bytes())
}

// testFile compares with a file in testdata, or writes it anew.
func testFile(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		from := max(0, at-100)
		t.Errorf("%s differs at byte %d (go test -run TestVectors . -update writes it anew)\n got ...%.300s\nwant ...%.300s", path, at, got[from:], want[from:])
	}
}

// TestVectorsRecords is one room of two members, ann and bob, from their
// contributions to a message under the epoch that ann starts: PROTOCOL.md §4 to
// §10. Each record is with its type, as it travels; inputs are in "secrets".
func TestVectorsRecords(t *testing.T) {
	type peer struct {
		IdentitySeed     hexBytes `json:"identity_seed"`
		WorkingSeed      hexBytes `json:"working_seed"`
		EphemeralPrivate hexBytes `json:"ephemeral_private"`
		Term             hexBytes `json:"term"`
	}
	type rec struct {
		Name   string   `json:"name"`
		Signed hexBytes `json:"signed,omitempty"` // what the signature covers
		ID     hexBytes `json:"id,omitempty"`
		Bytes  hexBytes `json:"bytes"`
	}
	type vectors struct {
		Room    hexBytes        `json:"room"`
		Secrets map[string]peer `json:"secrets"`
		D       hexBytes        `json:"d"`
		SID     hexBytes        `json:"sid"`
		List    hexBytes        `json:"list"`
		Core    hexBytes        `json:"h"`
		Secret  hexBytes        `json:"epoch_secret"`
		Content hexBytes        `json:"content"`
		Records []rec           `json:"records"`
	}
	ann, bob := newPerson("ann"), newPerson("bob")
	v := vectors{Room: testRoom[:], Secrets: make(map[string]peer)}
	ephemerals := make(map[ake.Hash]*ecdh.PrivateKey)
	for name, p := range map[string]*person{"ann": ann, "bob": bob} {
		e, err := ephemeral(name)
		if err != nil {
			t.Fatal(err)
		}
		ephemerals[p.contribution.ID()] = e
		v.Secrets[name] = peer{p.identity.Seed(), p.working.Seed(), e.Bytes(), p.term.Bytes()}
	}
	add := func(name, signedAs string, signed []byte, id ake.Hash, b []byte) {
		r := rec{Name: name, Bytes: b}
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
	in, out := newEdge(ann, bob), newEdge(bob, ann)
	add("contribution of ann", "contribution", ann.contribution.body(nil), ann.contribution.ID(), Encode(ann.contribution))
	add("contribution of bob", "contribution", bob.contribution.body(nil), bob.contribution.ID(), Encode(bob.contribution))
	add("presence of ann", "presence", ann.presence.body(nil), ann.presence.ID(), Encode(ann.presence))
	add("presence of bob", "presence", bob.presence.body(nil), bob.presence.ID(), Encode(bob.presence))
	add("last presence of bob", "presence", left.body(nil), left.ID(), Encode(&left))
	add("edge from ann to bob", "edge", in.body(nil), in.ID(), Encode(in))
	add("edge from bob to ann", "edge", out.body(nil), out.ID(), Encode(out))
	add("name of bob", "name", bob.name.body(nil), bob.name.ID(), Encode(bob.name))

	// The commit, as PROTOCOL.md §8 has it.
	list := newList(ann, bob)
	byCID := map[ake.Hash]*person{ann.contribution.ID(): ann, bob.contribution.ID(): bob}
	var addrs []byte
	var to []ake.Recipient
	var members []ake.Member
	var sealed []ake.SealedTerm
	for _, e := range list {
		p := byCID[e.CID]
		addrs = p.presence.AppendAddresses(addrs)
		if p != ann {
			to = append(to, ake.Recipient{CID: e.CID, Ephemeral: p.presence.Ephemeral})
		}
		members = append(members, ake.Member{Identity: e.Identity, Term: p.term})
	}
	for _, cid := range sortedOf(list) {
		sealed = append(sealed, ake.SealedTerm{CID: cid, Term: byCID[cid].term})
	}
	sid := ake.Sum("coterie/1 sid", testRoom[:], list.Bytes(), addrs)
	c := &Commit{Header: Header{Day: testDay, Height: 1, By: ann.contribution.ID(), Members: 2, List: list.Hash()}, Base: WholeList, Changes: list}
	c.SetEvidence(nil)
	d := secretOf("vector d")
	core := &ake.Core{SID: sid, Height: 1, By: c.By}
	r := core.OneTimeKey(d)
	c.OneTime = r.Public
	var err error
	h := c.Header.Hash()
	if c.Wraps, err = ake.Wrap(d, r, h, to); err != nil {
		t.Fatal(err)
	}
	if c.Sealed, err = ake.Seal(d, h, sealed); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	epoch := c.ID()
	secret, err := ake.EpochSecret(epoch, ake.Attributes(sid, members), d)
	if err != nil {
		t.Fatal(err)
	}
	c.Tag = ake.Confirm(secret, epoch)
	c.Sign(testRoom, ann.working)
	add("commit of ann", "commit", append(epoch[:], c.Tag[:]...), epoch, Encode(c))
	v.D, v.SID, v.List, v.Core, v.Secret = d.Bytes(), sid[:], list.Bytes(), h[:], secret.Bytes()
	for i := range to {
		if got, err := ake.Unwrap(c.Wraps, i, ephemerals[to[i].CID], core, c.OneTime, h, to); err != nil || !got.Equal(&d) {
			t.Fatal(err)
		}
	}

	// A message of ann and a join of bob under it.
	keys, chains := ake.NewKeys(secret, []ake.Hash{list[0].CID, list[1].CID})
	at := list.Index(ann.contribution.ID())
	counter, key := chains[at].Next()
	said := &Signed{Body: Body{Counter: counter, Time: 1_795_424_400_000, Lamport: 1, Kind: KindText, Text: "Hei, bob"}, Epoch: epoch, CID: ann.contribution.ID()}
	said.Sign(testRoom, ann.working)
	m := &Message{Epoch: epoch, Guard: [4]byte{1, 2, 3, 4}}
	if m.Sealed, err = ake.SealMessage(key, testRoom, epoch, m.Guard, said.Content()); err != nil {
		t.Fatal(err)
	}
	header, err := keys.SealHeader(testRoom, epoch, m.Guard, m.Sealed, uint32(at), counter)
	if err != nil {
		t.Fatal(err)
	}
	copy(m.Header[:], header)
	v.Content = said.Content()
	add("message of ann", "message", said.signedPart(), said.ID(testRoom), m.Append([]byte{TypeMessage}))

	j := &Join{Contribution: bob.contribution, Presence: bob.presence, In: in, Out: out, Epoch: epoch}
	io.ReadFull(stream("vector nonce"), j.Nonce[:])
	joinSecret := JoinSecret{Term: bob.term, Name: bob.name}
	if j.Sealed, err = keys.SealJoin(j.Nonce, joinSecret.Append(nil), j.Associated()); err != nil {
		t.Fatal(err)
	}
	j.Sign(testRoom, ann.working)
	if err := j.Verify(testRoom, ann.contribution); err != nil {
		t.Fatal(err)
	}
	add("join of bob, by ann", "join", j.body(), ake.Hash{}, j.Append([]byte{TypeJoin}))

	// The second commit: bob has left, the list travels as a change.
	two := newCommit(ann, list, []ake.Hash{epoch}, Evidence{EvidenceLeft, hashOf("cid of one who left"), left.ID()})
	two.Base, two.Changes = 0, nil
	two.Height = 2
	two.Settle()
	two.Sign(testRoom, ann.working)
	id := two.ID()
	add("commit of ann, of form only, with evidence, the list unchanged", "commit", append(id[:], two.Tag[:]...), id, Encode(two))
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

func sortedOf(l List) (out []ake.Hash) {
	for _, e := range l {
		out = append(out, e.CID)
	}
	if len(out) == 2 && bytes.Compare(out[0][:], out[1][:]) > 0 {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

// TestVectorsFrames is one of each frame, behind its type: PROTOCOL.md §7 and
// §11.2.
func TestVectorsFrames(t *testing.T) {
	type vector struct {
		Name  string   `json:"name"`
		Bytes hexBytes `json:"bytes"`
	}
	ann := newPerson("ann")
	answer := hashOf("answer")
	vs := []vector{
		{"1: contribution, presence", EncodeFields(FrameProve1, ann.contribution.Append(nil), ann.presence.Append(nil))},
		{"3: answer, encapsulation", EncodeFields(FrameProve3, answer[:], []byte("encapsulation"))},
		{"16: hello of two days, said to bob by ann", newHello(2).Encode()},
		{"17: ask, everything empty", new(Ask).Encode()},
		{"17: ask", newAsk().Encode()},
		{"19: terms", EncodeTerms(newTerms(2))},
		{"20: log", newSigned(ann, "Hei").AppendLog([]byte{FrameLog})},
		{"21: done", []byte{FrameDone}},
		{"24: transcript of an epoch of ann and bob", newTranscript("ann", "bob").Append([]byte{FrameTranscript})},
		{"25: have", newHave().Encode()},
		{"26: told", []byte{FrameTold}},
	}
	for _, f := range EncodeRecords([]Record{ann.contribution, ann.presence}) {
		vs = append(vs, vector{"18: records", f})
	}
	vectorJSON(t, "frames.json", vs)
}

// TestSeeds keeps the seeds of the fuzz targets on disk, for whoever fuzzes
// another implementation.
func TestSeeds(t *testing.T) {
	types := map[string]byte{"contribution": TypeContribution, "presence": TypePresence, "edge": TypeEdge, "name": TypeName, "commit": TypeCommit}
	for _, f := range formats() {
		target := "FuzzParse"
		for _, word := range strings.Fields(f.name) {
			target += strings.ToUpper(word[:1]) + word[1:]
		}
		typ, isRecord := types[f.name]
		if isRecord {
			target = "FuzzParseRecord"
		}
		for i, b := range f.good {
			if len(b) > 4000 {
				continue // made again by the target itself
			}
			if isRecord {
				b = append([]byte{typ}, b...)
			}
			name := fmt.Sprintf("%s-%d", strings.ReplaceAll(f.name, " ", "-"), i)
			testFile(t, filepath.Join("fuzz", target, name), []byte("go test fuzz v1\n[]byte("+strconv.Quote(string(b))+")\n"))
		}
	}
}
