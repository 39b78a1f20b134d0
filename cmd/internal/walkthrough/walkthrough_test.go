package walkthrough

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// TestWalkthrough runs what an operator and a member do, in the programs as they
// are built and with age beside them, and compares what they read word for word.
func TestWalkthrough(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no terminal for tests here")
	}
	bin := t.TempDir()
	for _, program := range []string{"coterie/cmd/kms", "coterie/cmd/coterie", "filippo.io/age/cmd/age", "filippo.io/age/cmd/age-keygen"} {
		build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), program)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", program, err, out)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			today := abe.DayOf(time.Now())
			e.Setenv("TODAY", today.String())
			e.Setenv("LAPSES", (today + 90).String())
			if err := os.Chmod(e.WorkDir, 0o700); err != nil {
				return err
			}
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"learn":  learn,
			"typed":  typed,
			"status": status,
			"is":     is,
			"swap":   swap,
			"recipient": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv("MALLORY", strings.TrimSpace(ts.ReadFile(args[0])))
			},
		},
		RequireExplicitExec: true,
	})
}

// learn sets what the texts have in them that differs each time: the domain's
// FINGERPRINT, the request's CODE and RECIPIENT, the SIZE of the key.
func learn(ts *testscript.TestScript, _ bool, args []string) {
	for _, path := range args {
		path = ts.MkAbs(path)
		switch kind, err := keyfile.Peek(path); {
		case err != nil:
			ts.Fatalf("%v", err)
		case kind == keyfile.Domain:
			d, err := keyfile.LoadDomain(path)
			ts.Check(err)
			ts.Setenv("FINGERPRINT", d.Fingerprint())
		case kind == keyfile.Request:
			r, err := request.Load(path)
			ts.Check(err)
			code, err := r.Code()
			ts.Check(err)
			ts.Setenv("CODE", code)
			ts.Setenv("RECIPIENT", r.Recipient)
			ts.Setenv("SHORT", keyfile.ShortRecipient(r.Recipient))
		default:
			info, err := os.Stat(path)
			ts.Check(err)
			ts.Setenv("SIZE", fmt.Sprintf("%.1f kB", float64(info.Size())/1e3))
			ts.Setenv("BYTES", fmt.Sprintf("%d,%03d", info.Size()/1000, info.Size()%1000))
		}
	}
}

// typed writes lines for the terminal:  typed FILE LINE...
func typed(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(args[1:], "\n")+"\n"), 0o600))
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%q ended with status %d, want %s", args[1:], got, args[0])
	}
}

// is says what a file that age decrypted is:  is FILE key|master
func is(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	switch args[1] {
	case "key":
		_, err = abe.ParseKey(data)
	case "master":
		_, err = abe.ParseMasterKey(data)
	}
	if err != nil {
		ts.Fatalf("%s is no %s: %v", args[0], args[1], err)
	}
}

// swap puts another recipient into a request:  swap REQUEST RECIPIENT OUT
func swap(ts *testscript.TestScript, _ bool, args []string) {
	r, err := request.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	r.Recipient = strings.TrimSpace(ts.ReadFile(args[1]))
	data, err := r.Marshal()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data, 0o600))
}
