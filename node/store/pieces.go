package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"coterie/kms/keyfile"
)

// Pieces of files: PROTOCOL.md §9.9. They are not in the log, which is written anew again and
// again: each has a file of its own, in a folder beside the database, and goes when that does.
//
//	ROOMID.files/MAC    nonce || XChaCha20-Poly1305(piece), as in a log; MAC: of the piece's hash
//
// A piece is written under a name of its own, and then renamed: it is there whole or not at all,
// if this process dies. A power cut may take one that was written lately, or leave what does not
// open: that is no piece, goes, and is fetched again. Nothing rests on it: what counts is the
// message, which has the hash.

const (
	piecesSuffix = ".files"
	placePiece   = "coterie/2 store piece"
	labelPieces  = "coterie/2 store pieces"
	// maxPieces is how many files a folder of pieces may have that are listed.
	maxPieces = 1 << 20
)

// Pieces are those of one room on disk. Its methods may be called from several goroutines.
type Pieces struct {
	folder string
	seal   *sealer

	work sync.Mutex       // held by whoever changes the folder; taken before mu
	mu   sync.Mutex       // never while the disk is waited for
	has  map[string]int64 // by name: the file's size
	size int64
}

// Pieces opens the folder of pieces, which need not be there.
func (s *Store) Pieces() (*Pieces, error) {
	p := &Pieces{folder: prefix(s.cfg.Path) + piecesSuffix, seal: s.seal, has: make(map[string]int64)}
	all, err := os.ReadDir(p.folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening files: %w", err)
	}
	if len(all) > maxPieces {
		return nil, fmt.Errorf("opening files: %w", &DamagedError{p.folder, "too many files"})
	}
	if err == nil {
		info, err := os.Lstat(p.folder)
		if err == nil && !info.IsDir() {
			err = &ForeignError{p.folder, "not a folder"}
		}
		if err == nil {
			err = keyfile.CheckPrivate(p.folder, info)
		}
		if err != nil {
			return nil, fmt.Errorf("opening files: %w", err)
		}
	}
	for _, e := range all {
		info, err := e.Info()
		switch {
		case strings.HasSuffix(e.Name(), unfinished):
			if err := os.Remove(filepath.Join(p.folder, e.Name())); err != nil {
				return nil, fmt.Errorf("opening files: %w", err)
			}
		case err == nil && info.Mode().IsRegular():
			p.add(e.Name(), info.Size())
		}
	}
	return p, nil
}

func (p *Pieces) add(name string, size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size += size - p.has[name]
	p.has[name] = size
}

func (p *Pieces) drop(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size -= p.has[name]
	delete(p.has, name)
}

// name is under which a piece is kept. It tells nothing to who has not the data key, not even
// to who knows the hash.
func (p *Pieces) name(hash [32]byte) string {
	m := hmac.New(sha256.New, p.seal.pieces[:])
	m.Write(hash[:])
	return hex.EncodeToString(m.Sum(nil))
}

// Length is how many bytes a piece has; 0: it is not there. It does not wait for the disk.
func (p *Pieces) Length(hash [32]byte) int {
	size, _ := p.sizeOf(p.name(hash))
	return int(max(size-overhead, 0))
}

func (p *Pieces) sizeOf(name string) (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, ok := p.has[name]
	return size, ok
}

// Put keeps a piece, unless it is there: one that was cut short is not. The error is a *FullError if there is no space.
func (p *Pieces) Put(hash [32]byte, piece []byte) error {
	name := p.name(hash)
	sealed := p.seal.seal(nil, placePiece, hash[:], piece)
	p.work.Lock()
	defer p.work.Unlock()
	if size, ok := p.sizeOf(name); ok && size == int64(len(sealed)) {
		return nil
	}
	path := filepath.Join(p.folder, name)
	err := os.Mkdir(p.folder, 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = writeNew(path+unfinished, sealed)
	}
	if err == nil {
		err = os.Rename(path+unfinished, path)
	}
	if err != nil {
		return fmt.Errorf("keeping a file: %w", full(err))
	}
	p.add(name, int64(len(sealed)))
	return nil
}

// Get reads a piece. One that is damaged is not there any more: the error matches ErrNotExist.
func (p *Pieces) Get(hash [32]byte) ([]byte, error) {
	name := p.name(hash)
	size, ok := p.sizeOf(name)
	if !ok {
		return nil, ErrNotExist
	}
	path := filepath.Join(p.folder, name)
	data, err := readBounded(path, size)
	if err == nil {
		if piece, ok := p.seal.open(placePiece, hash[:], data); ok {
			return piece, nil
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		p.work.Lock()
		defer p.work.Unlock()
		return nil, errors.Join(ErrNotExist, p.remove(name))
	}
	return nil, fmt.Errorf("reading a file: %w", err)
}

// Forget removes pieces.
func (p *Pieces) Forget(hashes [][32]byte) error {
	p.work.Lock()
	defer p.work.Unlock()
	var failed error
	for _, h := range hashes {
		failed = errors.Join(failed, p.remove(p.name(h)))
	}
	return failed
}

// Sweep removes all but these.
func (p *Pieces) Sweep(keep [][32]byte) error {
	wanted := make(map[string]bool, len(keep))
	for _, h := range keep {
		wanted[p.name(h)] = true
	}
	p.work.Lock()
	defer p.work.Unlock()
	p.mu.Lock()
	names := slices.Collect(maps.Keys(p.has))
	p.mu.Unlock()
	var failed error
	for _, name := range names {
		if !wanted[name] {
			failed = errors.Join(failed, p.remove(name))
		}
	}
	return failed
}

func (p *Pieces) remove(name string) error {
	if _, ok := p.sizeOf(name); !ok {
		return nil
	}
	if err := os.Remove(filepath.Join(p.folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("letting go of a file: %w", err)
	}
	p.drop(name)
	return nil
}
