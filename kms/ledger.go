package kms

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// Issue is a key on record.
type Issue struct {
	Number     uint64
	Name       string // empty if none was given or it was erased
	Recipient  string // the age recipient it is sealed for; empty if it is not
	Attributes []string
	Generation uint32
	From       abe.Day // the first day it is valid
	Expires    abe.Day // the first day it is no longer
	Made       time.Time
	File       [32]byte // SHA-256 of the key file
	Void       bool     // it was never written
	Torn       bool     // its record was cut short; only the number is known
	Forgotten  bool     // Name and Recipient were erased
	Check      Check
	Renews     uint64 // the key that this one takes over from, or 0
	RenewedBy  uint64 // the last key that took over from this one, or 0
	NoRenew    bool   // it is not to be renewed
	Because    string // why
	Revoked    bool   // a notice has named it
}

// Check says what was known of a request when its key was issued.
type Check uint8

// The checks of a request.
const (
	NoRequest Check = iota
	Checked         // its six words were those that its author said
	Unchecked       // nobody compared them
)

// ledger is a ledger in memory: what its lines say, and where the next goes.
type ledger struct {
	path       string
	id         [32]byte
	aead       cipher.AEAD
	lines      int // whole lines, the first included
	size       int // bytes of those lines
	last       hash
	needed     hash   // of the last entry that says more than that there is a copy
	chain      []hash // chain[i] is that of the i-th entry, from 0
	generation uint32
	limit      uint32  // days a key may last; 0: no limit of the domain's own
	issues     []Issue // issues[i] has number i+1
	revoked    Revoked // by the newest notice
	torn       []byte  // what follows the last whole line
	time       int64   // of the last entry, seconds since 1970
	uncopied   int64   // the time of the first entry that no backup has; 0: all are in one
}

// ledgerCipher derives the cipher of a ledger's lines from the bytes of the
// master key. The key is used for nothing else; nonces are random and long
// enough for any number of lines.
func ledgerCipher(master []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, master, nil, "coterie/1 ledger", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return chacha20poly1305.NewX(key)
}

// newLedger returns an empty ledger and its first line.
func newLedger(path string, id [32]byte, aead cipher.AEAD) (*ledger, []byte) {
	first := ledgerHeader(id)
	return &ledger{path: path, id: id, aead: aead, lines: 1, size: len(first), last: startHash(id)}, first
}

func ledgerHeader(id [32]byte) []byte {
	return fmt.Appendf(nil, "%s1 %x\n", keyfile.LedgerMagic, id)
}

// ledgerID reads the domain's id out of a ledger's first line.
func ledgerID(path string, data []byte) (id [32]byte, err error) {
	line, _, whole := bytes.Cut(data, []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte(keyfile.LedgerMagic))
	if !ok {
		return id, &keyfile.KindError{Path: path, Got: keyfile.KindOf(data), Want: keyfile.Ledger}
	}
	version, digits, _ := bytes.Cut(rest, []byte(" "))
	if string(version) != "1" {
		return id, &keyfile.VersionError{Path: path, Kind: keyfile.Ledger, Err: abe.ErrVersion}
	}
	n, err := hex.Decode(id[:], digits[:min(len(digits), 2*len(id))])
	if !whole || err != nil || n != len(id) || !bytes.Equal(data[:len(line)+1], ledgerHeader(id)) {
		return id, &LedgerError{path, 1, "is damaged"}
	}
	return id, nil
}

// readLedger checks and opens every line of data. A last line without its end is
// no error here: it is in torn.
func readLedger(path string, data []byte, id [32]byte, aead cipher.AEAD) (*ledger, error) {
	found, err := ledgerID(path, data)
	if err != nil {
		return nil, err
	}
	if found != id {
		return nil, fmt.Errorf("%s is %w", path, ErrForeignLedger)
	}
	l, first := newLedger(path, id, aead)
	if err := l.readLines(data[len(first):]); err != nil {
		return nil, err
	}
	return l, nil
}

// readLines reads the lines after the first.
func (l *ledger) readLines(data []byte) error {
	if err := l.eachLine(data, func(*entry, []byte) error { return nil }); err != nil {
		return err
	}
	if l.lines == 1 && l.torn == nil {
		return &LedgerError{l.path, 2, "is missing: the ledger was emptied"}
	}
	return nil
}

// eachLine opens and checks the lines after the first and calls f for each,
// before it takes effect.
func (l *ledger) eachLine(data []byte, f func(e *entry, line []byte) error) error {
	for line := range bytes.Lines(data) {
		text, whole := bytes.CutSuffix(line, []byte("\n"))
		if !whole {
			l.torn = line
			break
		}
		e, err := l.open(text)
		if err != nil {
			return &LedgerError{l.path, l.lines + 1, err.Error()}
		}
		if err := f(e, line); err != nil {
			return err
		}
		if err := l.apply(e); err != nil {
			return &LedgerError{l.path, l.lines + 1, err.Error()}
		}
		l.lines++
		l.size += len(line)
	}
	return nil
}

// link fills in which key took over from which. A void one took over nothing.
func (l *ledger) link() {
	for i := range l.issues {
		l.issues[i].RenewedBy = 0
	}
	for _, issue := range l.issues {
		if issue.Renews != 0 && !issue.Void {
			l.issues[issue.Renews-1].RenewedBy = issue.Number
		}
	}
}

// next is the number of the next key.
func (l *ledger) next() uint64 { return uint64(len(l.issues)) + 1 }

// lineData is what a line is bound to: this ledger and this place in it.
func (l *ledger) lineData() []byte {
	data := append([]byte("coterie/1 ledger line"), l.id[:]...)
	return binary.BigEndian.AppendUint64(data, uint64(l.lines)+1)
}

// errLine does not say more because nothing more is known: what does not open
// may be damaged, moved, or another ledger's.
var errLine = errors.New("is damaged or not where it belongs")

// open decrypts and parses the next line.
func (l *ledger) open(text []byte) (*entry, error) {
	sealed, err := base64.RawStdEncoding.Strict().AppendDecode(nil, text)
	// The decoder skips line breaks; a line has one form only.
	if err != nil || base64.RawStdEncoding.EncodedLen(len(sealed)) != len(text) || len(sealed) < l.aead.NonceSize() {
		return nil, errLine
	}
	nonce, box := sealed[:l.aead.NonceSize()], sealed[l.aead.NonceSize():]
	plain, err := l.aead.Open(nil, nonce, box, l.lineData())
	if err != nil {
		return nil, errLine
	}
	e, err := parseEntry(plain)
	if err != nil {
		return nil, err
	}
	if e.prev != l.last {
		return nil, errors.New("does not continue the line before it")
	}
	return e, nil
}

// seal returns the next line for e, with its end.
func (l *ledger) seal(rand io.Reader, e *entry) ([]byte, error) {
	plain, err := e.marshal()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	sealed := make([]byte, l.aead.NonceSize(), l.aead.NonceSize()+len(plain)+l.aead.Overhead())
	if _, err := io.ReadFull(rand, sealed); err != nil {
		return nil, err
	}
	sealed = l.aead.Seal(sealed, sealed, plain, l.lineData())
	return append(base64.RawStdEncoding.AppendEncode(nil, sealed), '\n'), nil
}

// apply lets an entry that follows the last one take effect. It refuses what no
// correct authority writes.
func (l *ledger) apply(e *entry) error {
	if (e.kind == kindCreated) != (l.lines == 1) {
		return errors.New("is out of its place")
	}
	switch e.kind {
	case kindCreated:
		l.generation, l.limit = e.generation, e.limit
	case kindIssued:
		if e.number != l.next() || e.expires <= e.from || e.renews != 0 && !l.real(e.renews) {
			return errOrder
		}
		l.issues = append(l.issues, Issue{
			Number: e.number, Name: e.person.name, Recipient: e.person.recipient, Attributes: e.attributes,
			Generation: e.generation, From: e.from, Expires: e.expires, Made: time.Unix(e.time, 0).UTC(), File: e.file,
			Forgotten: e.person.form == personForgotten, Check: e.check, Renews: e.renews,
		})
	case kindVoid:
		if !l.real(e.number) || e.reason != reasonNotWritten {
			return errOrder
		}
		l.issues[e.number-1].Void = true
	case kindTorn:
		if e.number != l.next() {
			return errOrder
		}
		l.issues = append(l.issues, Issue{Number: e.number, Made: time.Unix(e.time, 0).UTC(), Torn: true})
	case kindRaised:
		if e.generation <= l.generation {
			return errOrder
		}
		l.generation = e.generation
	case kindRevoked:
		if e.number == 0 || e.number >= l.next() || e.notice <= l.revoked.Number || len(e.serials) == 0 ||
			!slices.IsSorted(e.serials) || len(slices.Compact(slices.Clone(e.serials))) != len(e.serials) {
			return errOrder
		}
		l.revoked = Revoked{Number: e.notice, Serials: e.serials}
		for _, s := range e.serials {
			if s != 0 && s < l.next() {
				l.issues[s-1].Revoked = true
			}
		}
	case kindMarked:
		if !l.real(e.number) {
			return errOrder
		}
		l.issues[e.number-1].NoRenew, l.issues[e.number-1].Because = e.end, e.because
	}
	l.time = e.time
	switch {
	case e.kind == kindCopied:
		l.uncopied = 0
	case l.uncopied == 0:
		l.uncopied = e.time
	}
	last, err := e.hash()
	l.last = last
	if e.kind != kindCopied {
		l.needed = last
	}
	l.chain = append(l.chain, last)
	return err
}

var errOrder = errors.New("cannot follow the line before it")

// real says whether number is that of a key that was written, as far as is
// known.
func (l *ledger) real(number uint64) bool {
	return number != 0 && number < l.next() && !l.issues[number-1].Void && !l.issues[number-1].Torn
}
