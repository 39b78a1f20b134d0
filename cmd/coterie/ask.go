package main

import (
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/inquire"
	"coterie/cmd/internal/cli"
)

func (a *app) askCommand() *cobra.Command {
	var f inquire.Flags
	cmd := &cobra.Command{
		Use:   "ask [LINK WORDS]",
		Short: "ask a room something, without a key",
		Long: `Ask those in a room something, without a key: you need its link and the domain's file, and it must take questions.
They do not learn who you are, unless you say so. Without words, it looks for answers to what you asked.`,
		Example: `  coterie ask 'coterie:2:exam:...' 'when is the exam?' --domain NTNU.domain
  coterie ask 'coterie:2:exam:...' 'may I come late?' --domain NTNU.domain --for '"Professor"' --wait
  coterie ask --wait        (until all that you asked is answered)`,
		Args: cli.Args("[LINK", "[WORDS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			i := &inquire.Inquirer{Profile: &a.Profile, Now: a.now, Stdout: a.stdout, Stderr: a.stderr}
			return i.Ask(ctx, args, f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.Domain, "domain", "", "the domain's `FILE`, which its operator publishes")
	flags.StringVar(&f.For, "for", "", "only those read it whose key satisfies `POLICY` as well")
	flags.StringArrayVar(&f.Bootstrap, "bootstrap", nil, "a peer to begin with: `ADDR`; may be given several times")
	flags.StringVar(&f.Notice, "notice", "", "keep out the keys that the domain's notice in `FILE` revokes")
	flags.BoolVar(&f.Wait, "wait", false, "wait for the answer")
	flags.BoolVar(&f.JSON, "json", false, "one JSON object a line")
	cmd.RegisterFlagCompletionFunc("domain", completeFiles("domain"))
	cmd.RegisterFlagCompletionFunc("notice", completeFiles("notice"))
	return cmd
}
