// Command coterie is the peer: it takes part in rooms. What it prints and
// reads is specified in docs/INTERFACE.md; the protocol is in package room, and
// the network in package node.
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
)

func main() {
	cli.NoCore()
	chat.QuietLibraries()
	// A closed standard output is an error to be handled, not a death.
	signal.Ignore(syscall.SIGPIPE)
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	os.Exit(a.run(os.Args[1:]))
}

// clock is the time, everywhere; tests give their processes a wrong one.
var clock = time.Now

// app is what the commands take from outside.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	house.House
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: clock}
	a.Now, a.Stdout, a.Stderr = clock, stdout, stderr
	a.Actions = ui.Actions
	a.Removed = func(e *cli.Error) { cli.Warn(stderr, e) }
	return a
}

func (a *app) run(args []string) int {
	root := &cobra.Command{
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.alone(cmd) },
		Use:   "coterie",
		Short: "coterie is group chat where what you are lets you in: no account, no server",
		Long: "coterie is group chat where what you are lets you in: no account, no server.\nAlso: coterie help " +
			"policies, links, security, environment, exit-codes",
		Example: `  coterie join exam --key kari.key --policy '("NTNU" and "5th year") or "Professor"' --bootstrap /ip4/10.0.0.7/tcp/4001
  coterie join 'coterie:2:exam:...' --key kari.key
  coterie                 (the rooms you joined, on one screen)`,
	}
	root.SetOut(a.stdout)
	root.PersistentFlags().StringVar(&a.Name, "profile", "", "keep everything apart under `NAME`")
	root.AddCommand(a.joinCommand(), a.relayCommand(), a.demoCommand(), a.requestCommand(), a.keyCommand(),
		a.roomsCommand(), a.upCommand(), a.closeCommand(), a.sayCommand(), a.readCommand(), a.saveCommand(),
		a.statusCommand(), a.pingCommand(), a.doctorCommand(), a.linkCommand(), a.changeCommand(), a.forgetCommand(),
		a.configCommand(), a.askCommand(), a.exportCommand(), a.webCommand(),
		cli.Version("coterie"), cli.ManCommand())
	root.AddCommand(topics()...)
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
	}
	return cli.Run(root, args, a.stderr)
}
