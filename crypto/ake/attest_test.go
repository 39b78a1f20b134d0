package ake

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/crypto/chacha20"

	"coterie/crypto/abe"
)

func testQuestion() *QuestionContext {
	return &QuestionContext{Room: hashOf("room"), Period: testPeriod, Asker: hashOf("asker"), Prover: hashOf("prover"),
		Policy: `"A"`}
}

// TestQuestion: who holds the attributes opens it and answers; the asker takes
// that answer and no other.
func TestQuestion(t *testing.T) {
	dp, c := dayPolicy(t, `"A"`, testDay), testQuestion()
	asked, err := Ask(secretOf("seed"), dp, c)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenQuestion(issue(t, "A"), dp, c, asked.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenQuestion(issue(t, "B"), dp, c, asked.Bytes); !errors.Is(err, ErrNotOpened) {
		t.Errorf("a key without the attribute: %v", err)
	}
	question := []byte("the question's bytes")
	answer := opened.Proof.AnswerQuestion(question)
	if !asked.Proof.CheckAnswer(question, answer) {
		t.Error("the answer is refused")
	}
	if asked.Proof.CheckAnswer([]byte("another"), answer) {
		t.Error("the answer to another question is taken")
	}
	wrong := Proof{secretOf("guessed")}
	if wrong.CheckAnswer(question, answer) {
		t.Error("an answer without the seed is taken")
	}
	for bit := range 8 * HashSize {
		bad := answer
		bad[bit/8] ^= 1 << (bit % 8)
		if asked.Proof.CheckAnswer(question, bad) {
			t.Errorf("bit %d of the answer counts for nothing", bit)
		}
	}
}

// TestQuestionIsBound: a question opens in its own context alone: not for another
// asker, prover, room, day or policy text, and neither a contribution's
// encapsulation nor a question's passes for the other.
func TestQuestionIsBound(t *testing.T) {
	key, dp, c := issue(t, "A"), dayPolicy(t, `"A"`, testDay), testQuestion()
	asked, err := Ask(secretOf("seed"), dp, c)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*QuestionContext){
		"asker":  func(c *QuestionContext) { c.Asker = hashOf("another") },
		"prover": func(c *QuestionContext) { c.Prover = hashOf("another") },
		"room":   func(c *QuestionContext) { c.Room = hashOf("another") },
		"day":    func(c *QuestionContext) { c.Period++ },
		"policy": func(c *QuestionContext) { c.Policy = `"A" and "A"` },
	} {
		other := *c
		change(&other)
		if _, err := OpenQuestion(key, dp, &other, asked.Bytes); !errors.Is(err, ErrNotOpened) {
			t.Errorf("with another %s: %v", what, err)
		}
	}
	made, err := Encapsulate(secretOf("seed"), dp, testContext())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenQuestion(key, dp, c, made.Bytes); !errors.Is(err, ErrNotOpened) {
		t.Errorf("a contribution's encapsulation opens as a question: %v", err)
	}
	if _, err := Open(key, dp, testContext(), asked.Bytes); !errors.Is(err, ErrNotOpened) {
		t.Errorf("a question opens as a contribution's encapsulation: %v", err)
	}
}

// TestQuestionBranchProbe: a question with a spoilt row, which tkn20 opens for
// holders of one branch of the policy only, is answered by nobody.
func TestQuestionBranchProbe(t *testing.T) {
	dp, c := dayPolicy(t, testPolicy, testDay), testQuestion()
	seed := secretOf("seed")
	made, err := Ask(seed, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	coins := Expand(seed, "coterie/2 question coins", c.hash())
	s, err := chacha20.NewUnauthenticatedCipher(coins.b[:], make([]byte, chacha20.NonceSize))
	if err != nil {
		t.Fatal(err)
	}
	macSeed := make([]byte, 72)
	if _, err := io.ReadFull(keystream{s}, macSeed); err != nil {
		t.Fatal(err)
	}
	crafted := spoilRow(t, made.Bytes, macSeed, 0)
	if bytes.Equal(crafted, made.Bytes) {
		t.Fatal("nothing is spoilt")
	}
	opens := 0
	for _, key := range []*abe.Key{issue(t, "A", "B"), issue(t, "C")} {
		if _, err := dp.Decrypt(key, crafted, openedSize); err == nil {
			opens++
		}
		if _, err := OpenQuestion(key, dp, c, crafted); err != ErrNotOpened {
			t.Errorf("a crafted question: %v", err)
		}
	}
	if opens != 1 {
		t.Fatalf("tkn20 opens it for %d of 2: the test shows nothing", opens)
	}
}

// TestVectorsQuestions is about PROTOCOL.md §7.6.
func TestVectorsQuestions(t *testing.T) {
	type vector struct {
		Seed          hexBytes `json:"seed"`
		Room          hexBytes `json:"room"`
		Period        uint64   `json:"period"`
		Asker         hexBytes `json:"asker"`
		Prover        hexBytes `json:"prover"`
		Policy        string   `json:"policy"`
		Question      hexBytes `json:"question"`
		Context       hexBytes `json:"context"`
		Opened        hexBytes `json:"opened"`
		CoinsKey      hexBytes `json:"coins_key"`
		Encapsulation hexBytes `json:"encapsulation"`
		Proof         hexBytes `json:"q"`
		Answer        hexBytes `json:"answer"`
	}
	key := vectorKey(t)
	p, err := abe.ParsePolicy(`"NTNU"`)
	if err != nil {
		t.Fatal(err)
	}
	c := &QuestionContext{Room: hashOf("vector room"), Period: abe.PeriodOf(1, key.From()), Asker: hashOf("vector asker"),
		Prover: hashOf("vector prover"), Policy: p.String()}
	dp, err := key.Domain().ForDay(p, c.Period.Day())
	if err != nil {
		t.Fatal(err)
	}
	seed, question := secretOf("vector seed"), []byte("question")
	made, err := Ask(seed, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenQuestion(key, dp, c, made.Bytes)
	if err != nil || !opened.Proof.Equal(&made.Proof.Secret) {
		t.Fatalf("opened another: %v", err)
	}
	answer := opened.Proof.AnswerQuestion(question)
	if !made.Proof.CheckAnswer(question, answer) {
		t.Fatal("the answer is refused")
	}
	bind := Sum("coterie/2 question bind", c.hash())
	coins := Expand(seed, "coterie/2 question coins", c.hash())
	if again := encryptAny(t, dp, chacha(t, coins.Bytes()), append(seed.Bytes(), bind[:]...)); !bytes.Equal(again,
		made.Bytes) {
		t.Error("not the encapsulation of the page")
	}
	vectorJSON(t, "questions.json", []vector{{
		Seed: seed.Bytes(), Room: c.Room[:], Period: uint64(c.Period), Asker: c.Asker[:], Prover: c.Prover[:],
		Policy:   c.Policy,
		Question: question,
		Context:  c.hash(), Opened: append(seed.Bytes(), bind[:]...), CoinsKey: coins.Bytes(), Encapsulation: made.Bytes,
		Proof: made.Proof.Bytes(), Answer: answer[:],
	}})
}
