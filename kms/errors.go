package kms

import (
	"errors"
	"fmt"
	"time"

	"coterie/kms/request"
)

// Sentinels for decisions.
var (
	// ErrName: the name of a domain or a person cannot be used.
	ErrName = request.ErrName
	// ErrMasterMissing: the domain's master key is not where the domain is.
	ErrMasterMissing = errors.New("the master key is not here")
	// ErrLedgerMissing: the domain's ledger is not where its master key is.
	ErrLedgerMissing = errors.New("the ledger is not here")
	// ErrForeignLedger: the ledger belongs to another master key.
	ErrForeignLedger = errors.New("the ledger of another domain")
	// ErrForeignDomain: the public parameters belong to another master key.
	ErrForeignDomain = errors.New("the public parameters of another domain")
	// ErrLedgerFull: a ledger has no room for another key.
	ErrLedgerFull = errors.New("the ledger is full: it has the 64 MiB that are read")
	// ErrUnknownMaster: nothing says whose master key lies where a copy would go.
	ErrUnknownMaster = errors.New("a master key of another domain, or of one that nothing beside it names")
	// ErrOthersMaster: a master key lies there that somebody else alone can open.
	ErrOthersMaster = errors.New("sealed for somebody else")
	// ErrReadBack: what was read is not what was written.
	ErrReadBack = errors.New("what was read back is not what was written")
	// ErrSameFolder: a backup would be the domain itself.
	ErrSameFolder = errors.New("where the domain itself is")
)

// LedgerError says that a line of a ledger cannot be right.
type LedgerError struct {
	Path   string
	Line   int // from 1, as an editor counts
	Reason string
}

func (e *LedgerError) Error() string {
	return fmt.Sprintf("%s: line %d %s", e.Path, e.Line, e.Reason)
}

// TornError says that the last line of a ledger has no end, as after a crash in
// the middle of writing it. All lines before it are good.
type TornError struct {
	Path string
	Line int
	Size int // bytes of the line that are there
}

func (e *TornError) Error() string {
	return fmt.Sprintf("%s: line %d was cut short after %d bytes", e.Path, e.Line, e.Size)
}

// NotWrittenError says that a key was recorded, but its file could not be
// written.
type NotWrittenError struct {
	Number uint64
	// Voided says that the ledger has the number as void now.
	Voided bool
	Err    error
}

func (e *NotWrittenError) Error() string {
	return fmt.Sprintf("key %d is in the ledger, but: %v", e.Number, e.Err)
}
func (e *NotWrittenError) Unwrap() error { return e.Err }

// UnfinishedError says that an earlier run recorded another key for the same
// file and was interrupted before it gave the file its name. Temp is that key,
// complete.
type UnfinishedError struct {
	Path, Temp string
	Key        Issue
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("an earlier run recorded key %d for %s and was interrupted before it wrote the file", e.Key.Number,
		e.Path)
}

// ClockError says that the clock is behind the ledger: one of the two is wrong.
type ClockError struct {
	Path      string
	Now, Last time.Time // of the clock, and of the last entry
}

func (e *ClockError) Error() string {
	const form = "2006-01-02 15:04 UTC"
	return fmt.Sprintf("this computer's clock says %s, but %s was written on %s", e.Now.UTC().Format(form), e.Path,
		e.Last.UTC().Format(form))
}

// LimitError says that a key would last longer than the domain allows.
type LimitError struct{ Days, Limit uint32 }

func (e *LimitError) Error() string {
	return fmt.Sprintf("%d days are too long: the limit of this domain is %d days", e.Days, e.Limit)
}

// NumberError says that no key on record has a number, or none that was written.
type NumberError struct{ Number uint64 }

func (e *NumberError) Error() string { return fmt.Sprintf("there is no key %d", e.Number) }

// NoRenewError says that a key is marked as not to be renewed.
type NoRenewError struct{ Key Issue }

func (e *NoRenewError) Error() string {
	if e.Key.Because == "" {
		return fmt.Sprintf("key %d is not to be renewed", e.Key.Number)
	}
	return fmt.Sprintf("key %d is not to be renewed: %s", e.Key.Number, e.Key.Because)
}

// RevokedError says that a key was revoked: whoever has it may have its recipient's identity.
type RevokedError struct{ Key Issue }

func (e *RevokedError) Error() string {
	return fmt.Sprintf("key %d was revoked, and cannot be renewed", e.Key.Number)
}

// ForgottenError says that nobody knows any more whom a key was for.
type ForgottenError struct{ Key Issue }

func (e *ForgottenError) Error() string {
	return fmt.Sprintf("whom key %d was for was erased from the ledger", e.Key.Number)
}

// NothingLeftError says that a renewal would leave a key without attributes.
type NothingLeftError struct{ Key Issue }

func (e *NothingLeftError) Error() string {
	return fmt.Sprintf("key %d would have no attribute left", e.Key.Number)
}

// DivergedError says that two ledgers of one domain each have entries that the
// other has not: keys were issued from both. Longer and Shorter are their paths.
type DivergedError struct {
	Here, There               string
	HereEntries, ThereEntries int
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("%s (%d entries) and %s (%d entries) went different ways: keys were issued from both", e.Here,
		e.HereEntries, e.There, e.ThereEntries)
}

// AheadError says that the ledger at There has all entries of the one at Here,
// and more.
type AheadError struct {
	Here, There               string
	HereEntries, ThereEntries int
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("%s has %d entries, %s only %d", e.There, e.ThereEntries, e.Here, e.HereEntries)
}

// DamagedLongerError says that a damaged ledger has more entries than its
// backup: whatever they say, their numbers must not be given again.
type DamagedLongerError struct {
	Damaged       *LedgerError
	Entries, Copy int
	CopyPath      string
}

func (e *DamagedLongerError) Error() string {
	return fmt.Sprintf("%v, and it has %d entries, %s only %d", e.Damaged, e.Entries, e.CopyPath, e.Copy)
}
