package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"coterie/crypto/ake"
)

// messages are those on the topic, what they hold, and logs: PROTOCOL.md §9.
func (r *refusals) messages() {
	ann, bob := newPerson("ann"), newPerson("bob")
	m := newMessage(ann, "Hello, world")
	r.cuts("message", "", m.Append(nil), field{"epoch", 32}, field{"step", 2}, field{"guard", ake.GuardSize}, field{"header", ake.HeaderSize},
		field{"sealed", len(m.Sealed)})
	for _, step := range []uint16{ake.MaxSteps, math.MaxUint16} {
		bad := *m
		bad.Step = step
		r.form("message", fmt.Sprint("step ", step), bad.Append(nil))
	}
	for _, content := range []int{0, 128, 255, 257, 384, 511, 16_385, 20_479, 20_481, 32_768, 40_960} {
		bad := *m
		bad.Sealed = make([]byte, content+16)
		r.form("message", fmt.Sprintf("a content of %d bytes", content), bad.Append(nil))
	}

	said := newSigned(ann, "Hello, world")
	text := len(said.Text)
	body := []field{{"length of the body", 2}, {"counter", 8}, {"previous", 32}, {"time", 8}, {"lamport", 8}, {"kind", 1}, {"length of the text", 2}, {"text", text}}
	padding := field{"padding", len(said.Content()) - 2 - 59 - text - signatureSize}
	r.cuts("content", "", said.Content(), append(slices.Clone(body), signatureField, padding)...)
	r.cuts("log", "", said.AppendLog(nil), append(append([]field{{"epoch", 32}, {"author", 32}}, body...), signatureField)...)

	changed := func(name string, change func(m *Signed)) {
		bad := newSigned(ann, "Hello, world")
		change(bad)
		bad.Sign(testRoom, ann.working)
		r.form("content", name, bad.Content())
		r.form("log", name, bad.AppendLog(nil))
	}
	changed("counter 0", func(m *Signed) { m.Counter = 0 })
	changed("kind 0", func(m *Signed) { m.Kind = 0 })
	changed("kind 3", func(m *Signed) { m.Kind = 3 })
	changed("kind 4", func(m *Signed) { m.Kind = 4 })
	changed("kind 5", func(m *Signed) { m.Kind = 5 })
	changed("kind 10", func(m *Signed) { m.Kind = 10 })
	changed("kind 255", func(m *Signed) { m.Kind = 255 })
	for _, bad := range notUTF8 {
		changed(fmt.Sprintf("text %x is not UTF-8", bad), func(m *Signed) { m.Text = bad })
	}
	changed("text of 16,385 bytes", func(m *Signed) { m.Text = strings.Repeat("a", MaxText+1) })
	words := newWords(ann, nil)
	of := len(words.Text) - 512 - 16 - 100 - 4
	r.cuts("log", "words: ", words.AppendLog(nil), field{"epoch", 32}, field{"author", 32}, field{"length of the body", 2},
		field{"counter", 8}, field{"previous", 32}, field{"time", 8}, field{"lamport", 8}, field{"kind", 1}, field{"length of the text", 2},
		field{"length of the policy", 2}, field{"policy", of}, field{"length of the encapsulation", 2}, field{"encapsulation", 100},
		field{"sealed", 512 + 16}, signatureField)
	badWords := map[string]func(w *Words){
		"no policy":                     func(w *Words) { w.Policy = "" },
		"a policy that is none":         func(w *Words) { w.Policy = `"Professor" or` },
		"a policy with not":             func(w *Words) { w.Policy = `not "Professor"` },
		"a policy not in its canonical": func(w *Words) { w.Policy = `Professor` },
		"a policy of 513 bytes":         func(w *Words) { w.Policy = longPolicy(MaxWordsPolicy + 1) },
		"a policy with 33 leaves":       func(w *Words) { w.Policy = `age >= 1 and "x"` },
		"nothing sealed":                func(w *Words) { w.Sealed = nil },
		"512 bytes sealed":              func(w *Words) { w.Sealed = w.Sealed[:512] },
		"300 bytes sealed":              func(w *Words) { w.Sealed = w.Sealed[:300+16] },
		"128 bytes sealed":              func(w *Words) { w.Sealed = w.Sealed[:128+16] },
	}
	for _, name := range slices.Sorted(maps.Keys(badWords)) {
		change := badWords[name]
		r.form("log", "words: "+name, newWords(ann, change).AppendLog(nil))
		r.form("content", "words: "+name, newWords(ann, change).Content())
	}
	longer := append(said.Body.append(nil), 0)
	signed := append(append(said.Epoch[:], said.CID[:]...), longer...)
	behind := append(appendVec16(nil, longer), sign(ann.working, "message", testRoom, signed)...)
	r.form("log", "a zero behind the text", slices.Concat(said.Epoch[:], said.CID[:], behind))
	r.form("content", "a zero behind the text", append(behind, make([]byte, minContent-len(behind))...))

	good := said.Content()
	used := len(good) - padding.size
	for _, at := range []int{used, used + 1, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[at] = 1
		r.form("content", fmt.Sprintf("padding that is not zero at byte %d", at), bad)
	}
	r.form("content", "padded to 512 bytes", append(bytes.Clone(good), make([]byte, 256)...))

	for _, f := range []struct {
		name   string
		encode func(m *Signed) []byte
	}{{"content", (*Signed).Content}, {"log", func(m *Signed) []byte { return m.AppendLog(nil) }}} {
		r.signed(f.name, "", "message", ann.working, said.signedPart(), func(sig []byte) []byte {
			bad := *said
			bad.Signature = [signatureSize]byte(sig)
			return f.encode(&bad)
		})
		other := *said
		other.Epoch = hashOf("another epoch")
		copy(other.Signature[:], sign(ann.working, "message", testRoom, other.signedPart()))
		other.Epoch = said.Epoch
		r.add(f.name, "signed for another epoch", classSignature, f.encode(&other))
	}
	asBob := *said
	asBob.CID = bob.contribution.ID()
	asBob.Sign(testRoom, ann.working)
	r.add("log", "by bob, signed by ann", classSignature, asBob.AppendLog(nil))
}

// frames are those with which peers compare: PROTOCOL.md §11.3.
func (r *refusals) frames() {
	day := func(i int) []field {
		n := fmt.Sprint(" of day ", i)
		return []field{{"period" + n, 8}, {"cid" + n, 32}, {"size" + n, 4}}
	}
	hello := slices.Concat([]field{{"room", 32}, {"notice", 4}, {"count", 1}}, day(0), day(1), []field{{"digest", 32}, {"head", 32}, {"logs", 32}, {"whole", 8}, {"gap", 16}})
	r.cuts("hello", "", newHello(2).Encode()[1:], hello...)
	r.form("hello", "five days", newHello(maxHelloDays + 1).Encode()[1:])
	r.form("hello", "255 days", newHello(255).Encode()[1:])

	r.cuts("ask", "", newAsk().Encode()[1:], field{"count of ids", 4}, field{"first id", ShortID}, field{"second id", ShortID}, field{"third id", ShortID},
		field{"count of terms", 2}, field{"first term", 32}, field{"second term", 32}, field{"whether logs are asked for", 1},
		field{"bits of the prefix", 1}, field{"prefix", 4}, field{"count of transcripts", 2}, field{"first epoch", 32}, field{"first digest", 32}, field{"second epoch", 32}, field{"second digest", 32},
		field{"count of seconds", 2}, field{"first seconds", 4}, field{"second seconds", 4}, field{"third seconds", 4})
	ask := func(name string, a *Ask) { r.form("ask", name, a.Encode()[1:]) }
	ask("49,153 ids", &Ask{Have: make([][ShortID]byte, MaxAskIDs+1)})
	ask("4,097 terms", &Ask{Terms: make([]ake.Hash, maxAskTerms+1)})
	ask("4,097 seconds", &Ask{Beats: make([]uint32, MaxAskBeats+1)})
	transcripts := make([]AskTranscript, MaxTranscripts+1)
	for i := range transcripts {
		binary.BigEndian.PutUint32(transcripts[i].Epoch[:], uint32(i))
	}
	ask("1,025 transcripts", &Ask{Logs: true, Transcripts: transcripts})
	ask("transcripts swapped", &Ask{Logs: true, Transcripts: []AskTranscript{transcripts[1], transcripts[0]}})
	ask("a transcript twice", &Ask{Logs: true, Transcripts: []AskTranscript{transcripts[1], transcripts[1]}})
	ask("a prefix of 33 bits", &Ask{Logs: true, Bits: 33})
	ask("a prefix of no bits, and one that is set", &Ask{Logs: true, Prefix: 1 << 31})
	ask("a prefix of eight bits, and the ninth set", &Ask{Logs: true, Bits: 8, Prefix: 0xff800000})
	for _, logs := range []byte{2, 0x81, 255} {
		r.form("ask", fmt.Sprintf("%d for whether logs are asked for", logs), append(make([]byte, 6), logs))
		r.form("ask", fmt.Sprintf("%d for whether logs are asked for, and no transcripts", logs), append(make([]byte, 6), logs, 0, 0))
	}
	r.form("ask", "2^31 ids that are not there", []byte{0x80, 0, 0, 0, 0, 0, 0})
	r.form("ask", "2^32-1 ids that are not there", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0})

	// Of fields, any number is in order: they end with each of them.
	fields := EncodeFields(FrameRecords, []byte("ab"), []byte("cd"))[1:]
	r.form("fields", "ends in the first length", fields[:2])
	r.form("fields", "ends before the first field", fields[:4])
	r.form("fields", "ends a byte before the end of the first field", fields[:5])
	r.form("fields", "ends in the second length", fields[:9])
	r.form("fields", "ends a byte before the end of the second field", fields[:11])
	r.form("fields", "a zero behind them", append(bytes.Clone(fields), 0))
	r.form("fields", "a field of 2^32-1 bytes", bytes.Repeat([]byte{0xff}, 8))
	r.form("fields", "a field of 1 MiB and a byte", EncodeFields(FrameRecords, make([]byte, MaxFrame+1))[1:])
	r.form("fields", "65,537 fields", EncodeFields(FrameRecords, make([][]byte, maxFields+1)...)[1:])

	r.cuts("terms", "", EncodeTerms(newTerms(2))[1:], field{"count", 2}, field{"first cid", 32}, field{"first term", 32}, field{"second cid", 32}, field{"second term", 32})
	r.form("terms", "4,097 terms", EncodeTerms(make([]ake.MemberTerm, maxTerms+1))[1:])

	r.cuts("want", "", EncodeWant(sortedHashes("a", "b"))[1:], field{"count", 2}, field{"first epoch", 32}, field{"second epoch", 32})
	r.form("want", "nothing", EncodeWant(nil)[1:])
	r.form("want", "17 epochs", EncodeWant(make([]ake.Hash, maxWant+1))[1:])

	have := newHave()
	r.cuts("have", "", have.Encode()[1:], field{"epoch", 32}, field{"count", 2},
		field{"first counter", 8}, field{"first chain", ChainSize}, field{"first count of bits", 2}, field{"first bits", 2},
		field{"second counter", 8}, field{"second chain", ChainSize}, field{"second count of bits", 2})
	held := func(name string, h Held) { r.form("have", name, (&Have{Held: []Held{h}}).Encode()[1:]) }
	r.form("have", "1,025 places", (&Have{Held: make([]Held, MaxMembers+1)}).Encode()[1:])
	held("a counter of 2^62+1", Held{Upto: 1<<62 + 1})
	held("the greatest counter", Held{Upto: math.MaxUint64})
	held("nothing, and a chain", Held{Chain: [ChainSize]byte{1}})
	ahead := func(n int, last bool) []bool {
		a := make([]bool, n)
		a[n-1] = last
		return a
	}
	held("1,025 bits", Held{Upto: 1, Ahead: ahead(MaxAhead+1, true)})
	held("a last bit of 0", Held{Upto: 1, Ahead: ahead(9, false)})
	held("a last bit of 0, the eighth", Held{Upto: 1, Ahead: ahead(8, false)})
	bits := (&Have{Held: []Held{{Upto: 1, Ahead: ahead(9, true)}}}).Encode()[1:]
	for _, bit := range []byte{1 << 1, 1 << 7} {
		bad := bytes.Clone(bits)
		bad[len(bad)-1] |= bit
		r.form("have", fmt.Sprintf("%d in the bits behind the last", bit), bad)
	}
	r.handovers()
}

// handovers are commits with their secrets: PROTOCOL.md §8.2.
func (r *refusals) handovers() {
	ann, bob := newPerson("ann"), newPerson("bob")
	c := newCommit(ann, newList(ann, bob))
	fields := append([]field{{"secret", ake.SecretSize}}, briefFields...)
	r.cuts("secret", "", newHandover(c.Bare()).Encode()[1:], append(fields, field{"count of evidence", 2}, field{"form", 1})...)
	bad := *newHandover(c)
	bad.D = secretOf("another")
	r.add("secret", "of another commit", classSecret, bad.Encode()[1:])
	bad.D = ake.Secret{}
	r.add("secret", "zeros", classSecret, bad.Encode()[1:])
	form := *c.Bare()
	form.Form = 3
	r.form("secret", "with a commit of form 3", newHandover(&form).Encode()[1:])
	id := c.ID()
	r.signed("secret", "with a commit ", "commit", ann.working, id[:], func(sig []byte) []byte {
		d := *c
		d.Signature = [signatureSize]byte(sig)
		return newHandover(&d).Encode()[1:]
	})
}

// questions are PROTOCOL.md §7.6's, and their answers.
func (r *refusals) questions() {
	q := newQuestion(`"Professor"`)
	r.cuts("question", "", q.Append(nil), field{"period", 8}, field{"asker", 32}, field{"prover", 32}, field{"nonce", 32},
		field{"length of the policy", 2}, field{"policy", len(q.Policy)}, field{"length of the encapsulation", 4}, field{"encapsulation", len(q.Encapsulation)})
	changed := func(name string, change func(q *Question)) {
		bad := newQuestion(`"Professor"`)
		change(bad)
		r.form("question", name, bad.Append(nil))
	}
	changed("to its asker", func(q *Question) { q.Prover = q.Asker })
	changed("a policy of 513 bytes", func(q *Question) { q.Policy = `"` + strings.Repeat("a", MaxQuestionPolicy-1) + `"` })
	for _, bad := range notUTF8 {
		changed(fmt.Sprintf("a policy with %x, which is not UTF-8", bad), func(q *Question) { q.Policy = `"` + bad + `"` })
	}
	changed("an encapsulation of 128 KiB and a byte", func(q *Question) { q.Encapsulation = make([]byte, maxQuestion+1) })
	answer := hashOf("answer")
	r.cuts("answer", "", answer[:], field{"answer", ake.HashSize})
}

// transcripts are PROTOCOL.md §9.2's: of an epoch of ann, bob and cyn, of whom
// ann and bob have named themselves.
func (r *refusals) transcripts() {
	ann, cyn, eve := newPerson("ann"), newPerson("cyn"), newPerson("eve")
	x := newTranscript("ann", "bob", "cyn")
	fields := slices.Clone(briefFields)
	for i := range 3 {
		fields = append(fields, field{fmt.Sprint("entry ", i), entrySize})
	}
	fields = append(fields, field{"count of those away", 2}, field{"identity of one away", 32}, field{"its day", 4})
	for i := range 3 {
		fields = append(fields, field{fmt.Sprint("contribution ", i), ContributionSize})
	}
	fields = append(fields, field{"count of names", 2})
	for i, n := range x.Names {
		fields = append(fields, field{fmt.Sprint("length of name ", i), 2}, field{fmt.Sprint("name ", i), len(n.Append(nil))})
	}
	r.cuts("transcript", "", x.Append(nil), fields...)

	// changed changes a transcript and has ann sign the commit over its list anew.
	changed := func(name, class string, change func(x *Transcript)) {
		bad := newTranscript("ann", "bob", "cyn")
		change(bad)
		c := &Commit{Brief: bad.Brief}
		c.seal(ann)
		bad.Brief = c.Brief
		r.add("transcript", name, class, bad.Append(nil))
	}
	// relisted is the same with a list of another hash.
	relisted := func(name string, change func(x *Transcript)) {
		changed(name, classForm, func(x *Transcript) {
			change(x)
			x.Brief.List = x.List.Hash()
		})
	}
	changed("height 0", classForm, func(x *Transcript) { x.Brief.Height = 0 })
	relisted("of one member", func(x *Transcript) {
		at := x.List.Index(ann.contribution.ID())
		x.List, x.Authors, x.Names, x.Brief.Members = x.List[at:at+1], x.Authors[at:at+1], nil, 1
	})
	changed("another hash of the list", classForm, func(x *Transcript) { x.Brief.List[0] ^= 1 })
	relisted("entries swapped", func(x *Transcript) {
		x.List[0], x.List[1] = x.List[1], x.List[0]
		x.Authors[0], x.Authors[1] = x.Authors[1], x.Authors[0]
	})
	relisted("by one who is not listed", func(x *Transcript) { x.Brief.By = eve.contribution.ID() })
	relisted("a peer twice", func(x *Transcript) {
		older := ann.contribution.Context(testRoom)
		older.Serial--
		c := NewContribution(ann.identity, older, &ake.Encapsulated{Term: ann.term, Bytes: ann.encapsulation})
		at := x.List.Index(ann.contribution.ID())
		e := Entry{Identity: c.Identity, CID: c.ID()}
		if compareEntries(&x.List[at], &e) < 0 {
			at++
		}
		x.List, x.Authors = slices.Insert(x.List, at, e), slices.Insert(x.Authors, at, c)
		x.Brief.Members++
	})
	relisted("an entry of another identity than its contribution", func(x *Transcript) {
		at := x.List.Index(cyn.contribution.ID())
		// The next in order, so that it keeps its place.
		x.List[at].Identity[31] ^= 1
		x.List.Sort()
		if x.List[at].CID != cyn.contribution.ID() {
			r.t.Fatal("the order changed")
		}
	})
	relisted("an entry of another cid than its contribution", func(x *Transcript) {
		x.List[x.List.Index(cyn.contribution.ID())].CID = hashOf("another")
	})
	changed("contributions swapped", classForm, func(x *Transcript) { x.Authors[0], x.Authors[1] = x.Authors[1], x.Authors[0] })
	replaced := func(x *Transcript, c *Contribution) {
		at := x.List.Index(cyn.contribution.ID())
		c.ComputeID(testRoom)
		x.List[at].CID, x.Authors[at] = c.ID(), c
	}
	relisted("a contribution of another day", func(x *Transcript) {
		ctx := cyn.contribution.Context(testRoom)
		ctx.Period = testPeriod - 1
		replaced(x, NewContribution(cyn.identity, ctx, &ake.Encapsulated{Term: cyn.term, Bytes: cyn.encapsulation}))
	})
	relisted("a contribution whose working key is of small order", func(x *Transcript) {
		c := *cyn.contribution
		c.Working = [32]byte{1}
		copy(c.Signature[:], sign(cyn.identity, "contribution", testRoom, c.body(nil)))
		replaced(x, &c)
	})

	changed("a name of nobody who is listed", classForm, func(x *Transcript) { x.SetName(eve.name) })
	changed("names swapped", classForm, func(x *Transcript) { x.Names[0], x.Names[1] = x.Names[1], x.Names[0] })
	changed("a name twice", classForm, func(x *Transcript) { x.Names[1] = x.Names[0] })
	changed("a name more than there are authors", classForm, func(x *Transcript) {
		x.SetName(cyn.name)
		x.Names = append(x.Names, x.Names[2])
	})
	changed("a name that is not UTF-8", classForm, func(x *Transcript) {
		n := &Name{Serial: 3, Text: "\xff"}
		n.Sign(testRoom, ann.working)
		n.Serial++ // SetName takes later ones alone
		n.Sign(testRoom, ann.working)
		x.SetName(n)
	})
	r.transcriptSignatures(ann)
}

func (r *refusals) transcriptSignatures(ann *person) {
	x := newTranscript("ann", "bob", "cyn")
	at := x.List.Index(ann.contribution.ID())
	put := func(change func(x *Transcript, sig []byte)) func(sig []byte) []byte {
		return func(sig []byte) []byte {
			bad := newTranscript("ann", "bob", "cyn")
			change(bad, sig)
			return bad.Append(nil)
		}
	}
	id := x.Brief.ID()
	r.signed("transcript", "its commit ", "commit", ann.working, id[:], put(func(x *Transcript, sig []byte) {
		x.Brief.Signature = [signatureSize]byte(sig)
	}))
	r.signed("transcript", "a contribution ", "contribution", ann.identity, ann.contribution.body(nil), put(func(x *Transcript, sig []byte) {
		c := *x.Authors[at]
		c.Signature = [signatureSize]byte(sig)
		x.Authors[at] = &c
	}))
	name := slices.IndexFunc(x.Names, func(n *Name) bool { return n.Text == "ann" })
	r.signed("transcript", "a name ", "name", ann.working, ann.name.body(nil), put(func(x *Transcript, sig []byte) {
		n := *x.Names[name]
		n.Signature = [signatureSize]byte(sig)
		x.Names[name] = &n
	}))
}
