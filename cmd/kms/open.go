package main

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/kms"
)

// domainFlags are those of a command that opens a domain.
type domainFlags struct {
	domain, passphraseFile, identity string
	clockIsRight                     bool
}

// add adds the flags of a command that only reads.
func (f *domainFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.domain, "domain", "", "the domain: `NAME` of its files, or a path to them (default: the one in "+
		"this folder)")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "take the passphrase from the first line of `FILE`")
	flags.StringVar(&f.identity, "identity", "", "open a successor's master key with the age identities in `FILE`")
	cmd.RegisterFlagCompletionFunc("domain", completeDomains)
	flags.SortFlags = false
}

// addWriting adds those of a command that writes the ledger.
func (f *domainFlags) addWriting(cmd *cobra.Command) {
	f.add(cmd)
	cmd.Flags().BoolVar(&f.clockIsRight, "clock-is-right", false,
		"write the ledger although its last entry is later than now")
	// The error that calls for it names it.
	cmd.Flags().MarkHidden("clock-is-right")
}

// files are those of the domain: the one that is named, or the only one here.
func (f *domainFlags) files() (kms.Files, error) {
	if f.domain != "" {
		return kms.At(f.domain), nil
	}
	return onlyDomain(".")
}

// onlyDomain is the domain whose files are in a folder.
func onlyDomain(folder string) (kms.Files, error) {
	switch found := kms.FindDomains(folder); len(found) {
	case 0:
		return kms.Files{}, cli.Usage("missing --domain; no domain is in this folder").Hint("kms init NAME makes one")
	case 1:
		return found[0], nil
	default:
		var names []string
		for _, files := range found {
			names = append(names, filepath.Base(files.Prefix()))
		}
		return kms.Files{}, cli.Usage("missing --domain; there are %s", strings.Join(names, ", ")).
			Hint("--domain %s", cli.Quote(names[0]))
	}
}

func completeDomains(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, files := range kms.FindDomains(".") {
		names = append(names, files.Prefix())
	}
	return names, cobra.ShellCompDirectiveDefault
}

// named is how a hint names the domain: not at all where it is the only one.
func (f *domainFlags) named() string {
	if f.domain == "" {
		return ""
	}
	if files, err := onlyDomain("."); err == nil && files.Prefix() == kms.At(f.domain).Prefix() {
		return ""
	}
	return " --domain " + cli.Quote(f.domain)
}

// open opens the domain's master key, asking for its passphrase if it has one.
func (a *app) open(cmd *cobra.Command, f *domainFlags) (*kms.Authority, error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	locked, err := kms.Read(files)
	if err != nil {
		return nil, err
	}
	o := &opener{f: f}
	defer o.close()
	authority, err := o.open(locked)
	if err != nil {
		return nil, err
	}
	return a.use(cmd, f, authority), nil
}

// use makes an authority this run's.
func (a *app) use(cmd *cobra.Command, f *domainFlags, authority *kms.Authority) *kms.Authority {
	stderr := cmd.ErrOrStderr()
	authority.ClockIsRight = f.clockIsRight
	authority.Waiting = func() { io.WriteString(stderr, "another kms has the ledger; waiting for it\n") }
	authority.Removed = func(path string) { warnRemoved(stderr, path) }
	a.opened = authority
	return authority
}

// warnRemoved tells of files that are no more.
func warnRemoved(w io.Writer, paths ...string) {
	for _, path := range paths {
		cli.Warn(w, cli.Fail("leftover", "removed %s, which an interrupted run had not finished", path))
	}
}

// opener opens a master key as its files ask for it. What opened one opens the
// next without a question: a copy of it.
type opener struct {
	f          *domainFlags
	passphrase []byte
	ids        []age.Identity
}

func (o *opener) open(locked *kms.Locked) (authority *kms.Authority, err error) {
	opts := cli.PassphraseOptions{File: o.f.passphraseFile}
	switch {
	case locked.Sealed:
		if o.ids == nil {
			ids := cli.Identities(o.f.identity, opts)
			if ids == nil {
				return locked.Open(nil)
			}
			if o.ids, err = ids(); err != nil {
				return nil, err
			}
		}
		return locked.OpenSealed(o.ids)
	case !locked.Encrypted:
		return locked.Open(nil)
	case o.passphrase != nil:
		return locked.Open(o.passphrase)
	}
	err = cli.WithPassphrase("Passphrase for "+locked.Path()+":", opts, func(passphrase []byte) (err error) {
		authority, err = locked.Open(passphrase)
		if err == nil {
			o.passphrase = append([]byte{}, passphrase...)
		}
		return err
	})
	return authority, err
}

func (o *opener) close() { clear(o.passphrase) }

// withoutBackup is how long keys may be without a backup before kms says so.
const withoutBackup = 24 * time.Hour

// remind says at the end of a command that there are keys without a backup.
func (a *app) remind(w io.Writer) {
	if a.opened == nil {
		return
	}
	record, err := a.opened.Record()
	if err != nil || record.Uncopied.IsZero() {
		return
	}
	age := a.now().Sub(record.Uncopied)
	if age < withoutBackup {
		return
	}
	days := int(age / (24 * time.Hour))
	cli.Warn(w, cli.Fail("no-backup", "for %s nothing was backed up", cli.Plural(days, "day")).Hint(
		"kms backup /media/usb"))
}

// openRecord opens the domain and reads its ledger. One whose last line is cut short is worth seeing
// all the same: the record is nil only if there is nothing to see.
func (a *app) openRecord(cmd *cobra.Command, f *domainFlags) (*kms.Authority, *kms.Record, error) {
	authority, err := a.open(cmd, f)
	if err != nil {
		return nil, nil, err
	}
	r, err := authority.Record()
	var torn *kms.TornError
	if err != nil && !errors.As(err, &torn) {
		return nil, nil, err
	}
	return authority, r, err
}
