package node

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pbnjay/memory"
)

// Memory is how much memory this process may take: the machine's, or what its
// container or unit was given, where Linux tells. 0: it is not known.
func Memory() int64 {
	total := int64(min(memory.TotalMemory(), math.MaxInt64))
	if limit := groupMemory("/proc/self/cgroup", "/sys/fs/cgroup"); limit > 0 && (total == 0 || limit < total) {
		return limit
	}
	return total
}

// groupMemory is the least limit of the control group that a file names, and of
// those above it; 0: none is known. It knows version 2 (cgroups(7)), and the path
// of version 1 as a container sees it.
func groupMemory(file, root string) (least int64) {
	note := func(path string) {
		f, err := os.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, 64))
		n, bad := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
		if err == nil && bad == nil && n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	note(filepath.Join(root, "memory", "memory.limit_in_bytes"))
	f, err := os.Open(file)
	if err != nil {
		return least
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 16<<10))
	if err != nil {
		return least
	}
	for l := range strings.Lines(string(b)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(l), "0::/")
		if !ok {
			continue
		}
		for at := filepath.Clean("/" + group); ; at = filepath.Dir(at) {
			note(filepath.Join(root, at, "memory.max"))
			if at == "/" {
				break
			}
		}
	}
	return least
}
