package main

import (
	"os"
	"slices"
	"strings"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"
)

// onTerminal reports whether the interface can be drawn: both ends are a
// terminal, of a kind that can move the cursor. Otherwise lines are plain.
func (a *app) onTerminal() bool {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return false
	}
	out, ok := a.stdout.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) {
		return false
	}
	kind := os.Getenv("TERM")
	return kind != "" && kind != "dumb"
}

// isUTF8 reports whether the terminal shows UTF-8, as the environment says.
func isUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return os.PathSeparator == '\\'
}

// desktop is how this terminal is asked for a notification.
func desktop() string {
	kind, program := os.Getenv("TERM"), os.Getenv("TERM_PROGRAM")
	switch {
	case strings.Contains(kind, "kitty"):
		return "99"
	case strings.HasPrefix(kind, "rxvt"), strings.HasPrefix(kind, "foot"), os.Getenv("VTE_VERSION") != "":
		return "777"
	case program == "iTerm.app", program == "WezTerm", program == "ghostty", os.Getenv("WT_SESSION") != "":
		return "9"
	}
	return ""
}

// colours is which colours the interface uses; nil where the terminal and NO_COLOR are to say.
func colours(mode string, environ []string) *colorprofile.Profile {
	profile := colorprofile.ASCII
	switch mode {
	case "never":
	case "always":
		environ = slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") })
		profile = max(colorprofile.Env(environ), colorprofile.ANSI)
	default:
		return nil
	}
	return &profile
}

// checkColour keeps words from being taken for a mode that are none.
func checkColour(mode string) bool {
	return mode == "auto" || mode == "always" || mode == "never" || mode == ""
}
