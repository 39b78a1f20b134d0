package main

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/demo"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
)

type demoFlags struct {
	check, json bool
	files       string
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "see it work on this computer alone: no files, no network",
		Long: `See it work on this computer alone: a throw-away domain, four keys, four peers and a relay. Nothing leaves the computer, and nothing is kept.
With --check it is the smoke test: it tells what was checked, and the exit status whether all of it held.`,
		Example: `  coterie demo
  coterie demo --check
  coterie demo --files scratch        (writes keys for three terminals of your own)`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.check, "check", false, "only check that everything works, and end")
	flags.StringVar(&f.files, "files", "", "write a domain and keys into the new folder `DIR`, and say how to use them")
	flags.BoolVar(&f.json, "json", false, "with --check: one JSON object a line")
	return cmd
}

func (a *app) demo(f demoFlags) error {
	var out demo.Out = &demo.Plain{W: a.stdout}
	switch {
	case f.files != "" && (f.check || f.json):
		return cli.Usage("--files goes with no other flag")
	case f.json && !f.check:
		return cli.Usage("--json needs --check").Hint("coterie demo --check --json")
	case f.files != "":
		return demo.Files(a.stdout, f.files, a.now())
	case f.json:
		out = &demo.JSON{JSON: lines.NewJSON(a.stdout, a.now)}
	}
	if f.check {
		return demo.Check(out, a.now)
	}
	st, err := demo.Play(out, false, a.now)
	if err != nil {
		return err
	}
	defer st.Close()
	return a.demoRoom(st)
}

// demoRoom leaves the stage to the user: ann and prof answer what they type.
func (a *app) demoRoom(st *demo.Stage) error {
	plain, err := lines.NewPlain(a.stdout, a.stderr, "short")
	if err != nil {
		return err
	}
	var out house.Face = plain
	if ui.CanDraw(a.stdin, a.stdout) {
		out = &terminal{Plain: plain, app: a}
	}
	fmt.Fprintln(a.stdout)
	cli.Print(a.stdout, "Now it is your turn, as one of the three in the room. ann and prof say what to try. "+
		"/quit ends it.", "")
	fmt.Fprintln(a.stdout)
	in := bufio.NewReaderSize(a.stdin, lines.MaxLine)
	if _, onTerminal := out.(*terminal); onTerminal { // which covers all this
		fmt.Fprint(a.stdout, "Press Enter to go in. ")
		if _, err := in.ReadString('\n'); err != nil {
			return nil
		}
	}
	n, key, d := st.You()
	p := &house.Plan{
		Key: key, Nick: demo.Nick, Descriptor: d, Hold: 10 * time.Minute, Kept: make(profile.Values),
		Through: d.Policy.Explain(key.Attributes(), key.Generation()).Through,
		Flags:   house.Flags{Linger: time.Second},
	}
	t, onTerminal := out.(*terminal)
	r := a.NewRoom(p, n, nil, nil, out)
	if onTerminal {
		t.show(r, p, ui.Config{})
	}
	events, ended := st.TakeOver()
	if err := a.attend(context.Background(), r, p, in, out, events, ended); err != nil {
		return err
	}
	if e, ok := st.GoneOn(); ok {
		cli.Print(a.stdout, fmt.Sprintf("You left; ann and prof made keys %x without you, so you could not read on even "+
			"with your key.", e.ID[:2]), "")
	}
	fmt.Fprint(a.stdout, "For real:   two people, two computers              (README.md)\n"+
		"            kms init MYDOMAIN        make keys             (docs/OPERATOR.md)\n"+
		"            coterie request          ask somebody for one  (docs/MEMBER.md)\n")
	return nil
}
