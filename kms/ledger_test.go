package kms

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// written returns a ledger of five keys and a void number, as bytes.
func written(t testing.TB) (data []byte, id [32]byte, a *Authority) {
	t.Helper()
	m := master()
	secret, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	aead, err := ledgerCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	id = m.Domain().ID()
	data, err = firstLines(rand.Reader, "NTNU.ledger", id, secret, 0, morning)
	if err != nil {
		t.Fatal(err)
	}
	l, err := readLedger("NTNU.ledger", data, id, aead)
	if err != nil {
		t.Fatal(err)
	}
	add := func(e *entry) {
		e.prev = l.last
		line, err := l.seal(rand.Reader, e)
		if err == nil {
			err = l.apply(e)
		}
		if err != nil {
			t.Fatal(err)
		}
		l.lines++
		data = append(data, line...)
	}
	for i := range 5 {
		e := &entry{kind: kindIssued, number: uint64(i + 1), generation: 1, from: today, expires: today + 90,
			attributes: []string{"NTNU"}, person: person{form: personKept, name: fmt.Sprint("Kari ", i)}}
		rand.Read(e.person.salt[:])
		add(e)
	}
	add(&entry{kind: kindVoid, number: 3, reason: reasonNotWritten})
	return data, id, &Authority{master: m, aead: aead}
}

func read(data []byte, id [32]byte, a *Authority) (*ledger, error) {
	return readLedger("NTNU.ledger", data, id, a.aead)
}

func TestLedgerReadsBack(t *testing.T) {
	data, id, a := written(t)
	l, err := read(data, id, a)
	if err != nil {
		t.Fatal(err)
	}
	if l.next() != 6 || l.torn != nil || l.generation != 1 || l.size != len(data) || l.lines != 8 {
		t.Errorf("%+v", l)
	}
	for i, issue := range l.issues {
		if issue.Number != uint64(i+1) || issue.Name != fmt.Sprint("Kari ", i) || issue.Void != (i == 2) {
			t.Errorf("%+v", issue)
		}
	}
}

// Whatever byte changes, the error names its line.
func TestEveryChangedByteIsNoticed(t *testing.T) {
	data, id, a := written(t)
	for i := range data {
		for _, flip := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(data)
			changed[i] ^= flip
			l, err := read(changed, id, a)
			if err == nil && l.torn == nil {
				t.Fatalf("byte %d changed by %#x is not noticed", i, flip)
			}
			var line *LedgerError
			want := bytes.Count(data[:i], []byte("\n")) + 1
			if errors.As(err, &line) && line.Line != want && !(data[i] == '\n' || changed[i] == '\n') {
				t.Fatalf("byte %d is in line %d, the error names %d", i, want, line.Line)
			}
			if errors.As(err, &line) && (line.Line < want || line.Line > want+1) {
				t.Fatalf("byte %d is in line %d, the error names %d", i, want, line.Line)
			}
		}
	}
}

func TestLinesCannotBeMoved(t *testing.T) {
	data, id, a := written(t)
	lines := slices.Collect(bytes.Lines(data))
	// Another ledger of the same master key: its line fits in the place and opens,
	// so that only the chain tells them apart.
	other, _, _ := written(t)
	otherLines := slices.Collect(bytes.Lines(other))
	for name, change := range map[string]func([][]byte) [][]byte{
		"swapped":      func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l },
		"left out":     func(l [][]byte) [][]byte { return slices.Delete(l, 3, 4) },
		"repeated":     func(l [][]byte) [][]byte { return slices.Insert(l, 4, l[3]) },
		"said twice":   func(l [][]byte) [][]byte { return append(l, l[len(l)-1]) },
		"from another": func(l [][]byte) [][]byte { l[3] = otherLines[3]; return l },
		"start left":   func(l [][]byte) [][]byte { return slices.Delete(l, 1, 2) },
		"empty line":   func(l [][]byte) [][]byte { return slices.Insert(l, 3, []byte("\n")) },
		"carriage return": func(l [][]byte) [][]byte {
			l[3] = append(bytes.TrimSuffix(bytes.Clone(l[3]), []byte("\n")), "\r\n"...)
			return l
		},
	} {
		_, err := read(bytes.Join(change(slices.Clone(lines)), nil), id, a)
		var line *LedgerError
		if !errors.As(err, &line) || line.Line < 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var line *LedgerError
	if _, err := read(lines[0], id, a); !errors.As(err, &line) || line.Line != 2 {
		t.Errorf("emptied: %v", err)
	}
}

func TestForeignLedger(t *testing.T) {
	data, id, a := written(t)
	foreign := id
	foreign[0] ^= 1
	if _, err := read(data, foreign, a); !errors.Is(err, ErrForeignLedger) {
		t.Errorf("another domain's ledger gives %v", err)
	}
	var kind *keyfile.KindError
	if _, err := read([]byte("coterie-key 1\n"), id, a); !errors.As(err, &kind) {
		t.Errorf("a key gives %v", err)
	}
	var version *keyfile.VersionError
	if _, err := read(bytes.Replace(data, []byte(" 1 "), []byte(" 2 "), 1), id, a); !errors.As(err, &version) {
		t.Errorf("a newer ledger gives %v", err)
	}
}

// A ledger that ends anywhere is either shorter by whole lines, or says that its
// last line is torn; it is never taken for whole with that line left out.
func TestTornAtEveryByte(t *testing.T) {
	data, id, a := written(t)
	start := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for end := start + 1; end < len(data); end++ {
		l, err := read(data[:end], id, a)
		if err != nil {
			t.Fatalf("cut at %d: %v", end, err)
		}
		if !bytes.Equal(l.torn, data[start:end]) || l.size != start || l.lines != 7 {
			t.Fatalf("cut at %d: torn %d bytes, size %d", end, len(l.torn), l.size)
		}
	}
	// A cut within the first line is damage: there is no ledger yet.
	for end := len(keyfile.LedgerMagic) + 2; end < bytes.IndexByte(data, '\n'); end++ {
		if _, err := read(data[:end], id, a); err == nil {
			t.Fatalf("a ledger of %d bytes is taken", end)
		}
	}
}

// An author of entries who has the key still cannot write nonsense.
func TestImpossibleEntries(t *testing.T) {
	data, id, a := written(t)
	for name, e := range map[string]*entry{
		"number again":    {kind: kindIssued, number: 5, from: today, expires: today + 1, person: person{form: personKept}},
		"number skipped":  {kind: kindIssued, number: 7, from: today, expires: today + 1, person: person{form: personKept}},
		"never valid":     {kind: kindIssued, number: 6, from: today, expires: today, person: person{form: personKept}},
		"created again":   {kind: kindCreated, generation: 1},
		"void of none":    {kind: kindVoid, number: 6, reason: reasonNotWritten},
		"void of zero":    {kind: kindVoid, reason: reasonNotWritten},
		"void again":      {kind: kindVoid, number: 3, reason: reasonNotWritten},
		"unknown reason":  {kind: kindVoid, number: 1, reason: 9},
		"torn out of row": {kind: kindTorn, number: 9},
		"broken chain":    {kind: kindTorn, number: 6, prev: hash{1}},
	} {
		l, err := read(data, id, a)
		if err != nil {
			t.Fatal(err)
		}
		if name != "broken chain" {
			e.prev = l.last
		}
		line, err := l.seal(rand.Reader, e)
		if err != nil {
			t.Fatal(err)
		}
		var bad *LedgerError
		if _, err := read(append(bytes.Clone(data), line...), id, a); !errors.As(err, &bad) || bad.Line != 9 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzLedgerLine puts hostile bytes in the place of a line: never a panic, and
// nothing but the true line is taken.
func FuzzLedgerLine(f *testing.F) {
	data, id, a := written(f)
	lines := slices.Collect(bytes.Lines(data))
	f.Add(lines[2])
	f.Add(lines[3])
	f.Add([]byte("AAAA\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		changed := bytes.Join([][]byte{lines[0], lines[1], line}, nil)
		l, err := read(changed, id, a)
		if err == nil && l.torn == nil && l.next() > 1 && !bytes.HasPrefix(data, changed) {
			t.Errorf("%q is taken", line)
		}
	})
}

// FuzzLedgerHeader puts hostile bytes in the place of the first line.
func FuzzLedgerHeader(f *testing.F) {
	data, id, a := written(f)
	f.Add(data[:bytes.IndexByte(data, '\n')])
	f.Add([]byte("coterie-ledger 1 "))
	f.Add([]byte("coterie-ledger"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := read(b, id, a); err == nil && !bytes.HasPrefix(b, ledgerHeader(id)) {
			t.Errorf("%q is taken: %+v", b, l)
		}
	})
}

func TestParseExpires(t *testing.T) {
	from, _ := abe.ParseDay("2026-11-23")
	for _, c := range []struct{ in, want string }{
		{"1d", "2026-11-24"}, {"90d", "2027-02-21"}, {"1y", "2027-11-23"}, {"5y", "2031-11-23"}, {"1826d", "2031-11-23"},
		{"2026-12-31", "2026-12-31"}, {"2026-11-24", "2026-11-24"},
	} {
		if got, err := ParseExpires(c.in, from); err != nil || got.String() != c.want {
			t.Errorf("%q gives %v, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "d", "0d", "0y", "6y", "1827d", "99999d", "99999999999999999999d", "90", "90D", "-1d",
		"+1d", "1.5d", "2026-11-23", "2026-11-22", "2031-11-24", "2026-13-01", "31.12.26", "2026-12-31x", "90d ", "٣d",
		"9999-12-31", "\x1bd"} {
		if got, err := ParseExpires(in, from); err == nil {
			t.Errorf("%q gives %v", in, got)
		}
	}
	leap, _ := abe.ParseDay("2028-02-29")
	if got, err := ParseExpires("5y", leap); err != nil || got.String() != "2033-03-01" {
		t.Errorf("five years from a leap day: %v, %v", got, err)
	}
}

func TestStates(t *testing.T) {
	i := Issue{From: today, Expires: today + 90}
	for _, c := range []struct {
		day   abe.Day
		state State
		days  int
	}{{today - 3, Later, 3}, {today, Valid, 90}, {today + 75, Valid, 15}, {today + 76, Renew, 14}, {today + 89, Renew, 1},
		{today + 90, Lapsed, 0}, {today + 900, Lapsed, 0}} {
		if state, days := i.StateOn(c.day); state != c.state || days != c.days {
			t.Errorf("on %s: %v, %d", c.day, state, days)
		}
	}
	if state, _ := (Issue{Void: true}).StateOn(today); state != Void {
		t.Error("void")
	}
	if state, _ := (Issue{Torn: true}).StateOn(today); state != Unknown {
		t.Error("torn")
	}
}
