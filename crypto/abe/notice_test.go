package abe

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"coterie/crypto/golden"
)

// TestRevoked: a key that a notice names opens nothing of what is encapsulated after it,
// whatever its attributes; all others do.
func TestRevoked(t *testing.T) {
	m := authority()
	var keys []*Key
	for serial := range uint64(3) {
		k, err := m.Issue(stream(fmt.Sprint("key ", serial)), Grant{
			Serial: serial, Attributes: attributes(t, "NTNU"), Generation: 2, From: testFrom, Expires: testExpires,
		})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	for _, source := range []string{"NTNU", `NTNU or x`, `NTNU and generation = 2`} {
		for _, revoked := range [][]uint64{nil, {1}, {0, 2}, {1, 1 << 63}, {10, 11, 12, 13, 14, 15, 16, 17},
			{1, 11, 12, 13, 14, 15, 16, 17}} {
			p, err := m.Domain().ForDay(policy(t, source), testDay, revoked...)
			if err != nil {
				t.Fatal(err)
			}
			c := encrypt(t, p, "coins", []byte("secret"))
			for serial, k := range keys {
				opened, err := p.Decrypt(k, c, 6)
				if want := !slices.Contains(revoked, uint64(serial)); (err == nil && string(opened) == "secret") != want {
					t.Errorf("%s without %d: key %d: %q, %v", source, revoked, serial, opened, err)
				}
			}
			plain := forDay(t, source, testDay)
			if err := plain.Check(c, 6); (err == nil) != (revoked == nil) {
				t.Errorf("%s without %d passes for one of before the notice: %v", source, revoked, err)
			}
		}
	}
	if _, err := m.Domain().ForDay(policy(t, "NTNU"), testDay, make([]uint64, MaxRevoked+1)...); err == nil {
		t.Error("nine keys can be revoked")
	}
}

func TestPeriods(t *testing.T) {
	p := PeriodOf(7, 20770)
	if p.Notice() != 7 || p.Day() != 20770 || p+1 != PeriodOf(7, 20771) || p < PeriodOf(6, maxDay) ||
		!p.Start().Equal(Day(20770).Start()) {
		t.Error(p)
	}
	if p.String() != "2026-11-13 after notice 7" || PeriodOf(0, 20770).String() != "2026-11-13" {
		t.Error(p)
	}
}

// TestVectorsNotices: what is a notice, and of whom.
func TestVectorsNotices(t *testing.T) {
	m, err := Setup(stream("coterie test vectors: setup"), "vectors")
	if err != nil {
		t.Fatal(err)
	}
	other, err := Setup(stream("another authority"), "vectors")
	if err != nil {
		t.Fatal(err)
	}
	type vector struct {
		Name    string   `json:"name"`
		Notice  string   `json:"notice"`
		Number  uint32   `json:"number,omitempty"`
		Serials []uint64 `json:"serials,omitempty"`
		Error   string   `json:"error,omitempty"` // malformed, another domain, wrong signature
	}
	var vs []vector
	add := func(name, want string, b []byte) {
		n, err := ParseNotice(b)
		if err == nil {
			err = n.Verify(m.Domain())
			if !bytes.Equal(n.Append(nil), b) {
				t.Errorf("%s: another encoding", name)
			}
		}
		v := vector{Name: name, Notice: hex.EncodeToString(b)}
		switch {
		case err == nil:
			v.Number, v.Serials = n.Number, n.Serials
		case errors.Is(err, ErrNotice):
			v.Error = "malformed"
		case errors.Is(err, ErrForeignNotice):
			v.Error = "another domain"
		case errors.Is(err, ErrNoticeSignature):
			v.Error = "wrong signature"
		}
		if v.Error != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		vs = append(vs, v)
	}
	revoke := func(m *MasterKey, number uint32, serials ...uint64) []byte {
		n, err := m.Revoke(number, serials)
		if err != nil {
			t.Fatal(err)
		}
		return n.Append(nil)
	}
	one := revoke(m, 1795424400, 17)
	two := revoke(m, 1795424401, 4, 17)
	add("one key", "", one)
	add("two keys", "", two)
	add("eight keys", "", revoke(m, 4294967295, 0, 1, 2, 3, 4, 5, 6, 18446744073709551615))
	add("of another authority of that name", "another domain", revoke(other, 1795424400, 17))
	foreign, _ := other.Revoke(1795424400, []uint64{17})
	foreign.Domain = m.Domain().ID()
	add("signed by another authority", "wrong signature", foreign.Append(nil))
	add("another number", "wrong signature", changed(one, 35, one[35]^1))
	add("another key", "wrong signature", changed(one, 44, 18))
	add("another signature", "wrong signature", flipped(one, -1))
	add("the signature of another notice", "wrong signature", append(bytes.Clone(one[:45]), two[53:]...))
	add("number 0", "malformed", changed(one, 32, 0, 0, 0, 0))
	add("no key", "malformed", append(changed(one[:37], 36, 0), one[45:]...))
	nine := &Notice{Domain: m.domain.id, Number: 1, Serials: []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	copy(nine.Signature[:], ed25519.Sign(ed25519.NewKeyFromSeed(m.seed[:]), nine.input()))
	add("nine keys", "malformed", nine.Append(nil))
	add("descending", "malformed", slices.Concat(two[:37], two[45:53], two[37:45], two[53:]))
	add("a key twice", "malformed", slices.Concat(two[:37], two[37:45], two[37:45], two[53:]))
	add("cut", "malformed", one[:len(one)-1])
	add("a byte more", "malformed", append(bytes.Clone(one), 0))
	add("nothing", "malformed", nil)
	vectorJSON(t, "notices.json", vs)

	n, _ := ParseNotice(one)
	file, err := n.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("testdata", "vectors.notice"), file)
	if back, err := ParseNoticeFile(file); err != nil || !back.Equal(n) {
		t.Error("a notice changes in its file", err)
	}
	for _, bad := range [][]byte{nil, file[:len(file)-1], flipped(file, 30), one, vectorBytes(t, "vectors.domain")} {
		if _, err := ParseNoticeFile(bad); err == nil {
			t.Error("a damaged file is a notice")
		}
	}
	if !n.Names(17) || n.Names(18) || (*Notice)(nil).Names(17) || n.Equal(nil) {
		t.Error("whom it names")
	}
	for _, serials := range [][]uint64{nil, {1, 2, 3, 4, 5, 6, 7, 8, 9}} {
		if _, err := m.Revoke(1, serials); err == nil {
			t.Errorf("a notice of %d keys", len(serials))
		}
	}
	if _, err := m.Revoke(0, []uint64{1}); err == nil {
		t.Error("a notice without a number")
	}
}

// TestAuthorityKeys: no key of an authority is a point under which one signature fits all.
func TestAuthorityKeys(t *testing.T) {
	if !checkAuthority(authority().domain.authority) {
		t.Error("an authority's own key is refused")
	}
	for _, bad := range []string{
		// All points of small order.
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		// A second encoding, y = p + 3, and no point, y = 2.
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0200000000000000000000000000000000000000000000000000000000000000",
	} {
		b, err := hex.DecodeString(bad)
		if err != nil || checkAuthority(b) {
			t.Errorf("%s is taken: %v", bad, err)
		}
	}
}

func FuzzParseNotice(f *testing.F) {
	n, _ := authority().Revoke(7, []uint64{3, 4})
	f.Add(n.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := ParseNotice(b); err == nil && !bytes.Equal(n.Append(nil), b) {
			t.Error("a notice has two encodings")
		}
	})
}
