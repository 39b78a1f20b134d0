package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/kms"
	"coterie/kms/keyfile"
)

// indexName is the table of a folder of keys: whose is which.
const indexName = "index.csv"

var indexHead = []string{"number", "name", "file"}

// writeIndex puts keys into the table of a folder, which keeps what it has of
// others.
func writeIndex(folder string, keys []kms.Issued) error {
	path := filepath.Join(folder, indexName)
	unlock, alone := lockFolder(folder)
	defer unlock()
	if alone {
		keyfile.RemoveUnfinished(path)
	}
	if len(keys) == 0 {
		return nil
	}
	rows := make(map[uint64][]string)
	data, err := keyfile.ReadPublicUpTo(path, maxSheet)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		old, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil || len(old) == 0 || !slices.Equal(old[0], indexHead) {
			return cli.Fail("exists", "%s exists and is no table of keys", path).
				Hint("the keys are issued; move that file away and run it again")
		}
		for _, row := range old[1:] {
			if n, err := strconv.ParseUint(row[0], 10, 64); err == nil {
				rows[n] = row
			}
		}
	}
	var numbers []uint64
	for _, k := range keys {
		rows[k.Number] = []string{strconv.FormatUint(k.Number, 10), cell(k.Name), cell(filepath.Base(k.Path))}
	}
	for n := range rows {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(indexHead)
	for _, n := range numbers {
		w.Write(rows[n])
	}
	w.Flush()
	return keyfile.Replace(path, b.Bytes(), 0o600)
}

// lockFolder waits a while until nobody else writes the table of a folder, and reports whether that
// is so: where a folder cannot be locked, nobody can tell.
func lockFolder(folder string) (unlock func(), alone bool) {
	f, err := os.Open(folder)
	if err != nil {
		return func() {}, false
	}
	for range 500 {
		if free, err := keyfile.TryLock(f, true); free || err != nil {
			return func() { f.Close() }, free && err == nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return func() { f.Close() }, false
}

// cell makes text fit for a spreadsheet: names come from strangers, and what begins
// like a formula is one to a spreadsheet. Where one separates cells by another sign than
// the comma, a cell begins after that.
func cell(s string) string {
	var b strings.Builder
	begins := true
	for _, r := range s {
		if begins && strings.ContainsRune("=+-@\t\r＝＋－＠", r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = strings.ContainsRune(";,|\t", r) || begins && (r == ' ' || r == '"')
	}
	return b.String()
}
