package kms

import (
	"crypto/sha256"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"coterie/crypto/abe"
)

// The kinds of entries and the forms of persons; see the package's
// documentation.
const (
	kindCreated = 1
	kindIssued  = 2
	kindVoid    = 3
	kindTorn    = 4
	kindRaised  = 5
	kindMarked  = 6
	kindCopied  = 7
	kindRevoked = 8

	personNone      = 0
	personKept      = 1
	personForgotten = 2

	reasonNotWritten = 1
)

// maxTorn is how much of a line that was cut short is kept, in bytes.
const maxTorn = 16 << 10

// maxEntry bounds an entry in bytes: 100 attributes at their longest and a
// hybrid recipient fit in.
const maxEntry = 128 << 10

type hash = [sha256.Size]byte

// entry is one line of a ledger, opened. Which fields count depends on kind.
type entry struct {
	prev hash
	kind uint8
	time int64 // seconds since 1970

	generation    uint32 // created, issued, raised
	limit         uint32 // created
	number        uint64 // issued, void, torn, marked
	from, expires abe.Day
	file          hash
	renews        uint64
	check         Check
	attributes    []string
	reason        uint8
	torn          []byte
	end           bool
	because       string
	notice        uint32   // revoked
	serials       []uint64 // that the notice names

	person person
}

// person is who a key was issued to, or the commitment that is left of them.
type person struct {
	form            uint8
	salt            [32]byte
	name, recipient string
	commitment      hash
}

// commit returns the commitment that stands for the person in the entry's hash.
func (p *person) commit() hash {
	if p.form == personForgotten {
		return p.commitment
	}
	b := cryptobyte.NewBuilder([]byte("coterie/1 ledger person"))
	b.AddBytes(p.salt[:])
	addString(b, p.name)
	addString(b, p.recipient)
	return sha256.Sum256(b.BytesOrPanic())
}

// startHash is the prev of a ledger's first entry.
func startHash(id [32]byte) hash {
	return sha256.Sum256(append([]byte("coterie/1 ledger start"), id[:]...))
}

// hash is what the next entry holds as prev. It does not change when the person
// is erased.
func (e *entry) hash() (hash, error) {
	b := cryptobyte.NewBuilder([]byte("coterie/1 ledger entry"))
	b.AddBytes(e.prev[:])
	b.AddUint24LengthPrefixed(e.addRecord)
	if e.person.form == personNone {
		b.AddUint8(0)
	} else {
		commitment := e.person.commit()
		b.AddUint8(1)
		b.AddBytes(commitment[:])
	}
	data, err := b.Bytes()
	return sha256.Sum256(data), err
}

// marshal returns the entry's one encoding.
func (e *entry) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddBytes(e.prev[:])
	b.AddUint24LengthPrefixed(e.addRecord)
	b.AddUint8(e.person.form)
	switch e.person.form {
	case personKept:
		b.AddBytes(e.person.salt[:])
		addString(&b, e.person.name)
		addString(&b, e.person.recipient)
	case personForgotten:
		b.AddBytes(e.person.commitment[:])
	}
	data, err := b.Bytes()
	if err == nil && len(data) > maxEntry {
		return nil, errors.New("the entry is too long")
	}
	return data, err
}

func (e *entry) addRecord(b *cryptobyte.Builder) {
	b.AddUint8(e.kind)
	b.AddUint64(uint64(e.time))
	switch e.kind {
	case kindCreated:
		b.AddUint32(e.generation)
		b.AddUint32(e.limit)
	case kindIssued:
		b.AddUint64(e.number)
		b.AddUint32(e.generation)
		b.AddUint32(uint32(e.from))
		b.AddUint32(uint32(e.expires))
		b.AddBytes(e.file[:])
		b.AddUint64(e.renews)
		b.AddUint8(uint8(e.check))
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, a := range e.attributes {
				addString(b, a)
			}
		})
	case kindVoid:
		b.AddUint64(e.number)
		b.AddUint8(e.reason)
	case kindTorn:
		b.AddUint64(e.number)
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.torn) })
	case kindRaised:
		b.AddUint32(e.generation)
	case kindMarked:
		b.AddUint64(e.number)
		if e.end {
			b.AddUint8(1)
		} else {
			b.AddUint8(0)
		}
		addString(b, e.because)
	case kindRevoked:
		b.AddUint64(e.number)
		b.AddUint32(e.notice)
		b.AddUint8(uint8(len(e.serials)))
		for _, s := range e.serials {
			b.AddUint64(s)
		}
	case kindCopied:
	default:
		b.SetError(errNewerEntry)
	}
}

func addString(b *cryptobyte.Builder, s string) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
}

var (
	errEntry      = errors.New("is not an entry")
	errNewerEntry = errors.New("is an entry of a kind this version does not know")
)

// parseEntry is the strict inverse of marshal.
func parseEntry(data []byte) (*entry, error) {
	e := new(entry)
	s := cryptobyte.String(data)
	var record cryptobyte.String
	if !s.CopyBytes(e.prev[:]) || !s.ReadUint24LengthPrefixed(&record) || !s.ReadUint8(&e.person.form) {
		return nil, errEntry
	}
	if err := e.parseRecord(record); err != nil {
		return nil, err
	}
	switch e.person.form {
	case personNone:
	case personKept:
		if !s.CopyBytes(e.person.salt[:]) || !readString(&s, &e.person.name) || !readString(&s, &e.person.recipient) {
			return nil, errEntry
		}
	case personForgotten:
		if !s.CopyBytes(e.person.commitment[:]) {
			return nil, errEntry
		}
	default:
		return nil, errEntry
	}
	if !s.Empty() || (e.kind == kindIssued) != (e.person.form != personNone) {
		return nil, errEntry
	}
	return e, nil
}

func (e *entry) parseRecord(s cryptobyte.String) error {
	var seconds uint64
	if !s.ReadUint8(&e.kind) || !s.ReadUint64(&seconds) || seconds > uint64(maxTime) {
		return errEntry
	}
	e.time = int64(seconds)
	ok := false
	switch e.kind {
	case kindCreated:
		ok = s.ReadUint32(&e.generation) && s.ReadUint32(&e.limit)
	case kindIssued:
		var attributes cryptobyte.String
		ok = s.ReadUint64(&e.number) && s.ReadUint32(&e.generation) &&
			s.ReadUint32((*uint32)(&e.from)) && s.ReadUint32((*uint32)(&e.expires)) &&
			s.CopyBytes(e.file[:]) && s.ReadUint64(&e.renews) && s.ReadUint8((*uint8)(&e.check)) && e.check <= Unchecked &&
			s.ReadUint24LengthPrefixed(&attributes)
		for ok && !attributes.Empty() {
			var a string
			ok = readString(&attributes, &a)
			e.attributes = append(e.attributes, a)
		}
	case kindVoid:
		ok = s.ReadUint64(&e.number) && s.ReadUint8(&e.reason)
	case kindTorn:
		var torn cryptobyte.String
		ok = s.ReadUint64(&e.number) && s.ReadUint24LengthPrefixed(&torn)
		e.torn = torn
	case kindRaised:
		ok = s.ReadUint32(&e.generation)
	case kindMarked:
		var end uint8
		ok = s.ReadUint64(&e.number) && s.ReadUint8(&end) && end <= 1 && readString(&s, &e.because)
		e.end = end == 1
	case kindRevoked:
		var n uint8
		ok = s.ReadUint64(&e.number) && s.ReadUint32(&e.notice) && s.ReadUint8(&n) && n <= abe.MaxRevoked
		for range n {
			var serial uint64
			ok = ok && s.ReadUint64(&serial)
			e.serials = append(e.serials, serial)
		}
	case kindCopied:
		ok = true
	default:
		return errNewerEntry
	}
	if !ok || !s.Empty() {
		return errEntry
	}
	return nil
}

// maxTime is the end of the year 9999 in seconds since 1970: what comes later
// cannot be written as a date.
var maxTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()

func readString(s *cryptobyte.String, out *string) bool {
	var b cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&b) {
		return false
	}
	*out = string(b)
	return true
}
