package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
)

// dirs names the folders that coterie keeps its files in, as the XDG base
// directory specification has them. A profile has its own of each, a folder
// profiles/NAME below, so that two people or two roles on one computer share
// nothing. No folder is made here: whoever writes makes it, with mode 0700.
type dirs struct{ profile string }

// addFlag gives cmd and all below it the flag --profile.
func (d *dirs) addFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&d.profile, "profile", "", "keep everything apart under `NAME`")
}

// configDir is for what a person writes or would miss: identity, config.toml,
// rooms.toml.
func (d *dirs) configDir() (string, error) {
	return d.folder("XDG_CONFIG_HOME", "APPDATA", ".config")
}

// dataDir is for what the program keeps: the rooms' histories.
func (d *dirs) dataDir() (string, error) {
	return d.folder("XDG_DATA_HOME", "LOCALAPPDATA", ".local", "share")
}

// stateDir is for what can be lost: logs, and what was said today.
func (d *dirs) stateDir() (string, error) {
	return d.folder("XDG_STATE_HOME", "LOCALAPPDATA", ".local", "state")
}

// runtimeDir is for sockets. Where the system has no folder for those it is one
// in stateDir: /tmp would be everybody's.
func (d *dirs) runtimeDir() (string, error) {
	if filepath.IsAbs(os.Getenv("XDG_RUNTIME_DIR")) {
		return d.folder("XDG_RUNTIME_DIR", "")
	}
	state, err := d.stateDir()
	return filepath.Join(state, "run"), err
}

// folder is the one that the environment names, or the usual one below the home
// folder. The specification has relative paths ignored.
func (d *dirs) folder(xdg, windows string, usual ...string) (string, error) {
	if err := checkProfile(d.profile); err != nil {
		return "", err
	}
	base := os.Getenv(xdg)
	if !filepath.IsAbs(base) && runtime.GOOS == "windows" {
		base = os.Getenv(windows)
	}
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return "", cli.Fail("no-home", "no home folder is known").Hint("set HOME").Because(err)
		}
		base = filepath.Join(append([]string{home}, usual...)...)
	}
	base = filepath.Join(base, "coterie")
	if d.profile != "" {
		base = filepath.Join(base, "profiles", d.profile)
	}
	return base, nil
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
