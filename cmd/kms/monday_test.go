package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"

	"coterie/kms/request"
)

// TestMonday types what the operator's guide says of the first Monday, from nothing to
// thirty members, somebody who leaves, a stolen laptop and a successor: every command that
// is indented there, in its order.
func TestMonday(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the guide's commands are a shell's")
	}
	page, err := os.ReadFile("../../docs/OPERATOR.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n## Your first Monday\n")
	section, _, end := strings.Cut(section, "\n## ")
	if !ok || !end {
		t.Fatal("the guide has no such page")
	}
	m := &monday{t: t, bin: t.TempDir(), dir: t.TempDir(), home: t.TempDir(), stick: t.TempDir()}
	if err := os.Chmod(m.home, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(m.bin, "kms"))
	}
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(m.bin, "coterie"), "coterie/cmd/coterie")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building coterie: %v\n%s", err, out)
	}
	m.write("pass", "anchor-velvet-tundra\n")
	m.write("pass2", "copper-orbit-lantern\n")
	ran := 0
	for line := range strings.Lines(section) {
		command, indented := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "    ")
		switch {
		case !indented:
		case strings.HasPrefix(command, "kms "), strings.HasPrefix(command, "coterie "):
			m.command(command)
			ran++
		case strings.HasPrefix(command, "name,"):
			m.members(command)
		case !strings.HasPrefix(command, "Kari Nordmann,requests/"):
			t.Errorf("the page has a line that nobody types: %s", command)
		}
	}
	if ran != 19 {
		t.Errorf("%d commands were run", ran)
	}
}

// A monday is whoever does it: where they are, and what they have.
type monday struct {
	t         *testing.T
	bin       string
	dir       string // where they type
	home      string
	stick     string
	recipient string // of the first member, who is the successor later
	pass      string
}

func (m *monday) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *monday) copy(from, to string) {
	m.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write(to, string(data))
}

// shell runs a command and returns what it said.
func (m *monday) shell(command string) string {
	m.t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), asProcess+"=1", "HOME="+m.home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=",
		"PATH="+m.bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// members makes the table: the first member asked, the others have recipients.
func (m *monday) members(head string) {
	m.t.Helper()
	if head != "name,recipient,attr,code" {
		m.t.Fatalf("the table is another: %s", head)
	}
	r, err := request.Load(filepath.Join(m.dir, "requests/kari-nordmann.request"))
	if err != nil {
		m.t.Fatal(err)
	}
	code, err := r.Code()
	if err != nil {
		m.t.Fatal(err)
	}
	m.recipient = r.Recipient
	table := head + "\nKari Nordmann,requests/kari-nordmann.request,NTNU," + strings.ReplaceAll(code, "-", " ") + "\n"
	for i := 2; i <= 30; i++ {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			m.t.Fatal(err)
		}
		table += fmt.Sprintf("Member %d,%s,NTNU,\n", i, id.Recipient())
	}
	m.write("members.csv", table)
}

// command types what the page says. What is asked for is given by flags: the passphrase,
// the six words, a yes.
func (m *monday) command(page string) {
	m.t.Helper()
	command := strings.ReplaceAll(page, "/media/usb", m.stick)
	command = strings.ReplaceAll(command, "age1...", m.recipient)
	is := func(begin string) bool { return strings.HasPrefix(page, begin) }
	switch {
	case is("coterie request"):
		command += " --no-passphrase"
	case is("kms passphrase --identity"):
		command += " --new-passphrase-file pass2"
	case is("kms passphrase"):
		command += " --passphrase-file pass --new-passphrase-file pass2"
	case strings.Contains(page, "--identity"):
	default:
		command += " --passphrase-file " + m.passphrase()
	}
	if (is("kms issue") || is("kms renew") || is("kms revoke")) && !strings.Contains(page, "--dry-run") {
		command += " --yes"
	}
	if is("kms issue") {
		command += " --expires 1d" // a key for 90 days takes longer to make
	}
	switch {
	case is("kms issue --request"): // by somebody with a new identity
		home := m.home
		m.home = m.t.TempDir()
		m.shell("coterie request --name 'Member 4' --want NTNU -o requests/again.request --no-passphrase")
		m.home = home
		r, err := request.Load(filepath.Join(m.dir, "requests/again.request"))
		if err != nil {
			m.t.Fatal(err)
		}
		code, err := r.Code()
		if err != nil {
			m.t.Fatal(err)
		}
		command += " --code " + code
	case is("kms restore"): // on another computer
		m.dir = m.t.TempDir()
		m.write("pass", "anchor-velvet-tundra\n")
		m.write("pass2", "copper-orbit-lantern\n")
	case is("kms list --identity"): // the successor
		old := m.dir
		m.dir = m.t.TempDir()
		m.copy(filepath.Join(old, "successor.master"), "NTNU.master")
		m.copy(filepath.Join(old, "NTNU.domain"), "NTNU.domain")
		m.copy(filepath.Join(old, "NTNU.ledger"), "NTNU.ledger")
		m.write("pass2", "silver-harbor-window\n")
	}
	out := m.shell(command)
	if is("kms passphrase") {
		m.pass = "pass2"
	}
	if is("coterie request") {
		m.copy(filepath.Join(m.dir, "kari-nordmann.request"), "requests/kari-nordmann.request")
	}
	for begin, want := range map[string]string{
		"kms init": `public: give it to everybody +NTNU [0-9a-f-]{19}\n`,
		"kms issue --csv members.csv -o keys/ --dry-run": `30 keys`,
		"kms list --name":     `\n +3  Member 3 .*, 1 day left\n`,
		"kms norenew 3":       `Member 3`,
		"kms revoke":          `Member 4's key 4 is revoked\.`,
		"kms restore":         `Numbers 32 to 36 stay unused\.`,
		"kms list --identity": `Kari Nordmann .*, 1 day left`,
	} {
		if is(begin) && !regexp.MustCompile(want).MatchString(out) {
			m.t.Errorf("%s: no %q in\n%s", page, want, out)
		}
	}
	if is("kms list") {
		for line := range strings.Lines(out) {
			if len(line) > 81 {
				m.t.Errorf("%s: more than 80 columns: %s", page, line)
			}
		}
	}
	if page == "kms issue --csv members.csv -o keys/" {
		if keys, _ := filepath.Glob(filepath.Join(m.dir, "keys", "*.key")); len(keys) != 30 {
			m.t.Errorf("there are %d keys", len(keys))
		}
	}
}

func (m *monday) passphrase() string {
	if m.pass == "" {
		return "pass"
	}
	return m.pass
}
