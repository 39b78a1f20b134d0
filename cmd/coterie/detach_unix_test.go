//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach has a process begin without a terminal.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
