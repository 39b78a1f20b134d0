package record

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"coterie/crypto/ake"
)

// newOutside is a question from outside of bytes that nothing opens.
func newOutside(change func(q *Outside)) *Outside {
	q := &Outside{Period: testPeriod, For: `"Professor" or age = 21`, ReplyKey: make([]byte, ake.ReplyKeySize),
		Token: hashOf("token"), Encapsulation: make([]byte, 100), Sealed: make([]byte, 512+16)}
	for i, b := range [][]byte{q.ReplyKey, q.Encapsulation, q.Sealed} {
		io.ReadFull(stream(fmt.Sprint("outside", i)), b)
	}
	if change != nil {
		change(q)
	}
	return q
}

func newOutsideAnswer(size int) *OutsideAnswer {
	a := &OutsideAnswer{Question: hashOf("question"), Box: make([]byte, size)}
	io.ReadFull(stream("seed"), a.Seed[:])
	io.ReadFull(stream("box"), a.Box)
	return a
}

// asMessage is one with that text.
func asMessage(author *person, kind byte, text []byte) *Signed {
	m := newSigned(author, string(text))
	m.Kind = kind
	m.Sign(testRoom, author.working)
	return m
}

// boxSize is the size of a box of few words.
const boxSize = 1120 + 256 + 16

func newBoxes(n int) (out [][]byte) {
	for range n {
		out = append(out, newOutsideAnswer(boxSize).Box)
	}
	return out
}

var testTopic = [TopicSize]byte(hashOf("topic"))

func outsideFormats() []format {
	type framed struct {
		topic [TopicSize]byte
		rest  []byte
	}
	type replied struct {
		state byte
		boxes [][]byte
	}
	return []format{{
		name: "outside", typ: FrameOutside,
		// The shortest sealed: what is cut is no other.
		good: [][]byte{EncodeOutside(testTopic, newOutside(func(q *Outside) { q.Sealed = q.Sealed[:256+16] }).Append(nil))[1:],
			EncodeOutside(testTopic, newOutside(func(q *Outside) { q.For, q.Sealed = "", q.Sealed[:256+16] }).Append(nil))[1:]},
		again: reencode(func(b []byte) (framed, error) {
			topic, q, err := ParseOutsideFrame(b)
			if err != nil {
				return framed{}, err
			}
			return framed{topic, q.Append(nil)}, nil
		}, func(f framed) []byte { return EncodeOutside(f.topic, f.rest)[1:] }),
	}, {
		name: "fetch", typ: FrameFetch,
		good: [][]byte{EncodeFetch(testTopic, secretOf("token"))[1:]},
		again: reencode(func(b []byte) (framed, error) {
			topic, token, err := ParseFetch(b)
			return framed{topic, token.Bytes()}, err
		}, func(f framed) []byte { return append(f.topic[:], f.rest...) }),
	}, {
		name: "reply", typ: FrameReply,
		good: [][]byte{EncodeReply(ReplyUnknown, nil)[1:], EncodeReply(ReplyLater, nil)[1:], EncodeReply(ReplyTaken, newBoxes(1))[1:],
			EncodeReply(ReplyTaken, newBoxes(MaxReplies))[1:]},
		again: reencode(func(b []byte) (replied, error) {
			state, boxes, err := ParseReply(b)
			return replied{state, boxes}, err
		}, func(r replied) []byte { return EncodeReply(r.state, r.boxes)[1:] }),
	}}
}

// outside are PROTOCOL.md §9.7's: messages, and frames.
func (r *refusals) outside() {
	ann := newPerson("ann")
	q := newOutside(nil)
	inLog := []field{{"epoch", 32}, {"author", 32}, {"length of the body", 2}, {"counter", 8}, {"previous", 32}, {"time", 8},
		{"lamport", 8}, {"kind", 1}, {"length of the text", 2}}
	question := []field{{"period", 8}, {"length of the policy", 2}, {"policy", len(q.For)}, {"answer key", ake.ReplyKeySize}, {"token", 32},
		{"length of the encapsulation", 2}, {"encapsulation", 100}, {"sealed", 512 + 16}}
	r.cuts("log", "question: ", asMessage(ann, KindQuestion, q.Append(nil)).AppendLog(nil),
		append(slices.Concat(inLog, question), signatureField)...)
	r.cuts("outside", "", EncodeOutside(testTopic, q.Append(nil))[1:], append([]field{{"topic", 32}}, question...)...)
	bad := map[string]func(q *Outside){
		"a policy that is none":         func(q *Outside) { q.For = `"Professor" or` },
		"a policy not in its canonical": func(q *Outside) { q.For = `Professor` },
		"a policy of 513 bytes":         func(q *Outside) { q.For = longPolicy(MaxWordsPolicy + 1) },
		"a policy with 33 leaves":       func(q *Outside) { q.For = `age >= 1 and "x"` },
		"nothing sealed":                func(q *Outside) { q.Sealed = nil },
		"512 bytes sealed":              func(q *Outside) { q.Sealed = q.Sealed[:512] },
		"2,048 bytes sealed":            func(q *Outside) { q.Sealed = make([]byte, 2048+16) },
		"more than a message holds":     func(q *Outside) { q.Encapsulation = make([]byte, MaxText) },
	}
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		text := newOutside(bad[name]).Append(nil)
		r.form("log", "question: "+name, asMessage(ann, KindQuestion, text).AppendLog(nil))
		if name != "nothing sealed" { // it is cut there
			r.form("outside", name, EncodeOutside(testTopic, text)[1:])
		}
	}
	a := newOutsideAnswer(boxSize)
	r.cuts("log", "answer: ", asMessage(ann, KindAnswer, a.Append(nil)).AppendLog(nil), append(slices.Clone(inLog),
		field{"question", 32}, field{"seed", ake.ReplySeedSize}, field{"box", boxSize}, signatureField)...)
	for _, size := range []int{0, 1120, boxSize - 1, boxSize + 1, 1120 + 128 + 16, 1120 + 16384 + 16} {
		r.form("log", fmt.Sprintf("answer: a box of %d bytes", size),
			asMessage(ann, KindAnswer, newOutsideAnswer(size).Append(nil)).AppendLog(nil))
	}
	r.cuts("fetch", "", EncodeFetch(testTopic, secretOf("token"))[1:], field{"topic", 32}, field{"token", 32})

	good := EncodeReply(ReplyTaken, newBoxes(1))[1:]
	r.cuts("reply", "", good, field{"state", 1}, field{"count", 1}, field{"length of the box", 2}, field{"box", boxSize},
		field{"padding", len(good) - 4 - boxSize})
	reply := func(name string, change func(b []byte) []byte) { r.form("reply", name, change(bytes.Clone(good))) }
	reply("state 3", func(b []byte) []byte { b[0] = 3; return b })
	reply("an answer to what is not known", func(b []byte) []byte { b[0] = ReplyUnknown; return b })
	reply("an answer to what is not taken yet", func(b []byte) []byte { b[0] = ReplyLater; return b })
	reply("nine answers", func([]byte) []byte { return EncodeReply(ReplyTaken, newBoxes(MaxReplies+1))[1:] })
	reply("padding that is not zero", func(b []byte) []byte { b[len(b)-1] = 1; return b })
	reply("padded further", func(b []byte) []byte { return append(b, make([]byte, len(b))...) })
	reply("a box of another size", func([]byte) []byte { return EncodeReply(ReplyTaken, [][]byte{make([]byte, 100)})[1:] })
}
