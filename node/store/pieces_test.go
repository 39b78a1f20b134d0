package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// piece is one of a file, and its hash.
func piece(n int) ([32]byte, []byte) {
	b := bytes.Repeat([]byte(fmt.Sprintf("piece %d of a file|", n)), 500)
	return sha256.Sum256(b), b
}

func mustPieces(t testing.TB, s *Store) *Pieces {
	t.Helper()
	p, err := s.Pieces()
	must(t, err)
	return p
}

// TestPieces: what is kept is there for the next process, as it was, until it is let go.
func TestPieces(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	p := mustPieces(t, s)
	for n := range 5 {
		h, b := piece(n)
		must(t, p.Put(h, b))
		must(t, p.Put(h, b)) // once more is as good
	}
	size := p.size
	must(t, s.Close())

	s = mustOpen(t, cfg)
	defer s.Close()
	p = mustPieces(t, s)
	if p.size != size || size < 5*9000 {
		t.Errorf("%d bytes, and %d were kept", p.size, size)
	}
	for n := range 6 {
		h, want := piece(n)
		got, err := p.Get(h)
		there, length := n < 5, p.Length(h)
		if length > 0 != there || there && length != len(want) || there && !bytes.Equal(got, want) ||
			!there && !errors.Is(err, ErrNotExist) {
			t.Errorf("piece %d: %d there, %d bytes, %v", n, length, len(got), err)
		}
	}
	h0, _ := piece(0)
	h1, _ := piece(1)
	must(t, p.Forget([][32]byte{h0}))
	must(t, p.Sweep([][32]byte{h1}))
	all, err := os.ReadDir(p.folder)
	must(t, err)
	if len(all) != 1 || p.Length(h1) == 0 || p.Length(h0) > 0 || p.size > 20_000 {
		t.Errorf("%d files stay, of %d bytes", len(all), p.size)
	}
}

// TestPiecesShowNothing: without the data key a disk does not show of which file a piece is, not
// even to who has the piece; and all is private.
func TestPiecesShowNothing(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	defer s.Close()
	p := mustPieces(t, s)
	h, b := piece(1)
	must(t, p.Put(h, b))
	all, err := os.ReadDir(p.folder)
	must(t, err)
	for _, e := range all {
		data, err := os.ReadFile(filepath.Join(p.folder, e.Name()))
		must(t, err)
		if bytes.Contains(data, b[:16]) || strings.Contains(e.Name(), fmt.Sprintf("%x", h[:4])) {
			t.Error("the piece can be found")
		}
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
	}
	info, err := os.Stat(p.folder)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v", info.Mode())
	}
	other := cfg
	other.Path = filepath.Join(t.TempDir(), "other.db")
	other.Key[0] ^= 1
	s2 := mustOpen(t, other)
	defer s2.Close()
	if mustPieces(t, s2).name(h) == p.name(h) {
		t.Error("two rooms' disks give a piece one name")
	}
}

// TestPiecesDamaged: what was changed, cut short or swapped is no piece any more, and can be
// kept anew.
func TestPiecesDamaged(t *testing.T) {
	h, b := piece(1)
	for what, damage := range map[string]func(path string, data []byte){
		"changed":   func(path string, data []byte) { data[len(data)/2] ^= 1; os.WriteFile(path, data, 0o600) },
		"cut short": func(path string, data []byte) { os.WriteFile(path, data[:len(data)-1], 0o600) },
		"emptied":   func(path string, data []byte) { os.WriteFile(path, nil, 0o600) },
		"removed":   func(path string, data []byte) { os.Remove(path) },
		"zeros":     func(path string, data []byte) { os.WriteFile(path, make([]byte, len(data)), 0o600) },
	} {
		s := mustOpen(t, testConfig(t.TempDir()))
		p := mustPieces(t, s)
		must(t, p.Put(h, b))
		path := filepath.Join(p.folder, p.name(h))
		data, err := os.ReadFile(path)
		must(t, err)
		damage(path, data)
		if got, err := p.Get(h); !errors.Is(err, ErrNotExist) || p.Length(h) > 0 || p.size != 0 {
			t.Errorf("%s: %d bytes, %v; %d there, %d bytes", what, len(got), err, p.Length(h), p.size)
		}
		must(t, p.Put(h, b))
		if got, err := p.Get(h); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s, and kept anew: %v", what, err)
		}
		must(t, s.Close())
	}
}

// TestPiecesSwapped: one piece in the place of another does not open.
func TestPiecesSwapped(t *testing.T) {
	s := mustOpen(t, testConfig(t.TempDir()))
	defer s.Close()
	p := mustPieces(t, s)
	h1, b1 := piece(1)
	h2, b2 := piece(2)
	must(t, p.Put(h1, b1))
	must(t, p.Put(h2, b2))
	data, err := os.ReadFile(filepath.Join(p.folder, p.name(h2)))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.folder, p.name(h1)), data, 0o600))
	if got, err := p.Get(h1); !errors.Is(err, ErrNotExist) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// piecesChild keeps pieces until it is killed, saying each time how far it is.
func piecesChild() {
	s, err := Open(Config{Path: os.Getenv(childVar), Key: testKey, Room: testRoom})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	p, err := s.Pieces()
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("open")
	n := 0
	for h, _ := piece(n); p.Length(h) > 0; h, _ = piece(n) {
		n++
	}
	for ; ; n++ {
		h, b := piece(n)
		if err := p.Put(h, b); err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println(n)
	}
}

// TestPiecesKilled: a process is killed (SIGKILL) at a random moment, again and again; what it
// was told is kept is there, whole, and nothing unfinished stays.
func TestPiecesKilled(t *testing.T) {
	cfg := testConfig(t.TempDir())
	said := -1
	for round := range 6 {
		cmd, lines := startChild(t, cfg.Path, childVar+"_PIECES=1")
		kill := time.AfterFunc(time.Duration(5+rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("round %d: %q", round, lines.Text())
			}
			said = max(said, n)
		}
		kill.Stop()
		cmd.Wait()
		s := mustOpen(t, cfg)
		p := mustPieces(t, s)
		for n := range said + 1 {
			h, want := piece(n)
			if got, err := p.Get(h); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("round %d: piece %d of %d: %d bytes, %v", round, n, said, len(got), err)
			}
		}
		all, _ := os.ReadDir(p.folder)
		for _, e := range all {
			if strings.HasSuffix(e.Name(), unfinished) {
				t.Errorf("%s stays", e.Name())
			}
		}
		must(t, s.Close())
	}
	if said < 6 {
		t.Fatalf("only %d pieces were kept: the test shows nothing", said)
	}
}

// TestPiecesErased: they go when the room does.
func TestPiecesErased(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	p := mustPieces(t, s)
	h, b := piece(1)
	must(t, p.Put(h, b))
	must(t, s.Close())
	l, err := LockRoom(cfg.Path)
	must(t, err)
	must(t, l.Erase())
	all, err := os.ReadDir(filepath.Dir(cfg.Path))
	must(t, err)
	if len(all) != 0 {
		t.Errorf("%v stay", all)
	}
}
