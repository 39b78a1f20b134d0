package chat

import (
	"log"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/gologshim"
)

// TestLibrariesAreQuiet: what libraries log goes into our log, and never onto the screen, with a log
// and without one.
func TestLibrariesAreQuiet(t *testing.T) {
	const file = "COTERIE_TEST_LOG"
	path, child := os.LookupEnv(file)
	if child { // a process of its own: the loggers are the process'
		QuietLibraries()
		l, err := OpenLog(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		log.Print("zeroconf's way")
		slog.Error("pubsub's way")
		slog.Info("too much")
		gologshim.Logger("swarm2").Error("libp2p's way")
		return
	}
	for _, path := range []string{"", filepath.Join(t.TempDir(), "log")} {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestLibrariesAreQuiet$")
		cmd.Env = append(os.Environ(), file+"="+path, "GOLOG_LOG_LEVEL=debug")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "PASS" {
			t.Errorf("on the screen: %v, %s", err, out)
		}
		if path == "" {
			continue
		}
		said, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range []string{"zeroconf's way", "pubsub's way", "libp2p's way"} {
			if strings.Count(string(said), way) != 1 {
				t.Errorf("%s: the log has %s", way, said)
			}
		}
		if strings.Contains(string(said), "too much") {
			t.Errorf("the log has %s", said)
		}
	}
}
