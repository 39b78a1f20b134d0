package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/room"
)

func (a *app) linkCommand() *cobra.Command {
	var asQR, asJSON bool
	cmd := &cobra.Command{
		Use:   "link LINK|ROOM|-",
		Short: "see what a room's link says, or make one of a room of yours",
		Example: `  coterie link exam             (of a room that you are in, or were: the link alone)
  coterie link exam | pbcopy    (or wl-copy, xclip, clip: ready to be pasted)
  coterie link exam --qr
  coterie link 'coterie:2:exam:...'        (what it says)`,
		Args:              cli.Args("LINK"),
		ValidArgsFunction: a.completeRooms,
		RunE:              func(_ *cobra.Command, args []string) error { return a.link(args[0], asQR, asJSON) },
	}
	cmd.Flags().BoolVar(&asQR, "qr", false, "draw it as a QR code")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func (a *app) link(what string, asQR, asJSON bool) error {
	if what == "-" {
		line, err := bufio.NewReaderSize(a.stdin, lines.MaxLine).ReadString('\n')
		if err != nil && (err != io.EOF || line == "") {
			return cli.Usage("no link on standard input")
		}
		what = strings.TrimSpace(line)
	}
	what = room.Pasted(what)
	var l *room.Link
	var err error
	if room.IsLink(what) {
		if l, err = room.ParseLink(what); err != nil {
			return chat.LinkError(err)
		}
	} else {
		if err := house.NotAName(what); err != nil {
			return err
		}
		if l, err = a.roomLink(what); err != nil {
			return err
		}
	}
	switch {
	case asQR && asJSON:
		return cli.Usage("--qr and --json exclude each other")
	case asQR:
		rows, err := ui.QR(a.stdout, l.String(), 0, 0)
		if err != nil {
			return err
		}
		_, err = io.WriteString(a.stdout, strings.Join(rows, "\n")+"\n")
		return err
	case asJSON:
		addrs := []string{}
		for _, m := range l.Addresses {
			addrs = append(addrs, m.String())
		}
		_, err := a.stdout.Write(lines.NewObject("link").Add("link", l.String()).Add("room", l.Name).
			Add("room_id", lines.ID(l.ID())).Add("domain_id", hex.EncodeToString(l.Domain[:])).
			Add("policy", l.Policy.String()).Add("history_ms", l.History.Milliseconds()).
			Add("questions", l.Questions).Add("unlisted", len(l.Tag) > 0).Add("addresses", addrs).Line())
		return err
	}
	if !room.IsLink(what) {
		// The link alone is the result: | pbcopy has it. The rest is for whoever looks on.
		w := chat.ReachOf(l.Addresses).Warning()
		switch {
		case len(l.Addresses) == 0: // it was said
		case w != "":
			cli.Warn(a.stderr, cli.Fail("link-reach", "the link%s", strings.TrimSuffix(strings.TrimPrefix(w, "It"), ".")))
		default:
			secret := "no secret is in it"
			if len(l.Tag) > 0 {
				secret = "whoever has it knows of the room"
			}
			fmt.Fprintf(a.stderr, "The link of %s, with %s; %s.\n", cli.Clean(l.Name),
				cli.Plural(len(l.Addresses), "address"), secret)
		}
		_, err := fmt.Fprintln(a.stdout, l)
		return err
	}
	history := "off: who comes later reads nothing from before"
	if l.History > 0 {
		history = "newcomers read what was said in the last " + text.Span(l.History)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "room      %s  %s\ndomain    %s\npolicy    %s\nhistory   %s\n", cli.Clean(l.Name),
		room.Fingerprint(l.ID()), room.Fingerprint(l.Domain), cli.Clean(l.Policy.String()), history)
	if l.Questions {
		fmt.Fprintln(&out, "questions taken from outside: coterie ask LINK 'WORDS' --domain FILE")
	}
	for _, m := range l.Addresses {
		fmt.Fprintf(&out, "address   %s\n", m)
	}
	if len(l.Tag) > 0 {
		fmt.Fprintln(&out, "unlisted  whoever has this link knows of the room")
	}
	_, err = io.WriteString(a.stdout, out.String())
	return err
}

// roomLink is the link of a room: as a running process of ours gives it, with its
// addresses; or as it is remembered, with those of others.
func (a *app) roomLink(name string) (*room.Link, error) {
	rooms, err := a.Rooms()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rooms, func(r profile.Room) bool { return r.Name == name })
	running, err := a.running(name)
	if err != nil {
		return nil, err
	}
	for _, r := range running {
		answer, err := r.Ask(control.Question{Link: true})
		if err != nil {
			continue
		}
		l, err := room.ParseLink(answer.Link)
		if err == nil && (i < 0 || slices.ContainsFunc(rooms, func(r profile.Room) bool { return r.Is(l.Descriptor) })) {
			return l, nil
		}
	}
	if i < 0 {
		return nil, profile.NoRoom(name, len(rooms) > 0)
	}
	d, err := rooms[i].Descriptor()
	if err != nil {
		return nil, err
	}
	// It may have been joined with several keys.
	var known []string
	for _, r := range rooms {
		if r.Is(d) {
			known = append(known, r.Addresses...)
		}
	}
	addrs, err := profile.Addresses("address", known)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		cli.Warn(a.stderr, cli.Fail("link-bare",
			"the link has no addresses yet: %s does not run, and nobody else was met in it", cli.Clean(name)).
			Hint("coterie join %s, and then once more; a link without addresses still needs --bootstrap", cli.Quote(name)))
	}
	return &room.Link{Descriptor: d, Addresses: addrs}, nil
}
