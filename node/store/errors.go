package store

import (
	"errors"
	"fmt"

	"coterie/kms/keyfile"
)

// Sentinels for decisions. The typed errors below carry the detail and match
// these with errors.Is.
var (
	// ErrRunning: another process has this room open.
	ErrRunning = errors.New("already open in another process")
	// ErrDamaged: the files are not as this package left them. They are not
	// touched.
	ErrDamaged = errors.New("damaged")
	// ErrForeign: the file is no store of this room: it is another room's, or
	// another program's.
	ErrForeign = errors.New("not the history of this room")
	// ErrKey: the data key is not the one the file was written with.
	ErrKey = errors.New("another data key")
	// ErrIdentity: no identity that was given opens the room's data key.
	ErrIdentity = errors.New("cannot be opened with this identity")
	// ErrKeyMissing: there is a history, and its data key is not beside it.
	ErrKeyMissing = errors.New("its key is missing")
	// ErrFull: there is no space for more. What is stored stays readable, and
	// saving goes on by itself once there is space.
	ErrFull = errors.New("no space left on device")
	// ErrNotExist: there is nothing of that name.
	ErrNotExist = errors.New("no such entry")
	// ErrTooLarge: an entry or a batch is above its bound.
	ErrTooLarge = errors.New("too large to be stored")
	// ErrEntry: an entry is of an unknown kind or has no name where it needs one.
	ErrEntry = errors.New("not an entry that can be stored")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the history is closed")
)

// RunningError says who has the room open.
type RunningError struct {
	Path string
	PID  int // 0 if it could not be found out
}

func (e *RunningError) Error() string {
	if e.PID == 0 {
		return e.Path + " is already open in another process"
	}
	return fmt.Sprintf("%s is already open in another process (pid %d)", e.Path, e.PID)
}
func (e *RunningError) Unwrap() error { return ErrRunning }

// DamagedError says where a file is not as it was left. Reason has no bytes of
// the file in it.
type DamagedError struct {
	Path   string
	Reason string
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.Path, e.Reason) }
func (e *DamagedError) Unwrap() error { return ErrDamaged }

// ForeignError says that Path is not the history, or the key, of this room.
type ForeignError struct {
	Path   string
	Reason string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s is not of this room: %s", e.Path, e.Reason)
}
func (e *ForeignError) Unwrap() error { return ErrForeign }

// KeyError says that Path was written with another data key.
type KeyError struct{ Path string }

func (e *KeyError) Error() string { return e.Path + " was written with another data key" }
func (e *KeyError) Unwrap() error { return ErrKey }

// IdentityError says that the data key at Path is sealed for another identity.
type IdentityError struct{ Path string }

func (e *IdentityError) Error() string { return e.Path + " cannot be opened with this identity" }
func (e *IdentityError) Unwrap() error { return ErrIdentity }

// KeyMissingError says that the history at Path has lost its key.
type KeyMissingError struct{ Path, Key string }

func (e *KeyMissingError) Error() string {
	return fmt.Sprintf("%s cannot be opened: its key %s is missing", e.Path, e.Key)
}
func (e *KeyMissingError) Unwrap() error { return ErrKeyMissing }

// Whose a private file is, and who can read it, is checked by package keyfile.
type (
	PermissionError = keyfile.PermissionError
	OwnerError      = keyfile.OwnerError
)

// FullError says what the system answered when there was no space.
type FullError struct{ Err error }

func (e *FullError) Error() string   { return "cannot save history: no space left on device" }
func (e *FullError) Unwrap() []error { return []error{ErrFull, e.Err} }

// full makes a *FullError of an error that is about space, and leaves any other
// as it is.
func full(err error) error {
	if err != nil && isFull(err) && !errors.Is(err, ErrFull) {
		return &FullError{err}
	}
	return err
}
