package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// TestRoundTrip: what is encoded is parsed, and what is parsed is encoded so.
func TestRoundTrip(t *testing.T) {
	for _, f := range formats() {
		for i, b := range f.good {
			got, err := f.again(bytes.Clone(b))
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("%s %d: %v", f.name, i, err)
			}
			if f.verify != nil {
				if err := f.verify(b); err != nil {
					t.Errorf("%s %d: %v", f.name, i, err)
				}
			}
		}
	}
}

// TestTruncated: no beginning of a record or frame is one, nor is one with
// anything behind it. (Fields and messages say nothing of their own end: of
// those, what is taken is encoded again as it was.)
func TestTruncated(t *testing.T) {
	open := map[string]bool{"fields": true, "message": true}
	for _, f := range formats() {
		for i, b := range f.good {
			for n := range len(b) {
				got, err := f.again(b[:n])
				if err == nil && !(open[f.name] && bytes.Equal(got, b[:n])) {
					t.Fatalf("%s %d cut at %d of %d is taken", f.name, i, n, len(b))
				}
			}
			for _, more := range [][]byte{{0}, {0xff}, make([]byte, 64)} {
				got, err := f.again(slices.Concat(b, more))
				if err == nil && !(open[f.name] && bytes.Equal(got, slices.Concat(b, more))) {
					t.Errorf("%s %d with %d bytes more is taken", f.name, i, len(more))
				}
			}
		}
	}
}

// TestBitFlips: every bit of a signed record matters, and with any other the
// record is refused; of whatever is not signed, other bits are another one.
func TestBitFlips(t *testing.T) {
	for _, f := range formats() {
		for i, b := range f.good {
			step := 1
			switch {
			case len(b) > 4000:
				step = 37 // the longest text: a prime number of bits apart
			case len(b) > 700:
				step = 7 // one of each byte
			}
			for bit := 0; bit < 8*len(b); bit += step {
				bad := bytes.Clone(b)
				bad[bit/8] ^= 1 << (bit % 8)
				got, err := f.again(bad)
				if err == nil && !bytes.Equal(got, bad) {
					t.Fatalf("%s %d, bit %d of byte %d: taken, and encoded otherwise", f.name, i, bit%8, bit/8)
				}
				if err != nil && !errors.Is(err, ErrForm) {
					t.Fatalf("%s %d: %v", f.name, i, err)
				}
				if f.verify == nil {
					continue
				}
				if f.verify(bad) == nil {
					t.Fatalf("%s %d, bit %d of byte %d: the signature still fits", f.name, i, bit%8, bit/8)
				}
			}
		}
	}
}

// TestTypes: Parse knows five types, and keeps to the size.
func TestTypes(t *testing.T) {
	for _, f := range formats() {
		for _, b := range f.good {
			for typ := range 256 {
				r, err := Parse(append([]byte{byte(typ)}, b...))
				if f.isRecord() && f.typ == byte(typ) {
					if err != nil || r.Type() != f.typ || !bytes.Equal(Encode(r), append([]byte{f.typ}, b...)) {
						t.Errorf("%s: %v", f.name, err)
					}
				} else if n, ok := r.(*Name); ok && f.name == "presence" {
					// A last presence without addresses has the form of a name of one
					// byte. Its signature says what it is.
					if n.Verify(testRoom) == nil {
						t.Error("a presence is taken as a name")
					}
				} else if f.name != "fields" && (err == nil || r != nil) {
					t.Errorf("%s is taken as type %d", f.name, typ)
				}
			}
		}
	}
	for _, b := range [][]byte{nil, {}, make([]byte, MaxSize+1)} {
		if r, err := Parse(b); err == nil || r != nil {
			t.Errorf("%d bytes are taken", len(b))
		}
	}
}

// TestSignaturesAreOfOneKind: a signature counts for one type of record, in one
// room, by one key.
func TestSignaturesAreOfOneKind(t *testing.T) {
	w := keyOf("w")
	pub := publicOf(w)
	body := []byte("body")
	types := []string{"contribution", "presence", "edge", "name", "commit", "message", "beat"}
	for _, typ := range types {
		sig := sign(w, typ, testRoom, body)
		for _, other := range types {
			if err := verify(pub[:], other, testRoom, body, sig); (err == nil) != (other == typ) {
				t.Errorf("%s as %s: %v", typ, other, err)
			}
		}
		eve := publicOf(keyOf("eve"))
		for what, err := range map[string]error{
			"another room": verify(pub[:], typ, hashOf("another room"), body, sig),
			"another key":  verify(eve[:], typ, testRoom, body, sig),
			"another body": verify(pub[:], typ, testRoom, []byte("bodz"), sig),
			"no key":       verify(make([]byte, 32), typ, testRoom, body, sig),
			"no point":     verify(bytes.Repeat([]byte{2}, 32), typ, testRoom, body, sig),
			"no signature": verify(pub[:], typ, testRoom, body, make([]byte, 64)),
		} {
			if !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s: %v", typ, what, err)
			}
		}
	}
}

// TestMalleableSignature: s + l signs nothing, though it is s to the curve.
func TestMalleableSignature(t *testing.T) {
	ann := newPerson("ann")
	c := *ann.contribution
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	carry := 0
	for i := range order {
		sum := int(c.Signature[32+i]) + int(order[i]) + carry
		c.Signature[32+i], carry = byte(sum), sum>>8
	}
	if err := c.Verify(testRoom); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

// TestEdgeForm: an edge leads from one to another.
func TestEdgeForm(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	if _, err := ParseEdge(newEdge(ann, ann).Append(nil)); !errors.Is(err, ErrForm) {
		t.Error("to itself:", err)
	}
	e := newEdge(ann, bob)
	if err := e.Verify(testRoom, bob.contribution); !errors.Is(err, ErrSignature) {
		t.Error("from another:", err)
	}
	e.Period++
	e.Sign(testRoom, ann.working)
	if err := e.Verify(testRoom, ann.contribution); !errors.Is(err, ErrSignature) {
		t.Error("of another day:", err)
	}
}

// TestIDs: an id names everything that its record says.
func TestIDs(t *testing.T) {
	seen := make(map[ake.Hash]string)
	for _, f := range formats() {
		if !f.isRecord() {
			continue
		}
		forms := make(map[ake.Hash]bool) // of one commit
		for _, b := range f.good {
			r, err := Parse(append([]byte{f.typ}, b...))
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := r.(*Contribution); ok {
				c.ComputeID(testRoom)
			}
			if c, ok := r.(*Commit); ok && c.Base != (ake.Hash{}) {
				if forms[c.ID()] = true; len(forms) > 1 {
					t.Error("one commit has another id in another form")
				}
				seen[r.ID()] = ""
			}
			if was := seen[r.ID()]; was != "" {
				t.Errorf("%s has the id of %s", f.name, was)
			}
			seen[r.ID()] = f.name
		}
	}
}

// TestRapidFrames: the same for any values within the limits.
func TestRapidFrames(t *testing.T) {
	hash := rapid.Custom(func(t *rapid.T) (h ake.Hash) {
		copy(h[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		return h
	})
	rapid.Check(t, func(t *rapid.T) {
		h := &Hello{Room: hash.Draw(t, "room"), Digest: hash.Draw(t, "digest"), Head: hash.Draw(t, "head"), Logs: hash.Draw(t, "logs")}
		for range rapid.IntRange(0, maxHelloDays).Draw(t, "days") {
			h.Days = append(h.Days, HelloDay{Period: abe.Period(rapid.Uint64().Draw(t, "period")), CID: hash.Draw(t, "cid"), Size: rapid.Uint32().Draw(t, "size")})
		}
		if got, err := ParseHello(h.Encode()[1:]); err != nil || !bytes.Equal(got.Encode(), h.Encode()) {
			t.Fatal(err)
		}
		a := new(Ask)
		for range rapid.IntRange(0, 5).Draw(t, "ids") {
			id := hash.Draw(t, "id")
			a.Have = append(a.Have, [ShortID]byte(id[:]))
		}
		a.Terms = rapid.SliceOfN(hash, 0, 5).Draw(t, "terms")
		a.Logs = rapid.Bool().Draw(t, "logs")
		if a.Logs {
			a.Bits = rapid.Uint8Max(32).Draw(t, "bits")
			a.Prefix = rapid.Uint32().Draw(t, "prefix") & prefixMask(a.Bits)
			epochs := rapid.SliceOfNDistinct(hash, 0, 9, func(h ake.Hash) ake.Hash { return h }).Draw(t, "epochs")
			slices.SortFunc(epochs, func(x, y ake.Hash) int { return bytes.Compare(x[:], y[:]) })
			for _, e := range epochs {
				a.Transcripts = append(a.Transcripts, AskTranscript{Epoch: e, Digest: hash.Draw(t, "digest")})
			}
		}
		if got, err := ParseAsk(a.Encode()[1:]); err != nil || !bytes.Equal(got.Encode(), a.Encode()) {
			t.Fatal(err)
		}
		have := &Have{Epoch: hash.Draw(t, "epoch")}
		for range rapid.IntRange(0, 5).Draw(t, "authors") {
			held := Held{Upto: rapid.Uint64Max(1<<62).Draw(t, "upto")}
			if held.Ahead = rapid.SliceOfN(rapid.Bool(), 0, 20).Draw(t, "ahead"); len(held.Ahead) > 0 {
				held.Ahead[len(held.Ahead)-1] = true
			}
			have.Held = append(have.Held, held)
		}
		if got, err := ParseHave(have.Encode()[1:]); err != nil || !bytes.Equal(got.Encode(), have.Encode()) {
			t.Fatal(err)
		}
		fields := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 20), 0, 5).Draw(t, "fields")
		b := EncodeFields(FrameProve2, fields...)
		got, err := ParseFields(b[1:])
		if err != nil || !bytes.Equal(EncodeFields(FrameProve2, got...), b) || !slices.EqualFunc(got, fields, bytes.Equal) {
			t.Fatal(err)
		}
		m := &Signed{Body: Body{
			Counter: max(1, rapid.Uint64().Draw(t, "counter")), Previous: hash.Draw(t, "previous"), Time: rapid.Uint64().Draw(t, "time"),
			Lamport: rapid.Uint64().Draw(t, "lamport"), Kind: rapid.ByteRange(1, 2).Draw(t, "kind"), Text: rapid.String().Draw(t, "text"),
		}, Epoch: hash.Draw(t, "epoch"), CID: hash.Draw(t, "cid")}
		if got, err := ParseContent(m.Epoch, m.CID, m.Content()); err != nil || *got != *m {
			t.Fatal(err)
		}
		if got, err := ParseLog(m.AppendLog(nil)); err != nil || *got != *m {
			t.Fatal(err)
		}
	})
}

// TestFrameLimits: a frame at its limit is taken, one over it is not, and
// counts that nothing follows are refused before anything is allocated.
func TestFrameLimits(t *testing.T) {
	taken := func(what string, ok bool, err error) {
		t.Helper()
		if ok != (err == nil) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := ParseHello(newHello(maxHelloDays + 1).Encode()[1:])
	taken("five days", false, err)
	_, err = ParseAsk((&Ask{Have: make([][ShortID]byte, MaxAskIDs)}).Encode()[1:])
	taken("the most ids", true, err)
	_, err = ParseAsk((&Ask{Have: make([][ShortID]byte, MaxAskIDs+1)}).Encode()[1:])
	taken("an id more", false, err)
	_, err = ParseAsk((&Ask{Terms: make([]ake.Hash, maxAskTerms)}).Encode()[1:])
	taken("the most terms", true, err)
	_, err = ParseAsk((&Ask{Terms: make([]ake.Hash, maxAskTerms+1)}).Encode()[1:])
	taken("a term more", false, err)
	_, err = ParseAsk((&Ask{Beats: make([]uint32, MaxAskBeats)}).Encode()[1:])
	taken("the most seconds", true, err)
	_, err = ParseAsk((&Ask{Beats: make([]uint32, MaxAskBeats+1)}).Encode()[1:])
	taken("seconds more", false, err)
	transcripts := make([]AskTranscript, MaxTranscripts+1)
	for i := range transcripts {
		binary.BigEndian.PutUint32(transcripts[i].Epoch[:], uint32(i))
	}
	_, err = ParseAsk((&Ask{Logs: true, Transcripts: transcripts[:MaxTranscripts]}).Encode()[1:])
	taken("the most transcripts", true, err)
	_, err = ParseAsk((&Ask{Logs: true, Transcripts: transcripts}).Encode()[1:])
	taken("a transcript more", false, err)
	_, err = ParseAsk((&Ask{Logs: true, Transcripts: []AskTranscript{transcripts[1], transcripts[0]}}).Encode()[1:])
	taken("transcripts in another order", false, err)
	for _, a := range []Ask{{Bits: 33}, {Bits: 0, Prefix: 1}, {Bits: 8, Prefix: 0x00800000}} {
		a.Logs = true
		_, err = ParseAsk(a.Encode()[1:])
		taken("a prefix of other bits", false, err)
	}
	_, err = ParseAsk((&Ask{Logs: true, Bits: 32, Prefix: 1}).Encode()[1:])
	taken("the longest prefix", true, err)
	_, err = ParseHave((&Have{Held: make([]Held, MaxMembers)}).Encode()[1:])
	taken("all members", true, err)
	_, err = ParseHave((&Have{Held: make([]Held, MaxMembers+1)}).Encode()[1:])
	taken("a member more", false, err)
	ahead := func(n int, last bool) *Have {
		h := &Have{Held: []Held{{Ahead: make([]bool, n)}}}
		h.Held[0].Ahead[n-1] = last
		return h
	}
	_, err = ParseHave(ahead(MaxAhead, true).Encode()[1:])
	taken("the most messages ahead", true, err)
	_, err = ParseHave(ahead(MaxAhead+1, true).Encode()[1:])
	taken("a message more ahead", false, err)
	_, err = ParseHave(ahead(9, false).Encode()[1:])
	taken("a message ahead that is not there", false, err)
	_, err = ParseTerms(EncodeTerms(make([]ake.MemberTerm, maxTerms))[1:])
	taken("the most terms told", true, err)
	_, err = ParseTerms(EncodeTerms(make([]ake.MemberTerm, maxTerms+1))[1:])
	taken("a term told more", false, err)
	_, err = ParseFields(EncodeFields(FrameRecords, make([][]byte, maxFields)...)[1:])
	taken("the most fields", true, err)
	_, err = ParseFields(EncodeFields(FrameRecords, make([][]byte, maxFields+1)...)[1:])
	taken("a field more", false, err)
	_, err = ParseFields(EncodeFields(FrameRecords, make([]byte, MaxFrame+1))[1:])
	taken("a field over a frame", false, err)

	ann := newPerson("ann")
	brief := newCommit(ann, counted(MaxMembers)).AppendBrief(nil)
	changes := slices.Concat(newChange(ann, baseList(), counted(MaxMembers)).AppendBrief(nil), []byte{0, 0, ListChanges})
	endless := map[string]func() error{
		"fields":      func() error { _, err := ParseFields([]byte{0xff, 0xff, 0xff, 0xff}); return err },
		"ids":         func() error { _, err := ParseAsk([]byte{0, 0, 0xbf, 0xff}); return err },
		"terms":       func() error { _, err := ParseTerms([]byte{0x0f, 0xff}); return err },
		"terms asked": func() error { _, err := ParseAsk([]byte{0, 0, 0, 0, 0x0f, 0xff}); return err },
		"transcripts": func() error { _, err := ParseAsk([]byte{0, 0, 0, 0, 0, 0, 1, 4, 0}); return err },
		"epochs":      func() error { _, err := ParseWant([]byte{0, 16}); return err },
		"authors":     func() error { _, err := ParseTranscript(testRoom, brief); return err },
		"evidence":    func() error { _, err := ParseCommit(append(brief, 4, 0)); return err },
		"places":      func() error { _, err := ParseCommit(append(changes, 4, 0)); return err },
		"entries":     func() error { _, err := ParseCommit(append(changes, 0, 0, 4, 0)); return err },
	}
	for what, parse := range endless {
		const runs = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if parse() == nil {
				t.Fatalf("%s are taken", what)
			}
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > 4096 {
			t.Errorf("%s: %d bytes are allocated", what, n)
		}
	}
}

// TestEncodeRecords: frames within their limit, in order, nothing lost.
func TestEncodeRecords(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	var records []Record
	for range 4000 {
		records = append(records, ann.contribution, bob.presence)
	}
	frames := EncodeRecords(records)
	if len(frames) < 2 {
		t.Fatalf("%d frames", len(frames))
	}
	i := 0
	for _, f := range frames {
		if len(f) > MaxFrame || f[0] != FrameRecords {
			t.Fatalf("a frame of %d bytes and type %d", len(f), f[0])
		}
		fields, err := ParseFields(f[1:])
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fields {
			if !bytes.Equal(b, Encode(records[i])) {
				t.Fatalf("record %d", i)
			}
			i++
		}
	}
	if i != len(records) || EncodeRecords(nil) != nil {
		t.Errorf("%d of %d records", i, len(records))
	}
}

// TestContentForm: the padding is the least, and zeros.
func TestContentForm(t *testing.T) {
	ann := newPerson("ann")
	for _, n := range []int{0, 1, 130, 131, 132, 386, 387, 8000, MaxText} {
		m := newSigned(ann, strings.Repeat("a", n))
		b := m.Content()
		used := 2 + 59 + n + 64
		if len(b) < used || len(b) > 256 && len(b) > 2*used || len(b) != paddedSize(len(b)) {
			t.Errorf("%d bytes of text in %d", n, len(b))
		}
		parse := func(b []byte) error { _, err := ParseContent(m.Epoch, m.CID, b); return err }
		if err := parse(b); err != nil {
			t.Error(err)
		}
		for what, bad := range map[string][]byte{
			"a size class more": append(bytes.Clone(b), make([]byte, len(b))...), "unpadded": b[:used],
		} {
			if len(bad) != len(b) && parse(bad) == nil {
				t.Errorf("%d bytes, %s", n, what)
			}
		}
		for at := used; at < len(b); at += 1 + len(b)/50 {
			bad := bytes.Clone(b)
			bad[at] = 1
			if parse(bad) == nil {
				t.Errorf("%d bytes, padding at %d", n, at)
			}
		}
	}
	for what, change := range map[string]func(m *Signed){
		"counter 0": func(m *Signed) { m.Counter = 0 }, "kind 0": func(m *Signed) { m.Kind = 0 }, "kind 3": func(m *Signed) { m.Kind = 3 },
		"no UTF-8": func(m *Signed) { m.Text = "\xff" }, "too long": func(m *Signed) { m.Text = strings.Repeat("a", MaxText+1) },
	} {
		m := newSigned(ann, "a")
		change(m)
		m.Sign(testRoom, ann.working)
		if _, err := ParseContent(m.Epoch, m.CID, m.Content()); !errors.Is(err, ErrForm) {
			t.Errorf("content, %s: %v", what, err)
		}
		if _, err := ParseLog(m.AppendLog(nil)); !errors.Is(err, ErrForm) {
			t.Errorf("log, %s: %v", what, err)
		}
	}
	m := newSigned(ann, "a")
	m.Counter, m.Time, m.Lamport = math.MaxUint64, math.MaxUint64, math.MaxUint64
	if got, err := ParseLog(m.AppendLog(nil)); err != nil || got.Body != m.Body {
		t.Error("the greatest numbers:", err)
	}
}

// TestMessageOfAnotherDay: what was said as one contribution does not count for
// another of the same process.
func TestMessageOfAnotherDay(t *testing.T) {
	ann := newPerson("ann")
	m := newSigned(ann, "a")
	tomorrow := *ann.contribution
	tomorrow.Period++
	tomorrow.ComputeID(testRoom)
	if tomorrow.ID() == m.CID || tomorrow.Working != ann.contribution.Working {
		t.Fatal("not another contribution of the same process")
	}
	if err := m.Verify(testRoom, &tomorrow); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

// TestMessageOfAnother: a signed body counts for one author, epoch and room.
func TestMessageOfAnother(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	m := newSigned(ann, "a")
	if err := m.Verify(testRoom, ann.contribution); err != nil {
		t.Fatal(err)
	}
	asBob, later := *m, *m
	asBob.CID = bob.contribution.ID()
	later.Epoch = hashOf("later")
	for what, err := range map[string]error{
		"another's":     m.Verify(testRoom, bob.contribution),
		"as another":    asBob.Verify(testRoom, bob.contribution),
		"another epoch": later.Verify(testRoom, ann.contribution),
		"another room":  m.Verify(hashOf("another room"), ann.contribution),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ids := map[ake.Hash]bool{m.ID(testRoom): true, asBob.ID(testRoom): true, later.ID(testRoom): true, m.ID(hashOf("another room")): true}
	if len(ids) != 4 {
		t.Error("two messages of one id")
	}
}
