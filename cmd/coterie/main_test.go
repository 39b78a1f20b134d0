package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/drive"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/room"
)

// asProcess makes the test binary behave as coterie, for tests with processes.
const asProcess = "COTERIE_TEST_MAIN"

// shifted is by how much such a process' clock is ahead, as time.ParseDuration
// has it.
const shifted = "COTERIE_TEST_CLOCK"

func TestMain(m *testing.M) {
	if ahead, err := time.ParseDuration(os.Getenv(shifted)); err == nil {
		clock = func() time.Time { return time.Now().Add(ahead) }
	}
	if os.Getenv(asProcess) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"coterie": main})
}

// patience is how long a test waits for what should take well under a second.
const patience = 60 * time.Second

// phrase is the passphrase of the fixtures' identity.
const phrase = "lamp-orbit-seven-canoe"

// fixtures are keys of one domain, and what surrounds them, in a folder.
func fixtures(t *testing.T, dir string) {
	t.Helper()
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	other, err := abe.Setup(rand.Reader, "UiO")
	if err != nil {
		t.Fatal(err)
	}
	today := abe.DayOf(time.Now())
	issue := func(m *abe.MasterKey, from, expires abe.Day, attributes ...string) []byte {
		attrs, err := abe.ParseAttributes(attributes)
		if err != nil {
			t.Fatal(err)
		}
		k, err := m.Issue(rand.Reader, abe.Grant{Attributes: attrs, Generation: 1, From: from, Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		b, err := k.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(name string, b []byte, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), b, mode); err != nil {
			t.Fatal(err)
		}
	}
	good := issue(master, today, today+30, "ONE", "TWO", "THREE")
	write("ann.key", good, 0o600)
	bob := issue(master, today, today+30, "THREE", "TWO", "FOUR")
	write("bob.key", bob, 0o600)
	write("dan.key", issue(master, today, today+30, "ONE", "FIVE"), 0o600)
	write("old.key", issue(master, today-10, today-3, "ONE", "TWO"), 0o600)
	write("early.key", issue(master, today+5, today+9, "ONE", "TWO"), 0o600)
	write("soon.key", issue(master, today, today+3, "ONE", "TWO"), 0o600)
	write("loose.key", good, 0o644)
	damaged := bytes.Clone(good)
	damaged[len(damaged)/2] ^= 1
	write("damaged.key", damaged, 0o600)
	write("short.key", good[:len(good)-100], 0o600)
	write("foreign.key", issue(other, today, today+2, "ONE", "TWO"), 0o600)
	domain, err := master.Domain().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	write("NTNU.domain", domain, 0o644)

	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := keyfile.Seal(bob, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	write("sealed.key", sealed, 0o600)
	locked, err := keyfile.EncryptPassphrase([]byte(id.String()+"\n"), []byte(phrase), 10)
	if err != nil {
		t.Fatal(err)
	}
	write("identity", locked, 0o600)
	write("stranger", []byte(stranger.String()+"\n"), 0o600)
	write("right", []byte(phrase+"\n"), 0o600)
	write("wrong", []byte("wrong\n"), 0o600)

	policy, err := abe.ParsePolicy(`((ONE or THREE) and (TWO or FOUR))`)
	if err != nil {
		t.Fatal(err)
	}
	d, err := room.NewDescriptor(other.Domain(), "den", policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	write("uio.link", []byte((&room.Link{Descriptor: d}).String()+"\n"), 0o644)
}

// TestErrors runs every way in which a join can fail before it begins, and
// compares what people see word for word.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Defer(func() { l.Close() })
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TAKEN", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
			files, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			for _, f := range files {
				b, err := os.ReadFile(filepath.Join(dir, f.Name()))
				if err != nil {
					return err
				}
				info, err := f.Info()
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, f.Name()), b, info.Mode().Perm()); err != nil {
					return err
				}
			}
			link, err := os.ReadFile(filepath.Join(dir, "uio.link"))
			if err != nil {
				return err
			}
			e.Setenv("UIO_LINK", strings.TrimSpace(string(link)))
			return nil
		},
	})
}

// TestEndings: Ctrl-C, SIGTERM, quit, end of input and a closed standard output
// all leave properly, with the right status and a last word.
func TestEndings(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	for _, test := range []struct {
		reason string
		end    func(*drive.Peer) error
	}{
		{"signal", func(p *drive.Peer) error { return p.Signal(os.Interrupt) }},
		{"quit", (*drive.Peer).Quit},
		{"eof", (*drive.Peer).CloseInput},
	} {
		t.Run(test.reason, func(t *testing.T) {
			a, b, _ := pair(ctx, t, dir)
			if err := test.end(b); err != nil {
				t.Fatal(err)
			}
			status, err := b.Exit(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if status != 0 {
				t.Errorf("status %d: %s", status, b.Stderr())
			}
			events, bad := b.Events()
			if len(bad) > 0 {
				t.Errorf("not events: %q", bad)
			}
			if events[0].Event != "hello" {
				t.Errorf("the first event is %q", events[0].Event)
			}
			if last := events[len(events)-1]; last.Event != "bye" || last.Reason != test.reason {
				t.Errorf("the last event is %q %q", last.Event, last.Reason)
			}
			if _, err := a.Wait(ctx, "bob goes away", func(e drive.Event) bool {
				return e.Event == "member" && e.State == "away"
			}); err != nil {
				t.Error(err)
			}
			if err := a.Quit(); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Exit(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestInput: what is not an object of ours is never sent as a message, every
// send is answered, and a message too long is refused with a reason.
func TestInput(t *testing.T) {
	ctx, dir := stage(t)
	p := peerProcess(ctx, t, dir, "ann")
	if _, err := p.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{
		`{"send":"held","ref":7}`,
		`{"sned":"x"}`,
		`{`,
		`{"send":"` + strings.Repeat("a", 17000) + `","ref":"long"}`,
		strings.Repeat("b", 70000),
		"",
		"a plain line",
	} {
		if err := p.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Quit(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Exit(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	events, _ := p.Events()
	for _, e := range events {
		switch e.Event {
		case "held", "kept":
			got = append(got, fmt.Sprint(e.Event, " ", e.Ref))
		case "error", "rejected":
			got = append(got, fmt.Sprint(e.Event, " ", e.Code))
		case "bye":
			got = append(got, "bye")
		}
	}
	want := "held 7, error bad-input, error bad-input, rejected too-long, error bad-input, held <nil>, kept 7, " +
		"kept <nil>, bye"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// TestUnreachableBootstrap: it is said, with what to do, and the peer goes on.
func TestUnreachableBootstrap(t *testing.T) {
	ctx, dir := stage(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	p := peerProcess(ctx, t, dir, "ann", "--bootstrap", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port))
	w, err := p.Wait(ctx, "the warning", func(e drive.Event) bool {
		return e.Event == "warning" &&
			e.Code == "bootstrap-unreachable"
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.Text, "connection refused") || w.Hint == "" {
		t.Errorf("got %v %q %q", w.Code, w.Text, w.Hint)
	}
	if err := p.Quit(); err != nil {
		t.Fatal(err)
	}
	if status, err := p.Exit(ctx); err != nil || status != 0 {
		t.Errorf("status %d, %v", status, err)
	}
}

func TestEscapes(t *testing.T) {
	o := lines.NewObject("message").Add("text", "a\x1b[2J\u202eb\u2028c\u0085d<e>")
	want := `{"event":"message","text":"a\u001b[2J\u202eb\u2028c\u0085d<e>"}` + "\n"
	if got := string(o.Line()); got != want {
		t.Errorf("got %s", got)
	}
}
