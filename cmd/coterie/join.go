package main

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
)

func (a *app) joinCommand() *cobra.Command {
	var f house.Flags
	cmd := &cobra.Command{
		Use:   "join ROOM|LINK|-",
		Short: "take part in a room",
		Long: `Take part in a room. The room is its name, its policy and the domain of the key: whoever types the same is in the same room.
Type, and press Enter: it is sent to everybody who can read the room. /who says who that is, /quit goes away.`,
		Example: `  coterie join exam --key kari.key --policy '("NTNU" and "5th year") or "Professor"' --listen /ip4/0.0.0.0/tcp/4001
  coterie join exam --key ann.key --policy '("NTNU" and "5th year") or "Professor"' --bootstrap /ip4/10.0.0.7/tcp/4001
  coterie join 'coterie:2:exam:...' --key ann.key        (or: coterie join - to read the link from standard input)
  coterie join exam                                      (again: room, policy, key and addresses are remembered)`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Given = cmd.Flags().Changed
			return a.join(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.Key, "key", "", "your key `FILE`")
	flags.StringVar(&f.Policy, "policy", "", "who may enter: `POLICY`, as 'kms policy' explains it")
	flags.StringArrayVar(&f.Bootstrap, "bootstrap", nil, "a peer to begin with: `ADDR`, such as relay.ntnu.no or "+
		"10.0.0.7:4001; may be given several times")
	flags.StringArrayVar(&f.Listen, "listen", nil, "listen on `MULTIADDR` (default: a port of the room's own)")
	flags.StringVar(&f.Nick, "nick", "", "what you call yourself: `NAME`")
	flags.StringVar(&f.History, "history", "", "how far back newcomers may read: `SPAN`, such as 7d; part of the room")
	flags.BoolVar(&f.Questions, "questions", false, "whoever has the link may ask without a key; part of the room")
	flags.StringVar(&f.Keep, "keep", "", "how much is kept on disk of what is said: `SIZE`, such as 500MB (default 2GB)")
	flags.StringVar(&f.Identity, "identity", "", "open a sealed key with the age identities in `FILE`")
	flags.StringVar(&f.PassphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	flags.StringVar(&f.Notice, "notice", "", "take the domain's notice of revoked keys in `FILE`, and pass it on")
	flags.BoolVar(&f.Ephemeral, "ephemeral", false, "keep nothing on disk, and be another peer each time")
	flags.BoolVar(&f.JSON, "json", false, "one JSON object a line, in and out")
	flags.BoolVar(&f.Plain, "plain", false, "plain lines, also on a terminal")
	flags.DurationVar(&f.Linger, "linger", 10*time.Second, "after the end of input, wait so long for a reader")
	flags.BoolVar(&f.Stay, "stay", false, "go on reading after the end of input")
	flags.StringVar(&f.Clock, "time", "short", "times in plain lines: short, full, none or a layout")
	flags.StringVar(&f.Colour, "color", "auto", "colours: never, always, or auto, as the terminal and NO_COLOR say")
	flags.StringVar(&f.Log, "log", "", "append a log to `FILE`, JSON lines without texts and keys")
	flags.StringVar(&f.Metrics, "metrics", "", house.MetricsHelp)
	cmd.RegisterFlagCompletionFunc("key", completeFiles("key"))
	cmd.RegisterFlagCompletionFunc("notice", completeFiles("notice"))
	cmd.RegisterFlagCompletionFunc("policy", a.completePolicy)
	cmd.RegisterFlagCompletionFunc("time", completeWords("short", "full", "none"))
	cmd.RegisterFlagCompletionFunc("color", completeWords("auto", "always", "never"))
	return cmd
}

func (a *app) join(ctx context.Context, name string, f house.Flags) error {
	var out house.Face
	in := bufio.NewReaderSize(a.stdin, lines.MaxLine)
	switch {
	case f.JSON && f.Plain:
		return cli.Usage("--json and --plain exclude each other")
	case !slices.Contains([]string{"auto", "always", "never"}, f.Colour):
		return cli.Usage("--color: %q is not auto, always or never", f.Colour)
	case f.JSON:
		out = lines.NewJSON(a.stdout, a.now)
	default:
		p, err := lines.NewPlain(a.stdout, a.stderr, f.Clock)
		if err != nil {
			return err
		}
		out = p
		if !f.Plain && ui.CanDraw(a.stdin, a.stdout) {
			out = &terminal{Plain: p, app: a}
		}
	}
	out.Hello()
	a.Removed = out.Warn
	if !f.Ephemeral {
		home, err := house.FindHome(&a.Profile)
		if err != nil {
			return out.Fatal(err)
		}
		if home != nil {
			return a.joinAt(ctx, home, name, f, in, out)
		}
	}
	p, err := a.Plan(name, f, in, out)
	if err != nil {
		return out.Fatal(err)
	}
	if plain, ok := out.(interface{ Use(string, bool) }); ok {
		plain.Use(p.Flags.Clock, p.Flags.Colour == "always")
	}
	if err := a.agree(p); err != nil {
		return out.Fatal(err)
	}
	o, err := a.begin(p, out)
	if err != nil {
		return out.Fatal(err)
	}
	return a.runRoom(ctx, o, in, out)
}

// agree asks about a room that came as a link, before anything is dialled. Where
// nobody can be asked, having typed the link is enough.
func (a *app) agree(p *house.Plan) error {
	if p.Link.Descriptor == nil || p.Flags.JSON || !ui.IsTerminal(a.stdin, a.stdout) {
		return nil
	}
	d, k := p.Descriptor, p.Key
	fmt.Fprintf(a.stdout, "Room      %s, in %s %s (your key is from this domain)\nPolicy    %s\nYou       satisfy it "+
		"through %s\nHistory   %s\n",
		cli.Clean(d.Name), cli.Clean(k.Domain().Name()), k.Domain().Fingerprint(), cli.Clean(d.Policy.String()),
		cli.Clean(p.Through), chat.Newcomers(d))
	return agreed()
}
