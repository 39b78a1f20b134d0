package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/kms/keyfile"
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
}

func (a *app) doctor(f doctorFlags) error {
	d := &diagnosis{a: a, f: f}
	if !f.json {
		fmt.Fprintf(a.stdout, "%-7s %-12s %s\n", "RESULT", "CHECK", "MESSAGE")
	}
	for _, check := range []func(){d.version, d.terminal, d.config, d.identity, d.theRoom, d.theKey, d.policy, d.port, d.bootstrap, d.running, d.selfTest} {
		check()
	}
	if !f.json {
		fmt.Fprintf(a.stdout, "%s, %s\n", cli.Plural(d.problems, "problem"), cli.Plural(d.remarks, "remark"))
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
		d.a.stdout.Write(newObject("check").add("check", check).add("result", result).add("text", text).maybe("hint", strings.Join(hints, "\n")).line())
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
	return text
}

func (d *diagnosis) fail(check string, err error) {
	e := cli.Describe(err)
	d.tell("FAIL", check, strings.Join(append([]string{e.Text}, e.Details...), "; "), e.Hints...)
}

func (d *diagnosis) version() {
	d.tell("ok", "version", fmt.Sprintf("coterie %s, protocol 1, %s %s/%s", cli.ProgramVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
}

func (d *diagnosis) terminal() {
	in, ok := d.a.stdin.(*os.File)
	out, ok2 := d.a.stdout.(*os.File)
	if !ok || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		d.tell("ok", "terminal", "none: plain lines")
		return
	}
	w, h, err := term.GetSize(int(out.Fd()))
	if err != nil {
		w, h = 0, 0
	}
	name := os.Getenv("TERM")
	if name == "" {
		name = "TERM is not set"
	}
	utf8 := "UTF-8"
	locale := os.Getenv("LC_ALL") + os.Getenv("LC_CTYPE") + os.Getenv("LANG")
	if !strings.Contains(strings.ToUpper(strings.ReplaceAll(locale, "-", "")), "UTF8") {
		d.tell("warn", "terminal", fmt.Sprintf("%s, %dx%d, not UTF-8", name, w, h), "export LANG=C.UTF-8")
		return
	}
	d.tell("ok", "terminal", fmt.Sprintf("%s, %s, %dx%d", name, utf8, w, h))
}

func (d *diagnosis) config() {
	c, err := d.a.settings()
	if err != nil {
		d.fail("config", err)
		return
	}
	d.a.passphraseCommand = c.PassphraseCommand
	d.keyPath = c.Key
	if d.f.identity == "" {
		d.f.identity = c.Identity
	}
	if _, err := os.Stat(c.path); err != nil {
		d.tell("ok", "config", "none: the defaults")
		return
	}
	d.tell("ok", "config", tilde(c.path))
}

func (d *diagnosis) identity() {
	path, err := d.a.identityPath(d.f.identity)
	if err != nil {
		d.fail("identity", err)
		return
	}
	data, err := keyfile.ReadSecret(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.f.identity == "":
		d.tell("ok", "identity", "none yet: coterie request makes it")
	case err != nil:
		d.fail("identity", err)
	case keyfile.KindOf(data) == keyfile.Identity:
		d.tell("warn", "identity", tilde(path)+", without a passphrase: whoever copies it has your keys", "coterie passphrase")
	default:
		d.tell("ok", "identity", tilde(path)+", with a passphrase")
	}
	clear(data)
}

// theRoom finds out which room is meant, if any.
func (d *diagnosis) theRoom() {
	name := d.f.room
	if name == "" {
		return
	}
	if room.IsLink(name) {
		l, err := room.ParseLink(name)
		if err != nil {
			d.fail("room", linkError(err))
			return
		}
		d.desc, d.addrs = l.Descriptor, l.Addresses
		return
	}
	r, ok, err := d.a.recall(name, d.f.key)
	if err == nil && !ok {
		err = d.a.noRoom(nil, name)
	}
	if err == nil {
		d.desc, err = r.bare()
	}
	if err == nil {
		d.addrs, err = addresses("address", r.Addresses)
	}
	if err != nil {
		d.fail("room", err)
		return
	}
	d.keyPath = r.Key
}

func (d *diagnosis) theKey() {
	if d.f.key != "" {
		d.keyPath = d.f.key
	}
	if d.keyPath == "" {
		return
	}
	ids, err := d.a.identities(d.f.identity, d.f.passphraseFile)
	if err == nil {
		d.key, err = keyfile.LoadKey(d.keyPath, ids)
	}
	if err != nil {
		d.fail("key", err)
		return
	}
	today := abe.DayOf(d.a.now())
	left := int(d.key.Expires()) - int(today)
	text := fmt.Sprintf("%s: %s; %s; %s", tilde(d.keyPath), d.key.Domain().Name(), attributeText(d.key), cli.Plural(max(left, 0), "more day"))
	switch {
	case left <= 0:
		d.fail("key", cli.KeyExpired(d.keyPath, d.key, today))
	case today < d.key.From():
		d.tell("FAIL", "key", fmt.Sprintf("%s is valid from %s", tilde(d.keyPath), d.key.From()), "is this computer's clock right?")
	case left <= 7:
		d.tell("warn", "key", text, "ask the operator for a renewal")
	default:
		d.tell("ok", "key", text)
	}
}

// policy checks that the key gets in, and how long that takes here.
func (d *diagnosis) policy() {
	if d.desc == nil || d.key == nil {
		return
	}
	domain := d.key.Domain()
	if domain.ID() != d.desc.Domain {
		d.fail("policy", wrongDomain(domain, room.Fingerprint(d.desc.Domain)))
		return
	}
	e := d.desc.Policy.Explain(d.key.Attributes(), d.key.Generation())
	if !e.Satisfied {
		d.fail("policy", unsatisfied(&plan{descriptor: d.desc, key: d.key}, e))
		return
	}
	today := abe.DayOf(d.a.now())
	if !d.key.ValidOn(today) {
		return // said already
	}
	suite := room.NewABE(d.key, d.desc.Policy)
	seed, err := ake.NewSecret(rand.Reader)
	if err != nil {
		d.fail("policy", err)
		return
	}
	ctx := &ake.Context{Room: d.desc.ID(), Day: today}
	began := time.Now()
	made, err := suite.Encapsulate(seed, ctx)
	if err != nil {
		d.fail("policy", err)
		return
	}
	mid := time.Now()
	if _, err := suite.Open(ctx, made.Bytes); err != nil {
		d.tell("FAIL", "policy", "the key says that it satisfies the policy, and opens nothing", "the key file does not fit its domain: ask the operator for another")
		return
	}
	d.tell("ok", "policy", fmt.Sprintf("satisfied through %s; encapsulate %d ms, open and compare %d ms on this machine",
		e.Through, mid.Sub(began).Milliseconds(), time.Since(mid).Milliseconds()))
}

// port checks that the addresses of the settings can be listened on.
func (d *diagnosis) port() {
	c, err := d.a.settings()
	if err != nil {
		return // said already
	}
	listen, err := addresses("listen", c.Listen)
	if err != nil {
		d.fail("port", err)
		return
	}
	r, err := node.NewRelay(node.RelayConfig{Listen: listen})
	if err != nil {
		d.fail("port", nodeError(err))
		return
	}
	text := listeningText(r.Addresses())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Run(ctx)
	if len(listen) == 0 {
		text = "any free port: " + text
	}
	d.tell("ok", "port", text)
}

func (d *diagnosis) bootstrap() {
	c, err := d.a.settings()
	if err != nil {
		return
	}
	more, err := addresses("bootstrap", c.Bootstrap)
	if err != nil {
		d.fail("bootstrap", err)
		return
	}
	for _, m := range append(d.addrs, more...) {
		p, err := node.Probe(context.Background(), m)
		switch {
		case errors.Is(err, node.ErrWrongPeer):
			d.tell("FAIL", "bootstrap", fmt.Sprintf("%s is a different peer", m), "get a fresh link, or leave out /p2p/... on your own network")
		case err != nil:
			d.tell("FAIL", "bootstrap", fmt.Sprintf("%s: %s", m, lastLine(err)), "is 'coterie relay' running there? is the port right?")
		case !p.Coterie:
			d.tell("FAIL", "bootstrap", fmt.Sprintf("%s answers, and does not speak protocol 1", m), "is it a coterie peer?")
		default:
			what := "a member"
			if p.Relay {
				what = "a relay"
			}
			d.tell("ok", "bootstrap", fmt.Sprintf("%s, %s, %d ms", m, what, p.Took.Milliseconds()))
		}
	}
}

// running asks the room, if it runs.
func (d *diagnosis) running() {
	if d.desc == nil {
		return
	}
	rooms, err := d.a.running(d.desc.Name)
	if err != nil || len(rooms) == 0 {
		d.tell("ok", "room", d.desc.Name+" does not run here now")
		return
	}
	for _, r := range rooms {
		answer, err := r.ask(doorQuestion{Status: true})
		switch {
		case err != nil:
			d.tell("FAIL", "room", fmt.Sprintf("process %d does not answer: %v", r.PID, err))
		case !answer.OK:
			d.tell("warn", "room", strings.Join(answer.Lines[:1], ""), "coterie status "+cli.Quote(r.Room))
		default:
			d.tell("ok", "room", strings.Join(answer.Lines[:1], ""))
		}
	}
}

func (d *diagnosis) selfTest() {
	quiet := *d.a
	var out strings.Builder
	quiet.stdout, quiet.stderr = &out, io.Discard
	if err := quiet.demoPlay(demoFlags{check: true}); err != nil {
		d.fail("self-test", err)
		return
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	d.tell("ok", "self-test", "demo --check: "+lines[len(lines)-1])
}
