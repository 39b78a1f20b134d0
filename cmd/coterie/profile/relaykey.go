package profile

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
	"coterie/node/store"
)

// RelayKey is the first line of a relay's key file; the seed follows, in hexadecimal.
const RelayKey = "coterie-relay 1\n"

// RelayKeyPath is where a relay's key is, and its folder there. Without a path it is in the data folder.
func (p *Profile) RelayKeyPath(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	dir, err := p.DataDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keeping the relay's key: %w", err)
	}
	return filepath.Join(dir, "relay.key"), nil
}

// LockRelayKey makes this the only relay with that key: two would be one peer at two
// places, of which others reach now one and now the other.
func LockRelayKey(path string) (io.Closer, error) {
	l, err := store.LockFile(path)
	var running *store.RunningError
	if errors.As(err, &running) {
		who := "another relay"
		if running.PID > 0 {
			who += fmt.Sprintf(" (pid %d)", running.PID)
		}
		return nil, cli.Fail("relay-running", "%s uses %s", who, cli.Clean(path)).
			Hint("stop it first; a second relay has a key of its own: --identity FILE").Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the relay's key: %w", err)
	}
	return l, nil
}

// RelayIdentity reads the relay's key from a file, or draws it and writes it there.
func RelayIdentity(path string) (ed25519.PrivateKey, error) {
	b, err := keyfile.ReadSecret(path)
	var none *keyfile.NotExistError
	if errors.As(err, &none) {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		err := keyfile.WriteSecret(path, fmt.Appendf(nil, "%s%x\n", RelayKey, seed))
		if errors.Is(err, keyfile.ErrExists) { // another has written one in between
			return readRelayKey(path)
		}
		if err != nil {
			return nil, fmt.Errorf("keeping the relay's key: %w", err)
		}
		return ed25519.NewKeyFromSeed(seed), nil
	}
	if err != nil {
		return nil, err
	}
	return parseRelayKey(path, b)
}

func readRelayKey(path string) (ed25519.PrivateKey, error) {
	b, err := keyfile.ReadSecret(path)
	if err != nil {
		return nil, err
	}
	return parseRelayKey(path, b)
}

func parseRelayKey(path string, b []byte) (ed25519.PrivateKey, error) {
	digits, ok := strings.CutPrefix(string(b), RelayKey)
	seed, err := hex.DecodeString(strings.TrimSuffix(digits, "\n"))
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, cli.Fail("relay-key", "%s is not a relay's key", path).
			Hint("move it away: the relay then draws a new one, and has another address")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// RelayIdentityToShow is RelayIdentity for whoever wants to know the relay's address,
// such as root, whose file it need not be: nothing rests on nobody else having it.
func RelayIdentityToShow(path string) (ed25519.PrivateKey, error) {
	b, err := keyfile.ReadPublic(path)
	var none *keyfile.NotExistError
	if errors.As(err, &none) {
		return RelayIdentity(path)
	}
	if err != nil {
		return nil, err
	}
	return parseRelayKey(path, b)
}
