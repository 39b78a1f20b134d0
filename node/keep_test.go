package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"coterie/node/store"
)

// TestKeepLowered: who lowers what is kept has the files within it at the next start, once what went is
// written anew; and the size that is told is that of the files.
func TestKeepLowered(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cfg := store.Config{Path: filepath.Join(t.TempDir(), "room.db"), Key: [32]byte{1}, LogSize: 1 << 20,
		SyncEvery: time.Millisecond}
	desc, large := fillRoom(t, &cfg, now, 2, 2, 800, 4000)
	if large < 12<<20 {
		t.Fatalf("%d bytes of 12 MB", large)
	}
	const keep = 4 << 20
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := NewStore(s)
	out := openFilled(t, desc, now, d, 10, keep).Ready()
	if err := d.Save(out.Save); err != nil || len(out.Forget) > 0 {
		t.Fatal(err, out.Forget)
	}
	for ended := time.Now().Add(patience); d.Size() > keep; time.Sleep(time.Millisecond) {
		if time.Now().After(ended) {
			t.Fatalf("the files have %d bytes, and %d are kept", d.Size(), keep)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	onDisk := int64(0)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(cfg.Path), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(path) != ".lock" {
			onDisk += info.Size()
		}
	}
	if told := d.Size(); told != onDisk || onDisk < keep/2 || onDisk > keep {
		t.Errorf("%d bytes are told, and there are %d; %d are kept", told, onDisk, keep)
	}
}
