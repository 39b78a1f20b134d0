package cli

import (
	"bytes"
	"io"
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
	if ProgramVersion() == unknownVersion && got != "kms (devel)\n" {
		t.Errorf("a version that is not known is %q", got)
	}
}
