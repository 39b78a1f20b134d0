package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReleaseTwice: scripts/release gives the same bytes in two folders, and a program that says
// which version it is. One small program stands for all; scripts/release twice makes all of them.
func TestReleaseTwice(t *testing.T) {
	var programs [2][]byte
	for i, folder := range []string{"one", "two/deeper"} {
		dir := filepath.Join(t.TempDir(), folder)
		copySources(t, dir)
		program := filepath.Join(dir, "kms.built")
		cmd := exec.Command(filepath.Join(dir, "scripts", "release"), "build", "kms", goenv(t, "GOHOSTOS"),
			goenv(t, "GOHOSTARCH"), program)
		cmd.Env = append(os.Environ(), "VERSION=0.0.7", "SOURCE_DATE_EPOCH=1000000000")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var err error
		if programs[i], err = os.ReadFile(program); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program, "--version").Output()
		if err != nil || !strings.HasPrefix(string(out), "kms version 0.0.7 (go") {
			t.Errorf("it says %q, %v", out, err)
		}
		if bytes.Contains(programs[i], []byte(dir)) {
			t.Error("the folder is in the program")
		}
	}
	if !bytes.Equal(programs[0], programs[1]) {
		t.Error("the bytes differ")
	}
}

func goenv(t *testing.T, name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// copySources copies what kms is built from. It reads all itself, so that the go command runs
// the test again when any of it changed.
func copySources(t *testing.T, dir string) {
	for _, folder := range []string{"scripts", "cmd/kms", "cmd/internal", "crypto", "kms"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestChangelog: the newest version of CHANGELOG.md is the one that programs say they are.
func TestChangelog(t *testing.T) {
	changes, err := os.ReadFile(root + "/CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := regexp.MustCompile(`(?m)^## ([0-9][^ ,]*)`).FindSubmatch(changes)
	code, err := os.ReadFile(root + "/cmd/internal/cli/version.go")
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`(?m)^const Number = "(.*)"$`).FindSubmatch(code)
	if newest == nil || number == nil || string(newest[1]) != string(number[1]) {
		t.Errorf("CHANGELOG.md has %q, version.go %q", newest, number)
	}
}

// TestNoPrograms: no built program lies between the sources. Whoever adds all files to a commit
// would have it in the history for good.
func TestNoPrograms(t *testing.T) {
	const most = 2 << 20
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if ext := filepath.Ext(path); ext == ".test" || ext == ".prof" {
			return nil // git ignores them
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() && info.Size() > most {
			t.Errorf("%s has %d bytes", path, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDependenciesAreExplained: the table in THREATS.md has each module that go.mod asks for
// directly, no other, and says truly which program links it.
func TestDependenciesAreExplained(t *testing.T) {
	mod, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(root + "/docs/THREATS.md")
	if err != nil {
		t.Fatal(err)
	}
	linked := func(program string) string {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}[{{.Path}}]{{end}}", "../cmd/"+program)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	coterie, kms := linked("coterie"), linked("kms")
	where := func(module string) string {
		inCoterie, inKMS := strings.Contains(coterie, "["+module+"]"), strings.Contains(kms, "["+module+"]")
		switch {
		case inCoterie && inKMS:
			return "both"
		case inCoterie:
			return "coterie"
		case inKMS:
			return "kms"
		}
		return "tests"
	}
	said := make(map[string]string)
	row := regexp.MustCompile("(?m)^\\| `([a-z][^`]*\\.[^`]*/[^`]*)` \\| (\\w+) \\|")
	for _, m := range row.FindAllSubmatch(page, -1) {
		said[string(m[1])] = string(m[2])
	}
	direct := 0
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+/\S+) v\S+$`).FindAllSubmatch(mod, -1) {
		direct++
		module := string(m[1])
		if said[module] != where(module) {
			t.Errorf("THREATS.md says %q of %s; it is in: %s", said[module], module, where(module))
		}
		delete(said, module)
	}
	for module := range said {
		t.Errorf("THREATS.md explains %s, which go.mod does not ask for", module)
	}
	if direct < 20 {
		t.Errorf("only %d modules found", direct)
	}
}
