package kms

import (
	"errors"
	"fmt"

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
	Path   string
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
	return fmt.Sprintf("an earlier run recorded key %d for %s and was interrupted before it wrote the file", e.Key.Number, e.Path)
}
