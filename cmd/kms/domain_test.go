package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestDomainCommand: a domain's relays are set, shown and taken away; keys carry those
// of the day they are issued, and inspect says so.
func TestDomainCommand(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	ok := func(want string, args ...string) {
		t.Helper()
		stdout, stderr, status := kmsRun(args...)
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("kms %s: status %d, %q %q", strings.Join(args, " "), status, stdout, stderr)
		}
	}
	bad := func(args ...string) {
		t.Helper()
		if stdout, stderr, status := kmsRun(args...); status != 2 {
			t.Errorf("kms %s: status %d, %q %q", strings.Join(args, " "), status, stdout, stderr)
		}
	}
	bad("init", "NTNU", "--no-passphrase", "--relay", "nonsense")
	if found, err := filepath.Glob("*"); err != nil || len(found) != 0 {
		t.Errorf("%v was made, %v", found, err)
	}
	ok("Created", "init", "NTNU", "--no-passphrase", "--relay", "relay.ntnu.no")
	ok("  relay  relay.ntnu.no\n", "domain")
	ok("Issued", "issue", "--attr", "NTNU", "--expires", "1d", "-o", "a.key")
	ok("key 1, format 2, ", "inspect", "a.key")
	ok("  relay       relay.ntnu.no\n", "inspect", "a.key")
	ok("format 2", "inspect", "NTNU.domain")
	ok("  relay  /dnsaddr/ntnu.no\n  relay  10.0.0.7:4001\nKeys issued from now on", "domain", "NTNU", "--relay",
		"/dnsaddr/ntnu.no", "--relay", "10.0.0.7:4001")
	bad("domain", "--relay", "a b.no")
	bad("domain", "--relay", "a.no", "--relay", "a.no")
	bad("domain", "--relay", "a.no", "--no-relays")
	ok("  relay  10.0.0.7:4001\n", "domain", "NTNU.domain")
	ok("no relays", "domain", "--no-relays")
	ok("Issued", "issue", "--attr", "NTNU", "--expires", "1d", "-o", "b.key")
	ok("key 2, format 2, ", "inspect", "b.key")
	if _, _, status := kmsRun("domain", "UiO"); status != 1 {
		t.Errorf("a domain that is not there: status %d", status)
	}
}

func kmsRun(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	status = testApp().run(args, &out, &errs)
	return out.String(), errs.String(), status
}
