package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"coterie/cmd/internal/cli"
	"coterie/kms"
)

// issueMany runs a batch with everything around it: the folder, the bar, the
// signals, the warnings, and the index of what is in the folder. done are keys
// that were there before.
func (a *app) issueMany(cmd *cobra.Command, authority *kms.Authority, b kms.Batch, done []kms.Issued) (*kms.BatchResult,
	error) {
	stderr := cmd.ErrOrStderr()
	if err := os.MkdirAll(b.Folder, 0o700); err != nil {
		return nil, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b.Workers = runtime.GOMAXPROCS(0)
	bar := newBar(stderr, a.now)
	b.Done = bar.show
	out, err := authority.IssueAll(ctx, a.rand, b, a.now())
	bar.end()
	if out == nil {
		return nil, err
	}
	warnFound(stderr, out.Torn, out.Voided)
	keys := slices.Concat(done, out.Finished, out.Issued)
	indexErr := writeIndex(b.Folder, keys)
	if kms.Interrupted(err) {
		return out, cli.Fail("interrupted", "stopped after %d of %s; they are in the ledger and in %s", len(out.Issued),
			cli.Plural(out.Of, "key"), b.Folder).
			Hint("the same command goes on where it stopped").Because(err)
	}
	if err != nil && len(out.Issued) > 0 {
		e := cli.Describe(explain(err))
		return out, e.Hint("%s of %d were issued before that; the same command goes on from there",
			cli.Plural(len(out.Issued), "key"), out.Of)
	}
	return out, errors.Join(err, indexErr)
}

// printMany names what was made.
func printMany(w io.Writer, authority *kms.Authority, folder string, out *kms.BatchResult, asJSON bool) error {
	if asJSON {
		return printIssuedLines(w, slices.Concat(out.Finished, out.Issued))
	}
	entries := 0
	if known, _ := authority.Record(); known != nil {
		for _, i := range known.Issues {
			if !i.Void && !i.Torn {
				entries++
			}
		}
	}
	if len(out.Issued)+len(out.Finished) == 0 {
		_, err := fmt.Fprintf(w, "Nothing was left to issue. Ledger: %s.\n", plural(entries, "entry", "entries"))
		return err
	}
	folder = cli.Clean(strings.TrimSuffix(folder, string(filepath.Separator)) + string(filepath.Separator))
	finished := ""
	if n := len(out.Finished); n > 0 {
		finished = fmt.Sprintf(" %s of an interrupted run got its name.", plural(n, "key", "keys"))
	}
	_, err := fmt.Fprintf(w, "Wrote %s to %s and %s (number, name, file).%s Ledger: %s.\n",
		plural(len(out.Issued), "file", "files"), folder, folder+indexName, finished, plural(entries, "entry", "entries"))
	return err
}

// bar shows progress on a terminal, and nothing elsewhere.
type bar struct {
	w     io.Writer
	now   func() time.Time
	begun time.Time
	shown bool
}

func newBar(w io.Writer, now func() time.Time) *bar {
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		w = nil
	}
	return &bar{w: w, now: now, begun: now()}
}

const barWidth = 34

func (b *bar) show(done, of int) {
	if b.w == nil {
		return
	}
	b.shown = true
	fmt.Fprintf(b.w, "\r%s\033[K", barText(done, of, b.now().Sub(b.begun)))
}

// barText is a bar of what is done, and how long the rest will take if it goes
// on like that.
func barText(done, of int, spent time.Duration) string {
	full := barWidth * done / of
	left := (spent * time.Duration(of-done) / time.Duration(done)).Round(time.Second)
	return fmt.Sprintf("[%s%s]  %d/%d   %s left", strings.Repeat("#", full), strings.Repeat("-", barWidth-full), done, of,
		spanText(left))
}

func spanText(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min", int((d + 30*time.Second).Minutes()))
}

func (b *bar) end() {
	if b.shown {
		fmt.Fprint(b.w, "\r\033[K")
	}
}
