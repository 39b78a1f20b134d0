package keyfile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"coterie/crypto/abe"
)

// files is a domain with one key, made once: making them is the slow part.
var files = sync.OnceValue(func() (f struct{ master, domain, key []byte }) {
	m, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		panic(err)
	}
	as, err := abe.ParseAttributes([]string{"NTNU"})
	if err != nil {
		panic(err)
	}
	day := abe.DayOf(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	k, err := m.Issue(rand.Reader, abe.Grant{Serial: 1, Attributes: as, Generation: 1, From: day, Expires: day + 90})
	if err != nil {
		panic(err)
	}
	f.master, _ = m.MarshalBinary()
	f.domain, _ = m.Domain().MarshalBinary()
	f.key, _ = k.MarshalBinary()
	return f
})

func put(t *testing.T, path string, data []byte, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWriteSecretIsPrivateAndNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kari.key")
	if err := WriteSecret(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode %v, want -rw-------", info.Mode())
	}
	err = WriteSecret(path, []byte("second"))
	if !errors.Is(err, ErrExists) || !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second write gave %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "first" {
		t.Errorf("the file was overwritten with %q", got)
	}
	if rest := leftovers(t, path); len(rest) != 1 {
		t.Errorf("left behind: %q", rest)
	}
}

// A name that is taken between the reservation and the commit stays as it is,
// a dangling link included.
func TestCommitNeverOverwrites(t *testing.T) {
	for _, taken := range []func(path string) error{
		func(path string) error { return os.WriteFile(path, []byte("theirs"), 0o600) },
		func(path string) error { return os.Symlink("nowhere", path) },
		func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(t.TempDir(), "kari.key")
		p, err := Reserve(path, "1")
		if err != nil {
			t.Fatal(err)
		}
		if err := taken(path); err != nil {
			t.Fatal(err)
		}
		if err := p.Commit([]byte("ours")); !errors.Is(err, ErrExists) {
			t.Errorf("Commit gave %v", err)
		}
		if rest := leftovers(t, path); len(rest) != 2 {
			t.Errorf("nothing is left for the next run to find: %q", rest)
		}
		p.Discard()
		if rest := leftovers(t, path); len(rest) != 1 {
			t.Errorf("left behind: %q", rest)
		}
	}
}

func TestExclusiveCreationWithoutLinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kari.key")
	if err := createExclusive(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := createExclusive(path, []byte("second"), 0o600); !errors.Is(err, ErrExists) {
		t.Errorf("a second creation gave %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "first" {
		t.Errorf("the file holds %q", got)
	}
}

func TestWritersRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kari.key")
	errs := make(chan error, 8)
	for i := range cap(errs) {
		go func() { errs <- WriteSecret(path, bytes.Repeat([]byte{byte(i)}, 100)) }()
	}
	won := 0
	for range cap(errs) {
		if err := <-errs; err == nil {
			won++
		} else if !errors.Is(err, ErrExists) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
	if got, _ := os.ReadFile(path); len(got) != 100 || !bytes.Equal(got, bytes.Repeat(got[:1], 100)) {
		t.Error("the file is a mixture")
	}
}

func TestReserveFindsOutThatTheFolderIsMissing(t *testing.T) {
	_, err := Reserve(filepath.Join(t.TempDir(), "keys", "kari.key"), "1")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reserve gave %v", err)
	}
}

func TestFinish(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kari.key")
	put(t, TempName(path, "7"), []byte("whole"), 0o600)
	if err := Finish(path, "7"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "whole" {
		t.Errorf("the file holds %q", got)
	}
	if rest := leftovers(t, path); len(rest) != 1 {
		t.Errorf("left behind: %q", rest)
	}
}

func leftovers(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestLoosePermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	path := filepath.Join(t.TempDir(), "kari.key")
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o604, 0o620, 0o602, 0o666, 0o610, 0o777} {
		put(t, path, files().key, mode)
		var loose *PermissionError
		if _, err := ReadSecret(path); !errors.As(err, &loose) || loose.Mode.Perm() != mode {
			t.Errorf("mode %o: ReadSecret gave %v", mode, err)
		}
		if _, err := LoadKey(path, nil); !errors.As(err, &loose) {
			t.Errorf("mode %o: LoadKey gave %v", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400, 0o700} {
		put(t, path, files().key, mode)
		if _, err := LoadKey(path, nil); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
		os.Remove(path)
	}
}

func TestLooseFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	folder := t.TempDir()
	path := put(t, filepath.Join(folder, "kari.key"), files().key, 0o600)
	os.Chmod(folder, 0o777)
	var loose *PermissionError
	if _, err := ReadSecret(path); !errors.As(err, &loose) || !loose.Folder || loose.Path != folder {
		t.Errorf("a folder open to all gave %v", err)
	}
	os.Chmod(folder, 0o777|fs.ModeSticky)
	if _, err := ReadSecret(path); err != nil {
		t.Errorf("with the sticky bit: %v", err)
	}
}

func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := put(t, filepath.Join(t.TempDir(), "kari.key"), files().key, 0o600)
	if err := os.Chown(path, 54321, -1); err != nil {
		t.Skip(err)
	}
	var owner *OwnerError
	if _, err := ReadSecret(path); !errors.As(err, &owner) || owner.Owner != "user 54321" {
		t.Errorf("a foreign file gave %v", err)
	}
}

func TestOddFiles(t *testing.T) {
	folder := t.TempDir()
	var special *NotRegularError
	if _, err := ReadSecret(folder); !errors.As(err, &special) {
		t.Errorf("a folder gave %v", err)
	}
	big := put(t, filepath.Join(folder, "big"), make([]byte, MaxSize+1), 0o600)
	var size *SizeError
	if _, err := ReadSecret(big); !errors.As(err, &size) || size.Size != MaxSize+1 {
		t.Errorf("a large file gave %v", err)
	}
	put(t, big, make([]byte, MaxSize), 0o600)
	if _, err := ReadSecret(big); err != nil {
		t.Errorf("a file of exactly the limit gave %v", err)
	}
}

func TestMissingFileNamesItsLike(t *testing.T) {
	folder := t.TempDir()
	put(t, filepath.Join(folder, "karin.key"), nil, 0o600)
	put(t, filepath.Join(folder, "ann.key"), nil, 0o600)
	var missing *NotExistError
	_, err := LoadKey(filepath.Join(folder, "kari.key"), nil)
	if !errors.As(err, &missing) || !errors.Is(err, ErrNotExist) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a missing file gave %v", err)
	}
	if want := []string{filepath.Join(folder, "karin.key")}; !slices.Equal(missing.Near, want) {
		t.Errorf("near names %q, want %q", missing.Near, want)
	}
}

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func with(ids ...age.Identity) func() ([]age.Identity, error) {
	return func() ([]age.Identity, error) { return ids, nil }
}

func TestSealedKey(t *testing.T) {
	id, other := identity(t), identity(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		to   age.Recipient
		id   age.Identity
	}{{"X25519", id.Recipient(), id}, {"hybrid", hybrid.Recipient(), hybrid}} {
		sealed, err := Seal(files().key, c.to)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		w := armor.NewWriter(&text)
		w.Write(sealed)
		w.Close()
		for form, data := range map[string][]byte{"binary": sealed, "armored": text.Bytes()} {
			// A sealed key comes by mail and lies about as mail does.
			path := put(t, filepath.Join(t.TempDir(), "kari.key"), data, 0o644)
			k, err := LoadKey(path, with(other, c.id))
			if err != nil {
				t.Errorf("%s, %s: %v", c.name, form, err)
			} else if k.Serial() != 1 {
				t.Errorf("%s, %s: key %d", c.name, form, k.Serial())
			}
			var foreign *NotForYouError
			if _, err := LoadKey(path, with(other)); !errors.As(err, &foreign) {
				t.Errorf("%s, %s: the wrong identity gave %v", c.name, form, err)
			} else if want := []string{ShortRecipient(other.Recipient().String())}; !slices.Equal(foreign.Yours, want) {
				t.Errorf("%s, %s: yours is %q, want %q", c.name, form, foreign.Yours, want)
			}
			var needs *SealedError
			if _, err := LoadKey(path, nil); !errors.As(err, &needs) {
				t.Errorf("%s, %s: no identity gave %v", c.name, form, err)
			}
			var damaged *DamagedError
			put(t, path, data[:len(data)-20], 0o644)
			if _, err := LoadKey(path, with(c.id)); !errors.As(err, &damaged) {
				t.Errorf("%s, %s: cut short gave %v", c.name, form, err)
			}
		}
	}
}

func TestIdentityIsAskedForOnlyIfNeeded(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "kari.key"), files().key, 0o600)
	_, err := LoadKey(path, func() ([]age.Identity, error) { t.Error("asked"); return nil, nil })
	if err != nil {
		t.Error(err)
	}
}

func TestWrongKinds(t *testing.T) {
	id := identity(t)
	sealedMaster, err := EncryptPassphrase(files().master, []byte("pass"), 1)
	if err != nil {
		t.Fatal(err)
	}
	sealedDomain, err := Seal(files().domain, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data []byte
		want Kind
	}{
		{files().domain, Domain},
		{files().master, Master},
		{sealedMaster, Passphrase},
		{sealedDomain, Domain},
		{[]byte("# created: today\n" + id.String() + "\n"), Identity},
		{[]byte(id.Recipient().String()), Recipient},
		{[]byte("coterie-ledger 1 x\n"), Ledger},
		{nil, Empty},
		{[]byte("hello"), Unknown},
	} {
		path := put(t, filepath.Join(t.TempDir(), "kari.key"), c.data, 0o600)
		var kind *KindError
		if _, err := LoadKey(path, with(id)); !errors.As(err, &kind) || kind.Got != c.want {
			t.Errorf("%v given as a key gave %v", c.want, err)
		}
	}
	path := put(t, filepath.Join(t.TempDir(), "NTNU.domain"), files().key, 0o600)
	var kind *KindError
	if _, err := LoadDomain(path); !errors.As(err, &kind) || kind.Got != Key || kind.Want != Domain {
		t.Errorf("a key given as a domain gave %v", err)
	}
}

func TestDamage(t *testing.T) {
	key := files().key
	path := filepath.Join(t.TempDir(), "kari.key")
	var damaged *DamagedError
	flipped := bytes.Clone(key)
	flipped[len(flipped)/2] ^= 1
	for name, data := range map[string][]byte{
		"flipped": flipped, "cut": key[:len(key)-1], "longer": append(bytes.Clone(key), 0),
		"first line alone": key[:bytes.IndexByte(key, '\n')+1],
	} {
		put(t, path, data, 0o600)
		if _, err := LoadKey(path, nil); !errors.As(err, &damaged) || damaged.Size != len(data) {
			t.Errorf("%s: %v", name, err)
		}
	}
	put(t, path, append([]byte{0xff, 0xfe}, key...), 0o600)
	if _, err := LoadKey(path, nil); !errors.As(err, &damaged) || !damaged.UTF16 {
		t.Errorf("UTF-16: %v", err)
	}
}

func TestIdentities(t *testing.T) {
	id := identity(t)
	folder := t.TempDir()
	text := []byte("# public key: " + id.Recipient().String() + "\n" + id.String() + "\n")
	plain := put(t, filepath.Join(folder, "plain"), text, 0o600)
	if ids, err := LoadIdentities(plain, nil); err != nil || len(ids) != 1 {
		t.Errorf("plain: %v, %v", ids, err)
	}
	os.Chmod(plain, 0o644)
	var loose *PermissionError
	if _, err := LoadIdentities(plain, nil); runtime.GOOS != "windows" && !errors.As(err, &loose) {
		t.Errorf("loose: %v", err)
	}
	encrypted, err := EncryptPassphrase(text, []byte("pass"), 1)
	if err != nil {
		t.Fatal(err)
	}
	path := put(t, filepath.Join(folder, "encrypted"), encrypted, 0o600)
	say := func(p string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(p), nil } }
	if ids, err := LoadIdentities(path, say("pass")); err != nil || len(ids) != 1 {
		t.Errorf("encrypted: %v, %v", ids, err)
	}
	for _, wrong := range []string{"Pass", ""} {
		if _, err := LoadIdentities(path, say(wrong)); !errors.Is(err, ErrWrongPassphrase) {
			t.Errorf("passphrase %q: %v", wrong, err)
		}
	}
	// An error must not quote the secret line.
	broken := strings.Replace(string(text), "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1b", 1)
	put(t, plain, []byte(broken), 0o600)
	_, err = LoadIdentities(plain, nil)
	var damaged *DamagedError
	if !errors.As(err, &damaged) || strings.Contains(err.Error(), id.String()[20:30]) {
		t.Errorf("broken: %v", err)
	}
}

func TestAgeHeader(t *testing.T) {
	data, err := EncryptPassphrase([]byte("x"), []byte("pass"), 3)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ReadAgeHeader(data)
	if err != nil || h.WorkFactor != 3 || !slices.Equal(h.Types, []string{"scrypt"}) || h.Armored {
		t.Errorf("%+v, %v", h, err)
	}
	src, err := age.Decrypt(bytes.NewReader(data), must(age.NewScryptIdentity("pass")))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(src); string(got) != "x" {
		t.Errorf("plain age reads %q", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func FuzzKindOf(f *testing.F) {
	f.Add([]byte("coterie-key 1\n"))
	f.Add([]byte("age-encryption.org/v1\n-> scrypt a 18\n"))
	f.Add([]byte(armor.Header + "\nAAAA\n"))
	f.Add([]byte("# x\nAGE-SECRET-KEY-1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if KindOf(b).String() == "" {
			t.Error("a kind without words")
		}
	})
}
