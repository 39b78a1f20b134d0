package control

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestStranger: another user is not answered, even if folder and socket let them in; and does
// not believe what a process of somebody else's says. A socket asks the system who connects.
func TestStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir := short(t)
	s, err := Listen(dir, "a.sock", "den")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go s.Serve(nil)
	path := filepath.Join(dir, "a.sock")
	for name, mode := range map[string]os.FileMode{dir: 0o777, path: 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	line := make(chan string, 1)
	failed := make(chan error, 1)
	go func() {
		// This thread alone is another user's; it ends with the goroutine.
		runtime.LockOSThread()
		const nobody = 65534
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); e != 0 {
			failed <- e
			return
		}
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
		}
		if err != nil {
			failed <- err
			return
		}
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		conn, err := net.FileConn(f)
		if err != nil {
			failed <- err
			return
		}
		defer conn.Close()
		b := make([]byte, 1000)
		n, _ := conn.Read(b)
		line <- string(b[:n])
	}()
	select {
	case err := <-failed:
		t.Fatal(err)
	case got := <-line:
		if got != "" {
			t.Errorf("a stranger is told %q", got)
		}
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if pid, err := caller(conn, 0); err != nil || pid != os.Getpid() {
		t.Errorf("the other end is %d, %v", pid, err)
	}
	if _, err := caller(conn, 1000); err != nil {
		t.Errorf("root's, asked by another: %v", err)
	}
}

// TestSilent: a process that is stopped has its room open for all that can be known, and the
// error says so.
func TestSilent(t *testing.T) {
	dir := short(t)
	l, err := net.Listen("unix", filepath.Join(dir, "a.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	if pid := PID(filepath.Join(dir, "a.sock")); pid != os.Getpid() {
		t.Errorf("pid %d", pid)
	}
	if _, err := Open(dir, ""); err == nil {
		t.Error("nothing is said of it")
	}
	if _, err := Listen(dir, "a.sock", "den"); err == nil {
		t.Error("its socket is taken")
	}
}
