// Package golden is for tests: it compares what they make with files in testdata, such as the
// vectors from which another implementation can be built. With -write the files are written
// anew, and a change that nobody meant shows as a difference.
package golden

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("write", false, "write testdata anew")

// Hex is bytes, in hexadecimal where they are JSON.
type Hex []byte

// MarshalText is of encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// JSON compares a value with a file.
func JSON(t testing.TB, path string, v any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	Compare(t, path, b.Bytes())
}

// Compare compares bytes with a file, and shows the first line that differs.
func Compare(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	n := 0
	for n < min(len(g), len(w))-1 && g[n] == w[n] {
		n++
	}
	t.Errorf("%s differs in line %d of %d (go test -write writes it anew)\n got %.300s\nwant %.300s",
		path, n+1, len(w), g[n], w[n])
}
