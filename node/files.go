package node

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// Files: PROTOCOL.md §9.9. The room decides; the disk is waited for beside the loop.

const (
	// filesPart is which part of what a room may keep is for pieces of files.
	filesPart = 4
	// unboundFiles is up to how many bytes of them are kept where there is no bound, and
	// memoryFiles in memory.
	unboundFiles = 1 << 30
	memoryFiles  = 64 << 20
)

// keepsFiles chooses where pieces of files are kept, and of how many bytes, and how many are left
// for all else.
func (c *Config) keepsFiles() (pieces room.Pieces, files, rest int64) {
	switch {
	case c.Pieces == nil:
		return newMemoryPieces(), memoryFiles, c.Keep
	case c.Keep == 0:
		return c.Pieces, unboundFiles, 0
	}
	return c.Pieces, c.Keep / filesPart, c.Keep - c.Keep/filesPart
}

// A sized is where pieces are kept that can say how much that is.
type sized interface{ Size() int64 }

// diskSize is how many bytes the room takes on disk.
func (n *Node) diskSize() int64 {
	size := n.cfg.Store.Size()
	if p, ok := n.cfg.Pieces.(sized); ok {
		size += p.Size()
	}
	return size
}

// diskTask does what waits for the disk, in the order in which it is wanted. The loop runs it.
func (n *Node) diskTask(t room.Task) {
	n.diskTasks = append(n.diskTasks, t)
	if len(n.diskTasks) == 1 {
		n.nextDiskTask()
	}
}

func (n *Node) nextDiskTask() {
	t := n.diskTasks[0]
	n.spawn(func() {
		n.compute(t)
		n.do(func() {
			if n.diskTasks = n.diskTasks[1:]; len(n.diskTasks) > 0 {
				n.nextDiskTask()
			}
		})
	})
}

// SendFile sends a file, or holds it; events tell which, once it is sealed. The data is not
// changed afterwards. The errors are those of room.SendFile, and ErrEnded.
func (n *Node) SendFile(ref any, name string, data []byte) error {
	var err error
	if !n.do(func() { err = n.room.SendFile(n.now(), ref, name, data) }) {
		return ErrEnded
	}
	return err
}

// FetchFile has a file fetched, by the id of its message: room.FileChanged tells how it goes. The
// errors are those of room.FetchFile, and ErrEnded.
func (n *Node) FetchFile(id ake.Hash) error {
	var err error
	if !n.do(func() { err = n.room.FetchFile(n.now(), id) }) {
		return ErrEnded
	}
	return err
}

// StopFile has a file fetched no more. The errors are those of room.StopFile, and ErrEnded.
func (n *Node) StopFile(id ake.Hash) error {
	var err error
	if !n.do(func() { err = n.room.StopFile(n.now(), id) }) {
		return ErrEnded
	}
	return err
}

// FileStates says how it stands with files, by the ids of their messages: of those of which pieces
// are here, or wanted.
func (n *Node) FileStates(ids []ake.Hash) map[ake.Hash]room.FileInfo {
	out := make(map[ake.Hash]room.FileInfo)
	n.do(func() {
		for _, id := range ids {
			if info, ok := n.room.FileState(id); ok {
				out[id] = info
			}
		}
	})
	return out
}

// Reactions are those that are shown of messages, by their ids.
func (n *Node) Reactions(ids []ake.Hash) map[ake.Hash][]room.Reaction {
	out := make(map[ake.Hash][]room.Reaction)
	n.do(func() {
		for _, id := range ids {
			out[id] = n.room.Reactions(id)
		}
	})
	return out
}

// WriteFile writes a file that is here. The errors are room.ErrNoFile, room.ErrNotHere, ErrEnded,
// and the writer's.
func (n *Node) WriteFile(id ake.Hash, to io.Writer) error {
	var err error
	var f *record.File
	var info room.FileInfo
	if !n.do(func() { f, info, err = n.room.File(id) }) {
		return ErrEnded
	}
	switch {
	case err != nil:
		return err
	case info.State != room.FileHere:
		return room.ErrNotHere
	}
	for i, h := range f.Hashes {
		piece, err := n.pieces.Get(h)
		var plain []byte
		if err == nil {
			plain, err = ake.OpenPiece(f.Key, n.room.ID(), uint32(i), piece)
			if err != nil { // its author sealed nothing that opens: it is nobody's to be had
				return err
			}
		}
		if err != nil {
			n.do(func() { n.room.LostPiece(n.now(), h) })
			return room.ErrNotHere
		}
		if _, err := to.Write(plain); err != nil {
			return err
		}
	}
	return nil
}

// memoryPieces are pieces of files where nothing is kept on disk.
type memoryPieces struct {
	mu sync.Mutex
	of map[[32]byte][]byte
}

func newMemoryPieces() *memoryPieces { return &memoryPieces{of: make(map[[32]byte][]byte)} }

func (m *memoryPieces) Has(hash [32]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[hash] != nil
}

func (m *memoryPieces) Put(hash [32]byte, piece []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[hash] = bytes.Clone(piece)
	return nil
}

var errNoPiece = errors.New("no such piece")

func (m *memoryPieces) Get(hash [32]byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if piece := m.of[hash]; piece != nil {
		return piece, nil
	}
	return nil, errNoPiece
}

func (m *memoryPieces) Forget(hashes [][32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range hashes {
		delete(m.of, h)
	}
	return nil
}

// Sweep does nothing: what a process begins with is empty.
func (m *memoryPieces) Sweep([][32]byte) error { return nil }
