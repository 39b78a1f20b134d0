package main

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

func (a *app) readCommand() *cobra.Command {
	var f house.Flags
	var follow bool
	cmd := &cobra.Command{
		Use:   "read ROOM",
		Short: "print what was said lately in a room that coterie up has open",
		Example: `  coterie read exam
  coterie read exam --follow --json
  coterie save exam 1           (a file of which it says so)`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Given = cmd.Flags().Changed
			return a.read(cmd.Context(), args[0], f, follow)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with what is said")
	cmd.Flags().BoolVar(&f.JSON, "json", false, "one JSON object a line, as join --json")
	cmd.Flags().StringVar(&f.Clock, "time", "short", "times in plain lines: short, full, none or a layout")
	cmd.RegisterFlagCompletionFunc("time", completeWords("short", "full", "none"))
	return cmd
}

func (a *app) read(ctx context.Context, name string, f house.Flags, follow bool) error {
	home, e, err := a.at(name)
	if err != nil {
		return err
	}
	var out house.Face = lines.NewJSON(a.stdout, a.now)
	if !f.JSON {
		plain, err := lines.NewPlain(a.stdout, a.stderr, f.Clock)
		if err != nil {
			return err
		}
		plain.Save = "coterie save " + cli.Quote(name)
		out = plain
	}
	out.Hello()
	f.Stay, f.Colour = true, "never"
	out = &reader{Face: out, all: f.JSON, follow: follow}
	return a.attach(ctx, home, e.ID, f, bufio.NewReaderSize(strings.NewReader(""), lines.MaxLine), out, "")
}

// A reader is a face for who reads what is said: words alone, or all there is.
type reader struct {
	house.Face
	all, follow, over bool
}

func (r *reader) Show(s *chat.State, e chat.Event, said []chat.Line) {
	switch e.What.(type) {
	case room.Delivered, room.Opened, room.Changed:
		r.Face.Show(s, e, nil)
		return
	case chat.Waiting: // what was before ends with it
		r.over = r.over || !r.follow
	}
	if r.all {
		r.Face.Show(s, e, said)
	}
}

func (r *reader) Broken() error {
	if r.over {
		return io.EOF
	}
	return r.Face.Broken()
}
