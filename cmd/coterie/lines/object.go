package lines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Object keeps the order of its fields: the event first.
type Object struct{ b bytes.Buffer }

// NewObject begins an object.
func NewObject(event string) *Object {
	o := new(Object)
	return o.Add("event", event)
}

// Add adds a field.
func (o *Object) Add(field string, value any) *Object {
	enc := json.NewEncoder(&o.b)
	enc.SetEscapeHTML(false)
	if o.b.Len() == 0 {
		o.b.WriteByte('{')
	} else {
		o.b.WriteByte(',')
	}
	fmt.Fprintf(&o.b, "%q:", field)
	if err := enc.Encode(value); err != nil {
		// Everything given here is a string, a number, a list of these or a value
		// that came out of a JSON decoder.
		panic("coterie: " + err.Error())
	}
	o.b.Truncate(o.b.Len() - 1) // the encoder's newline
	return o
}

// Maybe adds a field unless it is empty: a field is absent rather than null.
func (o *Object) Maybe(field, value string) *Object {
	if value == "" {
		return o
	}
	return o.Add(field, value)
}

// Close is the object, whole.
func (o *Object) Close() json.RawMessage {
	o.b.WriteByte('}')
	return bytes.Clone(o.b.Bytes())
}

// Line is the object as a line.
func (o *Object) Line() []byte { return Escaped(o.Close()) }

// Escaped is a line of JSON with everything escaped that could harm a terminal on
// which a log of events is shown.
func Escaped(b []byte) []byte {
	var out []byte
	for _, r := range string(b) {
		if mustEscape(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '\n')
}

func mustEscape(r rune) bool {
	switch {
	case r >= 0x7f && r <= 0x9f, r == 0x2028, r == 0x2029, r == 0x61c:
		return true
	case r >= 0x200e && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// Stamp is a time as it is written. RFC 3339 has four digits for a year, and an author's word may have more.
func Stamp(t time.Time) string {
	if last := time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC); t.After(last) {
		t = last
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
