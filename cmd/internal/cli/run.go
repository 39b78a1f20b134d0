package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coterie/kms/words"
)

// Run executes root with args, reports an error to stderr and returns the exit
// status. What cobra and pflag find wrong before a command begins is wrong
// usage: status 2, with a hint.
func Run(root *cobra.Command, args []string, stderr io.Writer) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetArgs(args)
	root.SetErr(stderr)
	root.SetUsageFunc(func(cmd *cobra.Command) error { return writeHelp(cmd.OutOrStderr(), cmd) })
	versionFlag(root)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	begun := false
	prepare(root, &begun)
	defer restoreTerminal()
	told := helpTeller(root)
	err := root.Execute()
	if err == nil {
		err = told()
	}
	var known *Error
	if err != nil && !begun && !errors.As(err, &known) {
		err = Usage("%s", lower(err.Error()))
	}
	return Report(stderr, err)
}

// helpTeller lets the help fail: cobra's own prints the error in its own words, and
// calls that success. The function that is returned tells what became of it.
func helpTeller(root *cobra.Command) func() error {
	var failed error
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		if err := writeHelp(cmd.OutOrStdout(), cmd); err != nil {
			failed = Describe(err)
		}
	})
	return func() error { return failed }
}

// Args checks that a command got the arguments named, and no others: "ROOM" is
// needed, "[NAME]" may be left out.
func Args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if i >= len(args) && !strings.HasPrefix(name, "[") {
				return withExample(cmd, Usage("missing %s", name))
			}
		}
		if len(args) > len(names) {
			return withExample(cmd, Usage("unexpected argument %q", args[len(names)]))
		}
		return nil
	}
}

// prepare makes cmd and all below it speak as this package does. It sets begun
// once a command's own code runs.
func prepare(cmd *cobra.Command, begun *bool) {
	cmd.SetFlagErrorFunc(flagError)
	// Whoever reads the help knows how they came by it; it has 24 lines.
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Hidden = true
	cmd.DisableFlagsInUseLine = true
	check := cmd.Args
	switch {
	case cmd.HasSubCommands():
		check = unknownCommand
		if !cmd.Runnable() {
			// cobra would print the help and call that success.
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				cmd.SetOut(cmd.ErrOrStderr())
				cmd.Help()
				return Silent(StatusUsage)
			}
		}
	case check == nil:
		check = Args()
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return err
		}
		return missingFlag(cmd)
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*begun = true
			return run(cmd, args)
		}
	} else if run := cmd.Run; run != nil && cmd.Name() != "help" {
		cmd.Run = func(cmd *cobra.Command, args []string) {
			*begun = true
			run(cmd, args)
		}
	}
	if cmd.Name() == "help" {
		cmd.Args = nil
		cmd.Run, cmd.RunE = nil, helpOn
		return
	}
	for _, sub := range cmd.Commands() {
		prepare(sub, begun)
	}
}

// helpOn is the help command; cobra's own calls an unknown topic success.
func helpOn(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil || found == nil {
		return unknownCommand(cmd.Root(), args)
	}
	if len(rest) > 0 && found.HasSubCommands() {
		return unknownCommand(found, rest)
	}
	found.InitDefaultHelpFlag()
	return found.Help()
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := Usage("unknown command %q", args[0])
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	if like := words.Near(args[0], names, 1); len(like) > 0 {
		return e.Hint("did you mean %s %s?", cmd.CommandPath(), like[0])
	}
	return e.Hint("%s --help", cmd.CommandPath())
}

// missingFlag comes before cobra's own check of required flags, whose text names
// them otherwise.
func missingFlag(cmd *cobra.Command) error {
	var missing []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if needed := f.Annotations[cobra.BashCompOneRequiredFlag]; len(needed) > 0 && needed[0] == "true" && !f.Changed {
			missing = append(missing, "--"+f.Name)
		}
	})
	if len(missing) == 0 {
		return nil
	}
	return withExample(cmd, Usage("missing %s", strings.Join(missing, " and ")))
}

// Missing says that a command needs flags or arguments that were not given, for
// what cobra's own check of required flags cannot say.
func Missing(cmd *cobra.Command, what string) error {
	return withExample(cmd, Usage("missing %s", what))
}

func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		bare    *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return Usage("unknown flag -%s", name).Hint("%s --help", cmd.CommandPath())
		}
		e := Usage("unknown flag --%s", name)
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if like := words.Near(name, names, 1); len(like) > 0 {
			return e.Hint("did you mean --%s?", like[0])
		}
		return e.Hint("%s --help", cmd.CommandPath())
	case errors.As(err, &bare):
		return withExample(cmd, Usage("--%s needs a value", bare.GetFlag().Name))
	case errors.As(err, &invalid):
		reason := errors.Unwrap(invalid)
		var number *strconv.NumError
		if errors.As(reason, &number) {
			reason = fmt.Errorf("%q is not a number", invalid.GetValue())
		}
		return Usage("--%s: %s", invalid.GetFlag().Name, lower(fmt.Sprint(reason)))
	}
	return Usage("%s", lower(err.Error()))
}

// withExample hints at the first example of the command, or at its help.
func withExample(cmd *cobra.Command, e *Error) error {
	for line := range strings.Lines(cmd.Example) {
		if line := strings.TrimSpace(line); line != "" {
			return e.Hint("%s", line)
		}
	}
	return e.Hint("%s --help", cmd.CommandPath())
}

func lower(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && !(s[1] >= 'A' && s[1] <= 'Z') {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// writeHelp puts the examples first: they are what most people look for. It is no template: where
// one is run, the linker keeps every method of every type, a tenth of the program.
func writeHelp(w io.Writer, cmd *cobra.Command) error {
	var b strings.Builder
	part := func(s string) {
		if s = strings.TrimRightFunc(s, unicode.IsSpace); s != "" {
			b.WriteString(s + "\n\n")
		}
	}
	part(cmp.Or(cmd.Long, cmd.Short))
	part(cmd.Example)
	if !cmd.HasAvailableSubCommands() {
		part("usage: " + cmd.UseLine())
	} else {
		part("usage: " + cmd.CommandPath() + " COMMAND")
		var lines strings.Builder
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" && !c.Hidden {
				fmt.Fprintf(&lines, "  %-*s %s\n", c.NamePadding(), c.Name(), c.Short)
			}
		}
		part(lines.String())
	}
	if cmd.HasAvailableLocalFlags() {
		part(cmd.LocalFlags().FlagUsages())
	}
	_, err := io.WriteString(w, strings.TrimSuffix(b.String(), "\n"))
	return err
}
