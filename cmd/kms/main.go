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
	cli.NoCore()
	a := &app{now: time.Now, rand: rand.Reader, workFactor: keyfile.DefaultWorkFactor}
	os.Exit(a.run(os.Args[1:], os.Stdout, os.Stderr))
}

// app is what the commands take from outside: here is the only clock.
type app struct {
	now        func() time.Time
	rand       io.Reader
	workFactor int // log2 of the scrypt cost of a new master key's passphrase

	opened *kms.Authority // the domain of this run, for remind
}

func (a *app) run(args []string, stdout, stderr io.Writer) int {
	root := a.root()
	root.SetOut(stdout)
	return cli.Run(root, args, stderr)
}

// root is the tree of all commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "kms",
		Short: "kms makes the keys of a domain's members, and keeps a record of them; it works offline",
		Example: `  kms init NTNU
  kms issue --request kari.request -o kari.key`,
	}
	root.AddCommand(
		a.initCommand(), a.domainCommand(), a.issueCommand(), a.listCommand(), a.renewCommand(), a.norenewCommand(),
		a.revokeCommand(),
		a.policyCommand(), a.inspectCommand(),
		a.calendarCommand(), a.generationCommand(), a.ledgerCommand(), a.backupCommand(), a.restoreCommand(),
		a.passphraseCommand(), a.successorCommand(),
		cli.Version("kms"), cli.ManCommand(),
	)
	// The guide has it; the help is to fit a screen.
	root.CompletionOptions.HiddenDefaultCmd = true
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
		cmd.Hidden = cmd.Hidden || cmd.Name() == "help" // kms COMMAND --help says the same
	}
	return root
}

// withReminder lets a command return the errors of package kms as they are, and ends
// one that went well with what its user should not forget.
func (a *app) withReminder(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		if err == nil {
			a.remind(cmd.ErrOrStderr())
		}
		return explain(err)
	}
}
