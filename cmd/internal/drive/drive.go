// Package drive runs `coterie join --json` as a process and follows what it
// says: for the local test network and for tests with real processes.
package drive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// An Event is one line of a peer's standard output. Only the fields used here
// are taken out of it.
type Event struct {
	Event     string   `json:"event"`
	Step      string   `json:"step"`
	OK        bool     `json:"ok"`
	Text      string   `json:"text"`
	Code      any      `json:"code"` // a word in errors, the exit status in bye
	Hint      string   `json:"hint"`
	Peer      string   `json:"peer"`
	Addrs     []string `json:"addrs"`
	Link      string   `json:"link"`
	RoomID    string   `json:"room_id"`
	State     string   `json:"state"`
	Nick      string   `json:"nick"`
	ID        string   `json:"id"`
	Members   []string `json:"members"`
	Size      int      `json:"size"`
	SID       string   `json:"sid"`
	Reason    string   `json:"reason"`
	From      string   `json:"from"`
	Seq       int      `json:"seq"`
	Epoch     string   `json:"epoch"`
	Self      bool     `json:"self"`
	History   bool     `json:"history"`
	Late      bool     `json:"late"`
	Ref       any      `json:"ref"`
	Readers   []string `json:"readers"`
	ElapsedMS int      `json:"elapsed_ms"`
	Messages  []Event  `json:"messages"`
	Count     int      `json:"count"`
	To        string   `json:"to"`
	Missing   any      `json:"missing"` // whether anything is, or who lacks it
	File      *File    `json:"file"`
	Target    string   `json:"target"`
	Path      string   `json:"path"`

	// At is when the line was read.
	At time.Time `json:"-"`
}

// A File is one that a message has.
type File struct {
	Name  string `json:"name"`
	Size  int    `json:"size"`
	State string `json:"state"`
}

// A Peer is a running process.
type Peer struct {
	Name string

	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr bytes.Buffer
	stdout bytes.Buffer  // all lines; under mu
	exited chan struct{} // closed when the process has ended and all was read

	mu     sync.Mutex
	events []Event
	bad    []string // lines of standard output that are no JSON objects
	news   chan struct{}
	err    error
}

// Start starts binary with args, which must ask for --json. The process is
// killed when ctx ends.
func Start(ctx context.Context, name string, env []string, binary string, args ...string) (*Peer, error) {
	p := &Peer{Name: name, cmd: exec.CommandContext(ctx, binary, args...), exited: make(chan struct{}),
		news: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.WaitDelay = time.Second
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go p.follow(out)
	return p, nil
}

func (p *Peer) follow(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e Event
		err := json.Unmarshal(lines.Bytes(), &e)
		e.At = time.Now()
		p.mu.Lock()
		p.stdout.Write(append(lines.Bytes(), '\n'))
		if err != nil {
			p.bad = append(p.bad, lines.Text())
		} else {
			p.events = append(p.events, e)
		}
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
	}
	err := p.cmd.Wait()
	p.mu.Lock()
	p.err = err
	close(p.news)
	p.news = make(chan struct{})
	p.mu.Unlock()
	close(p.exited)
}

// Say sends a message.
func (p *Peer) Say(text string) error { return p.write(map[string]any{"send": text}) }

// Quit asks the peer to go away.
func (p *Peer) Quit() error { return p.write(map[string]any{"quit": true}) }

// Leave asks the peer to leave for good.
func (p *Peer) Leave() error { return p.write(map[string]any{"leave": true}) }

// CloseInput ends the peer's standard input.
func (p *Peer) CloseInput() error { return p.in.Close() }

// Signal sends a signal to the process.
func (p *Peer) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the process at once, and returns when it has ended.
func (p *Peer) Kill() {
	p.cmd.Process.Kill() // fails when it has ended
	<-p.exited
}

func (p *Peer) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.Write(string(b))
}

// Write writes one line to the peer's standard input.
func (p *Peer) Write(line string) error {
	_, err := io.WriteString(p.in, line+"\n")
	return err
}

// Events is what the peer has said so far, and the lines that were no events.
func (p *Peer) Events() (events []Event, bad []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Event(nil), p.events...), append([]string(nil), p.bad...)
}

// Wait waits until an event holds, among those that came before too.
func (p *Peer) Wait(ctx context.Context, what string, holds func(Event) bool) (Event, error) {
	next := 0
	for {
		p.mu.Lock()
		for ; next < len(p.events); next++ {
			if holds(p.events[next]) {
				e := p.events[next]
				p.mu.Unlock()
				return e, nil
			}
		}
		news := p.news
		p.mu.Unlock()
		select {
		case <-news:
		case <-p.exited:
			if e, err := p.last(next, holds); err == nil {
				return e, nil
			}
			return Event{}, fmt.Errorf("%s: ended before it was seen: %s", p.Name, what)
		case <-ctx.Done():
			return Event{}, fmt.Errorf("%s: not seen in time: %s", p.Name, what)
		}
	}
}

func (p *Peer) last(next int, holds func(Event) bool) (Event, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; next < len(p.events); next++ {
		if holds(p.events[next]) {
			return p.events[next], nil
		}
	}
	return Event{}, io.EOF
}

// Ready waits until the peer listens, and returns its ready event.
func (p *Peer) Ready(ctx context.Context) (Event, error) {
	return p.Wait(ctx, "ready", func(e Event) bool { return e.Event == "ready" })
}

// Heard waits for a message with a text.
func (p *Peer) Heard(ctx context.Context, text string) (Event, error) {
	return p.Wait(ctx, fmt.Sprintf("the message %q", text), func(e Event) bool {
		return e.Event == "message" &&
			e.Text == text
	})
}

// Epoch is the last epoch the peer has reported; its ID is empty before.
func (p *Peer) Epoch() Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.events) - 1; i >= 0; i-- {
		if p.events[i].Event == "epoch" {
			return p.events[i]
		}
	}
	return Event{}
}

// Together waits until the last epoch of all these peers is one and the same,
// with just them as members.
func Together(ctx context.Context, peers ...*Peer) (Event, error) {
	for {
		news := make(chan struct{}, 1)
		same := true
		first := peers[0].Epoch()
		for _, p := range peers {
			e := p.Epoch()
			same = same && e.ID != "" && e.ID == first.ID && e.SID == first.SID && e.Size == len(peers)
		}
		if same {
			return first, nil
		}
		waitCtx, cancel := context.WithCancel(ctx)
		for _, p := range peers {
			p.mu.Lock()
			n := p.news
			p.mu.Unlock()
			go func() {
				select {
				case <-n:
					select {
					case news <- struct{}{}:
					default:
					}
				case <-waitCtx.Done():
				}
			}()
		}
		select {
		case <-news:
		case <-time.After(50 * time.Millisecond): // an event may have come between the look and the wait
		case <-ctx.Done():
			cancel()
			return Event{}, fmt.Errorf("%d peers did not come into one epoch: %s", len(peers), describe(peers))
		}
		cancel()
	}
}

func describe(peers []*Peer) string {
	var s string
	for _, p := range peers {
		e := p.Epoch()
		if e.ID == "" {
			s += fmt.Sprintf("%s in none; ", p.Name)
		} else {
			s += fmt.Sprintf("%s in %s of %d; ", p.Name, e.ID[:8], e.Size)
		}
	}
	return s
}

// Exit waits until the process has ended, and returns its exit status.
func (p *Peer) Exit(ctx context.Context) (int, error) {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s did not end", p.Name)
	}
}

// Stdout is what the process has written to standard output so far.
func (p *Peer) Stdout() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stdout.String()
}

// Stderr is what the process wrote to standard error; only after Exit.
func (p *Peer) Stderr() string { return p.stderr.String() }
