package kms

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Files names the three files of a domain.
type Files struct{ prefix string }

// suffixes of a domain's files.
const (
	domainSuffix = ".domain"
	masterSuffix = ".master"
	ledgerSuffix = ".ledger"
	noticeSuffix = ".notice"
)

// At returns the files that begin with prefix: a domain's name, or a path that
// ends in it. The name of one of the files will do as well, since that is what a
// shell completes to.
func At(prefix string) Files {
	for _, suffix := range []string{domainSuffix, masterSuffix, ledgerSuffix, noticeSuffix} {
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

// Notice is the path of the newest notice, which is there once a key was revoked.
func (f Files) Notice() string { return f.prefix + noticeSuffix }

// domainName returns the name of the domain whose files are f.
func (f Files) domainName() (string, error) {
	if f.prefix == "" || strings.HasSuffix(f.prefix, string(filepath.Separator)) {
		return "", fmt.Errorf("%w: it is empty", ErrName)
	}
	return filepath.Base(f.prefix), nil
}
