package chat

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/gologshim"

	"coterie/cmd/internal/cli"
	"coterie/node"
	"coterie/room"
)

// A Log tells what happened, for whoever looks for a fault: no texts, no
// keys, no names, and ids shortened. It goes to a file, to whoever watches, or to
// both; a nil one tells nothing.
type Log struct {
	file    *os.File
	log     *slog.Logger         // nil: nobody
	viewers map[any]*slog.Logger // of each face that watches; for the room's goroutine alone
}

// libraries is where libraries' own words go: into the log if there is one, and never
// onto the screen, where they would stand in the middle of what is said.
var libraries libraryLog

type libraryLog struct{ to atomic.Pointer[Log] }

func (w *libraryLog) Write(b []byte) (int, error) {
	if l := w.to.Load(); l != nil && l.log != nil { // on any goroutine: not for viewers
		l.log.Warn("library", "text", strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// QuietLibraries comes before anything of theirs is used.
func QuietLibraries() {
	h := slog.NewTextHandler(&libraries, &slog.HandlerOptions{Level: slog.LevelError})
	gologshim.SetDefaultHandler(h)
	slog.SetDefault(slog.New(h)) // pubsub's too
	// After that: what log writes is of no level.
	log.SetFlags(0)
	log.SetOutput(&libraries)
}

// OpenLog opens the file to append to; an empty path is none.
func OpenLog(path string) (*Log, error) {
	if path == "" {
		return &Log{}, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	l := &Log{file: f, log: slog.New(slog.NewJSONHandler(f, nil))}
	libraries.to.Store(l)
	l.info("begin", "version", cli.ProgramVersion(), "pid", os.Getpid())
	return l, nil
}

// Close ends the log.
func (l *Log) Close() {
	if l != nil && l.file != nil {
		libraries.to.CompareAndSwap(l, nil)
		l.info("end")
		l.file.Close()
	}
}

// watch lets a face have each line from here on; a nil tell ends that.
func (l *Log) watch(by any, tell func(line string)) {
	if tell == nil {
		delete(l.viewers, by)
		return
	}
	if l.viewers == nil {
		l.viewers = make(map[any]*slog.Logger)
	}
	l.viewers[by] = slog.New(slog.NewTextHandler(lineWriter(tell), nil))
}

// A lineWriter is told each line; a handler of slog writes one at a time.
type lineWriter func(string)

func (w lineWriter) Write(b []byte) (int, error) {
	w(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

func (l *Log) put(level slog.Level, msg string, args ...any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, msg, args...)
	}
	for _, v := range l.viewers {
		v.Log(context.Background(), level, msg, args...)
	}
}

func (l *Log) info(msg string, args ...any)  { l.put(slog.LevelInfo, msg, args...) }
func (l *Log) alert(msg string, args ...any) { l.put(slog.LevelWarn, msg, args...) }
func (l *Log) fault(msg string, args ...any) { l.put(slog.LevelError, msg, args...) }

// Warn notes a warning.
func (l *Log) Warn(e *cli.Error) {
	if l != nil {
		l.alert("warning", "code", e.Code)
	}
}

// brief is enough of a peer id to tell a few apart.
func brief(p peer.ID) string {
	s := p.String()
	return s[max(0, len(s)-6):]
}

func (l *Log) event(what any) {
	if l == nil {
		return
	}
	switch e := what.(type) {
	case room.EpochStarted:
		l.info("epoch", "id", fmt.Sprintf("%x", e.ID[:4]), "size", len(e.Members), "reason", e.Reason, "committer",
			brief(e.Committer))
	case room.Sent:
		l.info("sent", "seq", e.Counter)
	case room.Held:
		l.info("held", "alone", e.Alone, "bytes", e.Bytes)
	case room.Proved:
		l.info("proved", "peer", brief(e.Peer), "ms", e.Took.Milliseconds())
	case room.Refused:
		l.alert("refused", "peer", brief(e.Peer))
	case room.Departed:
		l.info("left", "peer", brief(e.Member.Peer))
	case room.Absence:
		l.info("away", "count", e.Count, "missing", e.Missing, "lost", e.Lost)
	case room.Unsaid:
		l.info("unsaid", "count", e.Count)
	case room.Gap:
		l.alert("gap", "peer", brief(e.Author.Peer), "first", e.First, "last", e.Last, "filled", e.Filled)
	case room.Shortened:
		l.info("shortened", "peer", brief(e.Author.Peer), "count", e.Count, "before", e.Before)
	case room.Equivocated:
		l.fault("equivocation", "peer", brief(e.Author.Peer), "seq", e.Counter)
	case room.Cut:
		l.info("cut", "peer", brief(e.Member.Peer), "on", e.On, "with", len(e.With))
	case room.NoticeTaken:
		l.info("notice", "number", e.Notice.Number, "own", e.Own)
	case room.LeftOut:
		l.fault("left-out", "by", brief(e.By.Peer), "peer", brief(e.Member.Peer), "times", e.Times)
	case room.Failed:
		l.fault("failed", "doing", e.Doing)
	case room.Attested:
		l.info("proof", "peer", brief(e.Member.Peer), "ok", e.OK, "given", e.Given)
	case node.Bootstrapped:
		l.info("bootstrap", "peer", brief(e.Peer), "ms", e.Took.Milliseconds())
	case node.BootstrapFailed:
		l.alert("bootstrap failed", "addresses", len(e.Addresses))
	case node.Connected:
		l.info("peer", "peer", brief(e.Peer), "gone", e.Gone)
	case HealthChanged:
		l.alert("health", "code", string(e.Item.Code), "on", e.On)
	case PathChanged:
		l.info("path", "peer", brief(e.Path.Peer), "kind", string(e.Path.Kind), "ms", e.Path.RTT.Milliseconds())
	case NotDone:
		l.alert("not done", "code", e.Err.Code)
	case Rejected:
		l.alert("not sent", "code", e.Err.Code)
	case Warning:
		l.alert("warning", "code", e.Err.Code)
	}
}
