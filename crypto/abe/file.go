package abe

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// Kind is what a file holds, by its first line.
type Kind uint8

// The kinds of files.
const (
	KindUnknown Kind = iota
	KindKey
	KindDomain
	KindMaster
	KindNotice
)

func (k Kind) String() string {
	return [...]string{"unknown file", "key", "domain", "master key", "notice"}[min(k, KindNotice)]
}

// firstWord begins the first line of a file.
func (k Kind) firstWord() string {
	return [...]string{"", "coterie-key", "coterie-domain", "coterie-master", "coterie-notice"}[k]
}

// fileVersion is that of all files.
const fileVersion = "2"

// Errors of files. Those that are returned are *FileError and wrap one.
var (
	ErrFormat  = errors.New("damaged")
	ErrKind    = errors.New("another kind of file")
	ErrVersion = errors.New("another version")
)

// FileError says why a file could not be read. It never holds bytes of it.
type FileError struct {
	Want, Found Kind
	Reason      string
	Err         error // ErrFormat, ErrKind or ErrVersion
}

func (e *FileError) Error() string {
	switch {
	case errors.Is(e.Err, ErrKind):
		return fmt.Sprintf("not a %s file but a %s", e.Want, e.Found)
	case errors.Is(e.Err, ErrVersion):
		return fmt.Sprintf("%s file of another version", e.Want)
	}
	return fmt.Sprintf("%s file is damaged: %s", e.Want, e.Reason)
}

func (e *FileError) Unwrap() error { return e.Err }

func damaged(want Kind, reason string) error {
	return &FileError{Want: want, Found: want, Reason: reason, Err: ErrFormat}
}

// KindOf looks at the first line only.
func KindOf(b []byte) Kind {
	k, _ := firstLine(b)
	return k
}

func firstLine(b []byte) (k Kind, version string) {
	const longest = 64
	line, _, found := bytes.Cut(b[:min(len(b), longest)], []byte("\n"))
	if !found {
		return KindUnknown, ""
	}
	word, version, found := strings.Cut(string(line), " ")
	if !found {
		return KindUnknown, ""
	}
	for k := KindKey; k <= KindNotice; k++ {
		if word == k.firstWord() {
			return k, version
		}
	}
	return KindUnknown, ""
}

// seal makes a file: first line, body, SHA-256 of both (PROTOCOL.md §3.3). The
// checksum finds damage, not malice.
func seal(k Kind, body func(*cryptobyte.Builder)) ([]byte, error) {
	b := cryptobyte.NewBuilder([]byte(k.firstWord() + " " + fileVersion + "\n"))
	body(b)
	out, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding %s file: %w", k, err)
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// unseal returns the body of a file.
func unseal(want Kind, b []byte) (body cryptobyte.String, err error) {
	found, version := firstLine(b)
	switch {
	case found == KindUnknown:
		return nil, &FileError{Want: want, Reason: "its first line is not one of Coterie's", Err: ErrFormat}
	case found != want:
		return nil, &FileError{Want: want, Found: found, Err: ErrKind}
	case version != fileVersion:
		return nil, &FileError{Want: want, Found: found, Err: ErrVersion}
	}
	start := len(want.firstWord()) + len(" \n") + len(fileVersion)
	if len(b) < start+sha256.Size {
		return nil, damaged(want, "it is cut short")
	}
	sum := b[len(b)-sha256.Size:]
	if got := sha256.Sum256(b[:len(b)-sha256.Size]); !bytes.Equal(got[:], sum) {
		return nil, damaged(want, "its checksum is wrong")
	}
	return b[start : len(b)-sha256.Size], nil
}

func addBytes16(b *cryptobyte.Builder, data []byte) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(data) })
}

func addBytes24(b *cryptobyte.Builder, data []byte) {
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(data) })
}
