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

// IdentityPath is where a member's identity is unless a flag says otherwise: an
// age identity, mode 0600, with or without a passphrase. It opens every key that
// was sealed for them.
func (p *Profile) IdentityPath(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	dir, err := p.ConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "identity"), nil
}

// Identities returns what keyfile.LoadKey calls for a sealed key: it reads the
// identity at the flag's path, or the usual one if there is one.
func (p *Profile) Identities(flag, passphraseFile string) (func() ([]age.Identity, error), error) {
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
	return cli.Identities(path, cli.PassphraseOptions{File: passphraseFile, Command: p.passphraseCommand,
		Name: Tilde(path)}), nil
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
