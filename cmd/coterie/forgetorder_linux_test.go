package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestForgetOrder: coterie forget takes the key of the history first, the lock last, and the
// room off the list after all of it.
func TestForgetOrder(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	if _, stderr, status := run(t, dir, "", "join", "den", "--plain", "--key", "ann.key", "--policy", thePolicy,
		"--listen",
		"/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Fatal(stderr)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Skip("what happens in a folder is not told here: ", err)
	}
	defer unix.Close(fd)
	for _, folder := range []string{"data/coterie/rooms", "config/coterie"} {
		if _, err := unix.InotifyAddWatch(fd, filepath.Join(dir, folder), unix.IN_DELETE|unix.IN_MOVED_TO); err != nil {
			t.Skip("what happens in a folder is not told here: ", err)
		}
	}
	if _, stderr, status := run(t, dir, "", "forget", "den", "--yes"); status != 0 {
		t.Fatal(stderr)
	}
	buf := make([]byte, 64<<10)
	n, err := unix.Read(fd, buf)
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for at := 0; at < n; {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
		name := strings.TrimRight(string(buf[at+unix.SizeofInotifyEvent:at+unix.SizeofInotifyEvent+int(e.Len)]), "\x00")
		at += unix.SizeofInotifyEvent + int(e.Len)
		if name == "rooms.toml" || strings.HasPrefix(name, "rooms") {
			gone = append(gone, name)
		} else if ext := filepath.Ext(name); ext != ".tmp" {
			gone = append(gone, ext)
		}
	}
	gone = slices.DeleteFunc(gone, func(s string) bool { return s == "rooms.toml.lock" })
	if n := len(gone); n < 4 || gone[0] != ".key" || gone[n-2] != ".lock" || gone[n-1] != "rooms.toml" {
		t.Errorf("in this order: %q", gone)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "data", "coterie", "rooms")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
