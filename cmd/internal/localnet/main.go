// Command localnet plays the thesis' demonstration (4.5) without its server:
// five peers as processes on loopback. scripts/localnet builds and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"coterie/cmd/internal/drive"
)

// limit is how long all of it may take.
const limit = 50 * time.Second

const policy = `((ONE or THREE) and (TWO or FOUR))`

// cast is who plays, and with which attributes.
var cast = []struct {
	name       string
	attributes []string
}{
	{"ann", []string{"ONE", "TWO", "THREE"}},
	{"bob", []string{"THREE", "TWO", "FOUR"}},
	{"cat", []string{"ONE", "TWO", "FIVE"}},
	{"dan", []string{"ONE", "FIVE"}},
	{"eve", []string{"THREE", "FOUR"}},
}

func main() {
	bin := flag.String("bin", "", "folder of the coterie and kms programs")
	verbose := flag.Bool("v", false, "print every event")
	flag.Parse()
	dir, err := os.MkdirTemp("", "localnet-")
	if err == nil {
		p := &play{bin: *bin, dir: dir, verbose: *verbose, began: time.Now()}
		err = p.run()
		os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

type play struct {
	bin, dir string
	verbose  bool
	began    time.Time
	peers    []*drive.Peer
	names    map[string]string // by peer id
}

// say prints one line of the story.
func (p *play) say(format string, a ...any) {
	fmt.Printf("%6.2f s  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, a...))
}

func (p *play) run() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	p.names = make(map[string]string)
	defer func() {
		p.report(err)
	}()

	fmt.Printf("policy  %s\n", policy)
	if err := p.keys(ctx); err != nil {
		return err
	}

	// What is typed before anybody can read it is held, not lost.
	ann, err := p.join(ctx, "ann", "")
	if err != nil {
		return err
	}
	if err := ann.Say("is anybody here?"); err != nil {
		return err
	}
	at, err := ann.Ready(ctx)
	if err != nil {
		return err
	}
	bootstrap := at.Addrs[0]
	p.say("ann opened the room and typed a message, which is held")

	bob, err := p.join(ctx, "bob", bootstrap)
	if err != nil {
		return err
	}
	e1, err := p.together(ctx, "bob joined", ann, bob)
	if err != nil {
		return err
	}
	if err := heard(ctx, "is anybody here?", bob); err != nil {
		return err
	}

	cat, err := p.join(ctx, "cat", bootstrap)
	if err != nil {
		return err
	}
	e2, err := p.together(ctx, "cat joined", ann, bob, cat)
	if err != nil {
		return err
	}
	for _, s := range []*drive.Peer{ann, bob, cat} {
		if err := s.Say("hello from " + s.Name); err != nil {
			return err
		}
	}
	for _, s := range []*drive.Peer{ann, bob, cat} {
		if err := heard(ctx, "hello from "+s.Name, ann, bob, cat); err != nil {
			return err
		}
	}
	p.say("ann, bob and cat each said hello, and all three heard all of it")

	if err := p.refused(ctx, bootstrap); err != nil {
		return err
	}

	// The first message of a newcomer, typed right after the start, arrives.
	eve, err := p.join(ctx, "eve", bootstrap)
	if err != nil {
		return err
	}
	if err := eve.Say("hello, I am new"); err != nil {
		return err
	}
	e3, err := p.together(ctx, "eve joined", ann, bob, cat, eve)
	if err != nil {
		return err
	}
	if err := heard(ctx, "hello, I am new", ann, bob, cat, eve); err != nil {
		return err
	}
	if err := p.neverHeard(eve, "hello from ann", "is anybody here?"); err != nil {
		return err
	}
	p.say("all heard eve's first message; she read nothing from before")

	// The first peer, through which all others came, leaves.
	if err := ann.Quit(); err != nil {
		return err
	}
	if err := ended(ctx, ann, 0); err != nil {
		return err
	}
	e4, err := p.together(ctx, "ann left", bob, cat, eve)
	if err != nil {
		return err
	}
	if err := bob.Say("ann is gone"); err != nil {
		return err
	}
	if err := heard(ctx, "ann is gone", bob, cat, eve); err != nil {
		return err
	}

	// She comes back: new keys again, although the members are those of before.
	back, err := p.join(ctx, "ann", p.address(bob))
	if err != nil {
		return err
	}
	e5, err := p.together(ctx, "ann came back", back, bob, cat, eve)
	if err != nil {
		return err
	}
	if err := back.Say("I am back"); err != nil {
		return err
	}
	if err := heard(ctx, "I am back", back, bob, cat, eve); err != nil {
		return err
	}
	if err := p.neverHeard(back, "ann is gone"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range []drive.Event{e1, e2, e3, e4, e5} {
		if seen[e.ID] || seen[e.SID] {
			return errors.New("an epoch or a session id came twice")
		}
		seen[e.ID], seen[e.SID] = true, true
	}
	p.say("five epochs, five session ids, none of them twice")

	for _, s := range []*drive.Peer{bob, cat, eve, back} {
		if err := s.Quit(); err != nil {
			return err
		}
		if err := ended(ctx, s, 0); err != nil {
			return err
		}
	}
	p.say("all left")
	return nil
}

// keys makes a domain and everybody's key.
func (p *play) keys(ctx context.Context) error {
	kms := func(args ...string) error {
		cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "kms"), args...)
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("kms %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := kms("init", "local", "--no-passphrase"); err != nil {
		return err
	}
	for _, c := range cast {
		args := []string{"issue", "--domain", "local", "--name", c.name, "-o", c.name + ".key"}
		for _, a := range c.attributes {
			args = append(args, "--attr", a)
		}
		if err := kms(args...); err != nil {
			return err
		}
		fmt.Printf("  %s   %s\n", c.name, strings.Join(c.attributes, ", "))
	}
	return nil
}

// join starts a peer.
func (p *play) join(ctx context.Context, name, bootstrap string) (*drive.Peer, error) {
	args := []string{"join", "den", "--json", "--key", filepath.Join(p.dir, name+".key"), "--policy", policy,
		"--nick", name, "--listen", "/ip4/127.0.0.1/tcp/0"}
	if bootstrap != "" {
		args = append(args, "--bootstrap", bootstrap)
	}
	// Each has a disk of its own.
	// Each peer has folders of its own, as if it were on a computer of its own.
	own := filepath.Join(p.dir, "data of "+name)
	var env []string
	for _, folder := range []string{"CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"} {
		env = append(env, "XDG_"+folder+"="+filepath.Join(own, folder))
	}
	s, err := drive.Start(ctx, name, env, filepath.Join(p.bin, "coterie"), args...)
	if err != nil {
		return nil, err
	}
	p.peers = append(p.peers, s)
	return s, nil
}

func (p *play) address(s *drive.Peer) string {
	events, _ := s.Events()
	for _, e := range events {
		if e.Event == "ready" {
			return e.Addrs[0]
		}
	}
	return ""
}

func (p *play) together(ctx context.Context, what string, peers ...*drive.Peer) (drive.Event, error) {
	began := time.Now()
	e, err := drive.Together(ctx, peers...)
	if err != nil {
		return e, fmt.Errorf("%s: %w", what, err)
	}
	var names []string
	for _, s := range peers {
		names = append(names, s.Name)
	}
	p.say("%-14s epoch %s  session id %s  %d can read: %s   (%d ms)", what, e.ID[:8], e.SID[:8], e.Size, strings.Join(names, ", "), time.Since(began).Milliseconds())
	return e, nil
}

// refused starts the peer whose key does not satisfy the policy.
func (p *play) refused(ctx context.Context, bootstrap string) error {
	dan, err := p.join(ctx, "dan", bootstrap)
	if err != nil {
		return err
	}
	e, err := dan.Wait(ctx, "the refusal", func(e drive.Event) bool { return e.Event == "error" })
	if err != nil {
		return err
	}
	if e.Code != "policy-unsatisfied" || !strings.Contains(e.Text, `missing  "TWO"`) {
		return fmt.Errorf("dan was told something else: %v %s", e.Code, e.Text)
	}
	if err := ended(ctx, dan, 1); err != nil {
		return err
	}
	text, _, _ := strings.Cut(e.Text, "\n") // and what is missing, on lines below
	p.say("dan was told, before anything was dialled: %s", text)
	return nil
}

func heard(ctx context.Context, text string, peers ...*drive.Peer) error {
	for _, s := range peers {
		if _, err := s.Heard(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (p *play) neverHeard(s *drive.Peer, texts ...string) error {
	events, _ := s.Events()
	for _, e := range events {
		for _, t := range texts {
			if e.Event == "message" && e.Text == t {
				return fmt.Errorf("%s read %q, which was not for %s", s.Name, t, s.Name)
			}
		}
	}
	return nil
}

func ended(ctx context.Context, s *drive.Peer, want int) error {
	status, err := s.Exit(ctx)
	if err != nil {
		return err
	}
	if status != want {
		return fmt.Errorf("%s ended with status %d, not %d:\n%s", s.Name, status, want, s.Stderr())
	}
	return nil
}

// report prints what each peer saw.
func (p *play) report(err error) {
	for _, s := range p.peers {
		events, bad := s.Events()
		for _, e := range events {
			if e.Event == "ready" {
				p.names[e.Peer] = s.Name
			}
		}
		for _, b := range bad {
			fmt.Printf("%s wrote a line that is no event: %q\n", s.Name, b)
		}
	}
	for _, s := range p.peers {
		fmt.Printf("\nwhat %s saw\n", s.Name)
		events, _ := s.Events()
		for _, e := range events {
			if line := p.line(e); line != "" {
				fmt.Printf("%6.2f s  %s\n", e.At.Sub(p.began).Seconds(), line)
			}
		}
	}
	if err == nil {
		fmt.Printf("\nall of it went as it should, in %.1f s\n", time.Since(p.began).Seconds())
	}
}

// line is an event in words.
func (p *play) line(e drive.Event) string {
	switch e.Event {
	case "epoch":
		var names []string
		for _, m := range e.Members {
			names = append(names, p.names[m])
		}
		return fmt.Sprintf("-- epoch %s (%s): %s can read", e.ID[:8], e.Reason, strings.Join(names, ", "))
	case "message":
		return fmt.Sprintf("%s: %s", p.names[e.From], e.Text)
	case "held":
		return "-- held until somebody can read it"
	case "error", "warning":
		return fmt.Sprintf("%s: %s", e.Event, strings.ReplaceAll(e.Text, "\n", "; "))
	case "bye":
		return fmt.Sprintf("-- left (%s)", e.Reason)
	}
	if p.verbose {
		return fmt.Sprintf("   %s %s %s %s", e.Event, e.Step, e.Peer, e.Text)
	}
	return ""
}
