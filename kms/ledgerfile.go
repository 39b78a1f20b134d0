package kms

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"coterie/kms/keyfile"
)

// maxLedger bounds a ledger in bytes: some hundred thousand keys, or some twenty
// thousand with post-quantum recipients. Of it, reserve is for entries that are no keys.
const (
	maxLedger = 64 << 20
	reserve   = 1 << 20
)

// ledgerFile is a ledger on disk, open and locked.
type ledgerFile struct {
	*ledger
	f *os.File
}

// openLedger opens, locks and reads the ledger at path: for writing with an
// exclusive lock, for reading with a shared one, so that a reader does not meet
// half a line of a writer who is well.
// Whoever must wait for the lock is told by waiting, once.
func openLedger(path string, id [32]byte, aead cipher.AEAD, write bool, waiting func()) (*ledgerFile, error) {
	f, info, err := lockLedger(path, write, waiting)
	if err != nil {
		return nil, err
	}
	l, err := readLedgerFile(f, info, path, id, aead)
	if err != nil {
		f.Close()
		return nil, err
	}
	l.link()
	return &ledgerFile{l, f}, nil
}

func lockLedger(path string, write bool, waiting func()) (*os.File, fs.FileInfo, error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	for {
		// Opening a pipe would wait for its other end.
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil, nil, &keyfile.NotRegularError{Path: path, Mode: info.Mode()}
		}
		f, err := os.OpenFile(path, flag, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("%s: %w", path, ErrLedgerMissing)
		} else if err != nil {
			return nil, nil, fmt.Errorf("opening the ledger: %w", err)
		}
		free, err := keyfile.TryLock(f, write)
		if err == nil && !free {
			waiting()
			waiting = func() {}
			err = keyfile.Lock(f, write)
		}
		if err != nil {
			f.Close()
			return nil, nil, fmt.Errorf("locking %s: %w", path, err)
		}
		// A lock is on the file, not on its name. Had the name been given to
		// another file while this run waited, it would append to the old one.
		here, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		named, err := os.Stat(path)
		if err == nil && os.SameFile(here, named) {
			return f, here, nil
		}
		f.Close()
	}
}

func readLedgerFile(f *os.File, info fs.FileInfo, path string, id [32]byte, aead cipher.AEAD) (*ledger, error) {
	if !info.Mode().IsRegular() {
		return nil, &keyfile.NotRegularError{Path: path, Mode: info.Mode()}
	}
	if err := keyfile.CheckPrivate(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLedger+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(data) > maxLedger {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxLedger)
	}
	return readLedger(path, data, id, aead)
}

// append writes e after the last line and makes it durable. If it cannot, the
// file is as it was.
func (l *ledgerFile) append(rand io.Reader, e *entry) error {
	e.prev = l.last
	line, err := l.seal(rand, e)
	if err != nil {
		return fmt.Errorf("recording in %s: %w", l.path, err)
	}
	most := maxLedger
	if e.kind == kindIssued {
		most -= reserve
	}
	if l.size+len(line) > most {
		return fmt.Errorf("%s: %w", l.path, ErrLedgerFull)
	}
	return l.appendLine(e, line)
}

// appendLine is append for an entry that was sealed already.
func (l *ledgerFile) appendLine(e *entry, line []byte) error {
	_, err := l.f.WriteAt(line, int64(l.size))
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		l.f.Truncate(int64(l.size))
		l.f.Sync()
		return fmt.Errorf("recording in %s: %w", l.path, err)
	}
	if err := l.apply(e); err != nil {
		return fmt.Errorf("recording in %s: %w", l.path, err)
	}
	l.lines++
	l.size += len(line)
	return nil
}

// heal moves the bytes of a last line without end into an entry of their own,
// which uses up the number that the line was for.
func (l *ledgerFile) heal(rand io.Reader, seconds int64) (*TornError, error) {
	if l.torn == nil {
		return nil, nil
	}
	torn := &TornError{Path: l.path, Line: l.lines + 1, Size: len(l.torn)}
	e := &entry{kind: kindTorn, time: seconds, number: l.next(), torn: l.torn[:min(len(l.torn), maxTorn)]}
	if l.lines == 1 {
		// Without the entry that creates the ledger there is nothing to go on from.
		return nil, torn
	}
	// The new line goes over the old bytes. The file must end with it.
	if err := l.append(rand, e); err != nil {
		return nil, err
	}
	if err := l.f.Truncate(int64(l.size)); err != nil {
		return nil, fmt.Errorf("recording in %s: %w", l.path, err)
	}
	l.torn = nil
	return torn, nil
}

// read returns the bytes of the whole lines.
func (l *ledgerFile) read() ([]byte, error) {
	data := make([]byte, l.size)
	if _, err := l.f.ReadAt(data, 0); err != nil {
		return nil, fmt.Errorf("reading %s: %w", l.path, err)
	}
	return data, nil
}

func (l *ledgerFile) close() { l.f.Close() } // closing gives the lock back
