package keyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Sentinels for decisions. The typed errors below carry the detail and match
// these with errors.Is.
var (
	// ErrExists: a file of that name is there, and nothing is overwritten.
	ErrExists = errors.New("file exists")
	// ErrNotExist: no such file.
	ErrNotExist = errors.New("no such file")
	// ErrWrongPassphrase: the passphrase does not open the file.
	ErrWrongPassphrase = errors.New("wrong passphrase")
	// ErrPrivate: others than the owner can read, change or replace the file.
	ErrPrivate = errors.New("not private")
)

// ExistsError is returned instead of overwriting Path.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string   { return e.Path + " exists" }
func (e *ExistsError) Unwrap() []error { return []error{ErrExists, fs.ErrExist} }

// NotExistError says that Path is not there, and what is there under a name
// like it.
type NotExistError struct {
	Path string
	To   string   // where Path leads, if it is a symbolic link
	Near []string // names in the same folder, the nearest first
}

func (e *NotExistError) Error() string {
	if e.To != "" {
		return e.Path + " leads to " + e.To + ": no such file"
	}
	return e.Path + ": no such file"
}
func (e *NotExistError) Unwrap() []error { return []error{ErrNotExist, fs.ErrNotExist} }

// PermissionError says that others can read or change a secret file, or change one that is
// not secret.
type PermissionError struct {
	Path   string // the file or, with Folder, the folder it is in
	Mode   fs.FileMode
	Folder bool // anybody may replace what is in this folder
	Change bool // that others can change it is what is wrong
}

func (e *PermissionError) Error() string {
	if e.Folder {
		return fmt.Sprintf("anybody can replace files in %s (mode %04o)", e.Path, e.Mode.Perm())
	}
	if e.Change || e.Mode.Perm()&0o044 == 0 {
		return fmt.Sprintf("%s can be changed by others (mode %04o)", e.Path, e.Mode.Perm())
	}
	return fmt.Sprintf("%s can be read by others (mode %04o)", e.Path, e.Mode.Perm())
}
func (e *PermissionError) Unwrap() error { return ErrPrivate }

// OwnerError says that a secret file belongs to somebody else.
type OwnerError struct {
	Path  string
	Owner string // the owner's name, or their number where they have none
}

func (e *OwnerError) Error() string { return e.Path + " belongs to " + e.Owner }
func (e *OwnerError) Unwrap() error { return ErrPrivate }

// KindError says that Path is a file of another kind than the one asked for.
type KindError struct {
	Path      string
	Got, Want Kind
}

func (e *KindError) Error() string {
	return fmt.Sprintf("%s is %s, not %s", e.Path, e.Got, e.Want)
}

// DamagedError says that Path is of the right kind and cannot be read. Err is
// the reason, without bytes of the file.
type DamagedError struct {
	Path  string
	Size  int
	UTF16 bool // it was rewritten as UTF-16 text
	Err   error
}

func (e *DamagedError) Error() string {
	if e.Err == nil {
		return e.Path + " is damaged"
	}
	return fmt.Sprintf("%s is damaged: %v", e.Path, e.Err)
}
func (e *DamagedError) Unwrap() error { return e.Err }

// VersionError says that Path was made by a newer version.
type VersionError struct {
	Path string
	Kind Kind
	Err  error
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s is %s of a format this version does not know", e.Path, e.Kind)
}
func (e *VersionError) Unwrap() error { return e.Err }

// SizeError says that Path is larger than MaxSize.
type SizeError struct {
	Path string
	Size int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s is too large: %d bytes, the limit is %d", e.Path, e.Size, MaxSize)
}

// NotRegularError says that Path is a folder, a pipe, a device or, where a file is to
// be replaced, a symbolic link.
type NotRegularError struct {
	Path string
	Mode fs.FileMode
}

func (e *NotRegularError) Error() string {
	if e.Mode.IsDir() {
		return e.Path + " is a folder, not a file"
	}
	if e.Mode&fs.ModeSymlink != 0 {
		return e.Path + " is a symbolic link: name the file that it leads to"
	}
	return e.Path + " is not a regular file"
}

// WorkError says that trying a passphrase on Path would cost too much.
type WorkError struct{ Path string }

func (e *WorkError) Error() string {
	return fmt.Sprintf("%s asks for more than 2^%d steps of scrypt to try a passphrase, and for more than 1 GiB", e.Path,
		MaxWorkFactor)
}

// NotForYouError says that Path is sealed, and not for any of the identities
// that were tried.
type NotForYouError struct {
	Path  string
	For   string   // whom it says it is for, shortened; empty if it does not say
	Yours []string // the recipients of the identities tried
}

func (e *NotForYouError) Error() string {
	text := e.Path + " is sealed for somebody else"
	if e.For != "" {
		text += " (" + e.For + ")"
	}
	if len(e.Yours) == 0 {
		return text
	}
	return text + "; your identity is " + strings.Join(e.Yours, ", ")
}

// SealedError says that Path is sealed and no identity was given.
type SealedError struct{ Path string }

func (e *SealedError) Error() string { return e.Path + " is sealed and needs its owner's identity" }

// PassphraseError says that the passphrase given does not open Path.
type PassphraseError struct{ Path string }

func (e *PassphraseError) Error() string { return "wrong passphrase for " + e.Path }
func (e *PassphraseError) Unwrap() error { return ErrWrongPassphrase }
