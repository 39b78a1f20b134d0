package ui

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"
)

// CanDraw reports whether the interface can be drawn: both ends are a terminal, of
// a kind that can move the cursor. Otherwise lines are plain.
func CanDraw(stdin io.Reader, stdout io.Writer) bool {
	kind := os.Getenv("TERM")
	return IsTerminal(stdin, stdout) && kind != "" && kind != "dumb"
}

// IsTerminal reports whether both ends are a terminal.
func IsTerminal(stdin io.Reader, stdout io.Writer) bool {
	in, ok := stdin.(*os.File)
	out, ok2 := stdout.(*os.File)
	return ok && ok2 && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// IsUTF8 reports whether the terminal shows UTF-8, as the environment says.
func IsUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return os.PathSeparator == '\\'
}

// Desktop is how this terminal is asked for a notification.
func Desktop() string {
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

// Colours is which colours the interface uses; nil where the terminal and NO_COLOR are to say.
func Colours(mode string, environ []string) *colorprofile.Profile {
	profile := colorprofile.ASCII
	switch mode {
	case "never":
	case "always":
		environ = slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
			return strings.HasPrefix(v,
				"NO_COLOR=")
		})
		profile = max(colorprofile.Env(environ), colorprofile.ANSI)
	default:
		return nil
	}
	return &profile
}
