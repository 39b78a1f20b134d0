package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
)

// IdentityPath is where a member's identity is, as a flag says, or the settings, or where it is
// usually: an age identity, mode 0600, with or without a passphrase. It opens every key that was
// sealed for them.
func (p *Profile) IdentityPath(flag string) (string, error) {
	path, err := p.givenIdentity(flag)
	if path != "" || err != nil {
		return path, err
	}
	dir, err := p.ConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "identity"), nil
}

// givenIdentity is the path that a flag or the settings give; empty: neither does.
func (p *Profile) givenIdentity(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	c, err := p.Settings()
	if err != nil {
		return "", err
	}
	return c.Text("identity"), nil
}

// Identities returns what keyfile.LoadKey calls for a sealed key: it reads the
// identity at the flag's path, or the usual one if there is one.
func (p *Profile) Identities(flag, passphraseFile string) (func() ([]age.Identity, error), error) {
	return p.IdentitiesWith(flag, cli.PassphraseOptions{File: passphraseFile})
}

// IdentitiesWith is Identities for a passphrase that comes from elsewhere.
func (p *Profile) IdentitiesWith(flag string, opts cli.PassphraseOptions) (func() ([]age.Identity, error), error) {
	flag, err := p.givenIdentity(flag)
	if err != nil {
		return nil, err
	}
	path, err := p.IdentityPath(flag)
	if isNoHome(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); flag == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return func() ([]age.Identity, error) {
		c, err := p.Settings()
		if err != nil {
			return nil, err
		}
		opts.Command, opts.Name = c.List("passphrase_command"), Tilde(path)
		return cli.Identities(path, opts)()
	}, nil
}

// Tilde writes a path for people, with ~ for the home folder.
func Tilde(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); err == nil && home != "" && ok {
		return filepath.Join("~", rest)
	}
	return path
}

// NewIdentity makes an identity at path, which must not exist, with a passphrase unless that
// is empty.
func (p *Profile) NewIdentity(path string, passphrase []byte, postQuantum bool, now time.Time) (recipient string,
	err error) {
	text, recipient, err := keyfile.MakeIdentity(postQuantum, now)
	if err != nil {
		return "", fmt.Errorf("making the identity: %w", err)
	}
	defer clear(text)
	stored := text
	if len(passphrase) > 0 {
		if stored, err = keyfile.EncryptPassphrase(text, passphrase, keyfile.DefaultWorkFactor); err != nil {
			return "", fmt.Errorf("encrypting the identity: %w", err)
		}
	}
	return recipient, p.changing(path, func() error { return keyfile.WriteSecret(path, stored) })
}

// identityWork is scrypt's work factor: age's own default.
const identityWork = 18

// ChangePassphrase gives an identity a new passphrase, or none, and returns where the identity
// is, and whether it has none now. old and fresh are files that have them; empty: they are asked
// for.
func (p *Profile) ChangePassphrase(flag, old, fresh string, none bool) (path string, open bool, err error) {
	fail := func(err error) (string, bool, error) { return path, false, err }
	if path, err = p.IdentityPath(flag); err != nil {
		return fail(err)
	}
	data, err := keyfile.ReadSecret(path)
	if err != nil {
		return fail(err)
	}
	defer clear(data)
	// Whatever it is, it has to be an identity, and to open.
	opts := cli.PassphraseOptions{File: old, Name: Tilde(path)}
	if _, err := cli.Identities(path, opts)(); err != nil {
		return fail(err)
	}
	plain := data
	if keyfile.KindOf(data) != keyfile.Identity {
		err := cli.WithPassphrase("The passphrase of "+Tilde(path)+" until now:", opts, func(word []byte) (err error) {
			plain, err = keyfile.DecryptPassphrase(path, data, word)
			return err
		})
		if err != nil {
			return fail(err)
		}
		defer clear(plain)
	}
	var passphrase []byte
	if !none {
		passphrase, err = cli.NewPassphrase(cli.NewPassphraseOptions{
			File: fresh, Ask: "New passphrase (empty: none):", Again: "Once more:",
			Hint: "--new-passphrase-file FILE, or --no-passphrase",
		})
		if err != nil {
			return fail(err)
		}
		defer clear(passphrase)
	}
	out := plain
	if len(passphrase) > 0 {
		if out, err = keyfile.EncryptPassphrase(plain, passphrase, identityWork); err != nil {
			return fail(err)
		}
	}
	if err := p.ReplaceSecret(path, out); err != nil {
		return fail(err)
	}
	return path, len(passphrase) == 0, nil
}
