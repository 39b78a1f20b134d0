package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRelayFiles: the unit and the container file of docs start a relay as this
// program is: what they type is tried, with another folder for its key, and without
// the home folder that neither gives it.
func TestRelayFiles(t *testing.T) {
	for _, test := range []struct{ file, prefix, folder, program string }{
		{"coterie-relay.service", "ExecStart=", "/var/lib/coterie-relay", "/usr/local/bin/coterie"},
		{"Containerfile", "ENTRYPOINT ", "/data", "/coterie"},
	} {
		b, err := os.ReadFile(filepath.Join("..", "..", "docs", test.file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		var args []string
		for l := range strings.Lines(text) {
			if command, ok := strings.CutPrefix(strings.TrimSpace(l), test.prefix); ok {
				if json.Unmarshal([]byte(command), &args) != nil {
					args = strings.Fields(command)
				}
			}
		}
		if len(args) < 2 || args[0] != test.program || args[1] != "relay" {
			t.Fatalf("%s starts %q", test.file, args)
		}
		if !strings.Contains(strings.Join(args, " "), " --identity "+test.folder+"/relay.key") {
			t.Errorf("%s keeps no key: %q", test.file, args)
		}
		// What its comments say to type.
		if typed := strings.Join(args[1:], " ") + " --print-address"; !strings.Contains(text, typed) {
			t.Errorf("%s does not say how its addresses are printed: %s", test.file, typed)
		}
		folder := filepath.Join(t.TempDir(), "state")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, test.folder, folder)
		}
		cmd := exec.CommandContext(t.Context(), exe, append(args[1:], "--print-address")...)
		cmd.Env = []string{asProcess + "=1"}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "/tcp/4001/p2p/") ||
			!strings.Contains(string(out), "/udp/4001/quic-v1/p2p/") {
			t.Errorf("%s: %v: %s", test.file, err, out)
		}
		key := filepath.Join(folder, "relay.key")
		if _, err := os.Stat(key); err != nil {
			t.Errorf("%s: %v", test.file, err)
		}
		// The service has a user of its own, and root wants to know the address.
		if os.Chown(key, 65534, 65534) == nil {
			cmd := exec.CommandContext(t.Context(), exe, append(args[1:], "--print-address")...)
			cmd.Env = []string{asProcess + "=1"}
			if again, err := cmd.CombinedOutput(); err != nil || string(again) != string(out) {
				t.Errorf("%s: of another user's file: %v: %s", test.file, err, again)
			}
		}
		switch test.file {
		case "coterie-relay.service":
			if !strings.Contains(text, "\nStateDirectory="+filepath.Base(test.folder)+"\n") {
				t.Errorf("%s: nobody makes %s", test.file, test.folder)
			}
			analyze, err := exec.LookPath("systemd-analyze")
			if err != nil {
				break // what systemd makes of it is seen where it is
			}
			path := filepath.Join("..", "..", "docs", test.file)
			out, _ := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
			for l := range strings.Lines(string(out)) {
				if strings.Contains(l, test.file) && !strings.Contains(l, "is not executable") { // it is not installed here
					t.Error(l)
				}
			}
		case "Containerfile":
			if !strings.Contains(text, "\nVOLUME "+test.folder+"\n") || !strings.Contains(text, "\nEXPOSE 4001/tcp 4001/udp\n") {
				t.Errorf("%s: its key or its port is not outside", test.file)
			}
		}
	}
}
