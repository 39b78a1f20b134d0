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
	return &QuestionContext{Room: hashOf("room"), Day: testDay, Asker: hashOf("asker"), Prover: hashOf("prover"), Policy: `"A"`}
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
	asker, prover, other := x25519Of("asker"), x25519Of("prover"), x25519Of("other")
	question := []byte("the question's bytes")
	answer, err := opened.Proof.AnswerQuestion(question, prover, asker.PublicKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !asked.Proof.CheckAnswer(question, asker, prover.PublicKey().Bytes(), answer) {
		t.Error("the answer is refused")
	}
	if asked.Proof.CheckAnswer([]byte("another"), asker, prover.PublicKey().Bytes(), answer) {
		t.Error("the answer to another question is taken")
	}
	if asked.Proof.CheckAnswer(question, asker, other.PublicKey().Bytes(), answer) {
		t.Error("the answer of another process is taken")
	}
	wrong := Proof{secretOf("guessed")}
	if wrong.CheckAnswer(question, asker, prover.PublicKey().Bytes(), answer) {
		t.Error("an answer without the seed is taken")
	}
	if _, err := opened.Proof.AnswerQuestion(question, prover, make([]byte, 32)); !errors.Is(err, ErrPublicKey) {
		t.Errorf("a key of small order: %v", err)
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
		"day":    func(c *QuestionContext) { c.Day++ },
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
	coins := Expand(seed, "coterie/1 question coins", c.hash())
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

// TestVectorsQuestions is about PROTOCOL.md §7.4.
func TestVectorsQuestions(t *testing.T) {
	type vector struct {
		Seed          hexBytes `json:"seed"`
		Room          hexBytes `json:"room"`
		Day           uint32   `json:"day"`
		Asker         hexBytes `json:"asker"`
		Prover        hexBytes `json:"prover"`
		Policy        string   `json:"policy"`
		OneTime       hexBytes `json:"one_time_private"`
		Ephemeral     hexBytes `json:"ephemeral_private"`
		Question      hexBytes `json:"question"`
		Context       hexBytes `json:"context"`
		Encapsulation hexBytes `json:"encapsulation"`
		Proof         hexBytes `json:"q"`
		Answer        hexBytes `json:"answer"`
	}
	key := vectorKey(t)
	p, err := abe.ParsePolicy(`"NTNU"`)
	if err != nil {
		t.Fatal(err)
	}
	c := &QuestionContext{Room: hashOf("vector room"), Day: key.From(), Asker: hashOf("vector asker"), Prover: hashOf("vector prover"), Policy: p.String()}
	dp, err := key.Domain().ForDay(p, c.Day)
	if err != nil {
		t.Fatal(err)
	}
	seed, oneTime, ephemeral, question := secretOf("vector seed"), x25519Of("vector one-time"), x25519Of("vector ephemeral"), []byte("question")
	made, err := Ask(seed, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenQuestion(key, dp, c, made.Bytes)
	if err != nil || !opened.Proof.Equal(&made.Proof.Secret) {
		t.Fatalf("opened another: %v", err)
	}
	answer, err := opened.Proof.AnswerQuestion(question, ephemeral, oneTime.PublicKey().Bytes())
	if err != nil || !made.Proof.CheckAnswer(question, oneTime, ephemeral.PublicKey().Bytes(), answer) {
		t.Fatalf("the answer is refused: %v", err)
	}
	vectorJSON(t, "questions.json", []vector{{
		Seed: seed.Bytes(), Room: c.Room[:], Day: uint32(c.Day), Asker: c.Asker[:], Prover: c.Prover[:], Policy: c.Policy,
		OneTime: oneTime.Bytes(), Ephemeral: ephemeral.Bytes(), Question: question,
		Context: c.hash(), Encapsulation: made.Bytes, Proof: made.Proof.Bytes(), Answer: answer[:],
	}})
}
