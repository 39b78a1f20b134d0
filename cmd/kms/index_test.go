package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestUnfinishedIndex: what a killed run left of a folder's table goes with the next run, though that
// has nothing to issue; what is nobody's of ours stays.
func TestUnfinishedIndex(t *testing.T) {
	dir := t.TempDir()
	left, other := filepath.Join(dir, ".index.csv.aafd6b5a814e925d.tmp"), filepath.Join(dir, ".index.csv.mine.tmp")
	for _, path := range []string{left, other} {
		if err := os.WriteFile(path, []byte("number,name,file\n1,Kari,kari.key\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeIndex(dir, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(left); err == nil {
		t.Error("it is still there")
	}
	if _, err := os.Lstat(other); err != nil {
		t.Error("another file is gone")
	}
}
