package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coterie/kms"
	"coterie/kms/keyfile"
)

// asProcess makes this test program behave as kms, for tests that kill it.
const asProcess = "KMS_TEST_MAIN"

// rowsOfMembers writes a table of n members and makes a domain for them.
func rowsOfMembers(t *testing.T, n int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var b strings.Builder
	b.WriteString("name,recipient,attr\n")
	for i := range n {
		fmt.Fprintf(&b, "Member %d,,NTNU\n", i+1)
	}
	for path, text := range map[string]string{"members.csv": b.String(), "pass": "anchor-velvet-tundra\n"} {
		if err := os.WriteFile(filepath.Join(folder, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := process(folder, "init", "NTNU", "--passphrase-file", "pass").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return folder
}

func process(folder string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), asProcess+"=1")
	return cmd
}

// stop runs the table and sends a signal once so many keys are in the folder.
func stop(t *testing.T, folder string, signal os.Signal, keys int) (stderr string, err error) {
	t.Helper()
	cmd := process(folder, "issue", "--csv", "members.csv", "-o", "keys", "--passphrase-file", "pass", "--yes",
		"--expires", "1d")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return errs.String(), err
		case <-look.C:
			if names, _ := filepath.Glob(filepath.Join(folder, "keys", "*.key")); len(names) >= keys {
				cmd.Process.Signal(signal)
				err := <-ended
				return errs.String(), err
			}
		}
	}
}

// checkMembers makes sure that each of n members has one key, in a file that
// opens, and one row in the table of the folder.
func checkMembers(t *testing.T, folder string, n int) {
	t.Helper()
	locked, err := kms.Read(kms.At(filepath.Join(folder, "NTNU")))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := locked.Open([]byte("anchor-velvet-tundra"))
	if err != nil {
		t.Fatal(err)
	}
	known, err := authority.Record()
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]int)
	for _, i := range known.Issues {
		if !i.Void {
			keys[i.Name]++
		}
	}
	for i := range n {
		name := fmt.Sprintf("Member %d", i+1)
		if keys[name] != 1 {
			t.Errorf("%s has %d keys", name, keys[name])
		}
		k, err := keyfile.LoadKey(filepath.Join(folder, "keys", fmt.Sprintf("member-%d.key", i+1)), nil)
		if err != nil {
			t.Error(err)
		} else if known.Issues[k.Serial()-1].Name != name {
			t.Errorf("%s has the key of %s", name, known.Issues[k.Serial()-1].Name)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "keys", ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	data, err := os.ReadFile(filepath.Join(folder, "keys", "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || len(rows) != n+1 {
		t.Errorf("the table has %d rows, %v", len(rows), err)
	}
}

// A run over a table that is killed, killed again and interrupted: the same
// command goes on, and in the end each member has one key.
func TestCSVInterrupted(t *testing.T) {
	const members = 14
	folder := rowsOfMembers(t, members)
	for _, keys := range []int{1, 4} {
		if _, err := stop(t, folder, syscall.SIGKILL, keys); err == nil {
			t.Fatal("it ended before it was killed")
		}
	}
	stderr, err := stop(t, folder, os.Interrupt, 8)
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != 1 || !strings.Contains(stderr, "error: stopped after ") ||
		!strings.Contains(stderr, "hint: the same command goes on where it stopped\n") {
		t.Errorf("%v\n%s", err, stderr)
	}
	if stderr, err := stop(t, folder, os.Interrupt, members+1); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	checkMembers(t, folder, members)
}

// Two runs over the same table at once: each member gets one key.
func TestCSVTwiceAtOnce(t *testing.T) {
	const members = 6
	folder := rowsOfMembers(t, members)
	var runs [2]*exec.Cmd
	for i := range runs {
		runs[i] = process(folder, "issue", "--csv", "members.csv", "-o", "keys", "--passphrase-file", "pass", "--yes",
			"--expires", "1d")
		runs[i].Stderr = new(bytes.Buffer)
		if err := runs[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range runs {
		if err := run.Wait(); err != nil {
			t.Errorf("%v\n%s", err, run.Stderr)
		}
	}
	checkMembers(t, folder, members)
}

// Between what one run is shown and its yes, another issues it all: the one finds
// that out with the ledger locked, and issues nothing twice.
func TestCSVOvertaken(t *testing.T) {
	const members = 3
	folder := rowsOfMembers(t, members)
	t.Chdir(folder)
	args := []string{"issue", "--csv", "members.csv", "-o", "keys", "--passphrase-file", "pass", "--yes", "--expires",
		"1d"}
	slow := testApp()
	overtaken := false
	var out, errs bytes.Buffer
	now := slow.now
	slow.now = func() time.Time {
		// The folder is made after the plan and before the ledger is locked.
		if _, err := os.Stat("keys"); err == nil && !overtaken {
			overtaken = true
			if got := testApp().run(args, io.Discard, &errs); got != 0 {
				t.Errorf("the other run ended with %d: %s", got, &errs)
			}
		}
		return now()
	}
	if got := slow.run(args, &out, &errs); got != 0 || !overtaken ||
		!strings.HasPrefix(out.String(), "Nothing was left to issue.") {
		t.Errorf("%d, overtaken: %v\n%s%s", got, overtaken, &out, &errs)
	}
	checkMembers(t, folder, members)
}

// A key file that cannot grow, as on a disk with quotas: a clear error and no
// crash, and with room again the same command does it.
func TestFileSizeLimit(t *testing.T) {
	folder := rowsOfMembers(t, 0)
	cmd := exec.Command("sh", "-c", "ulimit -f 1; exec \"$0\" \"$@\"", os.Args[0], "issue", "--attr", "NTNU", "--expires",
		"1d", "-o", "x.key", "--passphrase-file", "pass")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), asProcess+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Skip("no limits on file sizes here")
	}
	if bytes.Contains(out, []byte("goroutine")) || !bytes.Contains(out, []byte("error: ")) {
		t.Errorf("%s", out)
	}
	if _, err := os.Stat(filepath.Join(folder, "x.key")); err == nil {
		t.Error("a part of a key is there")
	}
	if out, err := process(folder, "issue", "--attr", "NTNU", "--expires", "1d", "-o", "x.key", "--passphrase-file",
		"pass").CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
