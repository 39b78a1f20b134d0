package main

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// secretRun is all that a set of commands showed: to whoever reads the terminal, the
// logs, or the list of processes.
type secretRun struct {
	t       *testing.T
	a       *app
	printed bytes.Buffer
	args    bytes.Buffer
}

func (r *secretRun) run(args ...string) {
	r.t.Helper()
	r.args.WriteString(strings.Join(args, "\n") + "\n")
	r.a.run(args, &r.printed, &r.printed)
	r.a.opened = nil
}

func (r *secretRun) write(path, text string) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *secretRun) read(path string) []byte {
	r.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

// ask writes a request of id.
func (r *secretRun) ask(path, name string, id *age.X25519Identity) (code string) {
	r.t.Helper()
	q := &request.Request{Name: name, Recipient: id.Recipient().String(), Want: []abe.Attribute{{Name: "NTNU"}},
		Made: abe.DayOf(r.a.now())}
	text, err := q.Marshal()
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(path, string(text))
	if code, err = q.Code(); err != nil {
		r.t.Fatal(err)
	}
	return code
}

// TestNoSecretsInOutput runs every command, well and badly, and looks through
// all that was printed, all arguments and all public files for any twelve bytes
// of a secret: as they are, in hex or in base64. And whatever holds a secret can
// be read by nobody else.
func TestNoSecretsInOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	r := &secretRun{t: t, a: testApp()}
	const passphrase, wrong, own, second = "anchor-velvet-tundra-lunch", "orbit-mason-clay-ripple",
		"nurse-teal-lamp-orbit", "canoe-rural-piano-seven"
	identity := func() *age.X25519Identity {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	id, successor, kari := identity(), identity(), identity()
	r.write("pass", passphrase+"\n")
	r.write("wrong", wrong+"\n")
	r.write("own", own+"\n")
	r.write("second", second+"\n")
	encrypted, err := keyfile.EncryptPassphrase([]byte(id.String()+"\n"), []byte(own), 4)
	if err != nil {
		t.Fatal(err)
	}
	r.write("ann.identity", string(encrypted))
	r.write("broken.identity", strings.Replace(id.String(), "1", "1b", 1)+"\n")
	r.write("per.identity", successor.String()+"\n")
	code := r.ask("kari.request", "Kari", kari)
	r.ask("bo.request", "Bo", id)
	r.write("members.csv", "name,recipient,attr\nAnn,"+id.Recipient().String()+",NTNU\nPer,,NTNU\n")
	r.write("wrong.csv", "name,recipient,attr\nAnn,"+id.String()+",NTNU\n")
	for _, folder := range []string{"usb", "per"} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}

	p := []string{"--domain", "NTNU", "--passphrase-file", "pass"}
	with := func(command string, args ...string) []string {
		return append(append(strings.Fields(command), p...), args...)
	}
	r.run("init", "NTNU", "--passphrase-file", "pass")
	r.run("init", "NTNU", "--passphrase-file", "pass")
	r.run("init", "plain", "--no-passphrase")
	r.run(with("issue", "--attr", "NTNU", "--attr", "5th year", "--name", "Kari", "-o", "kari.key")...)
	r.run(with("issue", "--attr", "ntnu", "--yes", "--to", id.Recipient().String(), "-o", "ann.key")...)
	r.run("issue", "--domain", "NTNU", "--passphrase-file", "wrong", "--attr", "NTNU", "-o", "x.key")
	r.run(with("issue", "--attr", "NTNU", "-o", "kari.key")...)
	r.run("issue", "--domain", "NTNU", "--passphrase-file", "kari.key", "--attr", "NTNU", "-o", "x.key")
	r.run(with("issue", "--request", "kari.request", "--code", code, "--yes", "-o", "asked.key")...)
	r.run(with("issue", "--request", "bo.request", "--code", code, "--yes", "-o", "x.key")...)
	r.run(with("issue", "--request", "bo.request", "--unchecked", "--yes", "-o", "bo.key")...)
	r.run(with("issue", "--csv", "members.csv", "-o", "keys", "--yes")...)
	r.run(with("issue", "--csv", "wrong.csv", "-o", "keys", "--yes")...)
	r.run(with("list")...)
	r.run(with("list", "--json")...)
	r.run(with("list", "--csv", "--policy", "NTNU")...)
	r.run("list", "--domain", "NTNU", "--passphrase-file", "plain.master")
	r.run(with("renew", "1", "-o", "again.key")...)
	r.run(with("generation", "--next", "--yes")...)
	r.run(with("renew", "--all", "-o", "renewed", "--yes")...)
	r.run(with("norenew", "1", "--because", "left")...)
	r.run(with("ledger verify")...)
	r.run(with("ledger forget", "Ann", "--yes")...)
	r.run(with("calendar")...)
	r.run(with("calendar", "-o", "expiries.ics")...)
	r.run(with("backup", "usb")...)
	r.run(with("restore", "usb")...)
	r.run(with("successor", "--to", successor.Recipient().String())...)
	r.run(with("passphrase", "--new-passphrase-file", "second")...)
	r.run("list", "--domain", "NTNU", "--passphrase-file", "second")
	r.run("passphrase", "--domain", "NTNU", "--passphrase-file", "second", "--new-passphrase-file", "pass")
	for _, name := range []string{"NTNU.successor per/NTNU.master", "NTNU.ledger per/NTNU.ledger"} {
		from, to, _ := strings.Cut(name, " ")
		r.write(to, string(r.read(from)))
	}
	r.run("list", "--domain", "per/NTNU", "--identity", "per.identity")
	for _, f := range []string{
		"kari.key", "ann.key", "NTNU.domain", "NTNU.master", "NTNU.ledger", "plain.master", "plain.ledger", "pass",
		"ann.identity", "broken.identity",
		"per.identity", "kari.request", "NTNU.successor", "members.csv", "wrong.csv",
	} {
		r.run("inspect", f)
		r.run("inspect", f, "--identity", "ann.identity", "--passphrase-file", "own")
		r.run("inspect", "ann.key", "--identity", f, "--passphrase-file", "wrong")
		r.run("policy", "NTNU", "--key", f, "--identity", "ann.identity", "--passphrase-file", "own")
		r.run("policy", "NTNU", "--key", f, "--identity", "broken.identity")
		r.run("list", "--domain", f, "--passphrase-file", "pass")
		r.run(with("issue", "--request", f, "--unchecked", "--yes", "-o", "x.key")...)
		r.run(with("issue", "--csv", f, "--yes", "-o", "x")...)
		r.run("successor", "--domain", "plain", "--to", "age1"+f)
		r.run("restore", f)
		// Damaged, every file is as silent.
		data := bytes.Clone(r.read(f))
		data[len(data)*2/3] ^= 4
		damaged := "damaged-" + filepath.Base(f)
		r.write(damaged, string(data))
		r.run("inspect", damaged)
		r.run("policy", "NTNU", "--key", damaged, "--identity", "ann.identity", "--passphrase-file", "own")
		r.run("policy", "NTNU", "--key", "ann.key", "--identity", damaged, "--passphrase-file", "own")
		r.run(with("issue", "--csv", damaged, "--yes", "-o", "x")...)
	}
	if r.printed.Len() < 10_000 {
		t.Fatalf("only %d bytes were printed: did it run?\n%s", r.printed.Len(), &r.printed)
	}
	// The mistake of giving the secret half is answered without repeating it; that
	// it is an argument then is its author's doing.
	args := bytes.Clone(r.args.Bytes())
	r.run(with("issue", "--attr", "NTNU", "--to", id.String(), "-o", "x.key")...)

	secrets := r.secrets(passphrase, wrong, own, second, id, successor, kari)
	public := map[string][]byte{"the output": r.printed.Bytes(), "the arguments": args}
	for path, data := range files(t) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			public[path] = data
		}
	}
	if _, ok := public["NTNU.domain"]; !ok || len(public) < 3 {
		t.Errorf("only these are public: %v", len(public))
	}
	for where, data := range public {
		seen := look(data)
		for name, secret := range secrets {
			if form := seen.leak(secret); form != "" {
				t.Errorf("%s is in %s, %s", name, where, form)
			}
		}
	}
	// The search finds what there is to find.
	master := secrets["the master key"]
	out := r.printed.Bytes()
	for _, text := range []string{string(master[1000:1012]), hex.EncodeToString(master[777:789]),
		strings.ToUpper(hex.EncodeToString(master[777:789])), base64.StdEncoding.EncodeToString(master[500:600])} {
		if look(append(bytes.Clone(out), text...)).leak(master) == "" {
			t.Errorf("the search misses %q", text)
		}
	}
}

// files are all below this folder.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// secrets are all that the run made or was given, without what is public in
// them: a key carries its domain's parameters, and so does the master key.
func (r *secretRun) secrets(passphrase, wrong, own, second string, ids ...*age.X25519Identity) map[string][]byte {
	r.t.Helper()
	master, err := keyfile.DecryptPassphrase("NTNU.master", r.read("NTNU.master"), []byte(passphrase))
	if err != nil {
		r.t.Fatal(err)
	}
	secrets := map[string][]byte{
		"the passphrase": []byte(passphrase), "a wrong passphrase": []byte(wrong), "an identity's passphrase": []byte(own),
		"another passphrase": []byte(second),
		"the master key":     r.private(master), "the plain master key": r.private(r.read("plain.master")),
	}
	for i, id := range ids {
		secrets["identity "+string(rune('1'+i))] = []byte(strings.TrimPrefix(id.String(), "AGE-SECRET-KEY-1"))
	}
	paths, err := filepath.Glob("keys/*.key")
	if err != nil {
		r.t.Fatal(err)
	}
	renewed, err := filepath.Glob("renewed/*.key")
	if err != nil || len(renewed) < 4 {
		r.t.Fatal(renewed, err)
	}
	for _, path := range append(append(paths, renewed...), "kari.key", "ann.key", "asked.key", "bo.key", "again.key") {
		data := r.read(path)
		for _, id := range ids {
			if plain, err := age.Decrypt(bytes.NewReader(data), id); err == nil {
				if data, err = io.ReadAll(plain); err != nil {
					r.t.Fatal(err)
				}
			}
		}
		if keyfile.KindOf(data) != keyfile.Key {
			r.t.Fatalf("%s did not open", path)
		}
		secrets[path] = r.private(data)
	}
	rows, err := csv.NewReader(bytes.NewReader(r.read("keys/index.csv"))).ReadAll()
	if err != nil || len(rows) != 3 {
		r.t.Fatal(rows, err)
	}
	return secrets
}

// private takes the domain's parameters off a key or master key, and the text of
// its attributes, of which the labels of tkn20's key are made. What is left is
// points and numbers.
func (r *secretRun) private(data []byte) []byte {
	domain, err := keyfile.LoadDomain("NTNU.domain")
	if err != nil {
		r.t.Fatal(err)
	}
	public, err := domain.MarshalBinary()
	if err != nil {
		r.t.Fatal(err)
	}
	// Both begin with a line and the domain's file; after that comes, in a key, up
	// to a kilobyte of labels.
	rest := data[min(len(data), len("coterie-master 1\n")+3+len(public)):]
	if keyfile.KindOf(data) == keyfile.Key {
		rest = rest[len(rest)/2:]
	}
	if len(rest) < 1000 {
		r.t.Fatalf("only %d bytes are left of a secret", len(rest))
	}
	return rest
}

// pieces are all strings of a length that a text has in it.
type pieces map[string]bool

func cut(text []byte, length int) pieces {
	p := make(pieces, len(text))
	for i := 0; i+length <= len(text); i++ {
		p[string(text[i:i+length])] = true
	}
	return p
}

// anyOf says whether any piece of another text is among them.
func (p pieces) anyOf(text []byte, length int) bool {
	for i := 0; i+length <= len(text); i++ {
		if p[string(text[i:i+length])] {
			return true
		}
	}
	return false
}

// looked is a text that secrets are looked for in.
type looked struct{ plain, hex pieces }

// window is how many bytes of a secret in a row are a leak.
const window = 12

func look(text []byte) looked { return looked{cut(text, window), cut(bytes.ToLower(text), 2*window)} }

// leak says in which form any twelve bytes of secret in a row are in the text.
func (l looked) leak(secret []byte) string {
	if l.plain.anyOf(secret, window) {
		return "as it is"
	}
	if l.hex.anyOf([]byte(hex.EncodeToString(secret)), 2*window) {
		return "in hex"
	}
	for _, base := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// Of twelve bytes in base64, at whatever place they begin, twelve letters are
		// those of one of three encodings of the whole.
		for from := range 3 {
			if l.plain.anyOf([]byte(base.EncodeToString(secret[from:])), window) {
				return "in base64"
			}
		}
	}
	return ""
}
