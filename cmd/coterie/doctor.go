package main

import (
	"fmt"
	"regexp"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
)

type doctorFlags struct {
	key, identity, passphraseFile string
	room                          string
	json, full                    bool
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "check this computer, your key and the way to a room",
		Long:  "Check this computer, your key and the way to a room. The exit status is 0 if nothing failed.",
		Example: `  coterie doctor
  coterie doctor --key kari.key --room exam
  coterie doctor --json        (to send with a report: addresses and ids are shortened)`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error { return a.doctor(f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.key, "key", "", "your key `FILE` (default: that of the room, or of the settings)")
	flags.StringVar(&f.room, "room", "", "a `ROOM` that you joined, or a link")
	flags.StringVar(&f.identity, "identity", "", "open a sealed key with the age identities in `FILE`")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	flags.BoolVar(&f.json, "json", false, "one JSON object a line")
	flags.BoolVar(&f.full, "full", false, "do not shorten addresses and ids")
	cmd.RegisterFlagCompletionFunc("key", completeFiles("key"))
	cmd.RegisterFlagCompletionFunc("room", a.completeRooms)
	return cmd
}

// A diagnosis is a run of the doctor's.
type diagnosis struct {
	a                 *app
	f                 doctorFlags
	problems, remarks int
	key               *abe.Key
	keyPath           string
	desc              *room.Descriptor
	addrs             []ma.Multiaddr
	settings          *profile.Settings
	listen            []ma.Multiaddr
	survey            *node.Survey // nil: nothing could be looked at
	surveyErr         error
	rooms             []roomAnswer // the room, where it runs
}

func (a *app) doctor(f doctorFlags) error {
	d := &diagnosis{a: a, f: f}
	if !f.json {
		fmt.Fprintf(a.stdout, "%-7s %-12s %s\n", "RESULT", "CHECK", "MESSAGE")
	}
	for _, check := range []func(){
		d.version, d.terminal, d.config, d.identity, d.theRoom, d.history, d.theKey, d.policy, // offline
		d.look, d.clock, d.port, d.udp, d.reachable, d.bootstrap, d.mdns, d.running, d.selfTest,
	} {
		check()
	}
	if !f.json {
		fmt.Fprintf(a.stdout, "%s, %s. To report: coterie doctor --json (addresses and ids are shortened; --full keeps them)\n", cli.Plural(d.problems, "problem"), cli.Plural(d.remarks, "remark"))
	}
	if d.problems > 0 {
		return cli.Silent(cli.StatusFailed)
	}
	return nil
}

// tell prints one result. The error's hints are below it.
func (d *diagnosis) tell(result, check, text string, hints ...string) {
	switch result {
	case "FAIL":
		d.problems++
	case "warn":
		d.remarks++
	}
	if !d.f.full {
		text = d.shorten(text)
		for i := range hints {
			hints[i] = d.shorten(hints[i])
		}
	}
	if d.f.json {
		d.a.stdout.Write(lines.NewObject("check").Add("check", check).Add("result", result).Add("text", text).Maybe("hint", strings.Join(hints, "\n")).Line())
		return
	}
	fmt.Fprintf(d.a.stdout, "%-7s %-12s %s\n", result, check, cli.Clean(text))
	for _, h := range hints {
		fmt.Fprintf(d.a.stdout, "%-20s hint: %s\n", "", cli.Clean(h))
	}
}

// shorten takes what identifies people out of a text that will be passed on: the
// long ids, wherever they stand.
func (d *diagnosis) shorten(text string) string {
	if !d.f.json {
		return text
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '/' || r == ',' })
	for _, w := range words {
		if len(w) > 40 {
			text = strings.ReplaceAll(text, w, w[:4]+"…"+w[len(w)-4:])
		}
	}
	text = ip6.ReplaceAllString(text, "$1$2::…")
	return ip4.ReplaceAllString(text, "$1.…")
}

// ip4 and ip6 are addresses, and what stays of them.
var (
	ip4 = regexp.MustCompile(`\b([0-9]{1,3}\.[0-9]{1,3})\.[0-9]{1,3}\.[0-9]{1,3}\b`)
	ip6 = regexp.MustCompile(`(/ip6/|\[)([0-9a-f]*)[0-9a-f:.]*`)
)

func (d *diagnosis) fail(check string, err error) {
	e := cli.Describe(err)
	d.tell("FAIL", check, strings.Join(append([]string{e.Text}, e.Details...), "; "), e.Hints...)
}
