package store

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Kinds of entries.
const (
	// EpochEntry describes an epoch. Its key is Epoch; the first one stays.
	EpochEntry byte = 1
	// MessageEntry is a signed body. Its key is Epoch, Author and Counter; a
	// second one with that key that differs is kept too, since it proves that
	// its author equivocated, and a third is not.
	MessageEntry byte = 2
	// MetaEntry is a small value under a Name, which replaces the one before; no
	// Data removes it. It is here so that a batch can change both at once: a
	// message enters the log and leaves what is held.
	MetaEntry byte = 3
	// RestEntry is what stays of an author's messages 1 .. Counter in an epoch: they are
	// removed when it is stored, and not taken again. Its data say what they were, to
	// whoever appends it.
	RestEntry byte = 4
)

// Beside is added to the Counter of a message's entry for what is noted about that message
// later: it goes when the message goes.
const Beside = 1 << 63

// Bounds of what can be appended.
const (
	MaxData  = 1 << 20   // bytes of an epoch's or a message's Data
	MaxNote  = 96        // bytes of a message's Note
	MaxMeta  = 64 << 10  // bytes of a meta's Data
	MaxName  = 128       // bytes of a meta's Name
	MaxMetas = 8192      // metas in a room
	MaxBatch = 16 << 20  // bytes of one Append
	maxLog   = 256 << 20 // bytes of a log that is still read
)

// Entry is one thing to keep.
type Entry struct {
	Kind    byte
	Epoch   [32]byte
	Author  uint32 // place in the epoch's list
	Counter uint64
	Time    int64  // when it was received, in milliseconds since 1970
	Name    string // of a MetaEntry
	Data    []byte
	Note    []byte // of a MessageEntry: what Notes gives of it, without its Data
	// Arrival numbers what was appended, in order. The store sets it; what
	// Append is given is ignored.
	Arrival uint64
}

func (e *Entry) validate() error {
	switch e.Kind {
	case EpochEntry, MessageEntry, RestEntry:
		if e.Name != "" {
			return fmt.Errorf("%w: only a meta has a name", ErrEntry)
		}
		if len(e.Note) > 0 && e.Kind != MessageEntry || len(e.Note) > MaxNote {
			return fmt.Errorf("%w: only a message has a note, of up to %d bytes", ErrEntry, MaxNote)
		}
		if e.Kind == RestEntry && (e.Counter == 0 || e.Counter == math.MaxUint64) {
			return fmt.Errorf("%w: what stays of no message", ErrEntry)
		}
		if len(e.Data) > MaxData {
			return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(e.Data), MaxData)
		}
	case MetaEntry:
		if e.Name == "" || len(e.Name) > MaxName || len(e.Note) > 0 {
			return fmt.Errorf("%w: a meta has a name of 1 to %d bytes and no note", ErrEntry, MaxName)
		}
		if len(e.Data) > MaxMeta {
			return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(e.Data), MaxMeta)
		}
	default:
		return fmt.Errorf("%w: kind %d", ErrEntry, e.Kind)
	}
	return nil
}

const entryFixed = 1 + 32 + 4 + 8 + 8 + 1 + 1 + 4

// encodedSize is how many bytes appendTo appends.
func (e *Entry) encodedSize() int { return entryFixed + len(e.Name) + len(e.Note) + len(e.Data) }

// appendTo appends kind || epoch || author || counter || time || u8 length and
// name || u8 length and note || u32 length and data, numbers big endian.
func (e *Entry) appendTo(b []byte) []byte {
	b = append(b, e.Kind)
	b = append(b, e.Epoch[:]...)
	b = binary.BigEndian.AppendUint32(b, e.Author)
	b = binary.BigEndian.AppendUint64(b, e.Counter)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time))
	b = append(b, byte(len(e.Name)))
	b = append(b, e.Name...)
	b = append(b, byte(len(e.Note)))
	b = append(b, e.Note...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...)
}

// parseEntry reads an entry off b, which stays the owner of Note and Data.
func parseEntry(b []byte) (e Entry, rest []byte, ok bool) {
	if len(b) < entryFixed {
		return Entry{}, nil, false
	}
	e.Kind = b[0]
	copy(e.Epoch[:], b[1:])
	e.Author = binary.BigEndian.Uint32(b[33:])
	e.Counter = binary.BigEndian.Uint64(b[37:])
	e.Time = int64(binary.BigEndian.Uint64(b[45:]))
	n := int(b[53])
	if b = b[54:]; len(b) < n+1 {
		return Entry{}, nil, false
	}
	e.Name = string(b[:n])
	m := int(b[n])
	if b = b[n+1:]; len(b) < m+4 {
		return Entry{}, nil, false
	}
	e.Note = b[:m:m]
	size := binary.BigEndian.Uint32(b[m:])
	b = b[m+4:]
	if uint64(size) > uint64(len(b)) {
		return Entry{}, nil, false
	}
	e.Data = b[:size:size]
	if e.validate() != nil {
		return Entry{}, nil, false
	}
	return e, b[size:], true
}
