//go:build !linux && !darwin && !freebsd

package control

import (
	"net"
	"os"
)

// peer has nobody to ask here: the modes of folder and socket, or what Windows has in their
// place, keep others out.
func peer(*net.UnixConn) (uid, pid int, err error) { return os.Geteuid(), 0, nil }
