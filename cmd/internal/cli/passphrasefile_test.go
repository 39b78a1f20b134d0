package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPassphraseFileLetters: the first line is the passphrase, whatever ends it; what an editor put
// there and nobody can type is refused.
func TestPassphraseFileLetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	for text, want := range map[string]string{
		"anchor velvet": "anchor velvet", "anchor velvet\n": "anchor velvet", "anchor velvet\r\n": "anchor velvet",
		"a \nb\n":                    "a ",
		"":                           "",
		"\nanchor":                   "",
		"\xef\xbb\xbfanchor\n":       "",
		"\xff\xfea\x00n\x00\n\x00":   "",
		"\xfe\xff\x00a\x00n\x00\n":   "",
		"an\x00chor\n":               "",
		string(make([]byte, 200000)): "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := passphraseFile(path)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
}
