package ake

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"coterie/crypto/abe"
	"coterie/crypto/golden"
)

// The vectors in testdata are enough to build another implementation from, next
// to docs/PROTOCOL.md. With -write the test writes them anew; a change that
// nobody meant shows as a difference. Inputs stand before what follows from
// them; bytes are hexadecimal. The key of encapsulations is that of
// crypto/abe/testdata.

type hexBytes = golden.Hex

func hexed(h Hash) hexBytes { return h[:] }

func vectorJSON(t *testing.T, name string, v any) {
	t.Helper()
	golden.JSON(t, filepath.Join("testdata", name), v)
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
	for _, fields := range [][]hexBytes{{}, {{}}, {{}, {}}, {hexBytes("abc")}, {hexBytes("a"), hexBytes("bc")},
		{make(hexBytes, 300), hexBytes("x")}} {
		var raw [][]byte
		for _, f := range fields {
			raw = append(raw, f)
		}
		h, x := Sum("coterie/2 example", raw...), Expand(key, "coterie/2 example", raw...)
		vs = append(vs, vector{Label: "coterie/2 example", Fields: fields, Out: h[:]},
			vector{Key: key.Bytes(), Label: "coterie/2 example", Fields: fields, Out: x.Bytes()})
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
		Period   uint64   `json:"period"`
		Working  hexBytes `json:"working"`
		Policy   string   `json:"policy"`
		Sponsor  hexBytes `json:"sponsor"`

		Context           hexBytes `json:"context"`
		Opened            hexBytes `json:"opened"`
		Term              hexBytes `json:"term"`
		Proof             hexBytes `json:"proof"`
		CoinsKey          hexBytes `json:"coins_key"`
		Coins             hexBytes `json:"coins_first_96_bytes"`
		Encapsulation     hexBytes `json:"encapsulation"`
		TermCommitment    hexBytes `json:"term_commitment"`
		EncapsulationHash hexBytes `json:"encapsulation_hash"`
		CID               hexBytes `json:"cid"`
		// with this proof, to the sponsor whose it would be: cid_N is the cid
		AnswerAsNewcomer    hexBytes `json:"answer_of_newcomer"`
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
			Period: abe.PeriodOf(uint32(i), key.From()+abe.Day(i)), Working: hashOf("vector working key"),
		}
		dp, err := key.Domain().ForDay(p, c.Period.Day())
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
			Seed: seed.Bytes(), Room: c.Room[:], Identity: c.Identity[:], Serial: c.Serial, Period: uint64(c.Period),
			Working: c.Working[:],
			Policy:  p.String(), Sponsor: sponsor[:],
			Context: c.Bytes(), Opened: plaintextOf(c, seed), Term: made.Term.Bytes(), Proof: made.Proof.Bytes(),
			CoinsKey: coinsOf(c, seed), Coins: coins, Encapsulation: made.Bytes,
			TermCommitment: hexed(made.Term.Commitment()), EncapsulationHash: hexed(HashEncapsulation(made.Bytes)), CID: cid[:],
			AnswerAsNewcomer: hexed(made.Proof.Answer(Newcomer, cid, sponsor)), AnswerAsSponsor: hexed(made.Proof.Answer(Sponsor,
				cid, sponsor)),
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
		Identity     hexBytes `json:"identity"`
		Term         hexBytes `json:"term"`
		InAttributes hexBytes `json:"hmac_in_kabe"`
	}
	type vector struct {
		SID        hexBytes `json:"sid"`
		Members    []member `json:"members"`
		D          hexBytes `json:"d"`
		Core       hexBytes `json:"core"`
		Epoch      hexBytes `json:"epoch"`
		Commitment hexBytes `json:"commitment_to_d"`
		Attributes hexBytes `json:"kabe"`
		Secret     hexBytes `json:"secret"`
	}
	var vs []vector
	for _, n := range []int{2, 3} {
		d, sid := secretOf(fmt.Sprint("vector d ", n)), hashOf("sid")
		core := bytes.Repeat([]byte{byte(n)}, 144)
		commitment := CommitSecret(core, d)
		epoch := Sum("coterie/2 commit", core, commitment[:])
		v := vector{SID: sid[:], D: d.Bytes(), Core: core, Epoch: epoch[:], Commitment: commitment[:]}
		var list []Member
		for i := range n {
			m := Member{Identity: hashOf(fmt.Sprint("vector identity ", i)), Term: Term{secretOf(fmt.Sprint("term ", i))}}
			list = append(list, m)
			in := authenticate(m.Term.Secret, []byte("K"), sid[:], m.Identity[:])
			v.Members = append(v.Members, member{Identity: append(hexBytes(nil), m.Identity[:]...), Term: m.Term.Bytes(),
				InAttributes: in[:]})
		}
		kabe := Attributes(sid, list)
		secret, err := EpochSecret(epoch, kabe, d)
		if err != nil {
			t.Fatal(err)
		}
		v.Attributes, v.Secret = kabe.Bytes(), secret.Bytes()
		vs = append(vs, v)
	}
	vectorJSON(t, "commits.json", vs)
}

// TestVectorsMessages is about the keys of an epoch, its chains, messages and
// headers: PROTOCOL.md §9.
func TestVectorsMessages(t *testing.T) {
	type key struct {
		Counter uint64   `json:"counter"`
		Chain   hexBytes `json:"chain"`
		Key     hexBytes `json:"key"`
	}
	type author struct {
		CID  hexBytes `json:"cid"`
		Keys []key    `json:"keys"`
	}
	type step struct {
		Step   uint16   `json:"step"`
		Header hexBytes `json:"hkey"`
	}
	type message struct {
		Index   uint32   `json:"index"`
		Counter uint64   `json:"counter"`
		Step    uint16   `json:"step"`
		Guard   hexBytes `json:"guard"`
		Content hexBytes `json:"content"`
		Sealed  hexBytes `json:"sealed"`
		Sample  hexBytes `json:"sample_key"`
		Header  hexBytes `json:"header"`
	}
	type vector struct {
		Secret   hexBytes  `json:"secret"`
		Room     hexBytes  `json:"room"`
		Epoch    hexBytes  `json:"epoch"`
		Root     hexBytes  `json:"chains_key"`
		Authors  []author  `json:"authors"`
		Steps    []step    `json:"steps"`
		Messages []message `json:"messages"`
	}
	secret, room, epoch, cids := secretOf("vector secret"), hashOf("room"), hashOf("E"), []Hash{hashOf("vector cid 0"),
		hashOf("vector cid 1")}
	k := NewKeys(secret, cids)
	v := vector{Secret: secret.Bytes(), Room: room[:], Epoch: epoch[:], Root: k.root.Bytes()}
	for i, cid := range cids {
		a := author{CID: hexed(cid)}
		for range 4 {
			chain := k.Chain(i).key
			counter, message := k.Chain(i).Next()
			a.Keys = append(a.Keys, key{counter, chain.Bytes(), message.Bytes()})
		}
		v.Authors = append(v.Authors, a)
	}
	for _, n := range []uint16{0, 1, 2, 60, MaxSteps - 1} {
		header, err := k.headerKey(n)
		if err != nil {
			t.Fatal(err)
		}
		v.Steps = append(v.Steps, step{n, header.Bytes()})
	}
	for i, content := range [][]byte{make([]byte, 256), bytes.Repeat([]byte("0123456789abcdef"), 32)} {
		messageKey, err := SecretFromBytes(v.Authors[i].Keys[i].Key)
		if err != nil {
			t.Fatal(err)
		}
		m := sentMessage{index: uint32(i), counter: uint64(i + 1), step: uint16(60 * i), room: room, epoch: epoch,
			guard: [GuardSize]byte{1, 2, 3, byte(i)}}
		m.send(t, k, messageKey, content)
		header, err := k.headerKey(m.step)
		if err != nil {
			t.Fatal(err)
		}
		sample := Expand(header, "coterie/2 sample", m.sealed[:sampleSize])
		v.Messages = append(v.Messages, message{m.index, m.counter, m.step, m.guard[:], content, m.sealed, sample.Bytes(),
			m.header})
	}
	vectorJSON(t, "messages.json", v)
}
