package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
)

func (a *app) sayCommand() *cobra.Command {
	var linger time.Duration
	var to, file string
	cmd := &cobra.Command{
		Use:   "say ROOM [TEXT|-] [--file PATH]",
		Short: "say something, or send a file, in a room that coterie up has open",
		Long: "Say something, or send a file, in a room that coterie up has open. The exit status is 0 when it is sent, " +
			"and 1 if nobody\ncould read it in time: it waits then, and is sent when somebody can within 10 minutes; later " +
			"at /send in the room.\nA file of over 1 MiB goes to whoever saves it: coterie up is to stay on until they have it.",
		Example: `  coterie say exam 'the sets are on the shelf'
  uptime | coterie say exam -
  coterie say exam 'as of today:' --file plan.pdf`,
		Args:              cli.Args("ROOM", "[TEXT]"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(cmd *cobra.Command, args []string) error {
			for flag, given := range map[string]string{"to": to, "file": file} {
				// Of a variable that is not set: what is said would go to all, or the file be left out.
				if cmd.Flags().Changed(flag) && strings.TrimSpace(given) == "" {
					return cli.Usage("--%s is empty: nothing was sent", flag)
				}
			}
			if len(args) == 1 && file == "" {
				return cli.Args("ROOM", "TEXT")(cmd, args)
			}
			return a.say(cmd.Context(), args[0], args[1:], to, file, linger)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "send the file at `PATH`, of up to 32 MiB, after TEXT if there is any")
	cmd.Flags().StringVar(&to, "to", "", "for those alone whose key satisfies `POLICY`")
	cmd.Flags().DurationVar(&linger, "linger", 10*time.Second, "wait so long until it is sent")
	return cmd
}

func (a *app) say(ctx context.Context, name string, texts []string, to, file string, linger time.Duration) error {
	var all []chat.Command
	for _, said := range texts {
		if said == "-" {
			typed, err := io.ReadAll(io.LimitReader(a.stdin, lines.MaxLine))
			if err != nil {
				return err
			}
			said = strings.TrimRight(string(typed), "\r\n")
		}
		if strings.TrimSpace(said) == "" {
			return cli.Usage("TEXT is empty: nothing was sent")
		}
		if bad := isCommand(name, said); bad != nil {
			return bad
		}
		all = append(all, chat.Say{Text: said, To: to})
	}
	if file != "" {
		// Seen before anything is said, which could not be taken back.
		switch bad := chat.Sendable(chat.Path(file)); {
		case to != "":
			return cli.Usage("a file goes to all in the room: --to and --file exclude each other")
		case file == "-":
			return cli.Usage("what is piped has no name: --file takes the path of a file")
		case bad != nil:
			return bad
		}
		all = append(all, chat.File{Path: chat.Path(file)})
	}
	home, e, err := a.at(name)
	if err != nil {
		return err
	}
	return home.Say(ctx, e, linger, all...)
}

// isCommand is the error for words that are a command where they are typed: all would read them.
func isCommand(name, said string) error {
	typed := strings.TrimSpace(said)
	word, _ := chat.Words(typed)
	is := func(c chat.Slash) bool { return c.Name == word }
	if !strings.HasPrefix(typed, "/") || !slices.ContainsFunc(chat.Slashes, is) {
		return nil
	}
	e := cli.Usage("/%s is a command, and coterie say says words alone: nothing was sent", word)
	if word == "to" {
		return e.Hint("coterie say %s --to 'POLICY' 'WORDS'", cli.Quote(name))
	}
	return e.Hint("coterie join %s, and type it there", cli.Quote(name))
}
