package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// The demonstration: a throw-away domain, and who plays in it.
const (
	demoDomain = "demo"
	demoPolicy = `NTNU and "5th year" or Professor`
	demoNick   = "guest"          // nobody may be called "you"
	demoTime   = 45 * time.Second // for all checks together
)

var demoCast = []struct {
	name       string
	attributes []string
}{
	{"you", []string{"NTNU", `"5th year"`}},
	{"ann", []string{"NTNU", `"5th year"`}},
	{"prof", []string{"Professor"}},
	{"mallory", []string{"NTNU"}},
}

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
	switch {
	case f.files != "" && (f.check || f.json):
		return cli.Usage("--files goes with no other flag")
	case f.json && !f.check:
		return cli.Usage("--json needs --check").Hint("coterie demo --check --json")
	case f.files != "":
		return a.demoFiles(f.files)
	}
	return a.demoPlay(f)
}

// demoKeys makes the domain and a key for each who plays, valid for a few days.
func (a *app) demoKeys() (*abe.MasterKey, map[string]*abe.Key, error) {
	master, err := abe.Setup(rand.Reader, demoDomain)
	if err != nil {
		return nil, nil, fmt.Errorf("making the domain: %w", err)
	}
	today := abe.DayOf(a.now())
	keys := make(map[string]*abe.Key)
	for i, c := range demoCast {
		attributes, err := abe.ParseAttributes(c.attributes)
		if err != nil {
			return nil, nil, fmt.Errorf("making a key: %w", err)
		}
		keys[c.name], err = master.Issue(rand.Reader, abe.Grant{
			Attributes: attributes, Serial: uint64(i + 1), Generation: 1, From: today, Expires: today + 90,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("making a key: %w", err)
		}
	}
	return master, keys, nil
}

// demoFiles writes keys for those who distrust a demonstration.
func (a *app) demoFiles(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		if os.IsExist(err) {
			return cli.Fail("exists", "%s exists", dir).Hint("choose another name")
		}
		return err
	}
	master, keys, err := a.demoKeys()
	if err != nil {
		return err
	}
	domain, err := master.Domain().MarshalBinary()
	if err != nil {
		return err
	}
	if err := keyfile.WritePublic(filepath.Join(dir, demoDomain+".domain"), domain); err != nil {
		return err
	}
	for _, c := range demoCast {
		b, err := keys[c.name].MarshalBinary()
		if err != nil {
			return err
		}
		if err := keyfile.WriteSecret(filepath.Join(dir, c.name+".key"), b); err != nil {
			return err
		}
	}
	join := func(name, how string) string {
		return fmt.Sprintf("  coterie join den --ephemeral --key %s --nick %s --policy '%s' %s /ip4/127.0.0.1/tcp/7101\n",
			cli.Quote(filepath.Join(dir, name+".key")), name, demoPolicy, how)
	}
	_, err = fmt.Fprintf(a.stdout, "Wrote %s/ (a domain and four keys without passphrase; for trying only, valid for 90 days). In three terminals:\n\n%s%s%s\nmallory's key does not satisfy the policy; you.key is one more that does.\n",
		cli.Clean(dir), join("ann", "--listen"), join("prof", "--bootstrap"), join("mallory", "--bootstrap"))
	return err
}

// demoPlay plays, and then, unless it is only a check, leaves the stage to the
// user.
func (a *app) demoPlay(f demoFlags) error {
	var out demoOut = &demoPlain{w: a.stdout}
	if f.json {
		out = &demoJSON{lines.NewJSON(a.stdout, a.now)}
	}
	began := a.now()
	out.begin(f.check)
	master, keys, err := a.demoKeys()
	if err != nil {
		return out.failed("", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), demoTime)
	defer cancel()
	st, err := newStage(master.Domain(), keys, out)
	if err != nil {
		return out.failed("making the peers", err)
	}
	defer st.close()
	if err := st.play(ctx); err != nil {
		return out.failed(st.doing, err)
	}
	if f.check {
		if err := st.finish(ctx); err != nil {
			return out.failed(st.doing, err)
		}
		return out.passed(st.checks, a.now().Sub(began))
	}
	return a.demoRoom(st, out)
}

// A demoOut shows how the demonstration goes.
type demoOut interface {
	begin(check bool)
	ok(text string, epoch []byte, readers int, took time.Duration)
	failed(doing string, err error) error
	passed(checks int, took time.Duration) error
}

type demoPlain struct{ w io.Writer }

func (p *demoPlain) begin(bool) {
	cli.Print(p.w, "A throw-away domain, four keys and four peers on this computer. Nothing leaves it; nothing is kept.", "")
	fmt.Fprintln(p.w)
	policy, err := abe.ParsePolicy(demoPolicy)
	if err == nil {
		fmt.Fprintf(p.w, "  policy   %s\n", policy)
	}
	for _, c := range demoCast {
		note := ""
		if c.name == "mallory" {
			note = "                          (does not satisfy the policy)"
		}
		fmt.Fprintf(p.w, "  %-8s %s%s\n", c.name, joined(c.attributes), note)
	}
	fmt.Fprintln(p.w)
}

func joined(words []string) string {
	out := ""
	for i, w := range words {
		if i > 0 {
			out += ", "
		}
		out += w
	}
	return out
}

func (p *demoPlain) ok(text string, epoch []byte, readers int, took time.Duration) {
	if epoch == nil {
		cli.Print(p.w, "ok   "+text, "     ")
		return
	}
	time := ""
	if took > 0 {
		time = fmt.Sprintf("    %d ms", took.Milliseconds())
	}
	fmt.Fprintf(p.w, "ok   %-36s   epoch %x   %d can read%s\n", text, epoch[:2], readers, time)
}

func (p *demoPlain) failed(doing string, err error) error { return demoError(doing, err) }

func demoError(doing string, err error) error {
	text := cli.Describe(err).Text
	if doing != "" {
		text = doing + ": " + text
	}
	return cli.Fail("demo", "%s", text).
		Hint("to report it: coterie demo --check --json, and coterie version").Because(err)
}

func (p *demoPlain) passed(checks int, took time.Duration) error {
	_, err := fmt.Fprintf(p.w, "all %d checks passed in %.1f s\n", checks, took.Seconds())
	return err
}

type demoJSON struct{ *lines.JSON }

func (j *demoJSON) begin(bool) { j.Hello() }

func (j *demoJSON) ok(text string, epoch []byte, readers int, took time.Duration) {
	o := lines.NewObject("check").Add("ok", true).Add("text", text)
	if epoch != nil {
		o.Add("epoch", fmt.Sprintf("%x", epoch)).Add("size", readers).Add("elapsed_ms", took.Milliseconds())
	}
	j.Put(o)
}

func (j *demoJSON) failed(doing string, err error) error {
	e := demoError(doing, err)
	j.Put(lines.NewObject("check").Add("ok", false).Add("text", cli.Describe(e).Text))
	return j.Fatal(e)
}

func (j *demoJSON) passed(checks int, took time.Duration) error {
	j.Put(lines.NewObject("checked").Add("checks", checks).Add("elapsed_ms", took.Milliseconds()))
	j.Bye("quit", 0, cli.StatusDone)
	return nil
}
