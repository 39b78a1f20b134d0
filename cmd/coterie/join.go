package main

import (
	"bufio"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
)

// joinFlags are the flags of join as they were typed.
type joinFlags struct {
	key, identity, passphraseFile string
	policy, nick, history, keep   string
	bootstrap, listen             []string
	notice                        string
	json, plain, stay, ephemeral  bool
	questions                     bool
	linger                        time.Duration
	clock, colour, log, metrics   string

	given func(flag string) bool
}

func (a *app) joinCommand() *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use:   "join ROOM|LINK|-",
		Short: "take part in a room",
		Long: `Take part in a room. The room is its name, its policy and the domain of the key: whoever types the same is in the same room.
Type, and press Enter: it is sent to everybody who can read the room. /who says who that is, /quit leaves.`,
		Example: `  coterie join exam --key kari.key --policy '("NTNU" and "5th year") or "Professor"' --listen /ip4/0.0.0.0/tcp/4001
  coterie join exam --key ann.key --policy '("NTNU" and "5th year") or "Professor"' --bootstrap /ip4/10.0.0.7/tcp/4001
  coterie join 'coterie:2:exam:...' --key ann.key        (or: coterie join - to read the link from standard input)
  coterie join exam                                      (again: room, policy, key and addresses are remembered)`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.given = cmd.Flags().Changed
			return a.join(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.key, "key", "", "your key `FILE`")
	flags.StringVar(&f.policy, "policy", "", "who may enter: `EXPR`, as 'kms policy' explains it")
	flags.StringArrayVar(&f.bootstrap, "bootstrap", nil, "a peer to begin with: `ADDR`, such as relay.ntnu.no or "+
		"10.0.0.7:4001; may be given several times")
	flags.StringArrayVar(&f.listen, "listen", nil, "listen on `MULTIADDR` (default: any free port)")
	flags.StringVar(&f.nick, "nick", "", "what you call yourself: `NAME`")
	flags.StringVar(&f.history, "history", "", "how far back newcomers may read: `SPAN`, such as 7d; part of the room")
	flags.BoolVar(&f.questions, "questions", false, "whoever has the link may ask without a key; part of the room")
	flags.StringVar(&f.keep, "keep", "", "how much is kept on disk of what is said: `SIZE`, such as 500MB (default 2GB)")
	flags.StringVar(&f.identity, "identity", "", "open a sealed key with the age identities in `FILE`")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	flags.StringVar(&f.notice, "notice", "", "take the domain's notice of revoked keys in `FILE`, and pass it on")
	flags.BoolVar(&f.ephemeral, "ephemeral", false, "keep nothing on disk, and be another peer each time")
	flags.BoolVar(&f.json, "json", false, "one JSON object a line, in and out")
	flags.BoolVar(&f.plain, "plain", false, "plain lines, also on a terminal")
	flags.DurationVar(&f.linger, "linger", 10*time.Second, "after the end of input, wait so long for a reader")
	flags.BoolVar(&f.stay, "stay", false, "go on reading after the end of input")
	flags.StringVar(&f.clock, "time", "short", "times in plain lines: short, full, none or a layout")
	flags.StringVar(&f.colour, "color", "auto", "colours: never, always, or auto, as the terminal and NO_COLOR say")
	flags.StringVar(&f.log, "log", "", "append a log to `FILE`, JSON lines without texts and keys")
	flags.StringVar(&f.metrics, "metrics", "", metricsHelp)
	cmd.RegisterFlagCompletionFunc("key", completeFiles("key"))
	cmd.RegisterFlagCompletionFunc("notice", completeFiles("notice"))
	cmd.RegisterFlagCompletionFunc("policy", a.completePolicy)
	cmd.RegisterFlagCompletionFunc("time", completeWords("short", "full", "none"))
	cmd.RegisterFlagCompletionFunc("color", completeWords("auto", "always", "never"))
	return cmd
}

func (a *app) join(ctx context.Context, name string, f joinFlags) error {
	var out face
	in := bufio.NewReaderSize(a.stdin, lines.MaxLine)
	switch {
	case f.json && f.plain:
		return cli.Usage("--json and --plain exclude each other")
	case !slices.Contains([]string{"auto", "always", "never"}, f.colour):
		return cli.Usage("--color: %q is not auto, always or never", f.colour)
	case f.json:
		out = lines.NewJSON(a.stdout, a.now)
	default:
		p, err := lines.NewPlain(a.stdout, a.stderr, a.now, f.clock)
		if err != nil {
			return err
		}
		out = p
		if !f.plain && ui.CanDraw(a.stdin, a.stdout) {
			out = &terminal{Plain: p, app: a}
		}
	}
	out.Hello()
	a.Removed = out.Warn
	p, err := a.plan(name, f, in, out)
	if err != nil {
		return out.Fatal(err)
	}
	if plain, ok := out.(interface{ Use(string, bool) }); ok {
		plain.Use(p.flags.clock, p.flags.colour == "always")
	}
	if err := a.agree(p); err != nil {
		return out.Fatal(err)
	}
	o, err := a.begin(p, out)
	if err != nil {
		return out.Fatal(err)
	}
	defer o.close()
	return o.run(ctx, in, out)
}
