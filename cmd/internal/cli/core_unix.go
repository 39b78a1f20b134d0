//go:build !windows

package cli

import "syscall"

// NoCore keeps this process from leaving a core file, whatever happens to it:
// its memory has keys and passphrases in it.
func NoCore() {
	// A limit can always be lowered.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
