package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"coterie/crypto/abe"
	"coterie/kms"
)

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, of int
		spent    time.Duration
		want     string
	}{
		{1, 212, time.Second, "[" + strings.Repeat("-", 34) + "]  1/212   4 min left"},
		{148, 212, 29 * time.Second, "[" + strings.Repeat("#", 23) + strings.Repeat("-", 11) + "]  148/212   13 s left"},
		{3, 3, time.Minute, "[" + strings.Repeat("#", 34) + "]  3/3   0 s left"},
	} {
		if got := barText(c.done, c.of, c.spent); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// On a terminal a run shows how far it is, and takes that away again; elsewhere
// it does not.
func TestProgressIsShown(t *testing.T) {
	const members = 3
	folder := rowsOfMembers(t, members)
	t.Chdir(folder)
	t.Setenv("TERM", "xterm")
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer terminal.Close()
	var out bytes.Buffer
	if got := testApp().run([]string{"issue", "--csv", "members.csv", "-o", "keys", "--passphrase-file", "pass", "--yes",
		"--expires", "1d"}, &out, tty); got != 0 {
		t.Fatal(got)
	}
	tty.Close()
	var shown []byte
	for {
		b := make([]byte, 4096)
		n, err := terminal.Read(b)
		shown = append(shown, b[:n]...)
		if err != nil {
			break // the other side is closed
		}
	}
	for _, want := range []string{"]  1/3   ", "]  2/3   ", "]  3/3   0 s left", "\r\x1b[K"} {
		if !bytes.Contains(shown, []byte(want)) {
			t.Errorf("%q is not in %q", want, shown)
		}
	}
	if strings.ContainsAny(out.String(), "#\x1b\r") {
		t.Errorf("the bar is in the output: %q", out.String())
	}
	var errs bytes.Buffer
	testApp().run([]string{"issue", "--csv", "members.csv", "-o", "more", "--passphrase-file", "pass", "--yes",
		"--expires", "2d", "--from", "2026-11-24"}, &out, &errs)
	if bytes.ContainsAny(errs.Bytes(), "\x1b\r") {
		t.Errorf("a file gets %q", errs.Bytes())
	}
	checkMembers(t, folder, members)
}

func TestCalendarText(t *testing.T) {
	from, err := abe.ParseDay("2026-11-23")
	if err != nil {
		t.Fatal(err)
	}
	a := testApp()
	a.now = func() time.Time { return from.Start() }
	long := strings.Repeat("Åse, Ødegård; ", 14)
	master, err := abe.Setup(a.rand, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	text := a.calendar(master.Domain(), []kms.Issue{
		{Number: 1, Name: strings.TrimSpace(long), From: from, Expires: from + 9},
		{Number: 2, From: from, Expires: from + 9},
		{Number: 3, Name: "marked", From: from, Expires: from + 9, NoRenew: true},
		{Number: 4, Name: "Replaced", From: from, Expires: from + 9, RenewedBy: 5},
		{Number: 5, Name: "lapsed", From: from - 9, Expires: from},
		{Number: 6, Name: "void", From: from, Expires: from + 9, Void: true},
	})
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\r\n") || len(line) > 75+2 || strings.ContainsAny(strings.TrimSuffix(line, "\r\n"),
			"\r\n") {
			t.Errorf("%q", line)
		}
	}
	whole := strings.ReplaceAll(text, "\r\n ", "")
	for _, want := range []string{
		"SUMMARY:2 keys of NTNU lapse\r\n", "DTSTART;VALUE=DATE:20261202\r\n", "UID:2026-12-02-",
		`DESCRIPTION:1 Åse\, Ødegård\; Åse\, `, `\n2 nobody by name` + "\r\n",
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("%q is not in\n%s", want, whole)
		}
	}
	for _, name := range []string{"marked", "Replaced", "lapsed", "void"} {
		if strings.Contains(whole, name) {
			t.Errorf("%s is in it", name)
		}
	}
}

// The table of a folder has names in it, keeps what it had, and is no formula.
func TestIndex(t *testing.T) {
	folder := t.TempDir()
	key := func(number uint64, name string) kms.Issued {
		return kms.Issued{Issue: kms.Issue{Number: number, Name: name}, Path: filepath.Join(folder, "x.key")}
	}
	for _, keys := range [][]kms.Issued{{key(12, "Ann"), key(2, "=1+1")}, {key(3, "Bo, \"B\""), key(2, "@sum")}, nil} {
		if err := writeIndex(folder, keys); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, indexName)
	data, err := os.ReadFile(path)
	if want := "number,name,file\n2,'@sum,x.key\n3,\"Bo, \"\"B\"\"\",x.key\n12,Ann,x.key\n"; err != nil ||
		string(data) != want {
		t.Errorf("%v\n%s", err, data)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("my own table\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeIndex(folder, []kms.Issued{key(4, "x")}); err == nil {
		t.Error("somebody's own table was overwritten")
	}
}

// TestCell: a name that a stranger chose is no formula, whichever sign separates the
// cells of a table for whoever opens it.
func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"Kari Nordmann": "Kari Nordmann", "=1+1": "'=1+1", "Ola;=1+1": "Ola;'=1+1", "Ola; \"@x": "Ola; \"'@x",
		"a,+b|-c": "a,'+b|'-c", "＝1": "'＝1", "Anne-Marie": "Anne-Marie", "": "",
	} {
		if got := cell(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
