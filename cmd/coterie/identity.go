package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
)

// identityPath is where a member's identity is unless a flag says otherwise: an
// age identity, mode 0600, with or without a passphrase. It opens every key that
// was sealed for them.
func (a *app) identityPath(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	dir, err := a.configDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "identity"), nil
}

// identities returns what keyfile.LoadKey calls for a sealed key: it reads the
// identity at the flag's path, or the usual one if there is one.
func (a *app) identities(flag, passphraseFile string) (func() ([]age.Identity, error), error) {
	path, err := a.identityPath(flag)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); flag == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return cli.Identities(path, cli.PassphraseOptions{File: passphraseFile, Command: a.passphraseCommand, Name: tilde(path)}), nil
}

// tilde writes a path for people, with ~ for the home folder.
func tilde(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); err == nil && home != "" && ok {
		return filepath.Join("~", rest)
	}
	return path
}

// newIdentity makes an identity at path, which must not exist.
func (a *app) newIdentity(path string, f requestFlags) (recipient string, err error) {
	var passphrase []byte
	if !f.noPassphrase {
		passphrase, err = cli.NewPassphrase(cli.NewPassphraseOptions{
			File: f.passphraseFile, Ask: "Passphrase for your new identity (empty: none):", Again: "Once more:",
			Hint: "--passphrase-file FILE, or --no-passphrase",
		})
		if err != nil {
			return "", err
		}
		defer clear(passphrase)
	}
	text, recipient, err := keyfile.MakeIdentity(f.pq, a.now())
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
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return recipient, keyfile.WriteSecret(path, stored)
}
