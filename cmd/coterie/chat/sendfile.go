package chat

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// Files that this user sends.

// retryFile is how often it is tried again while other files are being sealed.
const retryFile = 100 * time.Millisecond

// do reads a file and sends it. It is in the outbox before anything can become of it.
func (c File) do(r visit) {
	o := &outgoing{ref: c.Ref, at: r.cfg.Now()}
	r.box.waiting = append(r.box.waiting, o)
	if !r.beside(func() { r.sendFile(o, c.Path) }) {
		r.rejected(o, cli.Fail("busy", "too many requests at once").Hint("wait for the answers"))
	}
}

func (r *Room) sendFile(o *outgoing, path string) {
	name, data, bad := readFile(path)
	if bad != nil {
		r.reject(o, bad)
		return
	}
	err := r.node.SendFile(o, name, data)
	for tries := 0; errors.Is(err, room.ErrFilesBusy) && tries < 100; tries++ {
		time.Sleep(retryFile)
		err = r.node.SendFile(o, name, data)
	}
	if err != nil && !errors.Is(err, node.ErrEnded) && !errors.Is(err, room.ErrLeft) {
		r.reject(o, fileError(err))
	}
}

// Sendable says why a file cannot be sent, as far as that is seen without reading it; nil: nothing
// is known against it.
func Sendable(path string) *cli.Error {
	if !filepath.IsAbs(path) {
		return cli.Fail("file", "%s is no absolute path", cli.Clean(path))
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return cannotRead(path, err)
	case info.IsDir():
		return cli.Fail("file", "%s is a folder", cli.Clean(path)).Hint("a folder goes as an archive of it")
	case !info.Mode().IsRegular():
		return cli.Fail("file", "%s is no plain file", cli.Clean(path))
	case info.Size() == 0:
		return cli.Fail("file", "%s is empty", cli.Clean(path))
	case info.Size() > record.MaxFile:
		return tooLarge(path, text.Size(int(info.Size())))
	}
	return nil
}

func cannotRead(path string, err error) *cli.Error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return cli.Fail("file", "cannot read %s: %v", cli.Clean(path), err).Because(err)
}

func tooLarge(path, size string) *cli.Error {
	return cli.Fail("too-long", "%s has %s; 32 MiB are the limit", cli.Clean(path), size)
}

// readFile reads a file that is to be sent, and how others are to call it.
func readFile(path string) (name string, data []byte, bad *cli.Error) {
	// What is no file could be waited for without end: it is not opened.
	if bad := Sendable(path); bad != nil {
		return "", nil, bad
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, cannotRead(path, err)
	}
	defer f.Close()
	if data, err = io.ReadAll(io.LimitReader(f, record.MaxFile+1)); err != nil {
		return "", nil, cannotRead(path, err)
	}
	switch {
	case len(data) > record.MaxFile: // it has grown meanwhile
		return "", nil, tooLarge(path, "over 32 MiB")
	case len(data) == 0:
		return "", nil, cli.Fail("file", "%s is empty", cli.Clean(path))
	}
	return FileName(filepath.Base(path)), data, nil
}

// failedFile answers a file that was not sent after all.
func (r *Room) failedFile(e room.FileFailed) {
	if o, ok := e.Ref.(*outgoing); ok {
		r.rejected(o, fileError(e.Err))
	}
}
