package kms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"coterie/kms/keyfile"
)

// Outline is what a ledger shows without its key.
type Outline struct {
	Fingerprint string // of the domain
	Entries     int    // whole lines after the first
	Torn        bool   // the last line has no end
	Size        int    // in bytes
}

// Outside reads what can be seen of the ledger at path without its key. It
// checks nothing but the first line.
func Outside(path string) (*Outline, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &keyfile.NotExistError{Path: path}
	} else if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLedger))
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	id, err := ledgerID(path, data)
	if err != nil {
		return nil, err
	}
	return &Outline{
		Fingerprint: fmt.Sprintf("%x-%x-%x-%x", id[0:2], id[2:4], id[4:6], id[6:8]),
		Entries:     bytes.Count(data, []byte("\n")) - 1,
		Torn:        data[len(data)-1] != '\n',
		Size:        len(data),
	}, nil
}
