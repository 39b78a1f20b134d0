package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"

	"golang.org/x/term"

	"coterie/kms/keyfile"
)

// PassphraseOptions say where a passphrase comes from. The zero value asks on
// the terminal.
type PassphraseOptions struct {
	// File holds the passphrase in its first line. It must be private.
	File string
	// Command prints the passphrase as the first line of its output. It counts if
	// there is no File.
	Command []string
	// Ask is asked in the place of the terminal, once; nil: the terminal is.
	Ask func() ([]byte, error)
	// Name is what Identities calls the file in its question; empty means its path.
	Name string
	// AllowEmpty accepts an empty line from the terminal; a file never gives an
	// empty passphrase.
	AllowEmpty bool
	// Hint says what to do where there is no terminal. Empty means
	// "--passphrase-file FILE".
	Hint string
}

// tries is how often a person may mistype a passphrase. A file is tried once: it
// will not change its mind.
const tries = 3

// maxPassphrase bounds the line in bytes.
const maxPassphrase = 1024

// Passphrase reads a passphrase: from opts.File, or from the terminal without
// echo after showing prompt there. Standard input and output are not touched, so
// it works within a pipe. Without a file and a terminal the error's code is
// no-terminal. The caller clears the bytes.
func Passphrase(prompt string, opts PassphraseOptions) ([]byte, error) {
	if opts.File != "" {
		return passphraseFile(opts.File)
	}
	if len(opts.Command) > 0 {
		return passphraseCommand(opts.Command)
	}
	if opts.Ask != nil {
		return opts.Ask()
	}
	var line []byte
	err := withTerminal(func(in, out *os.File) (err error) {
		fmt.Fprintf(out, "%s ", Clean(prompt))
		defer erase(out)
		if state, err := term.GetState(int(in.Fd())); err == nil {
			restore := func() { term.Restore(int(in.Fd()), state) }
			asking.Store(&restore)
			defer asking.Store(nil)
		}
		line, err = term.ReadPassword(int(in.Fd()))
		return err
	})
	switch {
	case errors.Is(err, errNoTerminal):
		hint := opts.Hint
		if hint == "" {
			hint = "--passphrase-file FILE"
		}
		return nil, Fail("no-terminal", "a passphrase is needed and there is no terminal to ask on").Hint("%s", hint).
			Because(err)
	case err != nil:
		return nil, Fail("no-passphrase", "no passphrase was typed").Because(err)
	case len(line) == 0 && !opts.AllowEmpty:
		return nil, Fail("no-passphrase", "the passphrase is empty")
	case len(line) > maxPassphrase:
		clear(line)
		return nil, Fail("no-passphrase", "the passphrase is longer than %d bytes", maxPassphrase)
	}
	return line, nil
}

// asking gives the terminal its echo back while a passphrase is asked for.
var asking atomic.Pointer[func()]

// restoreTerminal is for a program that ends while it asks, as after a signal.
func restoreTerminal() {
	if restore := asking.Load(); restore != nil {
		(*restore)()
	}
}

// WithPassphrase asks for a passphrase and calls try with it, three times on a
// terminal as long as try returns keyfile.ErrWrongPassphrase, once with a file.
// It clears the passphrase afterwards.
func WithPassphrase(prompt string, opts PassphraseOptions, try func([]byte) error) error {
	left := tries
	if opts.File != "" || len(opts.Command) > 0 || opts.Ask != nil {
		left = 1
	}
	for {
		passphrase, err := Passphrase(prompt, opts)
		if err != nil {
			return err
		}
		err = try(passphrase)
		clear(passphrase)
		left--
		if left == 0 || !errors.Is(err, keyfile.ErrWrongPassphrase) {
			return err
		}
		Tell("That is not it.")
	}
}

// Tell writes one line to the terminal, past standard output and error: for what
// must reach the person at the keyboard and nobody else, such as a passphrase
// that was made for them. Without a terminal it returns an error.
func Tell(format string, a ...any) error {
	return withTerminal(func(_, out *os.File) error {
		_, err := fmt.Fprintf(out, format+"\n", a...)
		return err
	})
}

func passphraseFile(path string) ([]byte, error) {
	data, err := keyfile.ReadPassphrase(path, 2*maxPassphrase)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return nil, Fail("no-passphrase", "%s begins with a byte order mark, which would count as letters of the passphrase",
			path).
			Hint("save it as plain UTF-8, without a BOM")
	}
	if keyfile.KindOf(data) == keyfile.UTF16 {
		return nil, &keyfile.DamagedError{Path: path, Size: len(data), UTF16: true}
	}
	return firstLine(data, path)
}

// firstLine is the passphrase in a file or in what a command printed.
func firstLine(data []byte, of string) ([]byte, error) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return nil, Fail("no-passphrase", "the first line of %s is empty", of).Hint("the passphrase is the first line")
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return nil, Fail("no-passphrase", "the first line of %s has bytes that nobody can type", of).
			Hint("save it as plain UTF-8")
	}
	if len(line) > maxPassphrase {
		return nil, Fail("no-passphrase", "the first line of %s is longer than %d bytes", of, maxPassphrase)
	}
	return bytes.Clone(line), nil
}

// passphraseCommand runs a command and takes the first line of what it prints.
// It may ask on the terminal itself.
func passphraseCommand(command []string) ([]byte, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	defer clear(data)
	if err != nil {
		return nil, Fail("no-passphrase", "passphrase_command: %s: %v", command[0], err).Hint("--passphrase-file FILE").
			Because(err)
	}
	return firstLine(data, "what passphrase_command printed")
}

var errNoTerminal = errors.New("no terminal")

// withTerminal opens the terminal of the process itself, wherever its standard
// streams lead.
func withTerminal(f func(in, out *os.File) error) error {
	inName, outName := "/dev/tty", "/dev/tty"
	if runtime.GOOS == "windows" {
		inName, outName = "CONIN$", "CONOUT$"
	}
	in, err := os.OpenFile(inName, os.O_RDWR, 0)
	if err != nil {
		return errNoTerminal
	}
	defer in.Close()
	out, err := os.OpenFile(outName, os.O_WRONLY, 0)
	if err != nil {
		return errNoTerminal
	}
	defer out.Close()
	return f(in, out)
}

// erase takes the prompt off the terminal again, once it is answered.
func erase(out *os.File) {
	fmt.Fprint(out, "\r\n")
	if runtime.GOOS != "windows" && os.Getenv("TERM") != "dumb" {
		fmt.Fprint(out, "\033[F\033[K")
	}
}
