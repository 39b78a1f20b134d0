package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// maxProc bounds what is read of one of the kernel's tables, in bytes.
	maxProc = 4 << 20
	// maxLinks bounds how many open files are looked at.
	maxLinks = 1 << 17
)

// portHolder finds the process that listens on a port, in the kernel's tables as
// Linux has them below root (proc(5)); pid 0: none is found, or it is another
// user's. It is for an error's text alone: what it says may have changed since.
func portHolder(root, proto string, port uint16) (pid int, name string) {
	sockets := listening(root, proto, port)
	if len(sockets) == 0 {
		return 0, ""
	}
	processes, err := os.ReadDir(root)
	if err != nil {
		return 0, ""
	}
	looked := 0
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		open, err := os.ReadDir(filepath.Join(root, p.Name(), "fd"))
		if err != nil {
			continue // another user's, or it has ended
		}
		for _, fd := range open {
			if looked++; looked > maxLinks {
				return 0, ""
			}
			to, err := os.Readlink(filepath.Join(root, p.Name(), "fd", fd.Name()))
			if err == nil && sockets[to] {
				comm, err := os.ReadFile(filepath.Join(root, p.Name(), "comm"))
				if err != nil {
					return 0, ""
				}
				return pid, strings.TrimSpace(string(comm))
			}
		}
	}
	return 0, ""
}

// listening are the sockets that listen on a port, by what an open file of theirs
// is called.
func listening(root, proto string, port uint16) map[string]bool {
	// The states of include/net/tcp_states.h: a socket of UDP that is bound and no
	// more has that of a closed one.
	state := map[string]string{"tcp": "0A", "udp": "07"}[proto]
	sockets := make(map[string]bool)
	for _, table := range []string{proto, proto + "6"} {
		f, err := os.Open(filepath.Join(root, "net", table))
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(io.LimitReader(f, maxProc))
		for lines.Scan() {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != state {
				continue
			}
			_, hex, ok := strings.Cut(fields[1], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); ok && err == nil && uint16(n) == port {
				sockets["socket:["+fields[9]+"]"] = true
			}
		}
		f.Close()
	}
	return sockets
}
