package store

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coterie/kms/keyfile"
)

// Config says which room's files to open.
type Config struct {
	// Path is the database, …/ROOMID.db. The other files are beside it. Folder
	// and files are made if they are not there.
	Path string
	// Key is the room's data key; see DataKey.
	Key [32]byte
	// KeyBeside: the data key is in the file of DataKey, without which nothing is
	// opened or made.
	KeyBeside bool
	// Room is the room's id. What is stored can be opened for this room only.
	Room [32]byte
	// Now tells the time by which a full disk is tried again; nil means
	// time.Now. Entries carry their own times.
	Now func() time.Time
	// SyncEvery is how long what was appended waits to be durable; 0 means 1 s. It is what a
	// power cut can take.
	SyncEvery time.Duration
	// LogSize is how large a log is when the next one is begun; 0 means 8 MiB.
	LogSize int64
	// manual: nothing is done by itself, for tests.
	manual bool
}

// retryFull is how long after a full disk the next write is tried.
const retryFull = time.Second

// keepBuffer is how large a buffer Append keeps for the next one.
const keepBuffer = 1 << 20

// Store is the disk of one room for one peer. Its methods may be called from
// several goroutines.
type Store struct {
	cfg   Config
	lock  *os.File
	seal  *sealer
	about []byte

	work       sync.Mutex // held by whoever changes which segments there are; taken before mu
	lastNumber uint64     // of a segment; by work

	mu        sync.RWMutex // all below
	st        state        // what the database says
	segments  []*segment   // the last is written to
	lines     []line       // of the last one
	file      *os.File     // its log; nil until something is appended
	torn      bool         // there may be more in it than its size
	dirty     bool         // something in it may not be durable
	next      uint64
	index     *index
	baseSize  int64 // of the database
	fullUntil time.Time
	saving    error // why the last Append could not write; nil if it could
	closed    bool
	plain     []byte // of Append
	record    []byte // of Append

	// reads are the bytes that were read, for tests.
	reads struct{ index, logs atomic.Int64 }

	wake chan struct{} // there is something to make durable; closed by nobody
	now  chan struct{} // there is something else to do; closed by nobody
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the goroutine that runs
}

// Open opens a room's files, or makes them if there are none. The caller must Close.
//
// Besides what the system may answer it returns *RunningError, *PermissionError,
// *OwnerError, *ForeignError, *KeyError, *DamagedError and *FullError. After any
// of them the files are as they were.
func Open(cfg Config) (*Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.SyncEvery <= 0 {
		cfg.SyncEvery = time.Second
	}
	if cfg.LogSize <= 0 {
		cfg.LogSize = 8 << 20
	}
	s, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening history: %w", full(err))
	}
	go s.run()
	s.signal(s.now) // what the last process left undone
	return s, nil
}

// segment finds that which has a number, or nil.
func (s *Store) segment(seq uint64) *segment {
	low, high := 0, len(s.segments)
	for low < high {
		mid := (low + high) / 2
		if g := s.segments[mid]; len(g.places) > 0 && g.places[0].seq <= seq {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return nil
	}
	return s.segments[low-1]
}

// kill notes that the entry of a number is not there any more.
func (s *Store) kill(seq uint64) {
	if g := s.segment(seq); g != nil {
		g.kill(g.find(seq))
	}
}

func (s *Store) killAll(gone []numbered) {
	for _, n := range gone {
		s.kill(n.seq)
	}
}

// take enters an entry that is in the last log now.
func (s *Store) take(e *Entry, size int) {
	g := s.segments[len(s.segments)-1]
	e.Arrival = s.next
	g.add(e.Arrival, e.Kind, size)
	s.lines = append(s.lines, lineOf(&record{entry: *e, size: size}))
	if e.Kind == MetaEntry {
		gone, stays := s.index.addMeta(e)
		if gone >= s.st.first {
			s.kill(gone)
		}
		if !stays {
			s.kill(e.Arrival)
		}
	} else {
		s.killAll(s.index.epoch(e.Epoch).add(e.Kind, e.Author, e.Counter, e.Arrival))
	}
	s.next++
}

// release closes what is open.
func (s *Store) release() error {
	var err error
	if s.file != nil {
		err = s.file.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// Close makes what was appended durable and closes the files.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.stop)
	<-s.done
	s.work.Lock()
	defer s.work.Unlock()
	err := s.sync(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = errors.Join(err, s.release()); err != nil {
		return fmt.Errorf("closing history: %w", err)
	}
	return nil
}

// Append stores a batch, as one and in order: when it returns, the death of this
// process takes nothing of it, and after a crash it is there as a whole or not at
// all. What is there already is passed over.
//
// It returns ErrTooLarge or ErrEntry for what cannot be stored, and *FullError if
// there is no space; then nothing of the batch is stored, and for a second the
// same is answered without trying.
func (s *Store) Append(batch []Entry) error {
	size := 0
	for i := range batch {
		if err := batch[i].validate(); err != nil {
			return err
		}
		size += batch[i].encodedSize()
	}
	if size > MaxBatch {
		return fmt.Errorf("%w: a batch of %d bytes, the limit is %d", ErrTooLarge, size, MaxBatch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if errors.Is(s.saving, ErrFull) && s.cfg.Now().Before(s.fullUntil) {
		return s.saving
	}
	if s.segments[len(s.segments)-1].size > maxLog/4 {
		// The next log is late, or cannot be begun. What is not closed is read whole, so it ends here.
		s.mu.Unlock()
		err := s.tidy()
		s.mu.Lock()
		if err != nil {
			return err
		}
		if s.closed {
			return ErrClosed
		}
	}
	fresh, err := s.fresh(batch)
	if err != nil || len(fresh) == 0 {
		return err
	}
	s.record = s.record[:0]
	sizes := make([]int, len(fresh))
	for i := range fresh {
		before := len(s.record)
		s.plain = fresh[i].appendTo(s.plain[:0])
		s.record = appendRecord(s.record, s.seal, s.next+uint64(i), len(fresh)-1-i, s.plain)
		sizes[i] = len(s.record) - before
		clear(s.plain)
	}
	if err := s.write(s.record); err != nil {
		if isFull(err) {
			s.saving = full(err)
			s.fullUntil = s.cfg.Now().Add(retryFull)
			return s.saving
		}
		return fmt.Errorf("saving history: %w", err)
	}
	s.saving = nil
	if cap(s.record) > keepBuffer {
		s.plain, s.record = nil, nil
	}
	for i := range fresh {
		s.take(&fresh[i], sizes[i])
	}
	if s.segments[len(s.segments)-1].size >= s.cfg.LogSize {
		s.signal(s.now)
	}
	s.signal(s.wake)
	return nil
}

// write adds records to the last log, in one write. A write that fails may leave a part of it,
// which goes before the next one.
func (s *Store) write(records []byte) error {
	g := s.segments[len(s.segments)-1]
	if s.file == nil {
		path := s.cfg.path(g.number, logSuffix)
		f, err := openPrivate(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return err
		}
		if err := keyfile.SyncFolder(filepath.Dir(path)); err != nil {
			f.Close()
			return err
		}
		s.file = f
	}
	if s.torn {
		if err := s.file.Truncate(g.size); err != nil {
			return err
		}
		s.torn = false
	}
	if _, err := s.file.WriteAt(records, g.size); err != nil {
		s.torn = s.file.Truncate(g.size) != nil
		return err
	}
	s.dirty = true
	return nil
}

// fresh returns the entries of a batch that are to be stored. It is long because each kind has a rule
// of its own, which looks at what is stored and at the batch before it.
func (s *Store) fresh(batch []Entry) ([]Entry, error) {
	fresh := make([]Entry, 0, len(batch))
	metas := len(s.index.metas)
	for i := range batch {
		e := &batch[i]
		switch e.Kind {
		case EpochEntry:
			if l := s.index.byID[e.Epoch]; l != nil && l.described {
				continue
			}
			if slices.ContainsFunc(fresh, func(o Entry) bool { return o.Kind == EpochEntry && o.Epoch == e.Epoch }) {
				continue
			}
		case RestEntry:
			if l := s.index.byID[e.Epoch]; l != nil && l.rest(e.Author) >= e.Counter {
				continue
			}
		case MessageEntry:
			if l := s.index.byID[e.Epoch]; l != nil && e.Counter > 0 && l.rest(e.Author) >= e.Counter&^Beside {
				continue
			}
			same := 0
			known := false
			for _, p := range s.index.same(e) {
				old, err := s.read(p.seq)
				if err != nil {
					return nil, err
				}
				same++
				known = known || string(old.Data) == string(e.Data)
			}
			for j := range fresh {
				if o := &fresh[j]; o.Kind == MessageEntry && o.Counter == e.Counter && o.Author == e.Author && o.Epoch == e.Epoch {
					same++
					known = known || string(o.Data) == string(e.Data)
				}
			}
			if known || same >= 2 {
				continue
			}
		case MetaEntry:
			if _, ok := s.index.metas[e.Name]; !ok && len(e.Data) > 0 {
				if metas++; metas > MaxMetas {
					return nil, fmt.Errorf("%w: more than %d metas", ErrTooLarge, MaxMetas)
				}
			}
		}
		fresh = append(fresh, *e)
	}
	return fresh, nil
}

// Sync returns when what was appended before is durable: not even a power cut
// takes it.
func (s *Store) Sync() error {
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	return s.sync(true)
}

// Size is how many bytes the files take on disk.
func (s *Store) Size() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.baseSize
	for _, g := range s.segments {
		n += g.size + g.index
	}
	return n
}

func (s *Store) usable() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

const identityName = "\x00identity"

// Identity returns the peer's key in this room, or ErrNotExist on the first use.
func (s *Store) Identity() (ed25519.PrivateKey, error) {
	seed, err := s.meta(identityName)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	if len(seed) != ed25519.SeedSize {
		return nil, &DamagedError{s.cfg.Path, "its identity has a wrong size"}
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// SetIdentity stores the peer's key, in the place of one before, and returns when
// it is durable.
func (s *Store) SetIdentity(key ed25519.PrivateKey) error {
	if len(key) != ed25519.PrivateKeySize {
		return fmt.Errorf("%w: an identity of %d bytes", ErrEntry, len(key))
	}
	if err := s.Append([]Entry{{Kind: MetaEntry, Name: identityName, Data: key.Seed()}}); err != nil {
		return err
	}
	return s.Sync()
}
