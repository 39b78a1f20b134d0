package main

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach has a process begin without a console.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS}
}
