package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// TestStories runs the first five minutes of somebody who tries Coterie on one
// computer, and of somebody who got a key file, with real processes.
func TestStories(t *testing.T) {
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:      "testdata/stories",
		Deadline: time.Now().Add(5 * time.Minute),
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("FREE", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
			e.Setenv("HOME", e.WorkDir)
			// The path of a socket is short on every system.
			for _, name := range []string{"XDG_RUNTIME_DIR", "RUN2", "RUN3"} {
				run, err := os.MkdirTemp("", "c")
				if err != nil {
					return err
				}
				e.Defer(func() { os.RemoveAll(run) })
				e.Setenv(name, run)
			}
			e.Setenv("RUN1", e.Getenv("XDG_RUNTIME_DIR"))
			return l.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// waitfor FILE TEXT: until the file has the text.
			"waitfor": func(ts *testscript.TestScript, _ bool, args []string) {
				for until := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
					b, _ := os.ReadFile(ts.MkAbs(args[0]))
					if strings.Contains(string(b), args[1]) {
						return
					}
					if time.Now().After(until) {
						ts.Fatalf("no %q in %s:\n%s", args[1], args[0], b)
					}
				}
			},
			// publish FILE: the domain's file.
			"publish": func(ts *testscript.TestScript, _ bool, args []string) {
				b, err := master.Domain().MarshalBinary()
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
			},
			// issue REQUEST FILE ATTRIBUTE...: the operator's part. Without a request
			// the key is not sealed.
			"issue": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(issueKey(ts, master, args[0], args[1], args[2:]))
			},
			// revoke [--another-domain] FILE NUMBER: the operator's part.
			"revoke": func(ts *testscript.TestScript, _ bool, args []string) {
				m := master
				if args[0] == "--another-domain" {
					args = args[1:]
					var err error
					m, err = abe.Setup(rand.Reader, "NTNU")
					ts.Check(err)
				}
				serial, err := strconv.ParseUint(args[1], 10, 64)
				ts.Check(err)
				n, err := m.Revoke(uint32(time.Now().Unix()), []uint64{serial})
				ts.Check(err)
				b, err := n.MarshalBinary()
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
			},
		},
	})
}

func issueKey(ts *testscript.TestScript, master *abe.MasterKey, request, file string, attributes []string) error {
	attrs, err := abe.ParseAttributes(attributes)
	if err != nil {
		return err
	}
	today := abe.DayOf(time.Now())
	k, err := master.Issue(rand.Reader, abe.Grant{Serial: uint64(len(attributes)), Attributes: attrs, Generation: 1,
		From: today, Expires: today + 89})
	if err != nil {
		return err
	}
	b, err := k.MarshalBinary()
	if err != nil {
		return err
	}
	if request != "-" {
		for _, l := range strings.Split(ts.ReadFile(request), "\n") {
			if recipient, ok := strings.CutPrefix(l, "recipient: "); ok {
				to, err := age.ParseX25519Recipient(recipient)
				if err != nil {
					return err
				}
				if b, err = keyfile.Seal(b, to); err != nil {
					return err
				}
			}
		}
	}
	return os.WriteFile(ts.MkAbs(file), b, 0o600)
}
