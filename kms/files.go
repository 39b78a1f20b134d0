package kms

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Files names the three files of a domain.
type Files struct{ prefix string }

// suffixes of a domain's files.
const (
	domainSuffix = ".domain"
	masterSuffix = ".master"
	ledgerSuffix = ".ledger"
)

// At returns the files that begin with prefix: a domain's name, or a path that
// ends in it. The name of one of the files will do as well, since that is what a
// shell completes to.
func At(prefix string) Files {
	for _, suffix := range []string{domainSuffix, masterSuffix, ledgerSuffix} {
		if cut, ok := strings.CutSuffix(prefix, suffix); ok && filepath.Base(prefix) != suffix {
			return Files{cut}
		}
	}
	return Files{prefix}
}

// Prefix is what all three names begin with.
func (f Files) Prefix() string { return f.prefix }

// Domain is the path of the public parameters.
func (f Files) Domain() string { return f.prefix + domainSuffix }

// Master is the path of the master key.
func (f Files) Master() string { return f.prefix + masterSuffix }

// Ledger is the path of the ledger.
func (f Files) Ledger() string { return f.prefix + ledgerSuffix }

// maxName bounds the name of a person, in bytes.
const maxName = 200

// domainName returns the name of the domain whose files are f.
func (f Files) domainName() (string, error) {
	if f.prefix == "" || strings.HasSuffix(f.prefix, string(filepath.Separator)) {
		return "", fmt.Errorf("%w: it is empty", ErrName)
	}
	return filepath.Base(f.prefix), nil
}

// checkName says whether a person's name can be printed as it is and has one
// spelling.
func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("%w: longer than %d bytes", ErrName, maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: not UTF-8", ErrName)
	case !norm.NFC.IsNormalString(name):
		return fmt.Errorf("%w: not in Unicode's normal form C", ErrName)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: spaces around it", ErrName)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%w: the character %U in it cannot be printed", ErrName, r)
		}
	}
	return nil
}
