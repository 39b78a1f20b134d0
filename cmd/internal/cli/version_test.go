package cli

import (
	"bytes"
	"io"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestVersion: the command and the flag say the same: the program's name and
// version, and what it was built with if that is known.
func TestVersion(t *testing.T) {
	say := func(arg string) string {
		var out bytes.Buffer
		root := &cobra.Command{Use: "kms", Short: "kms"}
		root.SetOut(&out)
		root.AddCommand(Version("kms"))
		if status := Run(root, []string{arg}, io.Discard); status != 0 {
			t.Errorf("%s: status %d", arg, status)
		}
		return out.String()
	}
	got := say("--version")
	if got != say("version") || !strings.HasPrefix(got, "kms ") || strings.Count(got, "\n") != 1 {
		t.Errorf("%q and %q", got, say("version"))
	}
}

// TestVersionOf: only what was built from the commit with the tag, unchanged, calls itself that
// version. All else is on the way to it, and names its commit if that is known. scripts/release
// makes the same of a commit (TestReleaseTwice in docs).
func TestVersionOf(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	at := func(version, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: modified},
		}}
	}
	for want, info := range map[string]*debug.BuildInfo{
		Number:                                 at("v"+Number, "false"),
		Number + "-devel+0123456789ab":         at("v0.0.0-20261130000000-0123456789ab", "false"),
		Number + "-devel+0123456789ab.changed": at("v"+Number+"+dirty", "true"),
		Number + "-devel":                      {Main: debug.Module{Version: "(devel)"}},
	} {
		if got := versionOf(info); got != want {
			t.Errorf("%+v: %s, not %s", info, got, want)
		}
	}
}
