package store

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
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
	// FoldEvery is how long what was appended waits to be folded into the
	// database; 0 means 1 s. It is what a power cut can take.
	FoldEvery time.Duration
	// FoldBytes is how much of it waits no longer; 0 means 1 MiB.
	FoldBytes int
}

// retryFull is how long after a full disk the next write is tried.
const retryFull = time.Second

// keepBuffer is how large a buffer Append keeps for the next one.
const keepBuffer = 1 << 20

// Store is the disk of one room for one peer. Its methods may be called from
// several goroutines.
type Store struct {
	cfg  Config
	lock *os.File
	db   *bbolt.DB
	seal *sealer

	folding sync.Mutex        // held by whoever writes to the database; taken before mu
	st      state             // what the database holds; by folding
	inDB    map[string]uint64 // the metas in it, with their numbers; by folding

	mu        sync.RWMutex // all below
	tails     [2]*tail
	active    int // the tail that is written to
	next      uint64
	pending   []Entry             // what is not in the database: the numbers next-len(pending) to next-1
	waiting   int                 // bytes of pending
	going     map[uint64][]uint64 // entries that go when the one of that number is folded
	index     *index
	fullUntil time.Time
	saving    error // why the last Append could not write; nil if it could
	closed    bool
	plain     []byte // of Append
	record    []byte // of Append

	wake chan struct{} // there is something to fold; closed by nobody
	now  chan struct{} // there is much of it; closed by nobody
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the goroutine that folds
}

// Open opens a room's files, or makes them if there are none, and takes in what
// the last process had appended and not folded. The caller must Close.
//
// Besides what the system may answer it returns *RunningError, *PermissionError,
// *OwnerError, *ForeignError, *KeyError, *DamagedError and *FullError. After any
// of them the files are as they were.
func Open(cfg Config) (*Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.FoldEvery <= 0 {
		cfg.FoldEvery = time.Second
	}
	if cfg.FoldBytes <= 0 {
		cfg.FoldBytes = 1 << 20
	}
	s, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening history: %w", full(err))
	}
	go s.run()
	if len(s.pending) > 0 {
		s.signal()
	}
	return s, nil
}

func open(cfg Config) (_ *Store, err error) {
	if err := makeFolder(cfg.Path); err != nil {
		return nil, err
	}
	s := &Store{
		cfg:   cfg,
		wake:  make(chan struct{}, 1),
		now:   make(chan struct{}, 1),
		stop:  make(chan struct{}),
		going: make(map[uint64][]uint64),
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
	for i, suffix := range tailSuffixes {
		path := prefix(cfg.Path) + suffix
		f, err := openPrivate(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, err
		}
		s.tails[i] = &tail{f: f, path: path}
	}
	if _, err := os.Lstat(cfg.Path); errors.Is(err, fs.ErrNotExist) {
		for _, t := range s.tails {
			if info, err := t.f.Stat(); err != nil {
				return nil, err
			} else if info.Size() > 0 {
				return nil, &DamagedError{t.path, "the database it belongs to is missing"}
			}
		}
		if err := createDatabase(&cfg); err != nil {
			return nil, err
		}
	}
	if s.db, s.seal, s.st, s.index, err = openDatabase(&cfg); err != nil {
		return nil, err
	}
	s.inDB = make(map[string]uint64)
	for name, m := range s.index.metas {
		s.inDB[name] = m.seq
	}
	return s, s.replay()
}

// replay takes in the tails. Of their entries, those that the database has
// already are passed over: the last process died between folding and emptying.
// Where entries are missing before the first of a tail, a power cut took the end
// of the other, and that tail is dropped too: what survives is always a
// beginning.
func (s *Store) replay() error {
	var batches [2][]batch
	for i, t := range s.tails {
		var err error
		if batches[i], err = t.read(s.seal); err != nil {
			return err
		}
	}
	order := []int{0, 1}
	if len(batches[0]) > 0 && len(batches[1]) > 0 && batches[0][0].seq > batches[1][0].seq {
		order = []int{1, 0}
	}
	s.next = s.st.folded
	for _, i := range order {
		if len(batches[i]) == 0 {
			continue
		}
		if batches[i][0].seq > s.next {
			// Now, and not when it is convenient: the numbers in it are given
			// again.
			if err := s.tails[i].clear(); err != nil {
				return err
			}
			continue
		}
		for _, b := range batches[i] {
			for j := range b.entries {
				if b.seq+uint64(j) == s.next {
					s.take(&b.entries[j])
				}
			}
		}
	}
	if s.tails[1].end > s.tails[0].end {
		s.active = 1
	}
	return nil
}

// take enters an entry that is in a tail now.
func (s *Store) take(e *Entry) {
	e.Arrival = s.next
	if gone := s.index.add(s.next, e); len(gone) > 0 {
		s.going[s.next] = gone
	}
	s.pending = append(s.pending, *e)
	s.waiting += e.encodedSize()
	s.next++
}

// release closes what is open.
func (s *Store) release() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, guard(s.cfg.Path, s.db.Close))
	}
	for _, t := range s.tails {
		if t != nil {
			errs = append(errs, t.f.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// Close folds what was appended and closes the files. What could not be folded
// is in the tail, for the next Open.
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
	err := s.fold()
	s.folding.Lock()
	defer s.folding.Unlock()
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
	if s.waiting > MaxBatch {
		// Folding is behind, or fails. What waits is in memory, so it ends here.
		s.mu.Unlock()
		err := s.fold()
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
	s.plain = s.plain[:0]
	for i := range fresh {
		s.plain = fresh[i].appendTo(s.plain)
	}
	s.record = appendRecord(s.record[:0], s.seal, s.next, s.plain)
	clear(s.plain)
	if err := s.tails[s.active].write(s.record, s.next+uint64(len(fresh))); err != nil {
		if isFull(err) {
			return s.isFull(err)
		}
		return fmt.Errorf("saving history: %w", err)
	}
	s.saving = nil
	if cap(s.record) > keepBuffer {
		s.plain, s.record = nil, nil
	}
	for i := range fresh {
		fresh[i].Data = slices.Clone(fresh[i].Data) // the caller's may change
		s.take(&fresh[i])
	}
	s.signal()
	return nil
}

// isFull notes that there is no space.
func (s *Store) isFull(err error) error {
	s.saving = full(err)
	s.fullUntil = s.cfg.Now().Add(retryFull)
	return s.saving
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
			if l := s.index.byID[e.Epoch]; l != nil && e.Counter > 0 && l.rest(e.Author) >= e.Counter {
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
	if err := s.usable(); err != nil {
		return err
	}
	return s.fold()
}

// Size is how many bytes the files take on disk.
func (s *Store) Size() (n int64) {
	for _, p := range []string{s.cfg.Path, prefix(s.cfg.Path) + tailSuffixes[0], prefix(s.cfg.Path) + tailSuffixes[1]} {
		if info, err := os.Stat(p); err == nil {
			n += info.Size()
		}
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
