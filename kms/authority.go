package kms

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

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
	aead   cipher.AEAD
}

// Domain returns the public half.
func (a *Authority) Domain() *abe.Domain { return a.master.Domain() }

// Prepared is a domain that is made and not yet written.
type Prepared struct {
	files  Files
	master *abe.MasterKey
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
	return &Prepared{files, master}, nil
}

// Write makes the three files. If it fails half-way, it leaves none of its own
// behind.
func (p *Prepared) Write(rand io.Reader, protection Protection, now time.Time) (*abe.Domain, error) {
	master, files := p.master, p.files
	public, err := master.Domain().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("making the domain: %w", err)
	}
	secret, err := master.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("making the domain: %w", err)
	}
	defer clear(secret)
	record, err := firstLines(rand, files.Ledger(), master.Domain().ID(), secret, now)
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
	return master.Domain(), nil
}

// checkFree returns a *keyfile.ExistsError if one of the files is there.
func (f Files) checkFree() error {
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
func firstLines(rand io.Reader, path string, id [32]byte, secret []byte, now time.Time) ([]byte, error) {
	aead, err := ledgerCipher(secret)
	if err != nil {
		return nil, err
	}
	l, first := newLedger(path, id, aead)
	line, err := l.seal(rand, &entry{prev: l.last, kind: kindCreated, time: now.Unix(), generation: firstGeneration})
	return append(first, line...), err
}

// Locked is a master key as it lies on disk.
type Locked struct {
	files Files
	data  []byte
	// Encrypted says that Open needs the passphrase.
	Encrypted bool
}

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
	switch kind := keyfile.KindOf(data); kind {
	case keyfile.Master, keyfile.Passphrase:
		return &Locked{files, data, kind == keyfile.Passphrase}, nil
	case keyfile.UTF16:
		return nil, &keyfile.DamagedError{Path: files.Master(), Size: len(data), UTF16: true}
	default:
		clear(data)
		return nil, &keyfile.KindError{Path: files.Master(), Got: kind, Want: keyfile.Master}
	}
}

// Open opens the master key. The passphrase counts only if it is encrypted.
func (l *Locked) Open(passphrase []byte) (*Authority, error) {
	path, secret := l.files.Master(), l.data
	if l.Encrypted {
		plain, err := keyfile.DecryptPassphrase(path, l.data, passphrase)
		if err != nil {
			return nil, err
		}
		defer clear(plain)
		secret = plain
	}
	if kind := keyfile.KindOf(secret); kind != keyfile.Master {
		return nil, &keyfile.KindError{Path: path, Got: kind, Want: keyfile.Master}
	}
	master, err := abe.ParseMasterKey(secret)
	if err != nil {
		return nil, keyfile.Unreadable(path, keyfile.Master, len(secret), err)
	}
	if err := l.checkDomain(master.Domain()); err != nil {
		return nil, err
	}
	aead, err := ledgerCipher(secret)
	if err != nil {
		return nil, err
	}
	return &Authority{l.files, master, aead}, nil
}

// checkDomain finds out whether the public parameters that people are given are
// those of this master key. Their absence does no harm: every key carries them.
func (l *Locked) checkDomain(own *abe.Domain) error {
	public, err := keyfile.LoadDomain(l.files.Domain())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if !public.Equal(own) {
		return fmt.Errorf("%s has %w than %s", l.files.Domain(), ErrForeignDomain, l.files.Master())
	}
	return nil
}

// List returns every key on record in the order of their numbers. With a
// *TornError the list is complete but for the last line.
func (a *Authority) List() ([]Issue, error) {
	l, err := openLedger(a.files.Ledger(), a.Domain().ID(), a.aead, false)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if l.torn != nil {
		return l.issues, &TornError{Path: l.path, Line: l.lines + 1, Size: len(l.torn)}
	}
	return l.issues, nil
}
