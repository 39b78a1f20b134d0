package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coterie/crypto/ake"
)

// The classes of errors in testdata/refusals.json.
const (
	classForm      = "form"      // the bytes are no encoding
	classSignature = "signature" // a signature does not verify
	classSecret    = "secret"    // d is not the secret of the commit beside it
)

// A refusal is bytes that are refused, with one defect and no other: hashes and
// signatures are made anew over what is wrong, unless they are the defect.
type refusal struct {
	Format string    `json:"format"`
	Name   string    `json:"name"`
	Error  string    `json:"error"`
	Bytes  packedHex `json:"bytes"`
}

// packedHex is bytes in hexadecimal, in parts that a space parts: "00*70" is 70
// times the byte 00.
type packedHex []byte

// shortest is the least run that is written so.
const shortest = 12

func (h packedHex) MarshalText() ([]byte, error) {
	var parts []string
	plain := 0
	flush := func(to int) {
		if plain < to {
			parts = append(parts, hex.EncodeToString(h[plain:to]))
		}
	}
	for at := 0; at < len(h); {
		n := 1
		for at+n < len(h) && h[at+n] == h[at] {
			n++
		}
		if n >= shortest {
			flush(at)
			parts = append(parts, fmt.Sprintf("%02x*%d", h[at], n))
			plain = at + n
		}
		at += n
	}
	flush(len(h))
	return []byte(strings.Join(parts, " ")), nil
}

func (h *packedHex) UnmarshalText(text []byte) error {
	*h = nil
	for _, part := range strings.Fields(string(text)) {
		digits, times, repeated := strings.Cut(part, "*")
		b, err := hex.DecodeString(digits)
		if err != nil {
			return err
		}
		if repeated {
			n, err := strconv.Atoi(times)
			if err != nil || n < 0 || n > 2*MaxFrame {
				return errors.New("wrong count")
			}
			b = bytes.Repeat(b, n)
		}
		*h = append(*h, b...)
	}
	return nil
}

// refusals are all of them, as they are made.
type refusals struct {
	t   *testing.T
	all []refusal
}

func (r *refusals) add(format, name, class string, b []byte) {
	r.all = append(r.all, refusal{format, name, class, b})
}

// form is bytes that are no encoding.
func (r *refusals) form(format, name string, b []byte) { r.add(format, name, classForm, b) }

// A field is one of a format, with its size in bytes.
type field struct {
	name string
	size int
}

// cuts are bytes that end before each of their fields and a byte before its end,
// and bytes with one more. The fields must be all there are. What begins as
// another does is not cut there again.
func (r *refusals) cuts(format, what string, b []byte, fields ...field) {
	r.t.Helper()
	cut := func(name string, at int) {
		if !slices.ContainsFunc(r.all, func(v refusal) bool { return v.Format == format && bytes.Equal(v.Bytes, b[:at]) }) {
			r.form(format, what+name, bytes.Clone(b[:at]))
		}
	}
	at := 0
	for _, f := range fields {
		cut("ends before "+f.name, at)
		if at += f.size; f.size > 1 {
			cut("ends a byte before the end of "+f.name, at-1)
		}
	}
	if at != len(b) {
		r.t.Fatalf("%s: fields of %d bytes in %d", format, at, len(b))
	}
	r.form(format, what+"a zero behind it", append(bytes.Clone(b), 0))
	r.form(format, what+"a byte that is not zero behind it", append(bytes.Clone(b), 0xa5))
}

// signed are signatures of a body that are refused; whole puts one into its
// place.
func (r *refusals) signed(format, what, typ string, w ed25519.PrivateKey, body []byte, whole func(sig []byte) []byte) {
	other := "edge"
	if typ == other {
		other = "name"
	}
	good := sign(w, typ, testRoom, body)
	changed := bytes.Clone(body)
	changed[len(changed)-1] ^= 1
	for _, bad := range []struct {
		name string
		sig  []byte
	}{
		{"signed by another key", sign(keyOf("mallory"), typ, testRoom, body)},
		{"signed for another room", sign(w, typ, hashOf("another room"), body)},
		{"signed as another type", sign(w, other, testRoom, body)},
		{"signed over something else", sign(w, typ, testRoom, changed)},
		{"signed with s + order", plusOrder(good)},
		{"signed with zeros", make([]byte, signatureSize)},
	} {
		r.add(format, what+bad.name, classSignature, whole(bad.sig))
	}
}

// plusOrder is a signature whose s is the same to the curve, but not below the
// order.
func plusOrder(sig []byte) []byte {
	out := bytes.Clone(sig)
	order := [32]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	carry := 0
	for i := range order {
		sum := int(out[32+i]) + int(order[i]) + carry
		out[32+i], carry = byte(sum), sum>>8
	}
	return out
}

// signedAtEnd is a record behind whose body its signature comes.
func signedAtEnd(body []byte) func([]byte) []byte {
	return func(sig []byte) []byte { return append(bytes.Clone(body), sig...) }
}

// judges say of each format what is wrong with bytes. Records of others than
// their own key are ann's.
func judges() map[string]func(b []byte) error {
	out := make(map[string]func(b []byte) error)
	for _, f := range formats() {
		if out[f.name] = f.verify; f.verify == nil {
			out[f.name] = func(b []byte) error { _, err := f.again(b); return err }
		}
	}
	ann := newPerson("ann").contribution
	base := baseList()
	out["commit"] = verified(ParseCommit, func(c *Commit) error { return c.Verify(testRoom, ann) })
	// What makes no list is a commit, but for that.
	out["commit's list"] = func(b []byte) error {
		c, err := ParseCommit(b)
		if err != nil {
			return fmt.Errorf("no commit: %s", err)
		}
		if err := c.Verify(testRoom, ann); err != nil {
			return fmt.Errorf("no commit: %s", err)
		}
		_, _, err = c.Rebuild(base, nil)
		return err
	}
	out["record"] = func(b []byte) error { _, err := Parse(b); return err }
	return out
}

// classOf is the class of an error.
func classOf(err error) string {
	switch {
	case errors.Is(err, ErrForm):
		return classForm
	case errors.Is(err, ErrSignature):
		return classSignature
	case errors.Is(err, errSecret):
		return classSecret
	case err == nil:
		return "none: it is taken"
	}
	return err.Error()
}

// TestRefusals: what testdata/refusals.json says is refused, each for its
// reason. Each check of the parsers is the only one that refuses one of them.
func TestRefusals(t *testing.T) {
	r := &refusals{t: t}
	r.records()
	r.commits()
	r.commitLists()
	r.joins()
	r.messages()
	r.frames()
	r.transcripts()
	r.questions()
	r.outside()
	r.about()
	r.files()
	ann := newPerson("ann").contribution
	epoch, cid := newSigned(newPerson("ann"), "").Epoch, ann.ID()
	type file struct {
		Room         hexBytes  `json:"room"`
		Contribution hexBytes  `json:"contribution"`   // whose maker signs what names nobody it carries
		Epoch        hexBytes  `json:"content_epoch"`  // of a message's content
		Author       hexBytes  `json:"content_author"` // its cid
		Base         hexBytes  `json:"base_list"`      // that changes refer to
		Refusals     []refusal `json:"refusals"`
	}
	vectorJSON(t, "refusals.json", file{testRoom[:], ann.Append(nil), epoch[:], cid[:], baseList().Bytes(), r.all})

	text, err := os.ReadFile(filepath.Join("testdata", "refusals.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Refusals []refusal `json:"refusals"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	judge, names, bad := judges(), make(map[string]bool), make(map[string]bool)
	for _, v := range read.Refusals {
		name := v.Format + ": " + v.Name
		if names[name] {
			t.Errorf("%s: twice", name)
		}
		if bad[v.Format+string(v.Bytes)] {
			t.Errorf("%s: another has the same bytes", name)
		}
		names[name], bad[v.Format+string(v.Bytes)] = true, true
		of := judge[v.Format]
		if of == nil {
			t.Errorf("%s: no such format", name)
			continue
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: %v", name, p)
				}
			}()
			if got := classOf(of(v.Bytes)); got != v.Error {
				t.Errorf("%s: %s", name, got)
			}
		}()
	}
	for format := range judge {
		if !strings.Contains(string(text), strconv.Quote(format)) {
			t.Errorf("%s: nothing is refused", format)
		}
	}
}

// TestPackedHex: what is packed is unpacked.
func TestPackedHex(t *testing.T) {
	for _, b := range [][]byte{
		nil, {0}, make([]byte, shortest-1), make([]byte, shortest), append(make([]byte, 100), 1),
		append([]byte{1, 2, 2}, bytes.Repeat([]byte{2}, 30)...), bytes.Repeat([]byte{0xff}, 30), bytes.Repeat([]byte{7, 7, 8}, 20),
	} {
		text, err := packedHex(b).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again packedHex
		if err := again.UnmarshalText(text); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x as %s: %v", b, text, err)
		}
	}
}

// TestReaderStaysFailed: what follows a field that is not there is not read, for
// a shorter one could fit.
func TestReaderStaysFailed(t *testing.T) {
	for what, read := range map[string]func(r *reader){
		"uint8": func(r *reader) { r.uint8() }, "uint16": func(r *reader) { r.uint16() },
		"uint32": func(r *reader) { r.uint32() }, "uint64": func(r *reader) { r.uint64() },
		"copy": func(r *reader) { r.copy(make([]byte, 3)) }, "hash": func(r *reader) { r.hash() },
		"bytes": func(r *reader) { r.bytes(3) }, "no bytes": func(r *reader) { r.bytes(0) },
		"vec8": func(r *reader) { r.vec8(9) }, "vec16": func(r *reader) { r.vec16(9) }, "vec32": func(r *reader) { r.vec32(9) },
	} {
		r := newReader(make([]byte, 100))
		r.bytes(101)
		read(r)
		if r.ok || r.end() {
			t.Errorf("%s: it goes on", what)
		}
		r = newReader(nil)
		r.ok = false
		if r.end() {
			t.Errorf("%s: it ends well", what)
		}
	}
	if r := newReader(make([]byte, 9)); r.bytes(-1) != nil || r.ok {
		t.Error("-1 bytes")
	}
}

// secondEncoding is a point that is not of small order, written in another way
// than its one encoding.
func secondEncoding(t *testing.T) (b [32]byte) {
	t.Helper()
	for y := byte(2); y < 19; y++ {
		for i := range b {
			b[i] = 0xff
		}
		b[0], b[31] = 0xed+y, 0x7f
		var canonical [32]byte
		canonical[0] = y
		if _, err := ake.PublicEd25519(canonical[:]); err == nil {
			return b
		}
	}
	t.Fatal("no such point")
	return b
}
