// Package demo is the demonstration, which is the smoke test as well: a throw-away domain, four
// keys, four peers and a relay, all in this process.
//
//	demo.go    what is shown and checked, and how that is told
//	stage.go   the peers, and what they do
//	script.go  what the others say once the user takes over
package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// The throw-away domain, and who plays in it.
const (
	domain = "demo"
	Policy = `NTNU and "5th year" or Professor`
	Nick   = "guest"          // nobody may be called "you"
	limit  = 45 * time.Second // for all checks together
)

var cast = []struct {
	name       string
	attributes []string
}{
	{"you", []string{"NTNU", `"5th year"`}},
	{"ann", []string{"NTNU", `"5th year"`}},
	{"prof", []string{"Professor"}},
	{"mallory", []string{"NTNU"}},
}

// makeKeys makes the domain and a key for each who plays, valid for a few days.
func makeKeys(now time.Time) (*abe.MasterKey, map[string]*abe.Key, error) {
	master, err := abe.Setup(rand.Reader, domain)
	if err != nil {
		return nil, nil, fmt.Errorf("making the domain: %w", err)
	}
	today := abe.DayOf(now)
	keys := make(map[string]*abe.Key)
	for i, c := range cast {
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

// Files writes keys for those who distrust a demonstration.
func Files(w io.Writer, dir string, now time.Time) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		if os.IsExist(err) {
			return cli.Fail("exists", "%s exists", dir).Hint("choose another name")
		}
		return err
	}
	master, keys, err := makeKeys(now)
	if err != nil {
		return err
	}
	public, err := master.Domain().MarshalBinary()
	if err != nil {
		return err
	}
	if err := keyfile.WritePublic(filepath.Join(dir, domain+".domain"), public); err != nil {
		return err
	}
	for _, c := range cast {
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
			cli.Quote(filepath.Join(dir, name+".key")), name, Policy, how)
	}
	_, err = fmt.Fprintf(w, "Wrote %s/ (a domain and four keys without passphrase; for trying only, valid for 90 "+
		"days). In three terminals:\n\n%s%s%s\nmallory's key does not satisfy the policy; you.key is one more that does.\n",
		cli.Clean(dir), join("ann", "--listen"), join("prof", "--bootstrap"), join("mallory", "--bootstrap"))
	return err
}

// Play shows and checks what can be without the user. Whoever called it closes the stage.
func Play(out Out, check bool, now func() time.Time) (*Stage, error) {
	out.Begin(check)
	master, keys, err := makeKeys(now())
	if err != nil {
		return nil, out.Failed("", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	st, err := newStage(master.Domain(), keys, out, now)
	if err != nil {
		return nil, out.Failed("making the peers", err)
	}
	if err := st.play(ctx); err != nil {
		st.Close()
		return nil, out.Failed(st.doing, err)
	}
	return st, nil
}

// Check plays all of it, and tells what was checked.
func Check(out Out, now func() time.Time) error {
	began := now()
	st, err := Play(out, true, now)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := st.finish(ctx); err != nil {
		return out.Failed(st.doing, err)
	}
	return out.Passed(st.checks, now().Sub(began))
}

// An Out shows how the demonstration goes.
type Out interface {
	Begin(check bool)
	OK(text string, epoch []byte, readers int, took time.Duration)
	Failed(doing string, err error) error
	Passed(checks int, took time.Duration) error
}

// Plain tells it to people.
type Plain struct{ W io.Writer }

// Begin is of Out.
func (p *Plain) Begin(bool) {
	cli.Print(p.W, "A throw-away domain, four keys and four peers on this computer. Nothing leaves it; nothing is kept.",
		"")
	fmt.Fprintln(p.W)
	policy, err := abe.ParsePolicy(Policy)
	if err == nil {
		fmt.Fprintf(p.W, "  policy   %s\n", policy)
	}
	for _, c := range cast {
		note := ""
		if c.name == "mallory" {
			note = "                          (does not satisfy the policy)"
		}
		fmt.Fprintf(p.W, "  %-8s %s%s\n", c.name, joined(c.attributes), note)
	}
	fmt.Fprintln(p.W)
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

// OK is of Out.
func (p *Plain) OK(text string, epoch []byte, readers int, took time.Duration) {
	if epoch == nil {
		cli.Print(p.W, "ok   "+text, "     ")
		return
	}
	time := ""
	if took > 0 {
		time = fmt.Sprintf("    %d ms", took.Milliseconds())
	}
	fmt.Fprintf(p.W, "ok   %-36s   keys %x   %d can read%s\n", text, epoch[:2], readers, time)
}

// Failed is of Out.
func (p *Plain) Failed(doing string, err error) error { return failure(doing, err) }

func failure(doing string, err error) error {
	text := cli.Describe(err).Text
	if doing != "" {
		text = doing + ": " + text
	}
	return cli.Fail("demo", "%s", text).
		Hint("to report it: coterie demo --check --json, and coterie version").Because(err)
}

// Passed is of Out.
func (p *Plain) Passed(checks int, took time.Duration) error {
	_, err := fmt.Fprintf(p.W, "all %d checks passed in %.1f s\n", checks, took.Seconds())
	return err
}

// JSON tells it to programs.
type JSON struct{ *lines.JSON }

// Begin is of Out.
func (j *JSON) Begin(bool) { j.Hello() }

// OK is of Out.
func (j *JSON) OK(text string, epoch []byte, readers int, took time.Duration) {
	o := lines.NewObject("check").Add("ok", true).Add("text", text)
	if epoch != nil {
		o.Add("epoch", fmt.Sprintf("%x", epoch)).Add("size", readers).Add("elapsed_ms", took.Milliseconds())
	}
	j.Put(o)
}

// Failed is of Out.
func (j *JSON) Failed(doing string, err error) error {
	e := failure(doing, err)
	j.Put(lines.NewObject("check").Add("ok", false).Add("text", cli.Describe(e).Text))
	return j.Fatal(e)
}

// Passed is of Out.
func (j *JSON) Passed(checks int, took time.Duration) error {
	j.Put(lines.NewObject("checked").Add("checks", checks).Add("elapsed_ms", took.Milliseconds()))
	j.Bye("quit", 0, 0, cli.StatusDone)
	return nil
}
