// Command localnet plays five peers of a room, as processes on loopback: they join, chat, go away,
// come back and leave. scripts/localnet builds and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	ctx      context.Context
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

// A failure ends the play.
type failure struct{ error }

func must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func (p *play) run() (err error) {
	var cancel context.CancelFunc
	p.ctx, cancel = context.WithTimeout(context.Background(), limit)
	defer cancel()
	p.names = make(map[string]string)
	defer func() {
		switch f := recover().(type) {
		case nil:
		case failure:
			err = f.error
		default:
			panic(f)
		}
		p.report(err)
	}()
	p.play()
	return nil
}

func (p *play) play() {
	fmt.Printf("policy  %s\n", policy)
	p.keys()

	// What is typed before anybody can read it is held, not lost.
	ann := p.join("ann", "")
	must(ann.Say("is anybody here?"))
	at, err := ann.Ready(p.ctx)
	must(err)
	bootstrap := at.Addrs[0]
	p.say("ann opened the room and typed a message, which is held")

	bob := p.join("bob", bootstrap)
	e1 := p.together("bob joined", ann, bob)
	p.heard("is anybody here?", bob)

	cat := p.join("cat", bootstrap)
	e2 := p.together("cat joined", ann, bob, cat)
	for _, s := range []*drive.Peer{ann, bob, cat} {
		must(s.Say("hello from " + s.Name))
	}
	for _, s := range []*drive.Peer{ann, bob, cat} {
		p.heard("hello from "+s.Name, ann, bob, cat)
	}
	p.say("ann, bob and cat each said hello, and all three heard all of it")

	p.refused(bootstrap)

	// The first message of a newcomer, typed right after the start, arrives.
	eve := p.join("eve", bootstrap)
	must(eve.Say("hello, I am new"))
	e3 := p.together("eve joined", ann, bob, cat, eve)
	p.heard("hello, I am new", ann, bob, cat, eve)
	neverHeard(eve, "hello from ann", "is anybody here?")
	p.say("all heard eve's first message; she read nothing from before")

	// The first peer, through which all others came, goes away. What is said is kept for her.
	must(ann.Quit())
	p.ended(ann, 0)
	e4 := p.together("ann went away", bob, cat, eve)
	must(bob.Say("ann is away"))
	p.heard("ann is away", bob, cat, eve)

	// She comes back, as another process of the same peer: new keys again.
	at, err = bob.Ready(p.ctx)
	must(err)
	back := p.join("ann", at.Addrs[0])
	e5 := p.together("ann came back", back, bob, cat, eve)
	must(back.Say("I am back"))
	p.heard("I am back", back, bob, cat, eve)
	p.heard("ann is away", back)
	p.say("ann was told what was said while she was away")

	// She leaves for good: what is said then is not for her.
	must(back.Leave())
	p.ended(back, 0)
	e6 := p.together("ann left", bob, cat, eve)
	must(bob.Say("ann is gone"))
	p.heard("ann is gone", bob, cat, eve)
	again := p.join("ann", at.Addrs[0])
	e7 := p.together("ann came again", again, bob, cat, eve)
	must(again.Say("hello again"))
	p.heard("hello again", again, bob, cat, eve)
	neverHeard(again, "ann is gone")
	seen := map[string]bool{}
	for i, e := range []drive.Event{e1, e2, e3, e4, e5, e6, e7} {
		// Of the same members at the same addresses, as at e4 and e6, the session id is the same.
		if seen[e.ID] || seen[e.SID] && i != 5 {
			must(errors.New("an epoch or a session id came twice"))
		}
		seen[e.ID], seen[e.SID] = true, true
	}
	p.say("seven epochs, none of them twice")

	for _, s := range []*drive.Peer{bob, cat, eve, again} {
		must(s.Quit())
		p.ended(s, 0)
	}
	p.say("all went away")
}

// keys makes a domain and everybody's key.
func (p *play) keys() {
	kms := func(args ...string) {
		cmd := exec.CommandContext(p.ctx, filepath.Join(p.bin, "kms"), args...)
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			must(fmt.Errorf("kms %s: %w\n%s", strings.Join(args, " "), err, out))
		}
	}
	kms("init", "local", "--no-passphrase")
	for _, c := range cast {
		args := []string{"issue", "--domain", "local", "--name", c.name, "-o", c.name + ".key"}
		for _, a := range c.attributes {
			args = append(args, "--attr", a)
		}
		kms(args...)
		fmt.Printf("  %s   %s\n", c.name, strings.Join(c.attributes, ", "))
	}
}

// join starts a peer, with folders of its own, as if it were on a computer of its own.
func (p *play) join(name, bootstrap string) *drive.Peer {
	args := []string{"join", "den", "--json", "--key", filepath.Join(p.dir, name+".key"), "--policy", policy,
		"--nick", name, "--listen", "/ip4/127.0.0.1/tcp/0"}
	if bootstrap != "" {
		args = append(args, "--bootstrap", bootstrap)
	}
	own := filepath.Join(p.dir, "data of "+name)
	var env []string
	for _, folder := range []string{"CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"} {
		env = append(env, "XDG_"+folder+"="+filepath.Join(own, folder))
	}
	s, err := drive.Start(p.ctx, name, env, filepath.Join(p.bin, "coterie"), args...)
	must(err)
	p.peers = append(p.peers, s)
	return s
}

// together waits until peers are in one epoch.
func (p *play) together(what string, peers ...*drive.Peer) drive.Event {
	began := time.Now()
	e, err := drive.Together(p.ctx, peers...)
	if err != nil {
		must(fmt.Errorf("%s: %w", what, err))
	}
	var names []string
	for _, s := range peers {
		names = append(names, s.Name)
	}
	p.say("%-14s epoch %s  session id %s  %d can read: %s   (%d ms)", what, e.ID[:8], e.SID[:8], e.Size,
		strings.Join(names, ", "), time.Since(began).Milliseconds())
	return e
}

// refused starts the peer whose key does not satisfy the policy.
func (p *play) refused(bootstrap string) {
	dan := p.join("dan", bootstrap)
	e, err := dan.Wait(p.ctx, "the refusal", func(e drive.Event) bool { return e.Event == "error" })
	must(err)
	if e.Code != "policy-unsatisfied" || !strings.Contains(e.Text, `missing  "TWO"`) {
		must(fmt.Errorf("dan was told something else: %v %s", e.Code, e.Text))
	}
	p.ended(dan, 1)
	text, _, _ := strings.Cut(e.Text, "\n") // and what is missing, on lines below
	p.say("dan was told, before anything was dialled: %s", text)
}

func (p *play) heard(text string, peers ...*drive.Peer) {
	for _, s := range peers {
		_, err := s.Heard(p.ctx, text)
		must(err)
	}
}

func neverHeard(s *drive.Peer, texts ...string) {
	events, _ := s.Events()
	for _, e := range events {
		if e.Event == "message" && slices.Contains(texts, e.Text) {
			must(fmt.Errorf("%s read %q, which was not for %s", s.Name, e.Text, s.Name))
		}
	}
}

func (p *play) ended(s *drive.Peer, want int) {
	status, err := s.Exit(p.ctx)
	must(err)
	if status != want {
		must(fmt.Errorf("%s ended with status %d, not %d:\n%s", s.Name, status, want, s.Stderr()))
	}
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
