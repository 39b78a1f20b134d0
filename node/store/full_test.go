//go:build linux

package store

import (
	"coterie/kms/keyfile"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestDiskFull: on a small disk that is full, Append says so, without trying
// each time; what is stored stays readable and opens again; with space, saving
// goes on by itself, and nothing is there by half.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("coterie-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no small disk to fill: mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	cfg := testConfig(filepath.Join(dir, "rooms"))
	now := time.Unix(1000, 0)
	cfg.Now = func() time.Time { return now }
	s := mustOpen(t, cfg)
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 300<<10), 0o600))
	spare := filepath.Join(dir, "spare")
	must(t, os.WriteFile(spare, make([]byte, 8<<10), 0o600))
	half := filepath.Join(dir, "half")
	must(t, os.WriteFile(half, make([]byte, 12<<10), 0o600))

	n := uint64(0)
	var err error
	for err == nil && n < 10_000 {
		e := message(epochA, 1, n+1)
		e.Data = make([]byte, 1000)
		if err = s.Append([]Entry{e}); err == nil {
			n++
		}
		if n%50 == 0 {
			if err := s.Sync(); err != nil && !errors.Is(err, ErrFull) {
				t.Fatalf("making durable: %v", err)
			}
		}
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) ||
		err.Error() != "cannot save history: no space left on device" {
		t.Fatalf("%v", err)
	}
	if n < 50 {
		t.Fatalf("full after %d", n)
	}
	// A write that reached the disk by half is cut off before the next one.
	must(t, os.Remove(half))
	for err = nil; err == nil; {
		e := message(epochB, 1, n+1)
		e.Data = make([]byte, 20_000)
		now = now.Add(2 * retryFull)
		if err = s.Append([]Entry{e}); err == nil {
			n++
		}
	}
	now = now.Add(2 * retryFull)
	must(t, os.Remove(spare))
	must(t, s.SetMeta("small", []byte("x")))
	if _, err := mustOpen(t, copyFiles(t, cfg)).Meta("small"); err != nil {
		t.Errorf("after a write by half: %v", err)
	}
	err = s.Append([]Entry{{Kind: MetaEntry, Name: "n", Data: make([]byte, MaxMeta)}})
	if !errors.Is(err, ErrFull) {
		t.Fatalf("still full: %v", err)
	}
	writable := func() error { return s.Append([]Entry{{Kind: MetaEntry, Name: "n", Data: make([]byte, MaxMeta)}}) }
	must(t, os.Remove(ballast))
	if err := writable(); !errors.Is(err, ErrFull) {
		t.Errorf("tried again at once: %v", err)
	}
	if all := texts(t, s); uint64(len(all)) != n {
		t.Errorf("%d messages, want %d", len(all), n)
	}
	now = now.Add(2 * retryFull)
	if err := writable(); err != nil {
		t.Errorf("with space again: %v", err)
	}
	must(t, s.Sync())
	must(t, writable())
	must(t, s.Close())
	s = mustOpen(t, cfg)
	if all := texts(t, s); uint64(len(all)) != n {
		t.Errorf("opened again: %d messages, want %d", len(all), n)
	}
	// No space to make a room: an error of that kind, and no room that cannot be
	// opened later.
	must(t, s.Close())
	fill(t, ballast)
	other := cfg
	other.Path = filepath.Join(dir, "rooms", "other.db")
	if _, err := Open(other); !errors.Is(err, ErrFull) {
		t.Errorf("making a room: %v", err)
	}
	if s, err := Open(cfg); err != nil { // a full disk is read all the same
		t.Errorf("opening: %v", err)
	} else {
		must(t, s.Close())
	}
	must(t, os.Remove(ballast))
	mustOpen(t, other)
}

func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestPrivate: files that others can read, that are links or no files, and a
// folder in which everybody can replace them, are errors.
func TestPrivate(t *testing.T) {
	cfg, _ := filled(t, 10)
	_, _, err := DataKey(filepath.Join(filepath.Dir(cfg.Path), "k.db"), testRoom, nil)
	must(t, err)
	for _, path := range append(paths(t, cfg), prefix(cfg.Path)+lockSuffix) {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
			must(t, os.Chmod(path, mode))
			if _, err := Open(cfg); !errors.Is(err, keyfile.ErrPrivate) {
				t.Errorf("%s with mode %o: %v", filepath.Base(path), mode, err)
			}
		}
		must(t, os.Chmod(path, 0o600))
	}
	key := filepath.Join(filepath.Dir(cfg.Path), "k"+keySuffix)
	must(t, os.Chmod(key, 0o644))
	_, _, err = DataKey(filepath.Join(filepath.Dir(cfg.Path), "k.db"), testRoom, nil)
	if !errors.Is(err, keyfile.ErrPrivate) {
		t.Errorf("key: %v", err)
	}
	must(t, os.Chmod(filepath.Dir(cfg.Path), 0o777))
	if _, err := Open(cfg); !errors.Is(err, keyfile.ErrPrivate) {
		t.Errorf("folder: %v", err)
	}
	must(t, os.Chmod(filepath.Dir(cfg.Path), 0o700))
	must(t, os.Rename(cfg.Path, cfg.Path+".real"))
	must(t, os.Symlink(cfg.Path+".real", cfg.Path))
	if _, err := Open(cfg); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("link: %v", err)
	}
	must(t, os.Remove(cfg.Path))
	must(t, syscall.Mkfifo(cfg.Path, 0o600))
	if _, err := Open(cfg); !errors.Is(err, ErrForeign) {
		t.Errorf("pipe: %v", err)
	}
	must(t, os.Remove(cfg.Path))
	must(t, os.Rename(cfg.Path+".real", cfg.Path))
	for _, path := range paths(t, mustOpen(t, cfg).cfg) {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", path, info.Mode())
		}
	}
}
