package chat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestFileName: whatever somebody calls a file, the name is one in the folder, shown as it is, and
// no device, option or hidden file.
func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"plan.pdf":                      "plan.pdf",
		"Plan für Mai ☕.tar.gz":         "Plan für Mai ☕.tar.gz",
		"../../.ssh/authorized_keys":    "authorized_keys",
		"/etc/passwd":                   "passwd",
		`C:\Windows\system32\a.dll`:     "a.dll",
		`..\a`:                          "a",
		"a/":                            "a",
		"..":                            "file",
		".":                             "file",
		"/":                             "file",
		"":                              "file",
		".bashrc":                       "bashrc",
		"--help":                        "help",
		"-rf ":                          "rf",
		"~root":                         "root",
		" . - a":                        "a",
		"photo\u202egpj.exe":            "photogpj.exe",
		"a\u200bb\u00adc\ufeff.txt":     "abc.txt",
		"a\x00b\nc\x1b[2J":              "abc[2J",
		"a\u3000b\u00a0c":               "abc",
		"CON":                           "_CON",
		"con.txt":                       "_con.txt",
		"LPT1.tar.gz":                   "_LPT1.tar.gz",
		"com\u00b9":                     "_com\u00b9",
		"nul .txt":                      "_nul.txt",
		"COM10":                         "COM10",
		"console.log":                   "console.log",
		"a.txt. . .":                    "a.txt",
		"what?<1>|\"2\":*":              "what__1___2___",
		"a\xffb":                        "ab",
		"e\u0301te\u0301.txt":           "\u00e9t\u00e9.txt",
		"e\u200b\u0301.txt":             "\u00e9.txt",
		"\u0301accent":                  "accent",
		strings.Repeat("x", 300) + ".p": strings.Repeat("x", 198) + ".p",
	} {
		if got := FileName(name); got != want {
			t.Errorf("%q is %q, not %q", name, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"a.txt", "../x", "CON", "\u202e", "...", strings.Repeat("é", 200),
		"a." + strings.Repeat("b", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := FileName(s)
		switch {
		case name == "" || len(name) > maxFileName || !utf8.ValidString(name):
			t.Fatalf("%q: %q", s, name)
		case filepath.Base(name) != name || strings.ContainsAny(name, `/\:`) || strings.ContainsAny(name[:1], ".-~ "):
			t.Fatalf("%q: %q", s, name)
		case isDevice(name) || strings.TrimRight(name, ". ") != name:
			t.Fatalf("%q: %q", s, name)
		case FileName(name) != name:
			t.Fatalf("%q: %q, and then %q", s, name, FileName(name))
		}
		for _, r := range name {
			if r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Fatalf("%q: %q has %U", s, name, r)
			}
		}
	})
}

// TestTakeName: nothing is overwritten, whatever it is: a file, a folder, a link that leads nowhere.
func TestTakeName(t *testing.T) {
	dir := t.TempDir()
	temp := filepath.Join(dir, "temp")
	for _, err := range []error{
		os.WriteFile(temp, []byte("new"), 0o600),
		os.WriteFile(filepath.Join(dir, "a.tar"), []byte("old"), 0o600),
		os.Mkdir(filepath.Join(dir, "a (2).tar"), 0o700),
		os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "a (3).tar")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	at, err := takeName(temp, dir, "a.tar")
	if err != nil || at != filepath.Join(dir, "a (4).tar") {
		t.Fatalf("%s, %v", at, err)
	}
	if old, err := os.ReadFile(filepath.Join(dir, "a.tar")); err != nil || string(old) != "old" {
		t.Errorf("%q, %v", old, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a link was followed")
	}
}

// TestPath: what is typed is meant in the process in which it is typed.
func TestPath(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"a.txt": filepath.Join(here, "a.txt"), "./": here + "/", "/x/../y": "/y", "~/a": filepath.Join(home, "a"),
		"~/": home + "/", "/tmp/": "/tmp/", "~b": filepath.Join(here, "~b"),
	} {
		if got := Path(typed); got != want {
			t.Errorf("%q is %q, not %q", typed, got, want)
		}
	}
	if c, ok := parseSave("2").(Save); !ok || c.Number != 2 || c.Path != here+"/" {
		t.Errorf("%+v", c)
	}
	if c, ok := parseSave("2 /tmp/x y").(Save); !ok || c.Path != "/tmp/x y" {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"0", "x", "-1", "plan.pdf"} {
		if _, ok := parseSave(bad).(Bad); !ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
