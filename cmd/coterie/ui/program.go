package ui

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
)

const (
	// gatherTime is how long events are gathered for one frame.
	gatherTime = 8 * time.Millisecond
	// framesPerSecond: a key is on the screen within 25 ms, and an idle terminal costs little.
	framesPerSecond = 40
	// maxQueue is how many events may wait for the interface; then the room waits.
	maxQueue = 1 << 14
)

// A Program is the interface on a terminal. It has a seat for each room that it shows, the
// first of which it is itself.
type Program struct {
	*Seat
	out    *os.File
	tea    *tea.Program
	ctx    context.Context // of what leads outside
	cancel context.CancelFunc
	over   chan struct{} // closed when the interface has ended
	err    error         // of the interface; after over

	mu     sync.Mutex
	space  *sync.Cond
	events batch         // on their way to the interface
	news   chan struct{} // capacity 1
	closed bool
	seats  []*Seat
}

// A Room is what the interface has of one, in this process or in another.
type Room interface {
	// TryDo has the room do something. It returns false if too much is waiting.
	TryDo(chat.Command) bool
	// Do waits for that.
	Do(context.Context, chat.Command)
}

// A Seat is a room's place in the interface: a chat.Face, and its model's backend.
type Seat struct {
	program *Program
	cfg     Config
	room    Room
}

// Start opens the interface of a room on a terminal. Colours are those of profile; nil: the
// terminal's own.
func Start(cfg Config, r Room, in, out *os.File, profile *colorprofile.Profile) *Program {
	p := &Program{out: out, over: make(chan struct{}), news: make(chan struct{}, 1)}
	p.space = sync.NewCond(&p.mu)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	options := []tea.ProgramOption{tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler(),
		tea.WithFPS(framesPerSecond)}
	if profile != nil {
		options = append(options, tea.WithColorProfile(*profile))
	}
	p.Seat = &Seat{p, cfg, r}
	p.seats = []*Seat{p.Seat}
	p.tea = tea.NewProgram(newWindows(p.Seat, New(cfg, p.Seat)), options...)
	go p.pump()
	go func() {
		// A window that is closed takes the user away.
		gone := make(chan os.Signal, 1)
		signal.Notify(gone, syscall.SIGHUP)
		defer signal.Stop(gone)
		select {
		case <-gone:
			p.tea.Kill()
		case <-p.over:
		}
	}()
	go func() {
		_, p.err = p.tea.Run()
		close(p.over)
		p.mu.Lock()
		seats := slices.Clone(p.seats)
		p.mu.Unlock()
		for _, s := range seats { // however it ended, the user is gone
			go s.room.Do(p.ctx, chat.Quit{})
		}
	}()
	return p
}

// Add shows one more room.
func (p *Program) Add(cfg Config, r Room) *Seat {
	s := &Seat{p, cfg, r}
	p.mu.Lock()
	p.seats = append(p.seats, s)
	p.mu.Unlock()
	p.put(s, seatTaken{New(cfg, s)})
	return s
}

// Remove shows a room no more, and says why in the one that is looked at then; nil: it is known.
// Without any the interface ends.
func (p *Program) Remove(s *Seat, why *cli.Error) {
	p.mu.Lock()
	p.seats = slices.DeleteFunc(p.seats, func(o *Seat) bool { return o == s })
	p.mu.Unlock()
	var left seatLeft
	if why != nil {
		left.why = &Trouble{Text: why.Text, Hints: why.Hints}
	}
	p.put(s, left)
}

// Over is closed when the interface has ended.
func (p *Program) Over() <-chan struct{} { return p.over }

// Close closes the interface and gives the terminal back. The error says why it could not be
// used.
func (p *Program) Close() error {
	p.tea.Quit()
	<-p.over
	p.cancel()
	p.close()
	if p.err != nil && !errors.Is(p.err, tea.ErrInterrupted) && !errors.Is(p.err, tea.ErrProgramKilled) {
		return p.err
	}
	return nil
}

// Show is of chat.Face. The model has a state of its own.
func (s *Seat) Show(_ *chat.State, e chat.Event, _ []chat.Line) { s.put(e) }

// Broken is of chat.Face: whoever is gone has said so.
func (s *Seat) Broken() error { return nil }

func (s *Seat) put(e any) { s.program.put(s, e) }

// put waits while too much is waiting: nothing is lost.
func (p *Program) put(s *Seat, e any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.events) >= maxQueue && !p.closed {
		p.space.Wait()
	}
	if p.closed {
		return
	}
	p.events = append(p.events, seated{s, e})
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *Program) take() batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.events
	p.events = nil
	p.space.Broadcast()
	return out
}

func (p *Program) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.space.Broadcast()
}

// pump gives the interface what has gathered: a frame is drawn for all of it.
func (p *Program) pump() {
	defer p.close()
	for {
		select {
		case <-p.news:
			// More is likely to come at once.
			select {
			case <-time.After(gatherTime):
			case <-p.over:
				return
			}
			p.tea.Send(p.take())
		case <-p.over:
			return
		}
	}
}

// Do is of Backend.
func (s *Seat) Do(c chat.Command) {
	if s.room.TryDo(c) {
		return
	}
	if say, ok := c.(chat.Say); ok {
		go s.put(chat.Event{Room: s.cfg.ID, At: s.cfg.now(), What: chat.Rejected{Ref: say.Ref,
			Err: cli.Fail("busy", "too much is waiting to be sent")}})
		return
	}
	go s.put(Trouble{Text: "too much is waiting to be done"})
}

// Run is of Backend.
func (s *Seat) Run(e Errand) {
	var f func() any
	switch e := e.(type) {
	case Save:
		f = func() any { return save(e) }
	case CompleteFile:
		f = func() any { return Files(files(e.Begin)) }
	case Notified:
		f = func() any { return s.notified(e) }
	case DrawQR:
		f = func() any { return s.program.drawQR(e) }
	case Edit:
		f = func() any { return s.edit(e.Text) }
	default:
		return
	}
	go func() {
		if answer := f(); answer != nil {
			s.put(answer)
		}
	}()
}

func (p *Program) drawQR(e DrawQR) any {
	rows, err := QR(p.out, e.Text, 23, 5) // what is beside and around the panel
	if err != nil {
		d := cli.Describe(err)
		return Trouble{Text: d.Text, Hints: d.Hints}
	}
	return Panel{Title: "link", Lines: rows}
}

func save(s Save) any {
	file, err := os.OpenFile(s.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return Trouble{Text: s.Path + " exists"}
	}
	if err == nil {
		_, err = file.WriteString(s.Text)
		if e := file.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return Trouble{Text: "cannot save: " + err.Error()}
	}
	return Note{Text: "saved " + s.Path + ", not encrypted"}
}

// edit opens the user's editor on a file that only they can read, and takes it
// away again.
func (s *Seat) edit(text string) any {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	words := strings.Fields(editor)
	if len(words) == 0 {
		words = []string{"vi"}
	}
	dir, err := os.MkdirTemp("", "coterie-")
	if err != nil {
		return Trouble{Text: "cannot edit: " + err.Error()}
	}
	path := filepath.Join(dir, "message.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		os.RemoveAll(dir)
		return Trouble{Text: "cannot edit: " + err.Error()}
	}
	cmd := exec.CommandContext(s.program.ctx, words[0], append(words[1:], path)...)
	s.program.tea.Send(tea.ExecProcess(cmd, func(err error) tea.Msg {
		defer os.RemoveAll(dir)
		if err != nil {
			return seated{s, Edited{Err: words[0] + ": " + err.Error()}}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return seated{s, Edited{Err: err.Error()}}
		}
		return seated{s, Edited{Text: strings.TrimRight(string(b), "\n")}}
	})())
	return nil
}

// notified runs the user's own command, which gets no word of what was said.
func (s *Seat) notified(n Notified) any {
	command := s.cfg.NotifyCommand
	if len(command) == 0 {
		return nil
	}
	cmd := exec.CommandContext(s.program.ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "ROOM="+cli.Clean(s.cfg.Name), "NICK="+n.Nick, "COUNT="+strconv.Itoa(n.Count))
	if err := cmd.Run(); cmd.ProcessState == nil && err != nil {
		return Trouble{Text: "notify_command: " + err.Error()}
	}
	return nil
}

// files are those whose path begins so, at most a screen full.
func files(begin string) []string {
	found, err := filepath.Glob(begin + "*")
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range found[:min(len(found), 50)] {
		if info, err := os.Stat(f); err == nil && info.IsDir() {
			f += string(filepath.Separator)
		}
		out = append(out, f)
	}
	return out
}
