// Package profile is what coterie keeps for its user: settings, rooms that were joined, an
// identity, histories. Commands read and write them through here, and nowhere else.
//
//	profile.go   the profile, and its folders
//	settings.go  the table of settings, and where their values come from
//	file.go      config.toml
//	rooms.go     rooms.toml: rooms that were joined
//	history.go   what was said in a room, opened
//	forget.go    a room erased
//	change.go    files that change, by one process at a time
//	identity.go  the identity that opens keys
//	address.go   addresses, as they are typed
//	relaykey.go  the key of a relay
//	reminder.go  what was said today and is not said again
package profile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"

	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
)

// A Profile has folders of its own, as the XDG base directory specification has them: those of
// coterie, or with a name a folder profiles/NAME below each. So two people or two roles on
// one computer share nothing. No folder is made here: whoever writes makes it, with mode
// 0700.
type Profile struct {
	Name string // as --profile has it; empty: the usual one
	// Actions are those that [keys] may give keys to.
	Actions func() []string
	// Removed tells of a file that an interrupted run had not finished, and that is gone now.
	Removed func(*cli.Error)
}

// ConfigDir is for what a person writes or would miss: identity, config.toml,
// rooms.toml.
func (p *Profile) ConfigDir() (string, error) {
	return p.folder("XDG_CONFIG_HOME", "APPDATA", ".config")
}

// DataDir is for what the program keeps: the rooms' histories.
func (p *Profile) DataDir() (string, error) {
	return p.folder("XDG_DATA_HOME", "LOCALAPPDATA", ".local", "share")
}

// StateDir is for what can be lost: logs, and what was said today.
func (p *Profile) StateDir() (string, error) {
	return p.folder("XDG_STATE_HOME", "LOCALAPPDATA", ".local", "state")
}

// RuntimeDir is for sockets. Where the system has no folder for those it is one
// in StateDir: /tmp would be everybody's.
func (p *Profile) RuntimeDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		// su and sudo may leave it another user's.
		var owner *keyfile.OwnerError
		if info, err := os.Stat(dir); err == nil && errors.As(keyfile.CheckPrivate(dir, info), &owner) {
			return "", cli.Fail("wrong-owner", "XDG_RUNTIME_DIR is %s, which belongs to %s", dir, owner.Owner).
				Hint("unset XDG_RUNTIME_DIR, or set it to a folder of yours").Because(owner)
		}
		return p.folder("XDG_RUNTIME_DIR", "")
	}
	state, err := p.StateDir()
	return filepath.Join(state, "run"), err
}

// folder is the one that the environment names, or the usual one below the home
// folder. The specification has relative paths ignored.
func (p *Profile) folder(xdg, windows string, usual ...string) (string, error) {
	if err := checkProfile(p.Name); err != nil {
		return "", err
	}
	base := os.Getenv(xdg)
	if !filepath.IsAbs(base) && runtime.GOOS == "windows" {
		base = os.Getenv(windows)
	}
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return "", cli.Fail(noHome, "no home folder is known").Hint("set HOME").Because(err)
		}
		base = filepath.Join(append([]string{home}, usual...)...)
	}
	base = filepath.Join(base, "coterie")
	if p.Name != "" {
		base = filepath.Join(base, "profiles", p.Name)
	}
	return base, nil
}

const noHome = "no-home"

// isNoHome reports whether an error is that no home folder is known.
func isNoHome(err error) bool {
	var e *cli.Error
	return errors.As(err, &e) && e.Code == noHome
}

// checkProfile keeps the name of a profile a single folder's.
func checkProfile(name string) error {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.", r)
	}
	if len(name) > 64 || strings.HasPrefix(name, ".") || strings.ContainsFunc(name, odd) {
		return cli.Usage("--profile: a name has up to 64 letters, digits and _ - . and does not begin with a dot")
	}
	return nil
}
