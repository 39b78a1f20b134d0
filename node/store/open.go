package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

func open(cfg Config) (_ *Store, err error) {
	if err := makeFolder(cfg.Path); err != nil {
		return nil, err
	}
	s := &Store{
		cfg:   cfg,
		index: newIndex(),
		wake:  make(chan struct{}, 1),
		now:   make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	if s.lock, err = lockRoom(cfg.Path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if key := prefix(cfg.Path) + keySuffix; cfg.KeyBeside {
		if _, err := os.Lstat(key); err != nil {
			return nil, &KeyMissingError{cfg.Path, key}
		}
	}
	for _, left := range Unfinished(cfg.Path) { // nobody else has the lock
		if err := os.Remove(left); err != nil {
			return nil, err
		}
	}
	if _, err := os.Lstat(cfg.Path); errors.Is(err, fs.ErrNotExist) {
		logs, err := segmentFiles(cfg.Path)
		if err != nil {
			return nil, err
		}
		if len(logs) > 0 {
			return nil, &DamagedError{logs[0].path, "the database it belongs to is missing"}
		}
		if err := createDatabase(&cfg); err != nil {
			return nil, err
		}
	}
	if s.about, s.seal, s.st, err = openDatabase(&cfg); err != nil {
		return nil, err
	}
	if info, err := os.Stat(cfg.Path); err == nil {
		s.baseSize = info.Size()
	}
	return s, s.load()
}

// load takes in what the segments have: of those that are closed by their indexes, of the last
// one by its log.
func (s *Store) load() error {
	s.lastNumber = s.st.active
	for _, g := range s.st.closed {
		path := s.cfg.path(g.number, logSuffix)
		f, err := openPrivate(path, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			return &DamagedError{path, "it is missing"}
		} else if err != nil {
			return err
		}
		info, err := f.Stat()
		f.Close()
		if err != nil {
			return err
		}
		if info.Size() != g.size {
			return &DamagedError{path, fmt.Sprintf("it has %d bytes of %d", info.Size(), g.size)}
		}
		plain, size, err := s.readIndex(g)
		if err != nil {
			return err
		}
		g.index = size
		if err := s.loadSegment(g, plain); err != nil {
			return err
		}
		if g.size != info.Size() {
			return &DamagedError{path, "its index is of another size"}
		}
	}
	for name, m := range s.st.metas {
		s.index.metas[name] = m
	}
	active := &segment{number: s.st.active}
	s.segments = append(s.segments, active)
	s.next = s.st.first
	path := s.cfg.path(active.number, logSuffix)
	f, err := openPrivate(path, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) && s.st.durable == 0 {
		return s.clearOut()
	} else if errors.Is(err, fs.ErrNotExist) {
		return &DamagedError{path, "it is missing"}
	} else if err != nil {
		return err
	}
	s.file = f
	data, err := readWhole(f, maxLog)
	if err != nil {
		return err
	}
	s.reads.logs.Add(int64(len(data)))
	good, ok := parseLog(s.seal, data, s.next, func(r record) { s.take(&r.entry, r.size) })
	if !ok {
		return &DamagedError{path, "a record does not open"}
	}
	if int64(good) < s.st.durable {
		return &DamagedError{path, fmt.Sprintf("of %d bytes that were written it has %d", s.st.durable, good)}
	}
	s.torn, s.dirty = good < len(data), true
	return s.clearOut()
}

// loadSegment takes in what the index of a segment has.
func (s *Store) loadSegment(g *segment, plain []byte) error {
	var epochs []*epochLog // by place in the index
	g.size = 0
	s.segments = append(s.segments, g)
	ok := decodeIndex(plain, func(l *line, epoch int) {
		g.add(l.seq, l.kind, l.size)
		if l.kind == MetaEntry {
			g.kill(&g.places[len(g.places)-1]) // the database has those that count
			return
		}
		if l.seq < s.st.erasing[l.epoch] {
			g.kill(&g.places[len(g.places)-1])
			g.erase = true
			return
		}
		for epoch >= len(epochs) {
			epochs = append(epochs, nil)
		}
		if epochs[epoch] == nil {
			epochs[epoch] = s.index.epoch(l.epoch)
		}
		s.killAll(epochs[epoch].add(l.kind, l.author, l.counter, l.seq))
	})
	if !ok {
		return &DamagedError{s.cfg.path(g.number, indexSuffix), "it makes no sense"}
	}
	return nil
}
