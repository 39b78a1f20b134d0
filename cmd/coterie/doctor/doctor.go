// Package doctor checks a computer, a key and the way to a room, and says what to do about
// what is wrong.
//
//	doctor.go   the checks, and how their results are told
//	local.go    checks of this computer, the key and the room
//	network.go  checks of the network
package doctor

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
)

// Options are what is to be checked, and how that is told.
type Options struct {
	Profile *profile.Profile
	// Key, Room and Identity are what was typed; empty: those of the settings.
	Key, Identity, PassphraseFile, Room string
	JSON, Full                          bool
	In                                  io.Reader
	Out                                 io.Writer
	Now                                 func() time.Time
}

// A diagnosis is a run of the doctor's.
type diagnosis struct {
	Options
	problems, remarks int
	broken            error // why nothing can be printed
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

// Run checks this computer, and what the options name. The error has the exit status.
func Run(o Options) error {
	d := &diagnosis{Options: o}
	if !d.JSON {
		d.put("%-7s %-12s %s\n", "RESULT", "CHECK", "MESSAGE")
	}
	for _, check := range []func(){
		d.version, d.terminal, d.config, d.identity, d.theRoom, d.history, d.theKey, d.policy, // offline
		d.look, d.clock, d.port, d.udp, d.reachable, d.bootstrap, d.mdns, d.running, d.selfTest,
	} {
		if check(); d.broken != nil {
			return cli.Describe(d.broken)
		}
	}
	if !d.JSON {
		d.put("%s, %s. To report: coterie doctor --json (addresses and ids are shortened; --full keeps them)\n",
			cli.Plural(d.problems, "problem"), cli.Plural(d.remarks, "remark"))
	}
	if d.broken != nil {
		return cli.Describe(d.broken)
	}
	if d.problems > 0 {
		return cli.Silent(cli.StatusFailed)
	}
	return nil
}

// put prints; what cannot be printed ends the diagnosis.
func (d *diagnosis) put(format string, a ...any) {
	if _, err := fmt.Fprintf(d.Out, format, a...); err != nil && d.broken == nil {
		d.broken = err
	}
}

// tell prints one result. The error's hints are below it.
func (d *diagnosis) tell(result, check, text string, hints ...string) {
	switch result {
	case "FAIL":
		d.problems++
	case "warn":
		d.remarks++
	}
	if !d.Full {
		text = d.shorten(text)
		for i := range hints {
			hints[i] = d.shorten(hints[i])
		}
	}
	if d.JSON {
		d.put("%s", lines.NewObject("check").Add("check", check).Add("result", result).Add("text", text).
			Maybe("hint", strings.Join(hints, "\n")).Line())
		return
	}
	d.put("%-7s %-12s %s\n", result, check, cli.Clean(text))
	for _, h := range hints {
		d.put("%-20s hint: %s\n", "", cli.Clean(h))
	}
}

// shorten takes what identifies people out of a text that will be passed on: the
// long ids, wherever they stand.
func (d *diagnosis) shorten(text string) string {
	if !d.JSON {
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
