package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// TestMember is about what a member does before he joins anything: request and
// key.
func TestMember(t *testing.T) {
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/member",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			today := abe.DayOf(time.Now())
			e.Setenv("TODAY", today.String())
			e.Setenv("EXPIRES", (today + 90).String())
			e.Setenv("FINGERPRINT", master.Domain().Fingerprint())
			domain, err := master.Domain().MarshalBinary()
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(e.WorkDir, "NTNU.domain"), domain, 0o644); err != nil {
				return err
			}
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// status N COMMAND...
			"status": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				got := 0
				if exit, ok := err.(interface{ ExitCode() int }); ok {
					got = exit.ExitCode()
				}
				if fmt.Sprint(got) != args[0] {
					ts.Fatalf("%q ended with status %d, want %s", args[1:], got, args[0])
				}
			},
			// code FILE sets CODE and RECIPIENT to those of a request.
			"code": func(ts *testscript.TestScript, _ bool, args []string) {
				r, err := request.Load(ts.MkAbs(args[0]))
				ts.Check(err)
				code, err := r.Code()
				ts.Check(err)
				ts.Setenv("CODE", code)
				ts.Setenv("RECIPIENT", r.Recipient)
			},
			// issue REQUEST FILE makes the key that was asked for; for -, a plain one.
			"issue": func(ts *testscript.TestScript, _ bool, args []string) {
				today := abe.DayOf(time.Now())
				grant := abe.Grant{Serial: 1, Attributes: []abe.Attribute{{Name: "NTNU"}}, Generation: 1, From: today,
					Expires: today + 90}
				var r *request.Request
				if args[0] != "-" {
					var err error
					r, err = request.Load(ts.MkAbs(args[0]))
					ts.Check(err)
					grant.Attributes = r.Want
				}
				k, err := master.Issue(rand.Reader, grant)
				ts.Check(err)
				data, err := k.MarshalBinary()
				ts.Check(err)
				if r != nil {
					to, err := keyfile.ParseRecipient(r.Recipient)
					ts.Check(err)
					data, err = keyfile.SealKey(data, to, r.Recipient, master.Domain())
					ts.Check(err)
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
			},
			// private FILE checks that nobody else can read it or its folder.
			"private": func(ts *testscript.TestScript, _ bool, args []string) {
				for _, path := range []string{ts.MkAbs(args[0]), filepath.Dir(ts.MkAbs(args[0]))} {
					info, err := os.Stat(path)
					ts.Check(err)
					if info.Mode().Perm()&0o077 != 0 {
						ts.Fatalf("%s has mode %v", path, info.Mode())
					}
				}
			},
		},
		RequireExplicitExec: true,
	})
}

// TestMemberSecrets: neither the identity nor a passphrase is in anything that
// request and key print, or in a file that others can read.
func TestMemberSecrets(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("HOME", filepath.Join(t.TempDir(), "home"))
	t.Setenv("XDG_CONFIG_HOME", "")
	var printed bytes.Buffer
	run := func(args ...string) {
		a := newApp(strings.NewReader(""), &printed, &printed)
		a.run(args)
	}
	const passphrase, wrong = "lamp-and-orbit-and-seven", "canoe-and-rust"
	for name, text := range map[string]string{"pass": passphrase, "wrong": wrong} {
		if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("request", "--name", "Kari", "--want", "NTNU", "--passphrase-file", "pass")
	run("request", "--name", "Kari", "--want", "NTNU", "--passphrase-file", "wrong", "--force")
	run("request", "--name", "Kari", "--want", "NTNU", "--passphrase-file", "pass", "-o", "second.request")
	run("request", "--want", "NTNU", "--no-passphrase", "--identity", "plain.identity")
	plain, err := os.ReadFile("plain.identity")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	today := abe.DayOf(time.Now())
	k, err := master.Issue(rand.Reader, abe.Grant{Attributes: []abe.Attribute{{Name: "NTNU"}}, From: today,
		Expires: today + 1})
	if err != nil {
		t.Fatal(err)
	}
	data, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	own := ids[0].(*age.X25519Identity).Recipient()
	sealed, err := keyfile.SealKey(data, own, own.String(), master.Domain())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"kari.key": data, "sealed.key": sealed, "broken.identity": append([]byte("x"),
		plain...)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"kari.key", "sealed.key", "plain.identity", "broken.identity", "pass", "kari.request"} {
		run("key", f)
		run("key", f, "--identity", "plain.identity", "--json")
		run("key", "sealed.key", "--identity", f, "--passphrase-file", "wrong")
	}
	identity := strings.TrimPrefix(ids[0].(*age.X25519Identity).String(), "AGE-SECRET-KEY-1")
	public := map[string]string{"the output": printed.String()}
	for _, path := range []string{"kari.request", "second.request", "key.request"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		public[path] = string(text)
	}
	if printed.Len() < 2000 {
		t.Fatalf("it printed only %q", &printed)
	}
	for where, text := range public {
		for _, secret := range []string{passphrase, wrong, identity[:12], identity[20:32], string(data[len(data)-100:])} {
			if strings.Contains(strings.ToUpper(text), strings.ToUpper(secret)) {
				t.Errorf("%q is in %s", secret, where)
			}
		}
	}
}
