package record

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"

	"coterie/crypto/ake"
)

// Bytes that are no UTF-8: a byte that begins nothing, a beginning alone, half of
// a pair, a zero in two bytes.
var notUTF8 = []string{"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80"}

// signature is the field that most records end with.
var signatureField = field{"signature", signatureSize}

// records are contributions, presences, edges, names and beats, and what is no
// record: PROTOCOL.md §5 and §6.
func (r *refusals) records() {
	ann := newPerson("ann")
	r.form("record", "nothing", nil)
	for _, typ := range []byte{0, TypeJoin, TypeMessage, 8, TypeBeat, 10, 255} {
		r.form("record", fmt.Sprintf("a contribution as type %d", typ), ann.contribution.Append([]byte{typ}))
	}
	r.form("record", "a type alone", []byte{TypeContribution})
	r.contributions(ann)
	r.presences(ann)

	bob := newPerson("bob")
	e := newEdge(ann, bob)
	r.cuts("edge", "", e.Append(nil), field{"period", 8}, field{"from", 32}, field{"to", 32}, signatureField)
	r.form("edge", "to itself", newEdge(ann, ann).Append(nil))
	r.signed("edge", "", "edge", ann.working, e.body(nil), signedAtEnd(e.body(nil)))
	ofBob, ofTomorrow := &Edge{Period: testPeriod, From: bob.contribution.ID(), To: ann.contribution.ID()}, *e
	ofBob.Sign(testRoom, ann.working)
	r.add("edge", "from bob, signed by ann", classSignature, ofBob.Append(nil))
	ofTomorrow.Period++
	ofTomorrow.Sign(testRoom, ann.working)
	r.add("edge", "of another day than its maker's contribution", classSignature, ofTomorrow.Append(nil))

	n := ann.name
	r.cuts("name", "", n.Append(nil), field{"working key", 32}, field{"serial", 8}, field{"length", 1}, field{"text", len(n.Text)}, signatureField)
	named := func(what, text string) {
		bad := &Name{Serial: 3, Text: text}
		bad.Sign(testRoom, ann.working)
		r.form("name", what, bad.Append(nil))
	}
	for _, text := range notUTF8 {
		named(fmt.Sprintf("%x is not UTF-8", text), text)
	}
	named("97 bytes", strings.Repeat("a", MaxNameSize+1))
	named("255 bytes", strings.Repeat("a", 255))
	r.signed("name", "", "name", ann.working, n.body(nil), signedAtEnd(n.body(nil)))

	b := newBeat(ann)
	r.cuts("beat", "", b.Append(nil), field{"working key", 32}, field{"serial", 8}, signatureField)
	r.signed("beat", "", "beat", ann.working, b.body(nil), signedAtEnd(b.body(nil)))
}

func (r *refusals) contributions(ann *person) {
	c := ann.contribution
	r.cuts("contribution", "", c.Append(nil), field{"identity", 32}, field{"serial", 8}, field{"period", 8},
		field{"working key", 32}, field{"term", 32}, field{"encapsulation", 32}, signatureField)
	for _, k := range []struct {
		name string
		key  [32]byte
	}{
		{"of order 1", [32]byte{1}}, {"of order 4", [32]byte{}}, {"on no point", [32]byte{2}}, {"in a second encoding", secondEncoding(r.t)},
	} {
		bad := *c
		bad.Identity = k.key
		r.form("contribution", "identity "+k.name, bad.Append(nil))
		bad = *c
		bad.Working = k.key
		copy(bad.Signature[:], sign(ann.identity, "contribution", testRoom, bad.body(nil)))
		r.form("contribution", "working key "+k.name, bad.Append(nil))
	}
	r.signed("contribution", "", "contribution", ann.identity, c.body(nil), signedAtEnd(c.body(nil)))
	r.add("contribution", "signed by its working key", classSignature, signedAtEnd(c.body(nil))(sign(ann.working, "contribution", testRoom, c.body(nil))))
}

func (r *refusals) presences(ann *person) {
	p := ann.presence
	fields := []field{{"working key", 32}, {"serial", 8}, {"flags", 1}, {"count", 1}}
	for i, a := range p.Addresses {
		fields = append(fields, field{fmt.Sprint("length of address ", i), 2}, field{fmt.Sprint("address ", i), len(a)})
	}
	r.cuts("presence", "", p.Append(nil), append(fields, signatureField)...)
	for _, flags := range []byte{3, 4, 0x80, 0xff} {
		body := p.body(nil)
		body[keySize+8] = flags
		r.form("presence", fmt.Sprintf("flags %#x", flags), append(body, sign(ann.working, "presence", testRoom, body)...))
	}
	long := bytes.Repeat([]byte{9}, MaxAddressSize+1)
	var nine [][]byte
	for i := range MaxAddresses + 1 {
		nine = append(nine, []byte{byte(i)})
	}
	for _, bad := range []struct {
		name      string
		addresses [][]byte
	}{
		{"nine addresses", nine},
		{"an empty address", [][]byte{{}}},
		{"an empty address before another", [][]byte{{}, {1}}},
		{"an address of 257 bytes", [][]byte{long}},
		{"addresses swapped", [][]byte{{2}, {1}}},
		{"an address twice", [][]byte{{1}, {1}}},
		{"an address before its beginning", [][]byte{{1, 1}, {1}}},
	} {
		other := *p
		other.Addresses = bad.addresses
		r.form("presence", bad.name, ann.signAny(other).Append(nil))
	}
	r.signed("presence", "", "presence", ann.working, p.body(nil), signedAtEnd(p.body(nil)))
}

// joins are PROTOCOL.md §10.1's: bob's, whom ann let in.
func (r *refusals) joins() {
	ann, bob, eve := newPerson("ann"), newPerson("bob"), newPerson("eve")
	presence := len(bob.presence.Append(nil))
	j := newJoin(ann, bob)
	r.cuts("join", "", j.Append(nil), field{"contribution", ContributionSize}, field{"length of the presence", 2}, field{"presence", presence},
		field{"edge from the sponsor", EdgeSize}, field{"edge to the sponsor", EdgeSize}, field{"length of the encapsulation", 4},
		field{"encapsulation", len(j.Encapsulation)})
	changed := func(change func(j *Join)) []byte {
		j := newJoin(ann, bob)
		change(j)
		return j.Append(nil)
	}
	r.form("join", "presence of another", changed(func(j *Join) { j.Presence = eve.presence }))
	r.form("join", "presence of one who has left", changed(func(j *Join) {
		p := *j.Presence
		p.Left = true
		j.Presence = bob.signAny(p)
	}))
	r.form("join", "presence of no form", changed(func(j *Join) {
		p := *j.Presence
		p.Addresses = [][]byte{{}}
		j.Presence = bob.signAny(p)
	}))
	whole := j.Append(nil)
	longer := bytes.Clone(whole[:ContributionSize])
	longer = append(appendVec16(longer, append(bob.presence.Append(nil), 0)), whole[ContributionSize+2+presence:]...)
	r.form("join", "a zero behind the presence", longer)
	r.form("join", "edge from the newcomer to itself in place of the sponsor's", changed(func(j *Join) { j.In = newEdge(bob, bob) }))
	r.form("join", "edge back to the newcomer itself", changed(func(j *Join) { j.Out = newEdge(bob, bob) }))
	r.form("join", "working key of small order", changed(func(j *Join) {
		c := *j.Contribution
		c.Working = [32]byte{1}
		copy(c.Signature[:], sign(bob.identity, "contribution", testRoom, c.body(nil)))
		j.Contribution = &c
		p := *j.Presence
		p.Working = c.Working
		j.Presence = &p
	}))
	r.form("join", "encapsulation of another hash", changed(func(j *Join) { j.Encapsulation = eve.encapsulation }))
	r.form("join", "encapsulation of no bytes", changed(func(j *Join) { j.Encapsulation = nil }))
	heavy := *bob
	heavy.encapsulation = make([]byte, MaxEncapsulation+1)
	heavy.contribution = NewContribution(bob.identity, bob.contribution.Context(testRoom), &ake.Encapsulated{Term: bob.term, Bytes: heavy.encapsulation})
	r.form("join", "encapsulation of 128 KiB and a byte", newJoin(ann, &heavy).Append(nil))

	r.joinSignatures(ann, bob, eve, changed)
}

func (r *refusals) joinSignatures(ann, bob, eve *person, changed func(func(j *Join)) []byte) {
	into := func(typ string, w ed25519.PrivateKey, body []byte, put func(j *Join, sig []byte)) {
		r.signed("join", "its "+typ+" ", typ, w, body, func(sig []byte) []byte {
			return changed(func(j *Join) { put(j, sig) })
		})
	}
	j := newJoin(ann, bob)
	into("contribution", bob.identity, j.Contribution.body(nil), func(j *Join, sig []byte) {
		c := *j.Contribution
		c.Signature = [signatureSize]byte(sig)
		j.Contribution = &c
	})
	into("presence", bob.working, j.Presence.body(nil), func(j *Join, sig []byte) {
		p := *j.Presence
		p.Signature = [signatureSize]byte(sig)
		j.Presence = &p
	})
	for _, e := range []struct {
		name string
		by   *person
		of   func(j *Join) *Edge
	}{
		{"edge from the sponsor ", ann, func(j *Join) *Edge { return j.In }},
		{"edge to the sponsor ", bob, func(j *Join) *Edge { return j.Out }},
	} {
		r.signed("join", e.name, "edge", e.by.working, e.of(j).body(nil), func(sig []byte) []byte {
			return changed(func(j *Join) { e.of(j).Signature = [signatureSize]byte(sig) })
		})
	}
	r.add("join", "edge from the sponsor to another", classSignature, changed(func(j *Join) { j.In = newEdge(ann, eve) }))
	r.add("join", "edge back to another", classSignature, changed(func(j *Join) { j.Out = newEdge(bob, eve) }))
	r.add("join", "edges from and to another than whose contribution is there", classSignature, changed(func(j *Join) {
		j.In, j.Out = newEdge(eve, bob), newEdge(bob, eve)
	}))
	r.add("join", "edge back from another", classSignature, changed(func(j *Join) { j.Out = newEdge(eve, ann) }))
	r.add("join", "edge back from another, signed by the newcomer", classSignature, changed(func(j *Join) {
		j.Out = &Edge{Period: testPeriod, From: eve.contribution.ID(), To: ann.contribution.ID()}
		j.Out.Sign(testRoom, bob.working)
	}))
	// Each edge is of its maker's day, and these are two.
	tomorrow := *bob
	ctx := bob.contribution.Context(testRoom)
	ctx.Period++
	tomorrow.contribution = NewContribution(bob.identity, ctx, &ake.Encapsulated{Term: bob.term, Bytes: bob.encapsulation})
	two := newJoin(ann, &tomorrow)
	two.Out.Period++
	two.Out.Sign(testRoom, bob.working)
	r.add("join", "edges of two days", classSignature, two.Append(nil))
	two.Out.Period--
	two.Out.Sign(testRoom, bob.working)
	r.add("join", "a newcomer's contribution of another day than the edges", classSignature, two.Append(nil))
}
