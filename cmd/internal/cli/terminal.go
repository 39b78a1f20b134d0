package cli

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"coterie/kms/keyfile"
	"coterie/kms/words"
)

// Confirm asks a question on the terminal. Anything but y or yes is no. Without
// a terminal the error's code is no-terminal and its hint is otherwise.
func Confirm(question, otherwise string) (bool, error) {
	answer, err := ask(question+" [y/N]", otherwise, "an answer is needed", nil)
	if err != nil {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// Words asks for words on the terminal, where Tab completes them.
func Words(prompt, otherwise string) (string, error) {
	return ask(prompt, otherwise, "the six words are needed", completeWord)
}

// completeWord completes the last word of a line as far as it can be; after a
// whole one comes a hyphen.
func completeWord(line string) string {
	at := strings.LastIndexAny(line, "- ") + 1
	prefix := strings.ToLower(line[at:])
	found := words.Complete(prefix)
	if prefix == "" || len(found) == 0 {
		return line
	}
	if len(found) == 1 {
		return line[:at] + found[0] + "-"
	}
	shared := found[0]
	for !strings.HasPrefix(found[len(found)-1], shared) { // the list is sorted
		shared = shared[:len(shared)-1]
	}
	return line[:at] + shared
}

// ask reads a line from the terminal. complete is what Tab does to it.
func ask(prompt, otherwise, needed string, complete func(string) string) (line string, err error) {
	err = withTerminal(func(in, out *os.File) (err error) {
		fmt.Fprintf(out, "%s ", Clean(prompt))
		if complete == nil || os.Getenv("TERM") == "dumb" {
			line, err = plainLine(in)
			return err
		}
		state, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			line, err = plainLine(in)
			return err
		}
		defer term.Restore(int(in.Fd()), state)
		line, err = editLine(in, out, complete)
		return err
	})
	switch {
	case errors.Is(err, errNoTerminal):
		return "", Fail("no-terminal", "%s and there is no terminal to ask on", needed).Hint("%s", otherwise).Because(err)
	case errors.Is(err, io.EOF), errors.Is(err, errInterrupted):
		return "", Fail("no-answer", "nothing was typed").Because(err)
	}
	return line, err
}

// maxAnswer bounds a typed line in bytes.
const maxAnswer = 1024

// plainLine reads up to the end of a line and not a byte further: the next
// question has its own.
func plainLine(in io.Reader) (string, error) {
	var line []byte
	for {
		var b [1]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return "", err
		}
		if b[0] == '\n' || b[0] == '\r' {
			return string(line), nil
		}
		if len(line) < maxAnswer {
			line = append(line, b[0])
		}
	}
}

var errInterrupted = errors.New("interrupted")

// What a terminal in raw mode sends for keys.
const (
	ctrlC     = 0x03
	ctrlD     = 0x04
	backspace = 0x08
	ctrlU     = 0x15
	ctrlW     = 0x17
	del       = 0x7f
)

// editLine reads a line of ASCII from a terminal in raw mode.
func editLine(in io.Reader, out io.Writer, complete func(string) string) (string, error) {
	line := ""
	show := func(next string) {
		for !strings.HasPrefix(next, line) {
			io.WriteString(out, "\b \b")
			line = line[:len(line)-1]
		}
		io.WriteString(out, next[len(line):])
		line = next
	}
	for {
		var b [1]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return "", err
		}
		switch c := b[0]; {
		case c == '\r', c == '\n':
			io.WriteString(out, "\r\n")
			return line, nil
		case c == ctrlC, c == ctrlD && line == "":
			io.WriteString(out, "\r\n")
			return "", errInterrupted
		case c == '\t':
			if next := complete(line); next != line {
				show(next)
			} else {
				io.WriteString(out, "\a")
			}
		case c == backspace, c == del:
			show(line[:max(len(line)-1, 0)])
		case c == ctrlU:
			show("")
		case c == ctrlW:
			show(line[:strings.LastIndexAny(strings.TrimRight(line, "- "), "- ")+1])
		case c >= ' ' && c < del && len(line) < maxAnswer:
			show(line + string(c))
		}
	}
}

// NewPassphraseOptions say how a passphrase is chosen.
type NewPassphraseOptions struct {
	File  string // its first line is the passphrase
	Ask   string // the first question
	Again string // the second
	// Make, if there is one, makes a passphrase for whoever types none. Without
	// it, none is what they get.
	Make func() (string, error)
	// Hint says what to do where there is no terminal.
	Hint string
}

// errNotTheSame lets WithPassphrase ask again.
var errNotTheSame = fmt.Errorf("not the same: %w", keyfile.ErrWrongPassphrase)

// NewPassphrase returns a passphrase: out of a file, typed twice, or made and
// typed once. The caller clears it.
func NewPassphrase(o NewPassphraseOptions) ([]byte, error) {
	if o.File != "" {
		return Passphrase("", PassphraseOptions{File: o.File})
	}
	passphrase, err := Passphrase(o.Ask, PassphraseOptions{AllowEmpty: true, Hint: o.Hint})
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		if o.Make == nil {
			return nil, nil
		}
		made, err := o.Make()
		if err != nil {
			return nil, err
		}
		passphrase = []byte(made)
		// To the terminal and nowhere else: standard output may be a file.
		if err := Tell("Made one. It is stored nowhere and will not be shown again:\n\n    %s\n", made); err != nil {
			return nil, err
		}
	}
	err = WithPassphrase(o.Again, PassphraseOptions{}, func(again []byte) error {
		if subtle.ConstantTimeCompare(passphrase, again) != 1 {
			return errNotTheSame
		}
		return nil
	})
	if errors.Is(err, errNotTheSame) {
		err = Fail("wrong-passphrase", "the two passphrases differ; nothing was made").Hint("run it again")
	}
	if err != nil {
		clear(passphrase)
		return nil, err
	}
	return passphrase, nil
}
