package kms

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"coterie/kms/keyfile"
)

// What a run that made or restored a domain had not finished.

// abandoned reports whether the files are those of a domain that was never made: a ledger
// with nothing issued in it, perhaps the public parameters, and no master key, which
// comes last.
func (f Files) abandoned() bool {
	if _, err := os.Lstat(f.Master()); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	out, err := Outside(f.Ledger())
	if err != nil || out.Entries != 1 || out.Torn {
		return false
	}
	domain, err := keyfile.LoadDomain(f.Domain())
	return errors.Is(err, fs.ErrNotExist) || err == nil && domain.Fingerprint() == out.Fingerprint
}

// lockFolder keeps other runs from making a domain in the folder of the files. Where that
// cannot be, locked is false.
func (f Files) lockFolder() (unlock func(), locked bool) {
	folder, err := os.Open(filepath.Dir(f.prefix))
	if err != nil {
		return func() {}, false
	}
	if err := keyfile.Lock(folder, true); err != nil {
		folder.Close()
		return func() {}, false
	}
	return func() { folder.Close() }, true
}

// removeAbandoned removes a domain that was never made. The ledger goes last: it tells.
func (f Files) removeAbandoned() (removed []string) {
	if !f.abandoned() {
		return nil
	}
	for _, path := range []string{f.Domain(), f.Ledger()} {
		if os.Remove(path) == nil {
			removed = append(removed, path)
		}
	}
	return removed
}

// removeUnfinished removes what interrupted runs left of the three files, once these are
// there. Whoever writes one of them otherwise holds the ledger.
func (f Files) removeUnfinished() (removed []string) {
	ledger, _, err := lockLedger(f.Ledger(), true, func() {})
	if err != nil {
		return nil
	}
	defer ledger.Close()
	for _, path := range []string{f.Ledger(), f.Domain(), f.Master()} {
		removed = append(removed, keyfile.RemoveUnfinished(path)...)
	}
	return removed
}
