// Package docs has the tests of the house as a whole: which package may import which,
// and whether what docs and code refer to is there.
package docs

import (
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const root = ".."

// sources calls f for each file of the project's own with one of the
// extensions.
func sources(t *testing.T, f func(path string, content []byte), extensions ...string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		for _, e := range extensions {
			if filepath.Ext(path) == e {
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				found++
				f(path, b)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Fatal("no sources found")
	}
}

// may lists what each part of the house may import of the others, and which
// packages from outside its own code must do without. Imports point down only.
var may = map[string]struct {
	own       []string
	forbidden []string
}{
	"crypto/abe":    {nil, noInputOutput},
	"crypto/ake":    {[]string{"crypto/abe"}, noInputOutput},
	"crypto/golden": {nil, nil}, // for tests
	"room/record":   {[]string{"crypto/abe", "crypto/ake"}, noInputOutput},
	"room":          {[]string{"crypto/abe", "crypto/ake", "room/record"}, noInputOutput},
	"node":          {[]string{"crypto/abe", "crypto/ake", "room", "room/record", "node/channel", "node/store"}, nil},
	"node/store":    {[]string{"kms/keyfile"}, nil},
	// A channel knows nothing of rooms, nor of where its streams come from.
	"node/channel": {nil, []string{"github.com/libp2p/go-libp2p", "github.com/libp2p/go-libp2p/core/host"}},
	"kms":          {[]string{"crypto/abe", "kms/keyfile", "kms/request", "kms/words"}, nil},
	"kms/request":  {[]string{"crypto/abe", "kms/keyfile", "kms/words"}, noInputOutput},
	"kms/words":    {nil, noInputOutput},
	"kms/keyfile":  {[]string{"crypto/abe", "kms/words"}, nil},
	"cmd/coterie": {[]string{
		"cmd/coterie/chat", "cmd/coterie/control", "cmd/coterie/demo", "cmd/coterie/doctor", "cmd/coterie/house",
		"cmd/coterie/inquire", "cmd/coterie/lines", "cmd/coterie/profile", "cmd/coterie/relay", "cmd/coterie/ui",
		"cmd/coterie/web", "cmd/internal/cli", "cmd/internal/text", "crypto/abe",
		"kms/keyfile", "kms/request", "node", "node/store", "room",
	}, nil},
	"cmd/coterie/demo": {[]string{
		"cmd/coterie/lines", "cmd/internal/cli", "crypto/abe", "crypto/ake", "kms/keyfile", "node", "room", "room/record",
	}, nil},
	"cmd/coterie/doctor": {[]string{
		"cmd/coterie/chat", "cmd/coterie/control", "cmd/coterie/demo", "cmd/coterie/health", "cmd/coterie/lines",
		"cmd/coterie/profile", "cmd/coterie/ui", "cmd/internal/cli", "crypto/abe", "crypto/ake", "kms/keyfile", "node",
		"room",
	}, nil},
	"cmd/coterie/chat": {[]string{
		"cmd/coterie/health", "cmd/coterie/people", "cmd/internal/cli", "cmd/internal/text", "crypto/abe", "crypto/ake",
		"kms/words",
		"node", "node/store", "room", "room/record",
	}, nil},
	"cmd/coterie/profile": {[]string{
		"cmd/coterie/chat", "cmd/internal/cli", "crypto/abe", "kms/keyfile", "kms/words", "node", "node/store", "room",
	}, nil},
	// Faces know the room, and not each other.
	"cmd/coterie/lines": {[]string{
		"cmd/coterie/chat", "cmd/coterie/people", "cmd/internal/cli", "crypto/ake", "node", "room", "room/record",
	}, nil},
	"cmd/coterie/control": {[]string{
		"cmd/coterie/chat", "cmd/coterie/health", "cmd/coterie/lines", "cmd/internal/cli", "crypto/ake", "node",
		"node/store",
	}, nil},
	// A house knows no terminal: faces come to it.
	"cmd/coterie/inquire": {[]string{
		"cmd/coterie/chat", "cmd/coterie/lines", "cmd/coterie/profile", "cmd/internal/cli", "crypto/abe", "kms/keyfile",
		"node", "room",
	}, nil},
	"cmd/coterie/relay": {[]string{
		"cmd/coterie/chat", "cmd/coterie/house", "cmd/coterie/lines", "cmd/coterie/profile", "cmd/internal/cli", "node",
	}, nil},
	"cmd/coterie/house": {[]string{
		"cmd/coterie/chat", "cmd/coterie/control", "cmd/coterie/health", "cmd/coterie/lines", "cmd/coterie/profile",
		"cmd/internal/cli", "crypto/abe", "crypto/ake", "kms/keyfile", "node", "node/store", "room",
	}, nil},
	"cmd/coterie/web": {[]string{
		"cmd/coterie/chat", "cmd/coterie/house", "cmd/coterie/lines", "cmd/coterie/people", "cmd/coterie/profile",
		"cmd/internal/cli", "crypto/ake", "room", "room/record",
	}, nil},
	"cmd/coterie/health": {[]string{"cmd/internal/text"}, noInputOutput},
	"cmd/coterie/ui": {[]string{
		"cmd/coterie/chat", "cmd/coterie/health", "cmd/coterie/people", "cmd/internal/cli", "cmd/internal/text", "crypto/ake",
		"node", "room", "room/record",
	}, nil},
	"cmd/coterie/people": {[]string{"cmd/internal/text", "kms/words"}, nil},
	"cmd/kms": {[]string{
		"cmd/internal/cli", "cmd/internal/text", "crypto/abe", "kms", "kms/keyfile", "kms/request", "kms/words",
	}, nil},
	"cmd/internal/cli":      {[]string{"cmd/internal/text", "crypto/abe", "kms/keyfile", "kms/request", "kms/words"}, nil},
	"cmd/internal/text":     {nil, noInputOutput},
	"cmd/internal/drive":    {nil, nil},
	"cmd/internal/localnet": {[]string{"cmd/internal/drive"}, nil},
	"cmd/internal/browse":   {nil, nil},
	"cmd/internal/screen":   {nil, nil},
	"cmd/internal/svg":      {nil, nil},
	"scripts/plot":          {nil, nil}, // a module of its own
}

// noInputOutput is what the protocol and its cryptography do without: it comes
// to them as arguments. (Types of libp2p are allowed: ids, keys, addresses.)
var noInputOutput = []string{
	"os", "net", "net/http", "crypto/rand", "math/rand", "math/rand/v2", "os/signal", "log",
	"github.com/libp2p/go-libp2p", "github.com/libp2p/go-libp2p/core/host", "github.com/libp2p/go-libp2p/core/network",
	"github.com/libp2p/go-libp2p-pubsub",
}

func TestImportsPointDown(t *testing.T) {
	seen := make(map[string]bool)
	sources(t, func(path string, content []byte) {
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		rel = filepath.ToSlash(rel)
		if strings.HasSuffix(path, "_test.go") || rel == "docs" || rel == "cmd/internal/walkthrough" {
			return
		}
		rules, ok := may[rel]
		if !ok && !seen[rel] {
			t.Errorf("%s is in no row of the table", rel)
		}
		seen[rel] = true
		f, err := parser.ParseFile(token.NewFileSet(), path, content, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if own, ok := strings.CutPrefix(imported, "coterie/"); ok && !contains(rules.own, own) {
				t.Errorf("%s imports %s", path, imported)
			}
			if contains(rules.forbidden, imported) {
				t.Errorf("%s imports %s", path, imported)
			}
		}
	}, ".go")
	for p := range may {
		if !seen[p] {
			t.Errorf("no package %s", p)
		}
	}
}

// TestKMSHasNoNetwork: an offline tool has nothing in it that could reach a network.
func TestKMSHasNoNetwork(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../cmd/kms").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if strings.Contains(p, "libp2p") || strings.Contains(p, "multiformats") || p == "net/http" {
			t.Errorf("cmd/kms links %s", p)
		}
	}
}

// TestIndexOfRoom: each file of package room has its line in the package's comment, and each line a file.
func TestIndexOfRoom(t *testing.T) {
	text, err := os.ReadFile("../room/room.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z]+\.go) `).FindAllStringSubmatch(string(text), -1) {
		listed[m[1]] = true
		if _, err := os.Stat("../room/" + m[1]); err != nil {
			t.Error(err)
		}
	}
	files, err := filepath.Glob("../room/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f = filepath.Base(f); f != "room.go" && !strings.HasSuffix(f, "_test.go") && !listed[f] {
			t.Errorf("%s has no line in room.go", f)
		}
	}
}

// TestTopLevel: the house has these rooms and no others.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	rooms := []string{
		"cmd", "node", "room", "crypto", "kms", "docs", "scripts", "go.mod", "go.sum", "README.md", "LICENSE",
		"SECURITY.md", "CHANGELOG.md", "bin",
	}
	for _, e := range entries {
		if !contains(rooms, e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s has no place at the top", e.Name())
		}
	}
}

// TestNoClockNoGoroutine: the protocol gets its time from outside and starts
// nothing.
func TestNoClockNoGoroutine(t *testing.T) {
	clock := regexp.MustCompile(`\btime\.(Now|Since|Until|Sleep|After|AfterFunc|NewTimer|NewTicker|Tick)\(`)
	goroutine := regexp.MustCompile(`(?m)^\s*go (func|[a-zA-Z_.]+\()`)
	sources(t, func(path string, content []byte) {
		rel := filepath.ToSlash(strings.TrimPrefix(path, root+"/"))
		if strings.HasSuffix(rel, "_test.go") || !strings.HasPrefix(rel, "room/") && !strings.HasPrefix(rel, "crypto/") {
			return
		}
		if m := clock.Find(content); m != nil {
			t.Errorf("%s reads the clock: %s", path, m)
		}
		if m := goroutine.Find(content); m != nil {
			t.Errorf("%s starts a goroutine: %s", path, m)
		}
	}, ".go")
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// TestCitationsExist: each section of the protocol that code or docs cite is
// there.
func TestCitationsExist(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^#{2,3} (\d+(?:\.\d+)?)\.? `).FindAllSubmatch(page, -1) {
		sections[string(m[1])] = true
	}
	cite := regexp.MustCompile(`PROTOCOL\.md[ \n/*]*§(\d+(?:\.\d+)?)((?:(?:,| and| or| to)? §\d+(?:\.\d+)?)*)`)
	number := regexp.MustCompile(`§(\d+(?:\.\d+)?)`)
	cited := 0
	sources(t, func(path string, content []byte) {
		for _, m := range cite.FindAllSubmatch(content, -1) {
			all := [][]byte{m[1]}
			for _, more := range number.FindAllSubmatch(m[2], -1) {
				all = append(all, more[1])
			}
			for _, s := range all {
				cited++
				if !sections[string(s)] {
					t.Errorf("%s cites PROTOCOL.md §%s, which does not exist", path, s)
				}
			}
		}
	}, ".go", ".md")
	// Sections also refer to each other.
	for _, m := range number.FindAllSubmatch(page, -1) {
		if !sections[string(m[1])] {
			t.Errorf("PROTOCOL.md refers to its §%s, which does not exist", m[1])
		}
	}
	if cited < 50 {
		t.Errorf("only %d citations found", cited)
	}
}

// TestCitedDocumentsExist: no comment and no page refers to a document that is not
// here.
func TestCitedDocumentsExist(t *testing.T) {
	there := map[string]bool{"README.md": true}
	sources(t, func(path string, _ []byte) { there[filepath.Base(path)] = true }, ".md")
	cited := regexp.MustCompile(`\b[A-Z][A-Z0-9-]+\.md\b`)
	elsewhere := regexp.MustCompile(`\bthe th[e]sis\b|\bDESI[G]N\b|// .*\bnos?\.? [0-9]+ (and|of)\b`)
	sources(t, func(path string, content []byte) {
		for _, name := range cited.FindAllString(string(content), -1) {
			if !there[name] {
				t.Errorf("%s cites %s, which is not here", path, name)
			}
		}
		// Nor to one that has another name, or to a number in a list.
		if m := elsewhere.Find(content); m != nil {
			t.Errorf("%s cites %q, which is not here", path, m)
		}
	}, ".go", ".md")
}

// TestLinksExist: each file of the project that the docs link to is there.
func TestLinksExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	sources(t, func(path string, content []byte) {
		for _, m := range link.FindAllSubmatch(content, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), string(m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	}, ".md")
}

// TestNamedTestsExist: each test that the docs name is there, so that no promise
// rests on one that was renamed.
func TestNamedTestsExist(t *testing.T) {
	there := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	sources(t, func(path string, content []byte) {
		for _, m := range declared.FindAllSubmatch(content, -1) {
			there[string(m[1])] = true
		}
	}, ".go")
	named := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	count := 0
	sources(t, func(path string, content []byte) {
		for _, m := range named.FindAllSubmatch(content, -1) {
			if count++; !there[string(m[1])] {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
	}, ".md")
	if count < 100 {
		t.Errorf("only %d names found", count)
	}
}

// TestLinesFit: no line of docs and code is over 120 columns. Text that stands between back quotes is
// as it is shown, or compared, and room's tests are not there yet.
func TestLinesFit(t *testing.T) {
	fit := func(path string, content []byte, shown map[int]bool) {
		for i, line := range strings.Split(string(content), "\n") {
			if n := utf8.RuneCountInString(line); n > 120 && !shown[i+1] {
				t.Errorf("%s:%d has %d columns", path, i+1, n)
			}
		}
	}
	sources(t, func(path string, content []byte) { fit(path, content, nil) }, ".md")
	sources(t, func(path string, content []byte) {
		if p := filepath.ToSlash(path); strings.HasPrefix(p, root+"/room/") && strings.HasSuffix(p, "_test.go") {
			return
		}
		shown := make(map[int]bool) // lines with such text
		files := token.NewFileSet()
		file := files.AddFile(path, -1, len(content))
		var s scanner.Scanner
		s.Init(file, content, nil, 0)
		for {
			pos, what, text := s.Scan()
			if what == token.EOF {
				break
			}
			if what == token.STRING && text[0] == '`' {
				for line := range strings.Count(text, "\n") + 1 {
					shown[file.Line(pos)+line] = true
				}
			}
		}
		fit(path, content, shown)
	}, ".go")
}

// TestSentencesAreShort: no sentence of README and the guides has more than 40 words.
func TestSentencesAreShort(t *testing.T) {
	const most = 40
	code := regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	item := regexp.MustCompile(`^(\s*([-*]|\d+\.) |#|\|)`)
	end := regexp.MustCompile(`[.?!][)"*_]*\s`)
	guides := 0
	sources(t, func(path string, content []byte) {
		rel := strings.TrimPrefix(filepath.ToSlash(path), root+"/")
		if rel != "README.md" && !strings.HasPrefix(rel, "docs/") || rel == "docs/PROTOCOL.md" {
			return
		}
		guides++
		// What is code counts as a word; an indented line is a block of it, and ends a paragraph.
		var parts []string
		for _, line := range strings.Split(code.ReplaceAllString(string(content), "code"), "\n") {
			blank := strings.TrimSpace(line) == "" || strings.HasPrefix(line, "    ")
			if blank || len(parts) == 0 || item.MatchString(line) {
				parts = append(parts, "")
			}
			if !blank {
				parts[len(parts)-1] += line + " "
			}
		}
		for _, part := range parts {
			for _, cell := range strings.Split(part, "|") {
				for _, sentence := range end.Split(cell, -1) {
					if n := len(strings.Fields(sentence)); n > most {
						t.Errorf("%s: %d words in a sentence: %s", rel, n, sentence)
					}
				}
			}
		}
	}, ".md")
	if guides < 5 {
		t.Errorf("only %d pages", guides)
	}
}
