package ake

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"coterie/crypto/abe"
)

func testOutside() *OutsideContext {
	token := secretOf("token")
	return &OutsideContext{Room: hashOf("room"), Period: abe.PeriodOf(0, testDay), For: `"A"`,
		ReplyKey: ReplyKey(secretOf("private")), Token: OutsideToken(token)}
}

// TestOutsideIsBound: a question opens in its own room alone, for its own day, asker and policy;
// and not as words for some, nor these as a question.
func TestOutsideIsBound(t *testing.T) {
	key, dp, c := issue(t, "A"), dayPolicy(t, `"A"`, testDay), testOutside()
	enc, made, err := MakeWords(secretOf("seed"), dp, c)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := OpenWords(key, dp, c, enc); err != nil || !opened.Equal(&made.Secret) {
		t.Fatalf("opened another: %v", err)
	}
	if _, err := OpenWords(issue(t, "B"), dp, c, enc); !errors.Is(err, ErrNotOpened) {
		t.Errorf("a key without the attribute: %v", err)
	}
	for what, change := range map[string]func(*OutsideContext){
		"room":   func(c *OutsideContext) { c.Room = hashOf("another") },
		"period": func(c *OutsideContext) { c.Period++ },
		"notice": func(c *OutsideContext) { c.Period = abe.PeriodOf(1, testDay) },
		"policy": func(c *OutsideContext) { c.For = "" },
		"key":    func(c *OutsideContext) { c.ReplyKey = ReplyKey(secretOf("another")) },
		"token":  func(c *OutsideContext) { c.Token = hashOf("another") },
	} {
		other := *c
		change(&other)
		if _, err := OpenWords(key, dp, &other, enc); !errors.Is(err, ErrNotOpened) {
			t.Errorf("with another %s: %v", what, err)
		}
	}
	if _, err := OpenWords(key, dp, testWords(), enc); !errors.Is(err, ErrNotOpened) {
		t.Errorf("a question opens as words: %v", err)
	}
}

// TestReplies: only who has the question's key makes an answer that opens; only who has the private
// key opens it; whoever reads it by the seed reads what the asker does.
func TestReplies(t *testing.T) {
	k, private, question := &WordsKey{secretOf("key")}, secretOf("private"), hashOf("question")
	author := hashOf("author")
	pub := ReplyKey(private)
	if !ValidReplyKey(pub) || ValidReplyKey(pub[1:]) || ValidReplyKey(bytes.Repeat([]byte{0xff}, ReplyKeySize)) {
		t.Error("valid keys")
	}
	seed, box, err := k.Reply(secretOf("r"), question, author, pub, "on Monday")
	if err != nil || !IsBox(len(box)) || len(seed) != ReplySeedSize {
		t.Fatal(err)
	}
	if said, err := k.OpenReply(private, question, box); err != nil || said != "on Monday" {
		t.Errorf("%q, %v", said, err)
	}
	if said, err := k.ReadReply(question, author, pub, seed, box); err != nil || said != "on Monday" {
		t.Errorf("%q, %v", said, err)
	}
	other := &WordsKey{secretOf("another key")}
	flipped := func(b []byte, at int) []byte {
		b = slices.Clone(b)
		b[at] ^= 1
		return b
	}
	refused := func(what string, _ string, err error) {
		t.Helper()
		if !errors.Is(err, ErrNotOpened) {
			t.Errorf("%s: %v", what, err)
		}
	}
	open := func(k *WordsKey, private Secret, question Hash, box []byte) (string, error) {
		return k.OpenReply(private, question, box)
	}
	s, err := open(other, private, question, box)
	refused("without the question's key", s, err)
	s, err = open(k, secretOf("a thief's"), question, box)
	refused("without the private key", s, err)
	s, err = open(k, private, hashOf("another"), box)
	refused("for another question", s, err)
	for _, at := range []int{0, 1100, 1119, 1120, len(box) - 1} {
		s, err = open(k, private, question, flipped(box, at))
		refused("changed for the asker", s, err)
		s, err = k.ReadReply(question, author, pub, seed, flipped(box, at))
		refused("changed for a member", s, err)
	}
	s, err = open(k, private, question, box[1:])
	refused("cut", s, err)
	s, err = k.ReadReply(question, author, pub, seed[1:], box)
	refused("with half a seed", s, err)
	s, err = k.ReadReply(question, author, pub, flipped(seed, 0), box)
	refused("with another seed", s, err)
	s, err = other.ReadReply(question, author, pub, seed, box)
	refused("for a member without the question's key", s, err)
	s, err = k.ReadReply(question, author, ReplyKey(secretOf("another")), seed, box)
	refused("to another asker", s, err)
	s, err = k.ReadReply(question, hashOf("another author"), pub, seed, box)
	refused("passed off as another's", s, err)

	// A member shows the room one thing, and gives the asker another.
	seed2, box2, err := k.Reply(secretOf("r2"), question, author, pub, "never")
	if err != nil {
		t.Fatal(err)
	}
	s, err = k.ReadReply(question, author, pub, seed, box2)
	refused("the seed of another answer", s, err)
	s, err = k.ReadReply(question, author, pub, seed2, append(slices.Clone(box2[:1120]), box[1120:]...))
	refused("the words of another answer", s, err)
	other2, ct, err := encapsulateReply(secretOf("r2"), pub)
	if err != nil {
		t.Fatal(err)
	}
	_, given, err := encapsulateReply(secretOf("r3"), pub)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := k.seedKey(question, author, given)
	if err != nil {
		t.Fatal(err)
	}
	r := secretOf("r2")
	seed3 := aead.Seal(nil, make([]byte, 12), r.Bytes(), nil)
	sealed3, err := k.replyKey(question, given, other2).Seal("shown to the room alone")
	if err != nil {
		t.Fatal(err)
	}
	s, err = k.ReadReply(question, author, pub, seed3, append(given, sealed3...))
	refused("an encapsulation that r does not make", s, err)
	if bytes.Equal(ct, given) {
		t.Error("the test shows nothing")
	}
	long := string(make([]byte, MaxWords+1))
	if _, _, err := k.Reply(secretOf("r"), question, author, pub, long); !errors.Is(err, ErrWords) {
		t.Errorf("too long: %v", err)
	}
	if _, _, err := k.Reply(secretOf("r"), question, author, pub[1:], "x"); err == nil {
		t.Error("to half a key")
	}
}

// TestReplyTime: an answer takes as long to read with a key that does not open it as with one that does.
func TestReplyTime(t *testing.T) {
	k, question, author := &WordsKey{secretOf("key")}, hashOf("question"), hashOf("author")
	pub := ReplyKey(secretOf("private"))
	seed, box, err := k.Reply(secretOf("r"), question, author, pub, "on Monday")
	if err != nil {
		t.Fatal(err)
	}
	box[len(box)-1] ^= 1 // it opens for nobody
	read := func(k *WordsKey) time.Duration {
		began := time.Now()
		if _, err := k.ReadReply(question, author, pub, seed, box); !errors.Is(err, ErrNotOpened) {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	mine, others := time.Hour, time.Hour // the least of many: whatever else the machine does
	for range 200 {
		mine, others = min(mine, read(k)), min(others, read(new(WordsKey)))
	}
	t.Logf("%v with the key, %v without", mine, others)
	if mine > 2*others || others > 2*mine {
		t.Errorf("%v with the key, %v without", mine, others)
	}
}

// TestVectorsOutside: PROTOCOL.md §9.7.
func TestVectorsOutside(t *testing.T) {
	type refused struct {
		Name string   `json:"name"`
		Box  hexBytes `json:"box"`
		Seed hexBytes `json:"sealed_r"`
	}
	type vector struct {
		Seed          hexBytes  `json:"s"`
		Room          hexBytes  `json:"room"`
		Period        uint64    `json:"period"`
		For           string    `json:"x"`
		Private       hexBytes  `json:"private"`
		ReplyKey      hexBytes  `json:"answer_key"`
		Token         hexBytes  `json:"token"`
		TokenHash     hexBytes  `json:"token_hash"`
		Context       hexBytes  `json:"octx"`
		Encapsulation hexBytes  `json:"encapsulation"`
		Key           hexBytes  `json:"k"`
		Text          string    `json:"text"`
		Sealed        hexBytes  `json:"sealed"`
		Question      hexBytes  `json:"qid"`
		Author        hexBytes  `json:"cid"`
		R             hexBytes  `json:"r"`
		Words         string    `json:"words"`
		SealedR       hexBytes  `json:"sealed_r"`
		Box           hexBytes  `json:"box"`
		Refused       []refused `json:"refused"`
	}
	key := vectorKey(t)
	p, err := abe.ParsePolicy(`"NTNU"`)
	if err != nil {
		t.Fatal(err)
	}
	dp, err := key.Domain().ForDay(p, key.From())
	if err != nil {
		t.Fatal(err)
	}
	private, token := secretOf("vector private"), secretOf("vector token")
	seed, r := secretOf("vector seed"), secretOf("vector r")
	c := &OutsideContext{Room: hashOf("vector room"), Period: abe.PeriodOf(0, key.From()), ReplyKey: ReplyKey(private),
		Token: OutsideToken(token)}
	enc, k, err := MakeWords(seed, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := OpenWords(key, dp, c, enc); err != nil || !opened.Equal(&k.Secret) {
		t.Fatalf("opened another: %v", err)
	}
	sealed, err := k.Seal("when is the exam?")
	if err != nil {
		t.Fatal(err)
	}
	qid, cid := hashOf("vector question"), hashOf("vector author")
	sealedR, box, err := k.Reply(r, qid, cid, c.ReplyKey, "on Monday")
	if err != nil {
		t.Fatal(err)
	}
	other, another, err := k.Reply(secretOf("another r"), qid, cid, c.ReplyKey, "on Tuesday")
	if err != nil {
		t.Fatal(err)
	}
	forger := &WordsKey{secretOf("a forger's key")}
	forgedR, forged, err := forger.Reply(r, qid, cid, c.ReplyKey, "on Monday")
	if err != nil {
		t.Fatal(err)
	}
	v := vector{
		Seed: seed.Bytes(), Room: c.Room[:], Period: uint64(c.Period), Private: private.Bytes(), ReplyKey: c.ReplyKey,
		Token: token.Bytes(), TokenHash: c.Token[:], Context: c.hash(), Encapsulation: enc, Key: k.Bytes(),
		Text: "when is the exam?", Sealed: sealed, Question: qid[:], Author: cid[:], R: r.Bytes(),
		Words: "on Monday", SealedR: sealedR, Box: box,
		Refused: []refused{{"made without the question's key", forged, forgedR}, {"another answer's r", box, other},
			{"another answer's box", another, sealedR}},
	}
	for _, bad := range v.Refused {
		if _, err := k.ReadReply(qid, cid, c.ReplyKey, bad.Seed, bad.Box); !errors.Is(err, ErrNotOpened) {
			t.Errorf("%s: %v", bad.Name, err)
		}
	}
	vectorJSON(t, "outside.json", []vector{v})
}
