// Command kms is the authority's tool: it makes a domain, issues attribute keys
// and keeps a record of them. It works offline. docs/OPERATOR.md is its guide.
package main

import (
	"crypto/rand"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/kms"
	"coterie/kms/keyfile"
)

func main() {
	a := &app{now: time.Now, rand: rand.Reader, workFactor: keyfile.DefaultWorkFactor}
	os.Exit(a.run(os.Args[1:], os.Stdout, os.Stderr))
}

// app is what the commands take from outside: here is the only clock.
type app struct {
	now        func() time.Time
	rand       io.Reader
	workFactor int // log2 of the scrypt cost of a new master key's passphrase
}

func (a *app) run(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "kms",
		Short: "kms makes the keys of a domain: it runs offline and keeps a record of what it issues",
		Example: `  kms init NTNU
  kms issue --domain NTNU --attr NTNU --attr "5th year" --name "Kari Nordmann" --to age1... -o kari.key
  kms list --domain NTNU`,
	}
	root.SetOut(stdout)
	root.AddCommand(a.initCommand(), a.issueCommand(), a.inspectCommand(), a.listCommand(), a.policyCommand(), cli.Version("kms"))
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
	}
	return cli.Run(root, args, stderr)
}

// told lets a command return the errors of package kms as they are.
func told(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error { return explain(run(cmd, args)) }
}

// open opens a domain's master key, asking for its passphrase if it has one.
func open(files kms.Files, opts cli.PassphraseOptions) (*kms.Authority, error) {
	locked, err := kms.Read(files)
	if err != nil {
		return nil, err
	}
	if !locked.Encrypted {
		return locked.Open(nil)
	}
	var authority *kms.Authority
	err = cli.WithPassphrase("Passphrase for "+files.Master()+":", opts, func(passphrase []byte) (err error) {
		authority, err = locked.Open(passphrase)
		return err
	})
	return authority, err
}

// domainFlags are those of a command that opens a domain.
type domainFlags struct{ domain, passphraseFile string }

func (f *domainFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.domain, "domain", "", "the domain: `NAME` of its files in this folder, or a path to them")
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", "take the passphrase from the first line of `FILE`")
	cmd.MarkFlagRequired("domain")
}

func (f *domainFlags) files() kms.Files { return kms.At(f.domain) }

func (f *domainFlags) open() (*kms.Authority, error) {
	return open(f.files(), cli.PassphraseOptions{File: f.passphraseFile})
}
