package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"coterie/kms/keyfile"
)

// TestNoSecretsInOutput runs every command, well and badly, and looks through
// all that was printed for any twelve bytes of a secret: as they are, in hex or
// in base64.
func TestNoSecretsInOutput(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	a := testApp()
	var printed bytes.Buffer
	run := func(args ...string) {
		t.Helper()
		a.run(args, &printed, &printed)
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const passphrase, wrong, own = "anchor-velvet-tundra-lunch", "orbit-mason-clay-ripple", "nurse-teal-lamp-orbit"
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	write("pass", passphrase+"\n")
	write("wrong", wrong+"\n")
	write("own", own+"\n")
	encrypted, err := keyfile.EncryptPassphrase([]byte(id.String()+"\n"), []byte(own), 4)
	if err != nil {
		t.Fatal(err)
	}
	write("ann.identity", string(encrypted))
	write("broken.identity", strings.Replace(id.String(), "1", "1b", 1)+"\n")

	run("init", "NTNU", "--passphrase-file", "pass")
	run("init", "NTNU", "--passphrase-file", "pass")
	run("init", "plain", "--no-passphrase")
	run("issue", "--domain", "NTNU", "--passphrase-file", "pass", "--attr", "NTNU", "--attr", "5th year", "--name", "Kari", "-o", "kari.key")
	run("issue", "--domain", "NTNU", "--passphrase-file", "pass", "--attr", "ntnu", "--yes", "--to", id.Recipient().String(), "-o", "ann.key")
	run("issue", "--domain", "NTNU", "--passphrase-file", "wrong", "--attr", "NTNU", "-o", "x.key")
	run("issue", "--domain", "NTNU", "--passphrase-file", "pass", "--attr", "NTNU", "--to", id.String(), "-o", "x.key")
	run("issue", "--domain", "NTNU", "--passphrase-file", "pass", "--attr", "NTNU", "-o", "kari.key")
	run("issue", "--domain", "NTNU", "--passphrase-file", "kari.key", "--attr", "NTNU", "-o", "x.key")
	run("list", "--domain", "NTNU", "--passphrase-file", "pass")
	run("list", "--domain", "NTNU", "--passphrase-file", "pass", "--json")
	run("list", "--domain", "NTNU", "--passphrase-file", "plain.master")
	for _, f := range []string{"kari.key", "ann.key", "NTNU.domain", "NTNU.master", "NTNU.ledger", "plain.master", "plain.ledger", "pass", "ann.identity", "broken.identity"} {
		run("inspect", f)
		run("inspect", f, "--identity", "ann.identity", "--passphrase-file", "own")
		run("inspect", "ann.key", "--identity", f, "--passphrase-file", "wrong")
		run("policy", "NTNU", "--key", f, "--identity", "ann.identity", "--passphrase-file", "own")
		run("policy", "NTNU", "--key", f, "--identity", "broken.identity")
		run("list", "--domain", f, "--passphrase-file", "pass")
		// Damaged, every file is as silent.
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)*2/3] ^= 4
		damaged := "damaged-" + filepath.Base(f)
		write(damaged, string(data))
		run("inspect", damaged)
		run("policy", "NTNU", "--key", damaged, "--identity", "ann.identity", "--passphrase-file", "own")
		run("policy", "NTNU", "--key", "ann.key", "--identity", damaged, "--passphrase-file", "own")
	}
	if printed.Len() < 5000 {
		t.Fatalf("only %d bytes were printed: did it run?\n%s", printed.Len(), &printed)
	}

	read := func(path string) []byte {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	master, err := keyfile.DecryptPassphrase("NTNU.master", read("NTNU.master"), []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(read("ann.key")), id)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	out := printed.Bytes()
	for name, secret := range map[string][]byte{
		"the passphrase": []byte(passphrase), "a wrong passphrase": []byte(wrong), "an identity's passphrase": []byte(own), "the identity": []byte(strings.TrimPrefix(id.String(), "AGE-SECRET-KEY-1")),
		"the master key": master, "the plain master key": read("plain.master"), "a key": read("kari.key"), "a sealed key": sealed,
	} {
		if form := leak(out, secret); form != "" {
			t.Errorf("%s is in the output, %s", name, form)
		}
	}
	// The search finds what there is to find.
	for _, text := range []string{string(master[1000:1012]), hex.EncodeToString(master[777:789]), strings.ToUpper(hex.EncodeToString(master[777:789])), base64.StdEncoding.EncodeToString(master[500:600])} {
		if leak(append(bytes.Clone(out), text...), master) == "" {
			t.Errorf("the search misses %q", text)
		}
	}
}

// leak says in which form any twelve bytes of secret in a row are in out.
func leak(out, secret []byte) string {
	const window = 12
	lower := bytes.ToLower(out)
	for _, form := range []struct {
		name       string
		in, secret []byte
		window     int
	}{
		{"as it is", out, secret, window},
		{"in hex", lower, []byte(hex.EncodeToString(secret)), 2 * window},
		// Of twelve bytes in base64, at whatever place they begin, twelve letters
		// are those of one of three encodings of the whole.
		{"in base64", out, []byte(base64.RawStdEncoding.EncodeToString(secret)), window},
		{"in base64", out, []byte(base64.RawStdEncoding.EncodeToString(secret[1:])), window},
		{"in base64", out, []byte(base64.RawStdEncoding.EncodeToString(secret[2:])), window},
		{"in base64", out, []byte(base64.RawURLEncoding.EncodeToString(secret)), window},
	} {
		seen := make(map[string]bool, len(form.in))
		for i := 0; i+form.window <= len(form.in); i++ {
			seen[string(form.in[i:i+form.window])] = true
		}
		for i := 0; i+form.window <= len(form.secret); i++ {
			if seen[string(form.secret[i:i+form.window])] {
				return form.name
			}
		}
	}
	return ""
}
