package lines_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/drive"
	"coterie/room"
	"coterie/room/record"
)

// TestExport: what was said is written to a new file that only its owner reads, as text or as
// JSON lines that fit the schema; nothing is overwritten, and nothing in it moves a terminal.
func TestExport(t *testing.T) {
	all := []room.Delivered{
		{ID: hashOf("one"), Author: ann, Received: nine,
			Message:   record.Body{Kind: record.KindText, Text: "when?\x1b[2J\nforged\u202e"},
			Reactions: []room.Reaction{{By: self, Text: "👍"}}},
		{ID: hashOf("two"), Author: me, Self: true, Received: nine, Edited: true, ReplyTo: hashOf("one"),
			Quote: &room.Quote{Author: ann, Text: "when?"}, Message: record.Body{Kind: record.KindReply, Text: "at nine"}},
		{ID: hashOf("three"), Author: ann, Received: nine, Withdrawn: true, Message: record.Body{Kind: record.KindText}},
		{ID: hashOf("four"), Author: ann, Received: nine, To: `"Professor"`, Reading: room.Unread,
			Message: record.Body{Kind: record.KindTo}},
		{ID: hashOf("five"), Author: ann, Received: nine, Message: record.Body{Kind: record.KindAction, Text: "waves"}},
	}
	for i := range all {
		all[i].Message.Time = uint64(nine.UnixMilli())
	}
	gone := []room.Shortened{{Author: ann, Count: 3, Before: true, Since: nine.Add(-time.Hour), Until: nine}}
	dir := t.TempDir()
	read := func(name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := lines.Export(aRoom(), path, all, gone); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if err := lines.Export(aRoom(), path, all, gone); err == nil || cli.Describe(err).Code != "exists" {
			t.Errorf("written over: %v", err)
		}
		if again, _ := os.ReadFile(path); !bytes.Equal(again, b) {
			t.Error("it is another file")
		}
		return string(b)
	}
	text := read("exam.txt")
	for _, want := range []string{"3 messages of ann", "are not kept any more", " ann: when?", "\n    forged",
		" 👍 you\n", " you answer ann: when?\n",
		" kari (edited): at nine\n", " ann (withdrawn)\n", ` ann to "Professor" (your key does not open it)`, " * ann waves\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("%q", text)
	}
	sch, err := drive.ReadSchema("testdata/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	asJSON := read("exam.jsonl")
	for line := range strings.Lines(asJSON) {
		if _, err := sch.Check([]byte(line)); err != nil {
			t.Errorf("%v in %s", err, line)
		}
	}
	if n := strings.Count(asJSON, "\n"); n != 6 || read("EXAM.JSON") != asJSON {
		t.Errorf("%d lines", n)
	}
	err = lines.Export(aRoom(), filepath.Join(dir, "nosuch", "x"), all, nil)
	if err == nil || cli.Describe(err).Code != "output" {
		t.Error(err)
	}
}
