package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Number is the version that this tree is, or is on the way to: the newest of CHANGELOG.md.
const Number = "0.1.0"

// released is the version that scripts/release builds; "": it built something else.
var released string

// Version returns the version subcommand of a program.
func Version(program string) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "say which version this is",
		Args:  Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine(program))
			return err
		},
	}
}

// versionLine is what the command version and the flag --version print.
func versionLine(program string) string {
	return fmt.Sprintf("%s version %s", program, versionAndBuild())
}

func versionAndBuild() string {
	return fmt.Sprintf("%s (%s, %s/%s)", ProgramVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionFlag gives a program the flag --version. The help has the command.
func versionFlag(root *cobra.Command) {
	root.Version = versionAndBuild()
	root.InitDefaultVersionFlag()
	root.Flags().Lookup("version").Hidden = true
}

// ProgramVersion is Number in a release and in what was built from the commit with its tag. In
// anything else it says so, and of which commit it is if the go command noted that:
// 0.1.0-devel+0123456789ab, and .changed behind it if files were changed since.
func ProgramVersion() string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if info.Main.Version == "v"+Number {
		return Number
	}
	noted := make(map[string]string)
	for _, s := range info.Settings {
		noted[s.Key] = s.Value
	}
	v := Number + "-devel"
	if commit := noted["vcs.revision"]; len(commit) >= 12 {
		v += "+" + commit[:12]
		if noted["vcs.modified"] == "true" {
			v += ".changed"
		}
	}
	return v
}
