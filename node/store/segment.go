package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strconv"
)

// A segment is one log and what is known of it in memory. Segments have the numbers of
// entries in order, and only the last one is written to.
type segment struct {
	number uint64
	places []place // by number; those that are dead, too
	size   int64   // of the log
	live   int64   // bytes of it that are not dead
	digest [32]byte
	index  int64 // bytes of the file of its index
	erase  bool  // it has something that was forgotten
}

// A place says where in a log a record is.
type place struct {
	seq  uint64
	at   uint32
	size uint32 // and what it is
}

// What else is in a place's size.
const (
	isMessage = 1 << 31
	isMeta    = 1 << 30
	isDead    = 1 << 29
	sizeMask  = isDead - 1
)

func (p place) end() int64 { return int64(p.at) + int64(p.size&sizeMask) }

// find returns the place of that number, or nil.
func (g *segment) find(seq uint64) *place {
	at := sort.Search(len(g.places), func(i int) bool { return g.places[i].seq >= seq })
	if at == len(g.places) || g.places[at].seq != seq {
		return nil
	}
	return &g.places[at]
}

// add takes in what comes after all others.
func (g *segment) add(seq uint64, kind byte, size int) {
	p := place{seq: seq, at: uint32(g.size), size: uint32(size)}
	switch kind {
	case MessageEntry:
		p.size |= isMessage
	case MetaEntry:
		p.size |= isMeta
	}
	g.places = append(g.places, p)
	g.size += int64(size)
	g.live += int64(size)
}

// kill notes that an entry is not there any more.
func (g *segment) kill(p *place) {
	if p != nil && p.size&isDead == 0 {
		p.size |= isDead
		g.live -= int64(p.size & sizeMask)
	}
}

// A line is what an index has of an entry.
type line struct {
	seq     uint64
	size    int // of its record
	kind    byte
	epoch   [32]byte
	author  uint32
	counter uint64
	time    int64
	note    []byte
}

func lineOf(r *record) line {
	e := &r.entry
	l := line{seq: e.Arrival, size: r.size, kind: e.Kind}
	if e.Kind != MetaEntry {
		l.epoch, l.author, l.counter, l.time, l.note = e.Epoch, e.Author, e.Counter, e.Time, slices.Clone(e.Note)
	}
	return l
}

// encodeIndex is what is sealed beside a log: the epochs in it, and of each entry, in order
// and as varints, number (as the difference to the one before), size of the record, kind, and
// but for a meta the place of the epoch, author, counter, time, length of the note and note.
func encodeIndex(lines []line) []byte {
	places := make(map[[32]byte]uint64)
	var ids, b []byte
	last := uint64(0)
	for i := range lines {
		l := &lines[i]
		b = binary.AppendUvarint(b, l.seq-last)
		last = l.seq
		b = binary.AppendUvarint(b, uint64(l.size))
		if b = append(b, l.kind); l.kind == MetaEntry {
			continue
		}
		at, ok := places[l.epoch]
		if !ok {
			at = uint64(len(places))
			places[l.epoch] = at
			ids = append(ids, l.epoch[:]...)
		}
		b = binary.AppendUvarint(b, at)
		b = binary.AppendUvarint(b, uint64(l.author))
		b = binary.AppendUvarint(b, l.counter)
		b = binary.AppendVarint(b, l.time)
		b = append(b, byte(len(l.note)))
		b = append(b, l.note...)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(places)))
	return slices.Concat(out, ids, b)
}

// decodeIndex calls take with the lines of an index, whose notes are in b, and the place of
// each one's epoch.
func decodeIndex(b []byte, take func(l *line, epoch int)) bool {
	if len(b) < 4 {
		return false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b))/32 {
		return false
	}
	ids := b[:32*n]
	b = b[32*n:]
	ok := true
	number := func() uint64 {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			ok, b = false, nil
			return 0
		}
		b = b[size:]
		return v
	}
	var l line
	seq := uint64(0)
	for len(b) > 0 {
		seq += number()
		size := number()
		if !ok || len(b) == 0 || size > maxLog {
			return false
		}
		l = line{seq: seq, size: int(size), kind: b[0]}
		if b = b[1:]; l.kind == MetaEntry {
			take(&l, -1)
			continue
		}
		at := number()
		if at >= n {
			return false
		}
		l.epoch = [32]byte(ids[32*at:])
		l.author, l.counter = uint32(number()), number()
		v, k := binary.Varint(b)
		if k <= 0 || len(b) < k+1 || len(b) < k+1+int(b[k]) {
			return false
		}
		l.time, b = v, b[k:]
		note := int(b[0])
		l.note, b = b[1:1+note:1+note], b[1+note:]
		take(&l, int(at))
	}
	return ok
}

const (
	placeIndex  = "coterie/2 store index"
	logSuffix   = ".log"
	indexSuffix = ".idx"
)

// path is a file of the segment.
func (cfg *Config) path(number uint64, suffix string) string {
	return prefix(cfg.Path) + "." + strconv.FormatUint(number, 10) + suffix
}

func numberKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// writeIndex writes the index of a segment. It is there to save reading the log, so it does not
// matter if that fails. It returns how large the file is.
func (s *Store) writeIndex(number uint64, plain []byte) (size int64) {
	path := s.cfg.path(number, indexSuffix)
	os.Remove(path)
	sealed := s.seal.seal(nil, placeIndex, numberKey(number), plain)
	if writePrivate(path, sealed) != nil {
		return 0
	}
	return int64(len(sealed))
}

// readIndex reads what a segment's index has, and makes it anew from the log if it is missing or
// not what it should be. It returns how large the file is, too.
func (s *Store) readIndex(g *segment) ([]byte, int64, error) {
	path := s.cfg.path(g.number, indexSuffix)
	f, err := openPrivate(path, os.O_RDONLY)
	if err == nil {
		defer f.Close()
		sealed, err := readWhole(f, maxLog)
		if err != nil {
			return nil, 0, err
		}
		plain, ok := s.seal.open(placeIndex, numberKey(g.number), sealed)
		if ok && sha256.Sum256(plain) == g.digest {
			s.reads.index.Add(int64(len(sealed)))
			return plain, int64(len(sealed)), nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	return s.makeIndex(g)
}

// makeIndex makes the index of a segment from its log.
func (s *Store) makeIndex(g *segment) ([]byte, int64, error) {
	path := s.cfg.path(g.number, logSuffix)
	data, err := s.readLog(path)
	if err != nil {
		return nil, 0, err
	}
	var lines []line
	for len(data) > 0 {
		r, ok := parseRecord(s.seal, data)
		if !ok {
			return nil, 0, &DamagedError{path, "a record does not open"}
		}
		r.entry.Data = nil
		lines = append(lines, lineOf(&r))
		data = data[r.size:]
	}
	plain := encodeIndex(lines)
	if sha256.Sum256(plain) != g.digest {
		return nil, 0, &DamagedError{path, "it is not what was written"}
	}
	return plain, s.writeIndex(g.number, plain), nil
}

// readLog reads a log.
func (s *Store) readLog(path string) ([]byte, error) {
	f, err := openPrivate(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamagedError{path, "it is missing"}
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readWhole(f, maxLog)
	if err != nil {
		return nil, err
	}
	s.reads.logs.Add(int64(len(data)))
	return data, nil
}

// readWhole reads a file of ours of at most so many bytes.
func readWhole(f *os.File, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, &DamagedError{f.Name(), "too large"}
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if n < len(data) {
		return nil, err
	}
	return data, nil
}
