package room

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Files, and which of their pieces are kept here: PROTOCOL.md §9.9. How they are fetched is in
// fetch.go.

const (
	// MaxUnasked is how large a file may be that is fetched without a word of our user.
	MaxUnasked = 1 << 20

	maxFiles         = 4096 // with pieces here, or wanted
	maxWantedUnasked = 256
	maxWantedBranch  = 64 // .. of one branch
	maxWantedAsked   = 64
	maxSealing       = 2 // files of ours that are being sealed
	fileCost         = 4096

	// What is fetched without a word, in bytes: of one branch, and of all.
	unaskedAtOnce, unaskedRate       = 32 << 20, float64(1<<20) / 60
	allUnaskedAtOnce, allUnaskedRate = 128 << 20, float64(4<<20) / 60
)

var (
	// ErrNoFile is returned where no file is known whose message has that id.
	ErrNoFile = errors.New("no file of this room has that id")
	// ErrNoFiles is returned if the room keeps no pieces.
	ErrNoFiles = errors.New("this peer keeps no files")
	// ErrFileSize is returned for a file of nothing, or over record.MaxFile.
	ErrFileSize = errors.New("a file has 1 byte to 32 MiB")
	// ErrFileName is returned for a name that is not UTF-8 of 1 to record.MaxFileName bytes.
	ErrFileName = errors.New("the file's name cannot be sent")
	// ErrFilesFull is returned where there is no room for a file in what the room may keep.
	ErrFilesFull = errors.New("no room for the file")
	// ErrFilesBusy is returned while too many files are being sent or fetched.
	ErrFilesBusy = errors.New("too many files at once")
	// ErrNotFetched is returned for a file that is to be fetched no more, and is not being fetched.
	ErrNotFetched = errors.New("the file is not being fetched")
	// ErrFileLies is returned for a file of which a piece is here, with another length than its message says.
	ErrFileLies = errors.New("the file is not what its message says")
	// ErrNotHere is returned for a file that is not here, or not whole.
	ErrNotHere = errors.New("the file is not here")
)

// Pieces is where pieces of files are kept, by their hashes. Length does not wait; the room calls
// the others in tasks.
type Pieces interface {
	// Length is how many bytes a piece has; 0: it is not there.
	Length(hash [32]byte) int
	Put(hash [32]byte, piece []byte) error
	// Get reads one. What it returns is what was put, or an error; then it is not there any more.
	Get(hash [32]byte) ([]byte, error)
	Forget(hashes [][32]byte) error
	// Sweep forgets all but these.
	Sweep(keep [][32]byte) error
}

// The states of a file.
const (
	FileThere    = "there"    // others may have it
	FileFetching = "fetching" // .. and they are asked
	FileHere     = "here"
	FileGone     = "gone" // its message is not kept any more
)

// FileInfo is what is shown of a file.
type FileInfo struct {
	Name   string // anybody's text
	Size   int64
	State  string
	Have   int64 // bytes of it that are here
	Number int   // for whoever shows it; the room leaves it 0
}

// FileChanged: something has become of a file, by the id of its message.
type FileChanged struct {
	ID ake.Hash
	FileInfo
}

// FileFailed: a file of ours was not sent.
type FileFailed struct {
	Ref any
	Err error
}

func (FileChanged) event() {}
func (FileFailed) event()  {}

// A file is one of which pieces are here, or wanted.
type file struct {
	*record.File
	id       ake.Hash // of its message; of one of ours that waits to be sent fileTextID
	ref      logRef   // .. then nothing
	branch   [32]byte // that pays for it
	asked    bool     // our user posted it, or asked for it
	order    int      // in which they came
	have     []bool
	missing  int // pieces
	fetching bool
	first    int // the piece that is asked for first
	lacks    map[[32]byte]lack
	reported int // sixteenths of it that our user was told of
}

// A pieceRef is what is known of a piece.
type pieceRef struct {
	files  int // that have it
	length int // of the file's bytes in it, once it is here; then no file with another length has it
}

// files are all of them.
type files struct {
	byID    map[ake.Hash]*file
	refs    map[ake.Hash]pieceRef
	order   int
	bytes   int64
	limit   int64
	sealing int
	wanted  []*file
	unasked map[[32]byte]*pace // by branch
	all     pace               // of what is fetched without a word
	fetching
}

func newFiles(limit int64) files {
	return files{byID: make(map[ake.Hash]*file), refs: make(map[ake.Hash]pieceRef), limit: limit,
		unasked: make(map[[32]byte]*pace), fetching: newFetching()}
}

// fileTextID names a file of ours of which the message is not there yet.
func fileTextID(text string) ake.Hash { return ake.Sum("file", []byte(text)) }

// cost is what a file is charged for.
func (f *file) cost() int64 { return costOfFile(f.Size) }

func costOfFile(size uint32) int64 { return int64(size) + int64(record.Pieces(size))*fileCost }

// info is what is shown of it.
func (f *file) info() FileInfo {
	i := FileInfo{Name: f.Name, Size: int64(f.Size), State: FileThere}
	for n, have := range f.have {
		if have {
			i.Have += int64(f.PieceLength(n))
		}
	}
	switch {
	case f.missing == 0:
		i.State = FileHere
	case f.fetching:
		i.State = FileFetching
	}
	return i
}

// readFile puts into what is shown of a message what its file is.
func readFile(d *Delivered) {
	if d.Message.Kind != record.KindFile {
		return
	}
	if f, err := record.ParseFile(d.Message.Text); err == nil {
		d.Message.Text = f.Name
		d.File = &FileInfo{Name: f.Name, Size: int64(f.Size), State: FileThere}
	}
}

// showFile is readFile, and how it stands with the file here.
func (r *Room) showFile(d *Delivered) {
	if readFile(d); d.File != nil {
		if f := r.files.byID[d.ID]; f != nil {
			info := f.info()
			d.File = &info
		}
	}
}

func (r *Room) fileChanged(f *file) { r.emit(FileChanged{f.id, f.info()}) }

// noteFile takes note of a file whose message came, and may have it fetched. recalled: it was said
// to an earlier process.
func (r *Room) noteFile(t *transcript, index int, m *record.Signed, recalled bool) {
	id := m.ID(r.id)
	in, err := record.ParseFile(m.Text)
	if err != nil || r.cfg.Pieces == nil || r.files.byID[id] != nil || r.withdrawn(id, t.List[index].Identity) {
		return
	}
	self := t.List[index].Identity == r.identity
	ref := logRef{t, index, m.Counter}
	if f := r.files.byID[fileTextID(m.Text)]; f != nil && self {
		delete(r.files.byID, f.id)
		f.id, f.ref = id, ref
		r.files.byID[id] = f
		return
	}
	some := false
	for i := range in.Hashes {
		some = some || r.isHere(in, i)
	}
	branch := r.authorBranch(t, index)
	small := in.Size <= MaxUnasked
	switch {
	case recalled && !some || r.lies(in):
	case recalled: // it was charged before
		if r.makeRoom(costOfFile(in.Size), branch, self || !small) {
			r.want(r.keepFile(in, id, ref, branch, self || !small))
		}
	case self && !some: // another process of ours sent it
	case small && r.mayFetchUnasked(in.Size, branch):
		r.want(r.keepFile(in, id, ref, branch, self))
	}
}

// mayFetchUnasked reports whether a file of a branch may be fetched without a word of our user.
func (r *Room) mayFetchUnasked(size uint32, branch [32]byte) bool {
	of, all := 0, 0
	for _, f := range r.files.wanted {
		if !f.asked {
			if all++; f.branch == branch {
				of++
			}
		}
	}
	if of >= maxWantedBranch || all >= maxWantedUnasked {
		return false
	}
	p := paceOf(r.files.unasked, branch, r.now, unaskedRate, unaskedAtOnce)
	r.files.all.refill(r.now, allUnaskedRate, allUnaskedAtOnce)
	if min(p.tokens, r.files.all.tokens) < float64(size) || !r.makeRoom(costOfFile(size), branch, false) {
		return false
	}
	p.tokens -= float64(size)
	r.files.all.tokens -= float64(size)
	return true
}

// SendFile seals a file and sends it, or holds it, as Send does with words: FileFailed follows, or
// what follows Send. The errors are ErrNoFiles, ErrFileSize, ErrFileName, ErrFilesFull, ErrFilesBusy
// and ErrLeft; then nothing was done. The data is not changed by the caller afterwards.
func (r *Room) SendFile(now time.Time, ref any, name string, data []byte) error {
	r.advance(now)
	switch {
	case r.closed:
		return ErrLeft
	case r.cfg.Pieces == nil:
		return ErrNoFiles
	case len(data) == 0 || len(data) > record.MaxFile:
		return fmt.Errorf("%w: this one has %d", ErrFileSize, len(data))
	case name == "" || len(name) > record.MaxFileName || !utf8.ValidString(name):
		return ErrFileName
	case r.files.sealing >= maxSealing:
		return ErrFilesBusy
	}
	cost := costOfFile(uint32(len(data)))
	if !r.makeRoom(cost, r.identity, true) {
		return ErrFilesFull
	}
	r.files.sealing++
	r.files.bytes += cost // until it has an entry
	f := &record.File{Name: name, Size: uint32(len(data)), Key: r.draw()}
	r.diskTask(func() any {
		for rest := data; len(rest) > 0; {
			n := min(len(rest), ake.PieceSize)
			piece, err := ake.SealPiece(f.Key, r.id, uint32(len(f.Hashes)), rest[:n])
			if err != nil {
				return err
			}
			h := ake.PieceHash(piece)
			if err := r.cfg.Pieces.Put(h, piece); err != nil {
				return err
			}
			f.Hashes, rest = append(f.Hashes, h), rest[n:]
		}
		return nil
	}, func(result any) {
		r.files.sealing--
		r.files.bytes -= cost
		text := string(f.Append(nil))
		err, _ := result.(error)
		if err == nil {
			kept := r.keepFile(f, fileTextID(text), logRef{}, r.identity, true)
			if err = r.say(r.now, held{ref: ref, kind: record.KindFile, text: text}); err != nil {
				r.forgetFile(kept)
			}
		} else {
			r.forgetPieces(plain(f.Hashes))
		}
		if err != nil {
			r.emit(FileFailed{ref, err})
		}
	})
	r.finish()
	return nil
}

func plain(hashes []ake.Hash) [][32]byte {
	out := make([][32]byte, len(hashes))
	for i, h := range hashes {
		out[i] = h
	}
	return out
}

// droppedHeld lets go of a file that waited to be sent, and is not.
func (r *Room) droppedHeld(m *held) {
	if f := r.files.byID[fileTextID(m.text)]; f != nil && m.kind == record.KindFile {
		r.forgetFile(f)
	}
}

// FetchFile has a file fetched, by the id of its message. FileChanged tells how it goes. The
// errors are ErrNoFile, ErrNoFiles, ErrFileLies, ErrFilesFull, ErrFilesBusy and ErrLeft.
func (r *Room) FetchFile(now time.Time, id ake.Hash) error {
	r.advance(now)
	if r.closed {
		return ErrLeft
	}
	f := r.files.byID[id]
	if f == nil {
		in, ref := r.fileMessage(id)
		asked := 0
		for _, w := range r.files.wanted {
			if w.asked {
				asked++
			}
		}
		switch {
		case in == nil:
			return ErrNoFile
		case r.cfg.Pieces == nil:
			return ErrNoFiles
		case r.lies(in):
			return ErrFileLies
		case asked >= maxWantedAsked:
			return ErrFilesBusy
		case !r.makeRoom(costOfFile(in.Size), r.identity, true):
			return ErrFilesFull
		}
		f = r.keepFile(in, id, ref, r.authorBranch(ref.t, ref.index), true)
	}
	f.asked = true
	clear(f.lacks)
	r.want(f)
	r.fileChanged(f)
	r.finish()
	return nil
}

// StopFile has a file fetched no more, and lets go of what has come of it: kept, the next process
// would fetch the rest (noteFile). FileChanged tells. The error is ErrNotFetched, or ErrLeft.
func (r *Room) StopFile(now time.Time, id ake.Hash) error {
	r.advance(now)
	f := r.files.byID[id]
	switch {
	case r.closed:
		return ErrLeft
	case f == nil || !f.fetching:
		return ErrNotFetched
	}
	r.fileLeaves(f, FileThere)
	r.finish()
	return nil
}

// fileMessage finds a file by the id of its message.
func (r *Room) fileMessage(id ake.Hash) (*record.File, logRef) {
	ref, ok := r.find(id, nil, 0)
	if !ok || r.withdrawn(id, ref.t.List[ref.index].Identity) {
		return nil, ref
	}
	m := r.body(ref.t, ref.index, ref.counter)
	if m == nil || m.Kind != record.KindFile || m.ID(r.id) != id {
		return nil, ref
	}
	f, err := record.ParseFile(m.Text)
	if err != nil {
		return nil, ref
	}
	return f, ref
}

// withdrawn reports whether the author of a message has withdrawn it.
func (r *Room) withdrawn(id ake.Hash, author [32]byte) bool {
	_, ok := r.about.of.last(id, record.KindWithdrawal, author)
	return ok
}

// withdrawFile lets go of a file whose author has withdrawn its message.
func (r *Room) withdrawFile(m *record.Signed, by [32]byte) {
	a, err := record.ParseAbout(m.Kind, m.Text)
	if err != nil || m.Kind != record.KindWithdrawal {
		return
	}
	if f := r.files.byID[a.Target]; f != nil && f.ref.t != nil && f.author() == by {
		r.fileLeaves(f, FileGone)
	}
}

// File says what a file is, by the id of its message, and how it stands. Its pieces are opened
// with the room's id. The error is ErrNoFile.
func (r *Room) File(id ake.Hash) (*record.File, FileInfo, error) {
	if f := r.files.byID[id]; f != nil {
		return f.File, f.info(), nil
	}
	f, _ := r.fileMessage(id)
	if f == nil {
		return nil, FileInfo{}, ErrNoFile
	}
	return f, FileInfo{Name: f.Name, Size: int64(f.Size), State: FileThere}, nil
}

// FileState is how it stands with the file of a message, as far as pieces of it are here or wanted.
func (r *Room) FileState(id ake.Hash) (FileInfo, bool) {
	f := r.files.byID[id]
	if f == nil {
		return FileInfo{}, false
	}
	return f.info(), true
}
