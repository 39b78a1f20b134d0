package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"coterie/kms/keyfile"
)

const placeState = "coterie/2 store state"

// about is what is not sealed. It says whose file it is:
//
//	magic (16) || room tag (32) || key check (32) || generation (32) || SHA-256 of all before (32)
const (
	aboutMagic = "coterie store 2\n"
	aboutSize  = 16 + 32 + 32 + 32 + 32
)

func makeAbout(room, check, generation [32]byte) []byte {
	tag := roomTag(room)
	b := append([]byte(aboutMagic), tag[:]...)
	b = append(b, check[:]...)
	b = append(b, generation[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// state is what the database says: which segments there are, and the metas when the last
// of them was begun.
type state struct {
	active uint64 // the number of the log that is written to
	first  uint64 // .. of its first entry
	// durable is how much of it the disk had: what is missing of that is damage.
	durable int64
	closed  []*segment
	// erasing: of these epochs what has a lesser number is forgotten, and perhaps not erased.
	erasing map[[32]byte]uint64
	metas   map[string]meta
}

// encode is u64 active || u64 first || u64 durable || u32 count, and of each segment u64 number || u64 size ||
// digest (32) || u32 count, and of each epoch of erasing epoch (32) || u64 number || of each meta u64
// number || entry.
func (st *state) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, st.active)
	b = binary.BigEndian.AppendUint64(b, st.first)
	b = binary.BigEndian.AppendUint64(b, uint64(st.durable))
	b = binary.BigEndian.AppendUint32(b, uint32(len(st.closed)))
	for _, g := range st.closed {
		b = binary.BigEndian.AppendUint64(b, g.number)
		b = binary.BigEndian.AppendUint64(b, uint64(g.size))
		b = append(b, g.digest[:]...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(st.erasing)))
	for id, seq := range st.erasing {
		b = append(b, id[:]...)
		b = binary.BigEndian.AppendUint64(b, seq)
	}
	for name, m := range st.metas {
		b = binary.BigEndian.AppendUint64(b, m.seq)
		b = (&Entry{Kind: MetaEntry, Name: name, Data: m.value}).appendTo(b)
	}
	return b
}

func decodeState(b []byte) (st state, ok bool) {
	if len(b) < 28 {
		return st, false
	}
	st.active, st.first = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	st.durable = int64(binary.BigEndian.Uint64(b[16:]))
	n := uint64(binary.BigEndian.Uint32(b[24:]))
	if b = b[28:]; n > uint64(len(b))/48 {
		return st, false
	}
	for ; n > 0; n-- {
		number, size := binary.BigEndian.Uint64(b), int64(binary.BigEndian.Uint64(b[8:]))
		st.closed = append(st.closed, &segment{number: number, size: size, digest: [32]byte(b[16:])})
		b = b[48:]
	}
	if len(b) < 4 {
		return st, false
	}
	n = uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b))/40 {
		return st, false
	}
	st.erasing, st.metas = make(map[[32]byte]uint64), make(map[string]meta)
	for ; n > 0; n-- {
		st.erasing[[32]byte(b)] = binary.BigEndian.Uint64(b[32:])
		b = b[40:]
	}
	for len(b) > 0 {
		if len(b) < 8 {
			return st, false
		}
		seq := binary.BigEndian.Uint64(b)
		e, rest, ok := parseEntry(b[8:])
		if !ok || e.Kind != MetaEntry {
			return st, false
		}
		st.metas[e.Name] = meta{bytes.Clone(e.Data), seq}
		b = rest
	}
	return st, true
}

// createDatabase makes the database of a room in which there is nothing yet.
func createDatabase(cfg *Config) error {
	var generation [32]byte
	rand.Read(generation[:])
	s := newSealer(cfg.Key, cfg.Room, generation)
	about := makeAbout(cfg.Room, s.check, generation)
	return writePrivate(cfg.Path, s.seal(about, placeState, nil, (&state{active: 1, first: 1}).encode()))
}

// openDatabase reads the database: whose it is, and what it says.
func openDatabase(cfg *Config) (about []byte, s *sealer, st state, err error) {
	fail := func(err error) ([]byte, *sealer, state, error) { return nil, nil, state{}, err }
	f, err := openPrivate(cfg.Path, os.O_RDONLY)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	b, err := readWhole(f, maxDatabase)
	if err != nil {
		return fail(err)
	}
	if !bytes.HasPrefix([]byte(aboutMagic), b[:min(len(b), len(aboutMagic))]) {
		return fail(&ForeignError{cfg.Path, "it is another program's, or of another version"})
	}
	if len(b) < aboutSize {
		return fail(&DamagedError{cfg.Path, fmt.Sprintf("it ends after %d bytes", len(b))})
	}
	about, sealed := b[:aboutSize:aboutSize], b[aboutSize:]
	if sum := sha256.Sum256(about[:aboutSize-32]); subtle.ConstantTimeCompare(sum[:], about[aboutSize-32:]) == 0 {
		return fail(&DamagedError{cfg.Path, "what says whose it is has changed"})
	}
	if tag := roomTag(cfg.Room); subtle.ConstantTimeCompare(tag[:], about[16:48]) == 0 {
		return fail(&ForeignError{cfg.Path, "it is another room's"})
	}
	s = newSealer(cfg.Key, cfg.Room, [32]byte(about[80:112]))
	if subtle.ConstantTimeCompare(s.check[:], about[48:80]) == 0 {
		return fail(&KeyError{cfg.Path})
	}
	plain, ok := s.open(placeState, nil, sealed)
	if ok {
		st, ok = decodeState(plain)
	}
	if !ok {
		return fail(&DamagedError{cfg.Path, "what binds it together does not open"})
	}
	return about, s, st, nil
}

// maxDatabase is more than all metas take that there can be.
const maxDatabase = 1 << 30

// commit writes a database that says these segments are there. What it says holds from then on,
// whatever happens next: then done is set, though with an error a power cut may still undo it, so that
// what was needed before must stay. The caller holds work and mu.
func (s *Store) commit(st state) (done bool, err error) {
	data := s.seal.seal(slices.Clone(s.about), placeState, nil, st.encode())
	temp := s.cfg.Path + unfinished
	if err := writeNew(temp, data); err != nil {
		return false, full(err)
	}
	if err := os.Rename(temp, s.cfg.Path); err != nil {
		os.Remove(temp)
		return false, err
	}
	s.st, s.baseSize = st, int64(len(data))
	return true, keyfile.SyncFolder(filepath.Dir(s.cfg.Path))
}

// clearOut removes what is left of segments that are not there any more, or that an interrupted
// process was making. What goes on after the last one we know of is not ours to remove.
func (s *Store) clearOut() error {
	listed := map[uint64]bool{}
	for _, g := range s.st.closed {
		listed[g.number] = true
	}
	files, err := segmentFiles(s.cfg.Path)
	if err != nil {
		return err
	}
	for _, f := range files {
		s.lastNumber = max(s.lastNumber, f.number)
		if listed[f.number] || f.number == s.st.active && f.suffix == logSuffix {
			continue
		}
		if f.suffix == logSuffix {
			file, err := openPrivate(f.path, os.O_RDONLY)
			if err != nil {
				return err
			}
			var head [recordHeader]byte
			n, _ := file.ReadAt(head[:], 0)
			file.Close()
			if _, seq, _, ok := readHeader(head[:]); n > 0 && (!ok || seq >= s.st.first) {
				return &DamagedError{f.path, "it is not of the same time as the rest"}
			}
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// makeFolder makes the folder of a room's files.
func makeFolder(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the history: %w", err)
	}
	return nil
}
