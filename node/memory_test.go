package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGroupMemory: a container's or a unit's limit is found, the least of those
// that are nested; what is none says nothing.
func TestGroupMemory(t *testing.T) {
	for _, test := range []struct {
		group string
		files map[string]string
		want  int64
	}{
		{"0::/\n", map[string]string{"memory.max": "536870912\n"}, 536870912},
		{"0::/system.slice/relay.service\n", map[string]string{
			"memory.max": "max\n", "system.slice/memory.max": "900\n", "system.slice/relay.service/memory.max": "400\n",
		}, 400},
		{"0::/a/b\n", map[string]string{"a/memory.max": "300\n", "a/b/memory.max": "max\n"}, 300},
		{"0::/../../x\n", map[string]string{"x/memory.max": "5\n"}, 5},
		{"12:memory:/docker/1\n0::/\n", map[string]string{"memory/memory.limit_in_bytes": "700\n"}, 700},
		{"", map[string]string{"memory.max": "5"}, 0},
		{"0::/\n", map[string]string{"memory.max": "-5"}, 0},
		{"0::/\n", map[string]string{"memory.max": "99999999999999999999"}, 0},
		{"0::/\n", map[string]string{}, 0},
	} {
		dir := t.TempDir()
		test.files["../group"] = test.group
		for name, text := range test.files {
			path := filepath.Join(dir, "root", name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := groupMemory(filepath.Join(dir, "group"), filepath.Join(dir, "root")); got != test.want {
			t.Errorf("%q, %v: %d, want %d", test.group, test.files, got, test.want)
		}
	}
	if groupMemory("/nowhere", "/nowhere") != 0 {
		t.Error("there is a limit where there is no group")
	}
}
