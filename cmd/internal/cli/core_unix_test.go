//go:build !windows

package cli

import (
	"syscall"
	"testing"
)

func TestNoCore(t *testing.T) {
	NoCore()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("%+v, %v", limit, err)
	}
}
