package kms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// in returns the files of the same domain in another folder.
func (f Files) in(folder string) Files {
	return Files{filepath.Join(folder, filepath.Base(f.prefix))}
}

// FindDomains returns the domains that have a master key, or else public
// parameters, in a folder.
func FindDomains(folder string) []Files {
	for _, suffix := range []string{masterSuffix, domainSuffix} {
		found, _ := filepath.Glob(filepath.Join(escapeGlob(folder), "*"+suffix))
		if len(found) > 0 {
			var all []Files
			for _, path := range found {
				all = append(all, At(path))
			}
			return all
		}
	}
	return nil
}

// escapeGlob keeps a folder's name from being a pattern.
func escapeGlob(folder string) string {
	var b bytes.Buffer
	for _, r := range folder {
		if r == '*' || r == '?' || r == '[' || r == '\\' && filepath.Separator != '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Backup copies the domain's files to a folder, reads them back, opens them, and
// puts on record that they are there. An older backup of the same domain is
// replaced; one that has entries which this ledger has not is an *AheadError or
// a *DivergedError. open opens the copy of the master key, as its owner would.
func (a *Authority) Backup(rand io.Reader, folder string, open func(*Locked) (*Authority, error),
	now time.Time) (*Record, error) {
	l, _, err := a.change(rand, now)
	if err != nil {
		return nil, err
	}
	defer l.close()
	to := a.files.in(folder)
	if same(a.files.Ledger(), to.Ledger()) {
		return nil, fmt.Errorf("%s is %w", folder, ErrSameFolder)
	}
	if err := a.checkOlder(l, to, open); err != nil {
		return nil, err
	}
	for _, path := range []string{to.Domain(), to.Master(), to.Ledger()} {
		a.removed(keyfile.RemoveUnfinished(path))
	}
	ledger, err := l.read()
	if err != nil {
		return nil, err
	}
	// The copy ends with the entry that says so, and the ledger gets the same one
	// once the copy is good: then the two are alike.
	line, err := l.seal(rand, &entry{prev: l.last, kind: kindCopied, time: now.Unix()})
	if err != nil {
		return nil, err
	}
	ledger = append(ledger, line...)
	master, err := keyfile.ReadSecret(a.files.Master())
	if err != nil {
		return nil, err
	}
	public, err := a.Domain().MarshalBinary()
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		path string
		data []byte
		mode fs.FileMode
	}{{to.Domain(), public, 0o644}, {to.Master(), master, 0o600}, {to.Ledger(), ledger, 0o600}} {
		if err := keyfile.Replace(file.path, file.data, file.mode); err != nil {
			return nil, err
		}
		back, err := keyfile.ReadPublicUpTo(file.path, maxLedger)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(back, file.data) {
			return nil, fmt.Errorf("%s: %w", file.path, ErrReadBack)
		}
	}
	copied, err := readCopy(to, open)
	if err != nil {
		return nil, err
	}
	record := copied.ledger.record()
	return record, l.appendLine(&entry{prev: l.last, kind: kindCopied, time: now.Unix()}, line)
}

func same(one, other string) bool {
	a, err := os.Stat(one)
	if err != nil {
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}

// checkOlder makes sure that what a backup would replace is an older backup.
func (a *Authority) checkOlder(l *ledgerFile, to Files, open func(*Locked) (*Authority, error)) error {
	if err := a.checkMaster(to, open); err != nil {
		return err
	}
	public, err := keyfile.LoadDomain(to.Domain())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !public.Equal(a.Domain()):
		return fmt.Errorf("%s has %w than %s", to.Domain(), ErrForeignDomain, a.files.Master())
	}
	data, err := keyfile.ReadPublicUpTo(to.Ledger(), maxLedger)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	other, err := readLedger(to.Ledger(), data, l.id, l.aead)
	if err != nil {
		return err
	}
	return compare(l.ledger, other)
}

// checkMaster makes sure that a copy would not replace another domain's master key, nor
// a successor's, which is the only one that they can open.
func (a *Authority) checkMaster(to Files, open func(*Locked) (*Authority, error)) error {
	there, err := keyfile.ReadPublic(to.Master())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer clear(there)
	own, err := keyfile.ReadSecret(a.files.Master())
	if err != nil {
		return err
	}
	defer clear(own)
	if bytes.Equal(own, there) {
		return nil
	}
	locked, err := newLocked(to, there)
	if err != nil {
		return err
	}
	if locked.Encrypted {
		// With another passphrase, perhaps: what lies beside it has to do.
		if !exists(to.Domain()) && !exists(to.Ledger()) {
			return fmt.Errorf("%s is %w", to.Master(), ErrUnknownMaster)
		}
		return nil
	}
	opener := open
	if !locked.Sealed {
		opener = func(l *Locked) (*Authority, error) { return l.Open(nil) }
	}
	other, err := opener(locked)
	switch {
	case errors.Is(err, ErrForeignDomain):
		return err
	case err != nil && locked.Sealed:
		return fmt.Errorf("%s is %w", to.Master(), ErrOthersMaster)
	case err != nil:
		return err
	case !other.Domain().Equal(a.Domain()):
		return fmt.Errorf("%s is %w", to.Master(), ErrUnknownMaster)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// compare returns nil if there is nothing in there that is not here. That it was copied
// is nothing: a copy says so first, and is not on record here if that was interrupted.
func compare(here, there *ledger) error {
	if slices.Contains(here.chain, there.needed) {
		return nil
	}
	if slices.Contains(there.chain, here.needed) {
		return &AheadError{here.path, there.path, len(here.chain), len(there.chain)}
	}
	return &DivergedError{here.path, there.path, len(here.chain), len(there.chain)}
}

// copied is a backup that was read and opened.
type copied struct {
	master []byte
	ledger *ledger
	data   []byte // of the ledger
	domain *abe.Domain
}

// readCopy reads a backup. What lies on it is encrypted, and memory sticks have
// no owners and modes, so those are not looked at.
func readCopy(from Files, open func(*Locked) (*Authority, error)) (*copied, error) {
	c := new(copied)
	var err error
	if c.master, err = keyfile.ReadPublic(from.Master()); err != nil {
		return nil, err
	}
	locked, err := newLocked(from, c.master)
	if err != nil {
		return nil, err
	}
	a, err := open(locked)
	if err != nil {
		return nil, err
	}
	c.domain = a.Domain()
	c.data, err = keyfile.ReadPublicUpTo(from.Ledger(), maxLedger)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", from.Ledger(), ErrLedgerMissing)
	} else if err != nil {
		return nil, err
	}
	if c.ledger, err = readLedger(from.Ledger(), c.data, c.domain.ID(), a.aead); err != nil {
		return nil, err
	}
	if c.ledger.torn != nil {
		return nil, &TornError{Path: from.Ledger(), Line: c.ledger.lines + 1, Size: len(c.ledger.torn)}
	}
	c.ledger.link()
	return c, nil
}

// Restored says what Restore did. Files that are not named were there and are as
// they were.
type Restored struct {
	Written []string // their paths
	Aside   string   // where a damaged ledger is now, or empty
	Record  *Record  // of the ledger that is there now
	// Longer says that the ledger that was there has entries that the backup has
	// not; it was kept.
	Longer bool
	// Removed are files that an interrupted run had left.
	Removed []string
}

// Restore brings the domain's files back from a backup. It overwrites neither a
// master key nor a ledger that has what the backup has not: a ledger that went
// another way is a *DivergedError. A damaged ledger that is not longer than the
// backup's is moved aside.
func Restore(from, to Files, open func(*Locked) (*Authority, error)) (*Restored, error) {
	c, err := readCopy(from, open)
	if err != nil {
		return nil, err
	}
	defer clear(c.master)
	public, err := keyfile.LoadDomain(to.Domain())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !public.Equal(c.domain):
		return nil, fmt.Errorf("%s has %w than %s", to.Domain(), ErrForeignDomain, from.Master())
	}
	missingDomain := err != nil
	out := &Restored{Record: c.ledger.record()}
	if err := out.ledger(c, to); err != nil {
		return out, err
	}
	if missingDomain {
		data, err := c.domain.MarshalBinary()
		if err != nil {
			return out, err
		}
		if err := keyfile.WritePublic(to.Domain(), data); err != nil {
			return out, err
		}
		out.Written = append(out.Written, to.Domain())
	}
	// The master key comes last: where it is, the others are.
	err = keyfile.WriteSecret(to.Master(), c.master)
	if err == nil {
		out.Written = append(out.Written, to.Master())
	} else if !errors.Is(err, keyfile.ErrExists) {
		return out, err
	}
	out.Removed = to.removeUnfinished()
	return out, nil
}

// ledger restores the ledger.
func (out *Restored) ledger(c *copied, to Files) error {
	f, info, err := lockLedger(to.Ledger(), true, func() {})
	if errors.Is(err, ErrLedgerMissing) {
		if err := keyfile.WriteSecret(to.Ledger(), c.data); err != nil {
			return err
		}
		out.Written = append(out.Written, to.Ledger())
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	here, err := readLedgerFile(f, info, to.Ledger(), c.ledger.id, c.ledger.aead)
	var damaged *LedgerError
	if errors.As(err, &damaged) {
		return out.replaceDamaged(c, to, damaged)
	} else if err != nil {
		return err
	}
	err = compare(here, c.ledger)
	var ahead *AheadError
	switch {
	case err == nil:
		here.link()
		out.Record = here.record()
		out.Longer = !slices.Contains(c.ledger.chain, here.needed) || here.torn != nil
		return nil
	case !errors.As(err, &ahead):
		return err
	}
	if err := keyfile.Replace(to.Ledger(), c.data, 0o600); err != nil {
		return err
	}
	out.Written = append(out.Written, to.Ledger())
	return nil
}

// replaceDamaged moves a damaged ledger aside, unless it seems to have had more
// than the backup.
func (out *Restored) replaceDamaged(c *copied, to Files, damaged *LedgerError) error {
	o, err := Outside(to.Ledger())
	if err == nil && o.Entries > len(c.ledger.chain) {
		return &DamagedLongerError{damaged, o.Entries, len(c.ledger.chain), c.ledger.path}
	}
	aside := to.Ledger() + ".damaged"
	if _, err := os.Lstat(aside); err == nil {
		return &keyfile.ExistsError{Path: aside}
	}
	if err := os.Link(to.Ledger(), aside); err != nil {
		return fmt.Errorf("keeping the damaged ledger: %w", err)
	}
	out.Aside = aside
	if err := keyfile.Replace(to.Ledger(), c.data, 0o600); err != nil {
		return err
	}
	out.Written = append(out.Written, to.Ledger())
	return nil
}

// Skip leaves the next n numbers unused: they may have been given by a ledger
// that is lost.
func (a *Authority) Skip(rand io.Reader, n int, now time.Time) error {
	l, _, err := a.change(rand, now)
	if err != nil {
		return err
	}
	defer l.close()
	for range n {
		if err := l.append(rand, &entry{kind: kindTorn, time: now.Unix(), number: l.next()}); err != nil {
			return err
		}
	}
	return nil
}
