package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
	"coterie/node"
	"coterie/room"
)

// An eventLog tells what happened, for whoever looks for a fault later: no texts,
// no keys, no names, and ids shortened. A nil one tells nothing.
type eventLog struct {
	file *os.File
	log  *slog.Logger
}

// openLog opens the file to append to; an empty path is no log.
func openLog(path string) (*eventLog, error) {
	if path == "" {
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	l := &eventLog{file: f, log: slog.New(slog.NewJSONHandler(f, nil))}
	l.log.Info("begin", "version", cli.ProgramVersion(), "pid", os.Getpid())
	return l, nil
}

func (l *eventLog) close() {
	if l != nil {
		l.log.Info("end")
		l.file.Close()
	}
}

func (l *eventLog) warn(e *cli.Error) {
	if l != nil {
		l.log.Warn("warning", "code", e.Code)
	}
}

// brief is enough of a peer id to tell a few apart.
func brief(p peer.ID) string {
	s := p.String()
	return s[max(0, len(s)-6):]
}

func (l *eventLog) event(e node.Event) {
	if l == nil {
		return
	}
	switch e := e.(type) {
	case room.EpochStarted:
		l.log.Info("epoch", "id", fmt.Sprintf("%x", e.ID[:4]), "size", len(e.Members), "reason", e.Reason, "committer", brief(e.Committer))
	case room.Sent:
		l.log.Info("sent", "seq", e.Counter)
	case room.Held:
		l.log.Info("held", "alone", e.Alone, "bytes", e.Bytes)
	case room.Proved:
		l.log.Info("proved", "peer", brief(e.Peer), "ms", e.Took.Milliseconds())
	case room.Refused:
		l.log.Warn("refused", "peer", brief(e.Peer))
	case room.Departed:
		l.log.Info("left", "peer", brief(e.Member.Peer))
	case room.Gap:
		l.log.Warn("gap", "peer", brief(e.Author.Peer), "first", e.First, "last", e.Last, "filled", e.Filled)
	case room.Equivocated:
		l.log.Error("equivocation", "peer", brief(e.Author.Peer), "seq", e.Counter)
	case room.Failed:
		l.log.Error("failed", "doing", e.Doing)
	case room.Attested:
		l.log.Info("proof", "peer", brief(e.Member.Peer), "ok", e.OK, "given", e.Given)
	case node.Bootstrapped:
		l.log.Info("bootstrap", "peer", brief(e.Peer), "ms", e.Took.Milliseconds())
	case node.BootstrapFailed:
		l.log.Warn("bootstrap failed", "addresses", len(e.Addresses))
	case node.Connected:
		l.log.Info("peer", "peer", brief(e.Peer), "gone", e.Gone)
	}
}
