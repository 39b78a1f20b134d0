package ake

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"coterie/crypto/abe"
)

var update = flag.Bool("update", false, "write testdata anew")

// The vectors in testdata are enough to build another implementation from, next
// to docs/PROTOCOL.md. With -update the test writes them anew; a change that
// nobody meant shows as a difference. Inputs stand before what follows from
// them; bytes are hexadecimal. The key of encapsulations is that of
// crypto/abe/testdata.

// A hexBytes is bytes in hexadecimal.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func hexed(h Hash) hexBytes { return h[:] }

func vectorJSON(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		at := 0
		for at < min(b.Len(), len(want)) && b.Bytes()[at] == want[at] {
			at++
		}
		from := max(0, at-100)
		t.Errorf("%s differs at byte %d (go test -run TestVectors -update writes it anew)\n got ...%.300s\nwant ...%.300s", path, at, b.Bytes()[from:], want[from:])
	}
}

// TestVectorsHashes is about H and X: PROTOCOL.md §1.
func TestVectorsHashes(t *testing.T) {
	type vector struct {
		Key    hexBytes   `json:"key,omitempty"` // of X; without, it is H
		Label  string     `json:"label"`
		Fields []hexBytes `json:"fields"`
		Out    hexBytes   `json:"out"`
	}
	key := secretOf("vector key")
	var vs []vector
	for _, fields := range [][]hexBytes{{}, {{}}, {{}, {}}, {hexBytes("abc")}, {hexBytes("a"), hexBytes("bc")}, {make(hexBytes, 300), hexBytes("x")}} {
		var raw [][]byte
		for _, f := range fields {
			raw = append(raw, f)
		}
		h, x := Sum("coterie/1 example", raw...), Expand(key, "coterie/1 example", raw...)
		vs = append(vs, vector{Label: "coterie/1 example", Fields: fields, Out: h[:]},
			vector{Key: key.Bytes(), Label: "coterie/1 example", Fields: fields, Out: x.Bytes()})
	}
	vectorJSON(t, "hashes.json", vs)
}

// vectorKey is the key of crypto/abe's vectors.
func vectorKey(t *testing.T) *abe.Key {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "abe", "testdata", "vectors.key"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := abe.ParseKey(file)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestVectorsContributions is about contributions and proofs: PROTOCOL.md §5
// and §7.
func TestVectorsContributions(t *testing.T) {
	type vector struct {
		Seed     hexBytes `json:"seed"`
		Room     hexBytes `json:"room"`
		Identity hexBytes `json:"identity"`
		Serial   uint64   `json:"serial"`
		Day      uint32   `json:"day"`
		Working  hexBytes `json:"working"`
		Policy   string   `json:"policy"`
		Sponsor  hexBytes `json:"sponsor"`

		Context             hexBytes `json:"context"`
		Opened              hexBytes `json:"opened"`
		Term                hexBytes `json:"term"`
		Proof               hexBytes `json:"proof"`
		CoinsKey            hexBytes `json:"coins_key"`
		Coins               hexBytes `json:"coins_first_96_bytes"`
		Encapsulation       hexBytes `json:"encapsulation"`
		TermCommitment      hexBytes `json:"term_commitment"`
		EncapsulationHash   hexBytes `json:"encapsulation_hash"`
		CID                 hexBytes `json:"cid"`
		AnswerAsNewcomer    hexBytes `json:"answer_of_newcomer"` // with this proof, to the sponsor whose it would be: cid_N is the cid
		AnswerAsSponsor     hexBytes `json:"answer_of_sponsor"`
		OpensWithVectorsKey bool     `json:"opens_with_vectors_key"`
	}
	key := vectorKey(t)
	var vs []vector
	for i, source := range []string{`"NTNU" or "admin"`, `"admin"`} {
		p, err := abe.ParsePolicy(source)
		if err != nil {
			t.Fatal(err)
		}
		c := &Context{
			Room: hashOf("vector room"), Identity: hashOf("vector identity"), Serial: 1_795_424_400_000 + uint64(i),
			Day: key.From() + abe.Day(i), Working: hashOf("vector working key"),
		}
		dp, err := key.Domain().ForDay(p, c.Day)
		if err != nil {
			t.Fatal(err)
		}
		seed, sponsor := secretOf(fmt.Sprint("vector seed ", i)), hashOf("vector sponsor")
		made, err := Encapsulate(seed, dp, c)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := Open(key, dp, c, made.Bytes)
		if err == nil && (!opened.Term.Equal(&made.Term.Secret) || !opened.Proof.Equal(&made.Proof.Secret)) {
			t.Error("opened another")
		}
		coins := make([]byte, 96)
		chacha(t, coinsOf(c, seed)).Read(coins)
		cid := c.ID(made.Term.Commitment(), HashEncapsulation(made.Bytes))
		vs = append(vs, vector{
			Seed: seed.Bytes(), Room: c.Room[:], Identity: c.Identity[:], Serial: c.Serial, Day: uint32(c.Day), Working: c.Working[:],
			Policy: p.String(), Sponsor: sponsor[:],
			Context: c.Bytes(), Opened: plaintextOf(c, seed), Term: made.Term.Bytes(), Proof: made.Proof.Bytes(),
			CoinsKey: coinsOf(c, seed), Coins: coins, Encapsulation: made.Bytes,
			TermCommitment: hexed(made.Term.Commitment()), EncapsulationHash: hexed(HashEncapsulation(made.Bytes)), CID: cid[:],
			AnswerAsNewcomer: hexed(made.Proof.Answer(Newcomer, cid, sponsor)), AnswerAsSponsor: hexed(made.Proof.Answer(Sponsor, cid, sponsor)),
			OpensWithVectorsKey: err == nil,
		})
	}
	if !vs[0].OpensWithVectorsKey {
		t.Error("no vector opens")
	}
	vectorJSON(t, "contributions.json", vs)
}

// TestVectorsCommits is about a commit's secrets: PROTOCOL.md §8.
func TestVectorsCommits(t *testing.T) {
	type member struct {
		Identity         hexBytes `json:"identity"`
		CID              hexBytes `json:"cid"`
		EphemeralPrivate hexBytes `json:"ephemeral_private"`
		EphemeralPublic  hexBytes `json:"ephemeral_public"`
		Term             hexBytes `json:"term"`
		Wrap             hexBytes `json:"wrap,omitempty"` // the committer has none
		InAttributes     hexBytes `json:"hmac_in_kabe"`
		Sealed           bool     `json:"term_is_sealed"`
	}
	type vector struct {
		D          hexBytes   `json:"d"`
		SID        hexBytes   `json:"sid"`
		Height     uint64     `json:"height"`
		Prevs      []hexBytes `json:"prevs"`
		By         hexBytes   `json:"committer"`
		HeaderHash hexBytes   `json:"h"`
		Epoch      hexBytes   `json:"epoch"`
		OneTime    hexBytes   `json:"r_private"`
		OneTimePub hexBytes   `json:"r_public"`
		Members    []member   `json:"members"`
		SealKey    hexBytes   `json:"seal_key"`
		Seal       hexBytes   `json:"seal"`
		Attributes hexBytes   `json:"kabe"`
		Secret     hexBytes   `json:"secret"`
		Confirm    hexBytes   `json:"confirm_key"`
		Tag        hexBytes   `json:"tag"`
	}
	var vs []vector
	for _, n := range []int{2, 3} {
		c, d, epoch := newCrowd(n), secretOf(fmt.Sprint("vector d ", n)), hashOf("vector epoch")
		if n == 2 {
			c.core.Prevs, c.core.Height = nil, 1
		}
		all := c.to
		c.to = c.to[1:] // the first is the committer
		wraps, rpub := c.wrap(t, d)
		r := c.core.OneTimeKey(d)
		v := vector{
			D: d.Bytes(), SID: hexed(c.core.SID), Height: c.core.Height, Prevs: []hexBytes{}, By: hexed(c.core.By),
			HeaderHash: c.h[:], Epoch: epoch[:], OneTime: r.private[:], OneTimePub: rpub[:],
		}
		for _, p := range c.core.Prevs {
			v.Prevs = append(v.Prevs, hexed(p))
		}
		var list []Member
		sealed := terms(n)[1:]
		for i := range all {
			m := Member{Identity: hashOf(fmt.Sprint("vector identity ", i)), Term: Term{secretOf(fmt.Sprint("term ", i))}}
			list = append(list, m)
			in := authenticate(m.Term.Secret, []byte("K"), c.core.SID[:], m.Identity[:])
			isSealed := false
			for j := range sealed {
				isSealed = isSealed || sealed[j].CID == all[i].CID
			}
			v.Members = append(v.Members, member{
				Identity: append(hexBytes(nil), m.Identity[:]...), CID: hexed(all[i].CID),
				EphemeralPrivate: c.keys[i].Bytes(), EphemeralPublic: append(hexBytes(nil), all[i].Ephemeral[:]...),
				Term: m.Term.Bytes(), InAttributes: in[:], Sealed: isSealed,
			})
			if i == 0 {
				continue
			}
			v.Members[i].Wrap = wraps[(i-1)*SecretSize : i*SecretSize]
			got, err := Unwrap(wraps, i-1, c.keys[i], &c.core, rpub, c.h, c.to)
			if err != nil || !got.Equal(&d) {
				t.Fatal(err)
			}
		}
		var err error
		if v.Seal, err = Seal(d, c.h, sealed); err != nil {
			t.Fatal(err)
		}
		sealKey := Expand(d, "coterie/1 seal", c.h[:])
		kabe := Attributes(c.core.SID, list)
		secret, err := EpochSecret(epoch, kabe, d)
		if err != nil {
			t.Fatal(err)
		}
		confirm := Expand(secret, "coterie/1 confirm")
		v.SealKey, v.Attributes, v.Secret, v.Confirm, v.Tag = sealKey.Bytes(), kabe.Bytes(), secret.Bytes(), confirm.Bytes(), hexed(Confirm(secret, epoch))
		vs = append(vs, v)
	}
	vectorJSON(t, "commits.json", vs)
}

// TestVectorsMessages is about chains, messages, headers and joins: PROTOCOL.md
// §9 and §10.1.
func TestVectorsMessages(t *testing.T) {
	type key struct {
		Counter uint64   `json:"counter"`
		Chain   hexBytes `json:"chain"`
		Key     hexBytes `json:"key"`
	}
	type message struct {
		Index     uint32   `json:"index"`
		Counter   uint64   `json:"counter"`
		Guard     hexBytes `json:"guard"`
		Content   hexBytes `json:"content"`
		Sealed    hexBytes `json:"sealed"`
		HeaderKey hexBytes `json:"header_key"`
		Header    hexBytes `json:"header"`
	}
	type join struct {
		Nonce      hexBytes `json:"nonce"`
		Associated hexBytes `json:"associated"`
		Plain      hexBytes `json:"plain"`
		Sealed     hexBytes `json:"sealed"`
	}
	type vector struct {
		Secret   hexBytes  `json:"secret"`
		Room     hexBytes  `json:"room"`
		Epoch    hexBytes  `json:"epoch"`
		CID      hexBytes  `json:"cid"`
		Header   hexBytes  `json:"hkey"`
		JoinKey  hexBytes  `json:"join_key"`
		Keys     []key     `json:"keys"`
		Messages []message `json:"messages"`
		Join     join      `json:"join"`
	}
	secret, room, epoch, cid := secretOf("vector secret"), hashOf("room"), hashOf("E"), hashOf("vector cid")
	k, chains := NewKeys(secret, []Hash{cid})
	v := vector{Secret: secret.Bytes(), Room: room[:], Epoch: epoch[:], CID: cid[:], Header: k.header.Bytes(), JoinKey: k.join.Bytes()}
	for range 4 {
		chain := chains[0].key
		counter, message := chains[0].Next()
		v.Keys = append(v.Keys, key{counter, chain.Bytes(), message.Bytes()})
	}
	for i, content := range [][]byte{make([]byte, 256), bytes.Repeat([]byte("0123456789abcdef"), 32)} {
		messageKey, err := SecretFromBytes(v.Keys[i].Key)
		if err != nil {
			t.Fatal(err)
		}
		m := send(t, k, messageKey, uint32(i), uint64(i+1), content)
		sample := Expand(k.header, "coterie/1 sample", m.sealed[:sampleSize])
		v.Messages = append(v.Messages, message{m.index, m.counter, m.guard[:], content, m.sealed, sample.Bytes(), m.header})
	}
	var nonce [24]byte
	stream("vector nonce").Read(nonce[:])
	v.Join = join{Nonce: nonce[:], Associated: hexBytes("everything before the sealed"), Plain: hexBytes("term and name")}
	var err error
	if v.Join.Sealed, err = k.SealJoin(nonce, v.Join.Plain, v.Join.Associated); err != nil {
		t.Fatal(err)
	}
	vectorJSON(t, "messages.json", v)
}
