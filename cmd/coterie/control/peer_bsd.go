//go:build darwin || freebsd

package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// peer is who is at the other end of a connection: the user, and the process, if the system says.
func peer(conn *net.UnixConn) (uid, pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *unix.Xucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		if cred, asked = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); asked == nil {
			pid = peerPID(int(fd))
		}
	})
	if err == nil {
		err = asked
	}
	if err != nil {
		return 0, 0, err
	}
	return int(cred.Uid), pid, nil
}
