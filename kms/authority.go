package kms

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"filippo.io/age"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// firstGeneration is the generation of a new domain's keys.
const firstGeneration = 1

// Protection is how a master key lies on disk. Without a passphrase it is plain.
type Protection struct {
	Passphrase []byte
	WorkFactor int // 0 means keyfile.DefaultWorkFactor
}

func (p Protection) workFactor() int {
	if p.WorkFactor == 0 {
		return keyfile.DefaultWorkFactor
	}
	return p.WorkFactor
}

// Authority is a domain's master key, opened, with the ledger beside it.
type Authority struct {
	files  Files
	master *abe.MasterKey
	domain *abe.Domain // with the relays of its file
	aead   cipher.AEAD
	// Waiting, if not nil, is called when another run has the ledger and this one
	// has to wait for it.
	Waiting func()
	// Removed, if not nil, is called with the name of each file that an interrupted
	// run had not finished, and that was removed.
	Removed func(path string)
	// ClockIsRight lets the ledger be written although its last entry is later
	// than now.
	ClockIsRight bool
}

func (a *Authority) openLedger(write bool) (*ledgerFile, error) {
	waiting := a.Waiting
	if waiting == nil {
		waiting = func() {}
	}
	return openLedger(a.files.Ledger(), a.Domain().ID(), a.aead, write, waiting)
}

func (a *Authority) removed(paths []string) {
	for _, path := range paths {
		if a.Removed != nil {
			a.Removed(path)
		}
	}
}

// Domain returns the public half, with the relays that its file has.
func (a *Authority) Domain() *abe.Domain { return a.domain }

// Prepared is a domain that is made and not yet written.
type Prepared struct {
	files  Files
	master *abe.MasterKey
	relays []string
	// Removed are files that an interrupted run had left, once Write has ended well.
	Removed []string
}

// WithRelays gives the domain's file relays, where members begin to look for each
// other.
func (p *Prepared) WithRelays(relays []string) error {
	p.relays = relays
	return CheckRelays(relays)
}

// Prepare checks the domain's name and that none of its files exists, and makes
// the master key.
func Prepare(rand io.Reader, files Files) (*Prepared, error) {
	name, err := files.domainName()
	if err != nil {
		return nil, err
	}
	if err := files.checkFree(); err != nil {
		return nil, err
	}
	master, err := abe.Setup(rand, name)
	if err != nil {
		// abe has the rules for names; but for a source of randomness that fails,
		// and the system's does not, it refuses nothing else.
		return nil, fmt.Errorf("%w: %w", ErrName, err)
	}
	return &Prepared{files: files, master: master}, nil
}

// Write makes the three files. If it fails half-way, it leaves none of its own
// behind.
// limit is how many days the domain's keys may last, 0 for MaxYears.
func (p *Prepared) Write(rand io.Reader, protection Protection, limit int, now time.Time) (*abe.Domain, error) {
	master, files := p.master, p.files
	unlock, locked := files.lockFolder()
	defer unlock()
	if locked {
		p.Removed = files.removeAbandoned()
	}
	domain, err := master.Domain().WithRelays(p.relays)
	if err != nil {
		return nil, fmt.Errorf("making the domain: %w", err)
	}
	public, err := domain.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("making the domain: %w", err)
	}
	secret, err := master.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("making the domain: %w", err)
	}
	defer clear(secret)
	record, err := firstLines(rand, files.Ledger(), master.Domain().ID(), secret, limit, now)
	if err != nil {
		return nil, fmt.Errorf("making the ledger: %w", err)
	}
	stored := secret
	if len(protection.Passphrase) > 0 {
		if stored, err = keyfile.EncryptPassphrase(secret, protection.Passphrase, protection.workFactor()); err != nil {
			return nil, fmt.Errorf("encrypting the master key: %w", err)
		}
	}
	// The master key comes last: where it is, the others are.
	made := []string{}
	for _, file := range []struct {
		path  string
		write func(string, []byte) error
		data  []byte
	}{
		{files.Ledger(), keyfile.WriteSecret, record},
		{files.Domain(), keyfile.WritePublic, public},
		{files.Master(), keyfile.WriteSecret, stored},
	} {
		if err := file.write(file.path, file.data); err != nil {
			for _, path := range made {
				os.Remove(path)
			}
			return nil, err
		}
		made = append(made, file.path)
	}
	p.Removed = append(p.Removed, files.removeUnfinished()...)
	return domain, nil
}

// checkFree returns a *keyfile.ExistsError if one of the files is there, and they are not
// what an interrupted run left.
func (f Files) checkFree() error {
	if f.abandoned() {
		return nil
	}
	for _, path := range []string{f.Master(), f.Domain(), f.Ledger()} {
		if _, err := os.Lstat(path); err == nil {
			return &keyfile.ExistsError{Path: path}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// firstLines returns the lines of a new ledger.
func firstLines(rand io.Reader, path string, id [32]byte, secret []byte, limit int, now time.Time) ([]byte, error) {
	aead, err := ledgerCipher(secret)
	if err != nil {
		return nil, err
	}
	l, first := newLedger(path, id, aead)
	line, err := l.seal(rand, &entry{prev: l.last, kind: kindCreated, time: now.Unix(), generation: firstGeneration,
		limit: uint32(limit)})
	return append(first, line...), err
}

// Locked is a master key as it lies on disk.
type Locked struct {
	files Files
	data  []byte
	// Encrypted says that Open needs the passphrase.
	Encrypted bool
	// Sealed says that it is a successor's: OpenSealed needs their identities.
	Sealed bool
}

// Path is where it lies.
func (l *Locked) Path() string { return l.files.Master() }

// Read reads the master key among files. If only the domain is there, it returns
// ErrMasterMissing.
func Read(files Files) (*Locked, error) {
	data, err := keyfile.ReadSecret(files.Master())
	if errors.Is(err, fs.ErrNotExist) {
		if _, other := os.Stat(files.Domain()); other == nil {
			return nil, fmt.Errorf("%s: %w", files.Master(), ErrMasterMissing)
		}
	}
	if err != nil {
		return nil, err
	}
	return newLocked(files, data)
}

func newLocked(files Files, data []byte) (*Locked, error) {
	switch kind := keyfile.KindOf(data); kind {
	case keyfile.Master, keyfile.Passphrase, keyfile.Sealed:
		return &Locked{files, data, kind == keyfile.Passphrase, kind == keyfile.Sealed}, nil
	case keyfile.UTF16:
		return nil, &keyfile.DamagedError{Path: files.Master(), Size: len(data), UTF16: true}
	default:
		clear(data)
		return nil, &keyfile.KindError{Path: files.Master(), Got: kind, Want: keyfile.Master}
	}
}

// Open opens the master key. The passphrase counts only if it is encrypted.
func (l *Locked) Open(passphrase []byte) (*Authority, error) {
	if l.Sealed {
		return nil, &keyfile.SealedError{Path: l.Path()}
	}
	if !l.Encrypted {
		return l.parse(l.data)
	}
	plain, err := keyfile.DecryptPassphrase(l.Path(), l.data, passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return l.parse(plain)
}

// OpenSealed opens a successor's copy of the master key.
func (l *Locked) OpenSealed(ids []age.Identity) (*Authority, error) {
	plain, err := keyfile.Unseal(l.Path(), l.data, ids)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return l.parse(plain)
}

func (l *Locked) parse(secret []byte) (*Authority, error) {
	if kind := keyfile.KindOf(secret); kind != keyfile.Master {
		return nil, &keyfile.KindError{Path: l.Path(), Got: kind, Want: keyfile.Master}
	}
	master, err := abe.ParseMasterKey(secret)
	if err != nil {
		return nil, keyfile.Unreadable(l.Path(), keyfile.Master, len(secret), err)
	}
	domain, err := l.checkDomain(master.Domain())
	if err != nil {
		return nil, err
	}
	aead, err := ledgerCipher(secret)
	if err != nil {
		return nil, err
	}
	return &Authority{files: l.files, master: master, domain: domain, aead: aead}, nil
}

// checkDomain finds out whether the public parameters that people are given are
// those of this master key, and returns them with their relays. Their absence does no
// harm but to those: every key carries them.
func (l *Locked) checkDomain(own *abe.Domain) (*abe.Domain, error) {
	public, err := keyfile.LoadDomain(l.files.Domain())
	if errors.Is(err, fs.ErrNotExist) {
		return own, nil
	} else if err != nil {
		return nil, err
	}
	if !public.Equal(own) {
		return nil, fmt.Errorf("%s has %w than %s", l.files.Domain(), ErrForeignDomain, l.files.Master())
	}
	return own.WithRelays(public.Relays())
}

// Record is what a ledger says.
type Record struct {
	Issues     []Issue // in the order of their numbers
	Generation uint32  // of the keys to come
	Revoked    Revoked // the newest notice
	Limit      int     // days a key may last; 0: MaxYears alone
	Entries    int
	Head       [32]byte  // the hash of the last entry, which stands for all of them
	Last       time.Time // of the last entry
	Uncopied   time.Time // of the first entry that is in no backup; zero: all are in one
}

// Record reads the ledger and checks its whole chain. With a *TornError it is
// complete but for the last line.
func (a *Authority) Record() (*Record, error) {
	l, err := a.openLedger(false)
	if err != nil {
		return nil, err
	}
	defer l.close()
	r := l.record()
	if l.torn != nil {
		return r, &TornError{Path: l.path, Line: l.lines + 1, Size: len(l.torn)}
	}
	return r, nil
}

func (l *ledger) record() *Record {
	r := &Record{
		Issues: l.issues, Generation: l.generation, Limit: int(l.limit), Entries: l.lines - 1, Head: l.last,
		Last: time.Unix(l.time, 0).UTC(), Revoked: l.revoked,
	}
	if l.uncopied != 0 {
		r.Uncopied = time.Unix(l.uncopied, 0).UTC()
	}
	return r
}
