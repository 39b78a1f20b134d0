package room

import (
	"crypto/ed25519"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// The changes that a mutator makes to one frame or publication: it is taken apart,
// one field of it is changed, what can be signed is signed again, and it is put
// together again.

// change is a frame, or a publication, with something changed.
func (m *mutator) change(data []byte, published bool) []byte {
	if len(data) == 0 {
		return data
	}
	m.changed++
	c := m.w.c
	if c.one(8) {
		return m.spoil(data)
	}
	var out []byte
	if published {
		out = m.changePublished(data)
	} else {
		out = m.changeParsed(data)
	}
	if out == nil {
		return m.spoil(data)
	}
	return out
}

// spoil changes bytes as such.
func (m *mutator) spoil(data []byte) []byte {
	c := m.w.c
	out := slices.Clone(data)
	if len(out) == 0 {
		return out
	}
	switch c.n(6) {
	case 0:
		return out[:c.n(len(out))]
	case 1:
		return append(out, byte(c.n(256)))
	case 2: // another type
		out[0] = byte(c.n(84))
	case 3:
		at := c.n(len(out))
		c.fill(out[at:min(len(out), at+8)])
	default:
		out[c.n(len(out))] ^= 1 << c.n(8)
	}
	return out
}

// changeParsed changes a frame of a stream; nil if it is not one.
func (m *mutator) changeParsed(data []byte) []byte {
	body := data[1:]
	switch data[0] {
	case record.FrameHello:
		if h, err := record.ParseHello(body); err == nil {
			m.mutate(h)
			return h.Encode()
		}
	case record.FrameAsk:
		if a, err := record.ParseAsk(body); err == nil {
			m.mutate(a)
			return a.Encode()
		}
	case record.FrameTerms:
		if t, err := record.ParseTerms(body); err == nil {
			m.mutate(&t)
			return record.EncodeTerms(t)
		}
	case record.FrameWant:
		if w, err := record.ParseWant(body); err == nil {
			m.mutate(&w)
			return record.EncodeWant(w)
		}
	case record.FrameLog:
		if l, err := record.ParseLog(body); err == nil {
			m.mutate(l)
			m.sign(l)
			return l.AppendLog([]byte{record.FrameLog})
		}
	case record.FrameTranscript:
		if t, err := record.ParseTranscript(m.id, body); err == nil {
			m.mutate(t)
			m.sign(t)
			return t.Append([]byte{record.FrameTranscript})
		}
	case record.FrameHave:
		if h, err := record.ParseHave(body); err == nil {
			m.mutate(h)
			return h.Encode()
		}
	case record.FrameSecret:
		if h, err := record.ParseHandover(body); err == nil {
			m.mutate(h)
			m.sign(h.Commit)
			return h.Encode()
		}
	case record.FrameSeek:
		if h, err := record.ParseSeek(body); err == nil {
			m.mutate(&h)
			return record.EncodeSeek(h)
		}
	case record.FramePiece:
		return m.changePiece(body)
	case record.FrameQuestion:
		if q, err := record.ParseQuestion(body); err == nil {
			m.mutate(q)
			return q.Append([]byte{record.FrameQuestion})
		}
	case record.FrameRecords, record.FrameBeats, record.FrameProve1, record.FrameProve2, record.FrameProve3, record.FrameProve4, record.FrameProve5:
		return m.changeFields(data[0], body)
	}
	return nil
}

// changeFields changes one of the fields of a frame, or the list of them.
func (m *mutator) changeFields(typ byte, body []byte) []byte {
	fields, err := record.ParseFields(body)
	if err != nil || len(fields) == 0 {
		return nil
	}
	c := m.w.c
	i := c.n(len(fields))
	f := fields[i]
	var out []byte
	switch {
	case c.one(5):
		m.mutate(&fields)
		return record.EncodeFields(typ, fields...)
	case typ == record.FrameRecords:
		out = m.changeRecord(f)
	case typ == record.FrameBeats:
		if b, err := record.ParseBeat(f); err == nil {
			m.mutate(b)
			m.sign(b)
			out = b.Append(nil)
		}
	default: // a proof: whichever record it is
		for _, t := range []byte{record.TypeContribution, record.TypePresence, record.TypeEdge} {
			if r := m.changeRecord(append([]byte{t}, f...)); r != nil {
				out = r[1:]
				break
			}
		}
	}
	if out == nil {
		out = m.spoil(f)
	}
	fields[i] = out
	return record.EncodeFields(typ, fields...)
}

// changeRecord changes a record behind its type; nil if it is not one.
func (m *mutator) changeRecord(b []byte) []byte {
	r, err := record.Parse(b)
	if err != nil {
		return nil
	}
	m.mutate(r)
	m.sign(r)
	return record.Encode(r)
}

// changePublished changes a publication; nil if it is not one.
func (m *mutator) changePublished(data []byte) []byte {
	switch data[0] {
	case record.TypeJoin:
		if j, err := record.ParseJoin(data[1:]); err == nil {
			m.mutate(j)
			m.sign(j.Presence)
			m.sign(j.In)
			m.sign(j.Out)
			return j.Append([]byte{record.TypeJoin})
		}
	case record.TypeMessage:
		if p, err := record.ParseMessage(data[1:]); err == nil {
			if !m.w.c.one(3) {
				if own := m.message(); own != nil {
					return own
				}
			}
			m.mutate(p)
			return p.Append([]byte{record.TypeMessage})
		}
	default:
		return m.changeRecord(data)
	}
	return nil
}

// mutate changes one field of what v points to, sometimes more.
func (m *mutator) mutate(v any) {
	for more := true; more; more = m.w.c.one(6) {
		var leaves []reflect.Value
		collect(reflect.ValueOf(v), &leaves)
		if len(leaves) == 0 {
			return
		}
		m.set(leaves[m.w.c.n(len(leaves))])
	}
}

var secretType = reflect.TypeFor[ake.Secret]()

// collect finds what can be changed.
func collect(v reflect.Value, out *[]reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			collect(v.Elem(), out)
		}
		return
	case !v.CanSet():
		return
	case v.Type() == secretType:
		*out = append(*out, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				collect(v.Field(i), out)
			}
		}
	case reflect.Slice:
		*out = append(*out, v)
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range min(v.Len(), 4) {
			collect(v.Index(i), out)
		}
	case reflect.Array, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int, reflect.Int32, reflect.Int64, reflect.Bool, reflect.String:
		*out = append(*out, v)
	}
}

// set changes one field.
func (m *mutator) set(v reflect.Value) {
	c := m.w.c
	if v.Type() == secretType {
		s := m.secret()
		v.Set(reflect.ValueOf(&s).Elem())
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		switch c.n(5) {
		case 0:
			v.SetString("")
		case 1:
			v.SetString(v.String() + "\x00\xff\u202e")
		case 2:
			v.SetString(string(make([]byte, record.MaxText)))
		case 3:
			v.SetString(v.String() + v.String())
		default:
			v.SetString("somebody else")
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(m.number(v.Uint()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(m.number(uint64(v.Int()))))
	case reflect.Array:
		m.setBytes(v.Slice(0, v.Len()).Bytes())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			switch b := slices.Clone(v.Bytes()); {
			case c.one(4):
				v.SetBytes(nil)
			case c.one(4):
				v.SetBytes(append(b, b...))
			case len(b) > 0 && c.one(3):
				v.SetBytes(b[:c.n(len(b))])
			default:
				m.setBytes(b)
				v.SetBytes(b)
			}
			return
		}
		m.setSlice(v)
	}
}

// number is a boundary value, or one near the one that was there.
func (m *mutator) number(was uint64) uint64 {
	c := m.w.c
	switch c.n(14) {
	case 0:
		return was + 1
	case 1:
		return was - 1
	case 2:
		return 0
	case 3:
		return 1
	case 4:
		return math.MaxUint64
	case 5:
		return 1 << 62
	case 6:
		return math.MaxInt64
	case 7:
		return math.MaxUint32
	case 8:
		return was ^ 1<<c.n(64)
	case 9:
		return uint64(m.now.UnixMilli())
	case 10:
		return was + uint64(c.n(2048))
	case 11:
		return uint64(abe.DayOf(m.now)) + uint64(c.n(4)) - 2
	case 12:
		return uint64(m.now.UnixMilli()) + uint64(c.n(1_200_000))
	}
	return uint64(c.n(300))
}

// setBytes changes a hash, a key, a signature or the like.
func (m *mutator) setBytes(b []byte) {
	c := m.w.c
	if len(b) == 0 {
		return
	}
	switch c.n(6) {
	case 0:
		c.fill(b)
	case 1:
		clear(b)
	case 2:
		b[c.n(len(b))] ^= 1 << c.n(8)
	case 3:
		for i := range b {
			b[i] = 0xff
		}
	default: // somebody else's
		h := m.hash()
		copy(b, h[:])
	}
}

// setSlice changes a list.
func (m *mutator) setSlice(v reflect.Value) {
	c := m.w.c
	n := v.Len()
	out := reflect.MakeSlice(v.Type(), 0, n+1)
	add := func(i int) { out = reflect.Append(out, v.Index(i)) }
	zero := func() reflect.Value {
		if t := v.Type().Elem(); t.Kind() == reflect.Pointer {
			return reflect.New(t.Elem())
		}
		return reflect.Zero(v.Type().Elem())
	}
	switch do := c.n(7); {
	case do == 0: // nothing in it
	case do == 1 || n == 0: // one more
		out = reflect.AppendSlice(out, v)
		out = reflect.Append(out, zero())
	case do == 2: // one less
		drop := c.n(n)
		for i := range n {
			if i != drop {
				add(i)
			}
		}
	case do == 3: // one twice
		out = reflect.AppendSlice(out, v)
		add(c.n(n))
	case do == 4: // the other way round
		for i := range n {
			add(n - 1 - i)
		}
	case do == 5: // many
		for range 1 + c.n(300) {
			add(c.n(n))
		}
	default: // two swapped
		i, j := c.n(n), c.n(n)
		for k := range n {
			switch k {
			case i:
				add(j)
			case j:
				add(i)
			default:
				add(k)
			}
		}
	}
	v.Set(out)
}

// hash is one that means something in the room, or nothing.
func (m *mutator) hash() (h [32]byte) {
	c := m.w.c
	switch c.n(6) {
	case 0:
		c.fill(h[:])
	case 1: // a contribution
		if g := m.someDay(); g != nil {
			if ids := sortedHashes(g.nodes); len(ids) > 0 {
				return ids[c.n(len(ids))]
			}
		}
	case 2: // a working key
		s := m.w.honest[c.n(len(m.w.honest))]
		return s.room.workingID
	case 3:
		s := m.w.honest[c.n(len(m.w.honest))]
		return s.room.identity
	case 4: // an epoch
		if ids := sortedHashes(m.commits); len(ids) > 0 {
			return ids[c.n(len(ids))]
		}
	case 5:
		switch c.n(3) {
		case 0:
			return m.workingID
		case 1:
			return m.Room.identity
		}
		if g := m.ownDay(); g != nil {
			return g.own.cid
		}
	}
	return h
}

func (m *mutator) someDay() *graph {
	days := m.sortedDays()
	if len(days) == 0 {
		return nil
	}
	return m.days[days[m.w.c.n(len(days))]]
}

func (m *mutator) secret() ake.Secret {
	var b [32]byte
	m.w.c.fill(b[:])
	s, err := ake.SecretFromBytes(b[:])
	if err != nil {
		panic(err)
	}
	return s
}

// sign signs a record with the mutator's working key, mostly, and puts its name
// where a signature must have one.
func (m *mutator) sign(v any) {
	c := m.w.c
	if c.one(6) {
		return
	}
	name := !c.one(5) // in its own name
	switch v := v.(type) {
	case *record.Presence:
		if name {
			v.Working = m.workingID
		}
		v.Sign(m.id, m.working)
	case *record.Name:
		if name {
			v.Working = m.workingID
		}
		if len(v.Text) <= record.MaxNameSize {
			v.Sign(m.id, m.working)
		}
	case *record.Beat:
		if name {
			v.Working = m.workingID
		}
		v.Sign(m.id, m.working)
	case *record.Edge:
		if g := m.ownDay(); g != nil && name {
			v.Period, v.From = g.period, g.own.cid
		}
		v.Sign(m.id, m.working)
	case *record.Contribution:
		if c.one(2) {
			*v = *m.contribution(m.cfg.Identity, v.Serial, v.Period)
		}
	case *record.Signed:
		if g := m.ownDay(); g != nil && name {
			v.CID = g.own.cid
		}
		v.Sign(m.id, m.working)
	case *record.Transcript:
		m.signBrief(&v.Brief, v.List)
	case *record.Commit:
		if v.Form == record.ListWhole && name {
			v.Added.Sort()
			v.Members, v.List = uint32(len(v.Added)), v.Added.Hash()
		}
		if name {
			v.SetEvidence(v.Removals)
		}
		m.signBrief(&v.Brief, nil)
	}
}

func (m *mutator) signBrief(b *record.Brief, list record.List) {
	if g := m.ownDay(); g != nil {
		b.By = g.own.cid
	}
	if list != nil {
		list.Sort()
		b.Members, b.List = uint32(len(list)), list.Hash()
	}
	b.ComputeID()
	b.Sign(m.id, m.working)
}

// contribution is one of some identity, with the mutator's working key.
func (m *mutator) contribution(identity ed25519.PrivateKey, serial uint64, day abe.Period) *record.Contribution {
	ctx := &ake.Context{
		Room: m.id, Identity: [32]byte(identity.Public().(ed25519.PublicKey)),
		Serial: serial, Period: day, Working: m.workingID,
	}
	seed := m.secret()
	c := record.NewContribution(identity, ctx, fakeDerive(seed, ctx, fakeEncapsulation(seed, ctx)))
	c.ComputeID(m.id)
	return c
}

// frame is one of any kind: seen before, or true, and mostly changed.
func (m *mutator) frame() []byte {
	c := m.w.c
	var f []byte
	if c.one(3) {
		f = m.pooled(m.frames)
	} else {
		f = m.ownFrame()
	}
	if f == nil {
		f = []byte{record.FrameDone}
	}
	if c.one(4) {
		return f
	}
	return m.change(f, false)
}

// ownFrame is a true one of the room's state.
func (m *mutator) ownFrame() []byte {
	c := m.w.c
	g := m.ownDay()
	switch c.n(17) {
	case 15:
		return m.seek()
	case 16:
		return m.changePiece(nil)
	case 14: // true, forged or old; of nobody's key
		n := *noticeAt(m.now.Add(time.Duration(c.n(7200)-3600)*time.Second), uint64(1000+c.n(9)))
		if c.one(2) {
			n.Serials = []uint64{uint64(c.n(9))}
		}
		return n.Append([]byte{record.FrameNotice})
	case 0:
		return []byte{record.FrameDone}
	case 1:
		return []byte{record.FrameTold}
	case 2:
		if all := record.EncodeRecords(m.records(true)); len(all) > 0 {
			return all[c.n(len(all))]
		}
	case 3:
		return record.EncodeRecords(m.madeUp())[0]
	case 4, 5:
		if t := m.transcript(); t != nil {
			return (&record.Have{Epoch: t.id, Held: t.have()}).Encode()
		}
	case 6:
		if t := m.transcript(); t != nil {
			return t.Append([]byte{record.FrameTranscript})
		}
	case 7:
		if s := m.signed(); s != nil {
			return s.AppendLog([]byte{record.FrameLog})
		}
	case 8:
		if b := m.process(m.workingID).beat; b != nil {
			return record.EncodeFields(record.FrameBeats, b.Append(nil))
		}
	case 9:
		if h := m.Room.head; h != nil {
			return record.EncodeWant([]ake.Hash{h.commit.ID()})
		}
	case 10:
		var terms []ake.MemberTerm
		if g := m.someDay(); g != nil {
			for _, cid := range sortedHashes(g.nodes) {
				if t := g.nodes[cid].term; t != nil {
					terms = append(terms, ake.MemberTerm{CID: cid, Term: *t})
				}
			}
		}
		return record.EncodeTerms(terms)
	case 11:
		if c, d := m.commitment(); c != nil {
			return handover(c, d)
		}
	case 12:
		if g != nil {
			q := &record.Question{Period: g.period, Asker: g.own.cid, Prover: m.hash(), Nonce: m.hash(), Policy: m.cfg.Descriptor.Policy.String(), Encapsulation: g.own.encapsulation}
			return q.Append([]byte{record.FrameQuestion})
		}
	case 13:
		if g != nil {
			e := &record.Edge{Period: g.period, From: g.own.cid, To: m.hash()}
			e.Sign(m.id, m.working)
			h := m.hash()
			switch c.n(5) {
			case 0:
				return record.EncodeFields(record.FrameProve1, g.own.contribution.Append(nil), m.presence.Append(nil))
			case 1:
				return record.EncodeFields(record.FrameProve2, g.own.contribution.Append(nil), m.presence.Append(nil), g.own.encapsulation)
			case 2:
				return record.EncodeFields(record.FrameProve3, h[:], g.own.encapsulation)
			case 3:
				return record.EncodeFields(record.FrameProve4, h[:], e.Append(nil))
			}
			return record.EncodeFields(record.FrameProve5, e.Append(nil))
		}
	}
	return nil
}

func (m *mutator) transcript() *transcript {
	ids := sortedHashes(m.logs.transcripts)
	if len(ids) == 0 {
		return nil
	}
	return m.logs.transcripts[ids[m.w.c.n(len(ids))]]
}

// signed is a message of its own for a log, which was never on the topic.
func (m *mutator) signed() *record.Signed {
	t := m.transcript()
	if t == nil || len(t.List) == 0 {
		return nil
	}
	i := max(t.ownIndex, 0)
	s := &record.Signed{
		Body: record.Body{
			Counter: t.log(i).have() + 1, Time: uint64(m.now.UnixMilli()), Lamport: m.lamport, Kind: record.KindText, Text: "never said",
		},
		Epoch: t.id, CID: t.List[i].CID,
	}
	m.someWords(t, i, s)
	s.Previous, _ = t.log(i).id(s.Counter - 1)
	s.Sign(m.id, m.working)
	return s
}

// someAbout makes some messages about others, of which it is the author or not.
func (m *mutator) someAbout(s *record.Signed) {
	a := record.About{Target: m.id}
	if of := m.about.order; len(of) > 0 {
		a.Target = of[s.Counter*31%uint64(len(of))]
	}
	s.Kind = record.KindReply + byte(s.Counter/3%4)
	if s.Kind != record.KindWithdrawal {
		a.Words = "about it"
	}
	s.Text = a.Text()
}

// someWords makes some messages words for some: well made ones, ones that do not open, and
// others'.
func (m *mutator) someWords(t *transcript, index int, s *record.Signed) {
	if s.Counter%3 == 2 {
		m.someOutside(s)
	}
	if s.Counter%3 == 0 {
		m.someAbout(s)
	}
	if s.Counter%6 == 2 {
		m.someFile(s)
	}
	if s.Counter%3 != 1 {
		return
	}
	policy := simPolicies[s.Counter/3%uint64(len(simPolicies))]
	enc, key := fakeWords(m.draw(), m.wordsContext(t, index, s.Counter, policy))
	sealed, err := key.Seal("some words")
	if err != nil {
		panic(err)
	}
	if s.Counter%2 == 0 {
		enc[4] ^= 1
	}
	s.Kind, s.Text = record.KindTo, string((&record.Words{Policy: policy, Encapsulation: enc, Sealed: sealed}).Append(nil))
	for i := range t.logs {
		if o := t.logs[i].bodies[1]; o != nil && o.Kind == record.KindTo && s.Counter%4 == 0 {
			s.Text = o.Text
		}
	}
}

// question makes a question from outside: one that opens, or not.
func (m *mutator) question() *record.Outside {
	c := m.w.c
	q := &record.Outside{Period: m.today()}
	if c.one(3) {
		q.For = simPolicies[c.n(len(simPolicies))]
	}
	in, err := inquire(m.cfg.Rand, m.cfg.Descriptor, q, "what now?", func(seed ake.Secret, c *ake.OutsideContext) ([]byte, ake.WordsKey, error) {
		enc, key := fakeOutside(seed, c)
		return enc, key, nil
	})
	if err != nil {
		panic(err)
	}
	if c.one(4) {
		q.Encapsulation[4] ^= 1
	}
	m.asked = append(m.asked[max(len(m.asked)-3, 0):], in)
	return q
}

// someOutside makes some messages questions from outside, and answers to them.
func (m *mutator) someOutside(s *record.Signed) {
	if !m.cfg.Descriptor.Questions {
		return
	}
	if len(m.asked) == 0 || s.Counter%2 == 0 {
		s.Kind, s.Text = record.KindQuestion, string(m.question().Append(nil))
		return
	}
	in := m.asked[m.w.c.n(len(m.asked))]
	q, err := record.ParseOutside(in.Question)
	if err != nil {
		panic(err)
	}
	seed, box, err := in.key.Reply(m.draw(), in.ID, s.CID, q.ReplyKey, "now")
	if err != nil {
		panic(err)
	}
	box[m.w.c.n(2)*5] ^= byte(m.w.c.n(2))
	s.Kind = record.KindAnswer
	s.Text = string((&record.OutsideAnswer{Question: in.ID, Seed: [ake.ReplySeedSize]byte(seed), Box: box}).Append(nil))
}

// outsideFrame is one of a stream of questions.
func (m *mutator) outsideFrame() []byte {
	if !m.cfg.Descriptor.Questions {
		return []byte{record.FrameOutside}
	}
	topic := topicOf(m.cfg.Descriptor)
	if len(m.asked) > 0 && m.w.c.one(3) {
		return record.EncodeFetch(topic, m.asked[m.w.c.n(len(m.asked))].Token)
	}
	return record.EncodeOutside(topic, m.question().Append(nil))
}

// message is an encrypted message of its own with a field changed; nil if it can
// make none.
func (m *mutator) message() []byte {
	var with []*epoch
	for _, id := range sortedHashes(m.commits) {
		if e := m.commits[id]; e.keys != nil && e.ownIndex >= 0 && m.logs.transcripts[id] != nil {
			with = append(with, e)
		}
	}
	if len(with) == 0 {
		return nil
	}
	c := m.w.c
	e := with[c.n(len(with))]
	t := m.logs.transcripts[e.commit.ID()]
	s := &record.Signed{
		Body: record.Body{
			Counter: t.log(e.ownIndex).have() + 1 + uint64(c.n(3)), Time: uint64(m.now.UnixMilli()), Lamport: m.lamport, Kind: record.KindText, Text: "changed",
		},
		Epoch: t.id, CID: e.list[e.ownIndex].CID,
	}
	m.someWords(t, e.ownIndex, s)
	chain := c.n(len(e.list))
	if !c.one(4) {
		chain = e.ownIndex
	}
	key, err := e.keys.Chain(chain).Peek(s.Counter)
	if err != nil {
		return nil
	}
	counter := s.Counter
	m.mutate(s)
	m.sign(s)
	if len(s.Text) > record.MaxText {
		return nil
	}
	out := &record.Message{Epoch: e.commit.ID(), Step: e.step(m.now)}
	c.fill(out.Guard[:])
	if out.Sealed, err = ake.SealMessage(key, m.id, out.Epoch, out.Guard, s.Content()); err != nil {
		return nil
	}
	index := uint32(chain)
	switch c.n(8) {
	case 6:
		index = uint32(m.number(uint64(index)))
	case 7:
		counter = m.number(counter)
	}
	header, err := e.keys.SealHeader(m.id, out.Epoch, out.Step, out.Guard, out.Sealed, index, counter)
	if err != nil {
		return nil
	}
	copy(out.Header[:], header)
	if c.one(4) {
		m.mutate(out)
	}
	return out.Append([]byte{record.TypeMessage})
}

// publication is one of any kind.
func (m *mutator) publication() []byte {
	c := m.w.c
	var p []byte
	switch c.n(8) {
	case 0, 1:
		p = m.pooled(m.pubs)
	case 2:
		p = record.Encode(m.presence)
	case 3:
		if k, _ := m.commitment(); k != nil {
			p = record.Encode(k)
		}
	case 4, 5:
		return m.message()
	case 6:
		p = m.join()
	case 7: // a record that is not for the topic
		if all := m.records(true); len(all) > 0 {
			p = record.Encode(all[c.n(len(all))])
		}
	}
	if p == nil || c.one(4) {
		return p
	}
	return m.change(p, true)
}

// someone is an identity that the mutator made up.
func (m *mutator) someone() ed25519.PrivateKey {
	c := m.w.c
	if len(m.other) > 0 && !c.one(3) {
		return m.other[c.n(len(m.other))]
	}
	var seed [32]byte
	c.fill(seed[:])
	m.other = append(m.other, ed25519.NewKeyFromSeed(seed[:]))
	return m.other[len(m.other)-1]
}

// join lets in somebody that the mutator made up.
func (m *mutator) join() []byte {
	g := m.ownDay()
	if g == nil {
		return nil
	}
	who := m.someone()
	ctx := &ake.Context{Room: m.id, Identity: [32]byte(who.Public().(ed25519.PublicKey)), Serial: m.serial, Period: g.period, Working: m.workingID}
	seed := m.secret()
	enc := fakeEncapsulation(seed, ctx)
	k := record.NewContribution(who, ctx, fakeDerive(seed, ctx, enc))
	k.ComputeID(m.id)
	in := &record.Edge{Period: g.period, From: g.own.cid, To: k.ID()}
	out := &record.Edge{Period: g.period, From: k.ID(), To: g.own.cid}
	in.Sign(m.id, m.working)
	out.Sign(m.id, m.working)
	return (&record.Join{Contribution: k, Presence: m.presence, In: in, Out: out, Encapsulation: enc}).Append([]byte{record.TypeJoin})
}

// madeUp are records that hang together: edges to nobody, members that the mutator
// made up, presences with one serial.
func (m *mutator) madeUp() []record.Record {
	c := m.w.c
	out := []record.Record{m.presence}
	g := m.ownDay()
	if g == nil {
		return out
	}
	edge := func(from, to ake.Hash) {
		e := &record.Edge{Period: g.period, From: from, To: to}
		e.Sign(m.id, m.working)
		out = append(out, e)
	}
	switch c.n(5) {
	case 0:
		for range 1 + c.n(8) {
			edge(g.own.cid, m.hash())
		}
	case 1: // more than are kept
		n := c.n(2 * maxPromised)
		for i := range n {
			edge(g.own.cid, ake.Sum("nobody", binary.BigEndian.AppendUint32(nil, uint32(i))))
		}
	case 2:
		for range 1 + c.n(6) {
			k := m.contribution(m.someone(), m.serial+uint64(c.n(3)), g.period)
			edge(g.own.cid, k.ID())
			out = append(out, k)
			edge(k.ID(), g.own.cid)
			if c.one(2) {
				edge(k.ID(), m.hash())
			}
		}
	case 3:
		for range 1 + c.n(20) {
			p := &record.Presence{Serial: m.number(m.presence.Serial), Left: c.one(8)}
			a := make([]byte, c.n(record.MaxAddressSize))
			c.fill(a)
			p.Addresses = [][]byte{a}
			p.Sign(m.id, m.working)
			out = append(out, p)
		}
	case 4:
		for range 1 + c.n(6) {
			if k, _ := m.commitment(); k != nil {
				out = append(out, k)
			}
		}
	}
	if c.one(3) {
		slices.Reverse(out)
	}
	return out
}

// commitment is a commit of its own, with its secret: of the head's members or of
// some of them, at a height that may be the head's.
func (m *mutator) commitment() (*record.Commit, ake.Secret) {
	c := m.w.c
	d := m.secret()
	g := m.ownDay()
	if g == nil {
		return nil, d
	}
	var list record.List
	if h := m.Room.head; h != nil && h.commit.Period == g.period && c.n(3) > 0 {
		list = slices.Clone(h.list)
	} else {
		list = slices.Clone(m.nextList(g))
	}
	if len(list) > 2 && c.one(3) {
		out := c.n(len(list))
		list = slices.Delete(list, out, out+1)
	}
	if len(list) > 0 && c.one(8) {
		list[c.n(len(list))].Presence = m.hash()
	}
	if c.one(8) {
		list = append(list, record.Entry{Identity: m.hash(), CID: m.hash(), Presence: m.hash()})
	}
	list.Sort()
	k := &record.Commit{Brief: record.Brief{Header: record.Header{
		Period: g.period, Height: g.height + uint64(c.n(3)), By: g.own.cid, Members: uint32(len(list)), List: list.Hash(),
	}}}
	if c.one(6) {
		k.Height = m.number(k.Height)
	}
	if h := m.Room.head; h != nil && c.one(2) {
		k.Base = h.commit.ID()
	}
	var ev []record.Evidence
	if m.Room.head != nil {
		ev = m.removals(list)
	}
	if c.one(4) {
		ev = append(ev, record.Evidence{Kind: byte(1 + c.n(4)), CID: m.hash(), Ref: record.SilentRef(m.number(0))})
	}
	k.SetEvidence(ev)
	k.Secret = ake.CommitSecret(k.Core(), d)
	if c.one(8) {
		k.Secret = m.hash()
	}
	k.ComputeID()
	k.Sign(m.id, m.working)
	switch {
	case c.one(3):
		return k.Bare(), d
	case c.one(3) && m.Room.head != nil && k.Base != (ake.Hash{}):
		return k.Change(m.Room.head.list, list, m.Room.head.away, nil), d
	}
	return k.Whole(list, nil), d
}

// hands hands the secret of a commit over to somebody, and may publish the commit.
func (m *mutator) hands(to *simNode) {
	c := m.w.c
	k, d := m.commitment()
	if k == nil {
		return
	}
	if c.one(2) {
		m.out.Publish = append(m.out.Publish, record.Encode(k))
	}
	frames := [][]byte{handover(k, d)}
	if c.one(4) {
		frames = append(frames, m.change(frames[0], false))
	}
	m.sequence(to, ProtocolSync, true, frames)
	if c.one(2) {
		for _, s := range m.w.honest {
			if s != to {
				m.sequence(s, ProtocolSync, true, frames[:1])
			}
		}
	}
}
