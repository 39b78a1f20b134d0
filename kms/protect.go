package kms

import (
	"bytes"
	"errors"
	"fmt"

	"filippo.io/age"

	"coterie/kms/keyfile"
)

// Protect writes the master key again, with another passphrase or none. The old
// file is there until the new one, read back, is good.
func (a *Authority) Protect(p Protection) error {
	secret, err := a.master.MarshalBinary()
	if err != nil {
		return err
	}
	defer clear(secret)
	stored := secret
	if len(p.Passphrase) > 0 {
		if stored, err = keyfile.EncryptPassphrase(secret, p.Passphrase, p.workFactor()); err != nil {
			return fmt.Errorf("encrypting the master key: %w", err)
		}
		again, err := keyfile.DecryptPassphrase(a.files.Master(), stored, p.Passphrase)
		if err != nil || !bytes.Equal(again, secret) {
			return fmt.Errorf("encrypting the master key: it does not open again: %w", err)
		}
		clear(again)
	}
	// Under the ledger's lock nobody takes an unfinished file for one that was left.
	l, err := a.openLedger(true)
	if err == nil {
		defer l.close()
	} else if !errors.Is(err, ErrLedgerMissing) {
		return err
	}
	a.removed(keyfile.RemoveUnfinished(a.files.Master()))
	return keyfile.Replace(a.files.Master(), stored, 0o600)
}

// Successor writes a copy of the master key to path, sealed for somebody. An age
// file cannot be for a passphrase and for a recipient, so it is another file than
// NAME.master; in its place it does the same for whoever has the identity.
func (a *Authority) Successor(to age.Recipient, path string) error {
	secret, err := a.master.MarshalBinary()
	if err != nil {
		return err
	}
	defer clear(secret)
	sealed, err := keyfile.Seal(secret, to)
	if err != nil {
		return fmt.Errorf("sealing the master key: %w", err)
	}
	return keyfile.WriteSecret(path, sealed)
}
