package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version returns the version subcommand of a program. The number is the
// module's, or the commit it was built from.
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
	v := ProgramVersion()
	if v == unknownVersion {
		return program + " (" + v + ")"
	}
	return fmt.Sprintf("%s %s (%s, %s/%s)", program, v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionFlag gives a program the flag --version. The help has the command.
func versionFlag(root *cobra.Command) {
	root.Version = versionLine(root.Name())
	root.SetVersionTemplate("{{.Version}}\n")
	root.InitDefaultVersionFlag()
	root.Flags().Lookup("version").Hidden = true
}

// unknownVersion is that of a program that was not built from a commit.
const unknownVersion = "devel"

// ProgramVersion is the number of the module's version, or the commit it was
// built from.
func ProgramVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknownVersion
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return unknownVersion
}
