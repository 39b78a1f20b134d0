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
}

// ledger is a ledger in memory: what its lines say, and where the next goes.
type ledger struct {
	path       string
	id         [32]byte
	aead       cipher.AEAD
	lines      int // whole lines, the first included
	size       int // bytes of those lines
	last       hash
	generation uint32
	issues     []Issue // issues[i] has number i+1
	torn       []byte  // what follows the last whole line
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
	for line := range bytes.Lines(data[len(first):]) {
		text, whole := bytes.CutSuffix(line, []byte("\n"))
		if !whole {
			l.torn = line
			break
		}
		e, err := l.open(text)
		if err == nil {
			err = l.apply(e)
		}
		if err != nil {
			return nil, &LedgerError{path, l.lines + 1, err.Error()}
		}
		l.lines++
		l.size += len(line)
	}
	if l.lines == 1 && l.torn == nil {
		return nil, &LedgerError{path, 2, "is missing: the ledger was emptied"}
	}
	return l, nil
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
		l.generation = e.generation
	case kindIssued:
		if e.number != l.next() || e.expires <= e.from {
			return errors.New("cannot follow the line before it")
		}
		l.issues = append(l.issues, Issue{
			Number: e.number, Name: e.person.name, Recipient: e.person.recipient, Attributes: e.attributes,
			Generation: e.generation, From: e.from, Expires: e.expires, Made: time.Unix(e.time, 0).UTC(), File: e.file,
		})
	case kindVoid:
		if e.number == 0 || e.number >= l.next() || l.issues[e.number-1].Void || l.issues[e.number-1].Torn || e.reason != reasonNotWritten {
			return errors.New("cannot follow the line before it")
		}
		l.issues[e.number-1].Void = true
	case kindTorn:
		if e.number != l.next() {
			return errors.New("cannot follow the line before it")
		}
		l.issues = append(l.issues, Issue{Number: e.number, Made: time.Unix(e.time, 0).UTC(), Torn: true})
	}
	last, err := e.hash()
	l.last = last
	return err
}
