package lines

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/room"
	"coterie/room/record"
)

// Export writes what was said in a room to a new file: as JSON lines if its name ends in
// .json or .jsonl, else as text. Nobody else on the computer may read it.
func Export(about chat.About, file string, all []room.Delivered, gone []room.Shortened) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return cli.Fail("exists", "%s is there already", cli.Clean(file)).Hint("give another name").Because(err)
	case err != nil:
		return cli.Fail("output", "%s cannot be written: %v", cli.Clean(file), err).Because(err)
	}
	w := bufio.NewWriter(f)
	name := strings.ToLower(file)
	writeExport(w, about, strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".jsonl"), all, gone)
	err = errors.Join(w.Flush(), f.Close())
	if err != nil {
		os.Remove(file)
		return cli.Fail("output", "%s cannot be written: %v", cli.Clean(file), err).Because(err)
	}
	return nil
}

// writeExport writes with names as people had them: each message tells its author's.
func writeExport(w io.Writer, about chat.About, asJSON bool, all []room.Delivered, gone []room.Shortened) {
	s := chat.NewState(about, time.Time{})
	take := func(d room.Delivered) {
		s.Take(chat.Event{Room: about.ID, At: d.ShownAt(), What: d})
	}
	if asJSON {
		for _, g := range gone {
			w.Write(shortened(g).Line())
		}
		for _, d := range all {
			take(d)
			w.Write(Message("message", s, d).Line())
		}
		return
	}
	for _, d := range all {
		take(d)
	}
	fmt.Fprintf(w, "-- %s of %s, %s\n", cli.Clean(about.Name), cli.Clean(about.Domain), cli.Plural(len(all), "message"))
	for _, g := range gone {
		fmt.Fprintf(w, "-- %s\n", s.ShortenedText(g, time.Time{}))
	}
	for _, d := range all {
		take(d)
		at := d.ShownAt().Local().Format("2006-01-02 15:04:05 ")
		text(w, s, at, d)
	}
}

// text writes a message for people: further lines of it are indented.
func text(w io.Writer, s *chat.State, at string, d room.Delivered) {
	if quote := s.QuoteLine(d); d.Message.Kind == record.KindReply {
		fmt.Fprintf(w, "-- %s%s\n", at, quote)
	}
	head := chat.ToHead(s.Names.Show(d.Author.Peer), d)
	switch closed := chat.Closed(d); {
	case d.Withdrawn:
		head += " (withdrawn)"
	case closed != "":
		head += " (" + closed + ")"
	default:
		if d.Edited {
			head += " (edited)"
		}
		if d.Message.Kind == record.KindAction {
			head = "* " + head
		} else {
			head += ":"
		}
		for i, l := range strings.Split(strings.ReplaceAll(d.Message.Text, "\r\n", "\n"), "\n") {
			if i > 0 {
				head += "\n   "
			}
			head += " " + spoken(l)
		}
	}
	fmt.Fprintf(w, "%s%s\n", at, head)
	if len(d.Reactions) > 0 {
		fmt.Fprintf(w, "-- %s%s\n", at, s.ReactionsText(d.Reactions))
	}
}
