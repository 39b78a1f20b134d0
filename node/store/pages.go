package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of bbolt's pages, as far as checkPages needs it. Numbers are in the
// byte order of the machine.
const (
	pageSize     = 4096 // set when a database is made, whatever the system's is
	pageHeader   = 16   // id u64, flags u16, count u16, overflow u32
	metaSize     = 64
	boltMagic    = 0xED0CDAED
	branchFlag   = 0x01
	leafFlag     = 0x02
	metaFlag     = 0x04
	freelistFlag = 0x10
	elementSize  = 16 // of a branch: pos u32, ksize u32, page u64; of a leaf: flags, pos, ksize, vsize u32
	maxDepth     = 32
)

var native = binary.NativeEndian

// checkPages reads the whole database and says whether bbolt can walk it.
//
// bbolt maps the file and trusts what it finds: a damaged page makes it panic,
// read beyond the file (a fault), or run in a circle until the stack is full,
// and the last of these no recover catches. So the structure is checked first:
// every page is within the file, is of its kind, is reached once and is not free,
// and its keys are in order and in the range its parent gives. What the values
// are is the business of whoever opens them.
func checkPages(f io.ReaderAt, size int64) error {
	if size < 4*pageSize {
		return fmt.Errorf("it ends after %d bytes", size)
	}
	w := &walker{f: f}
	m, err := readMeta(f)
	if err != nil {
		return err
	}
	if m.pages > uint64(size)/pageSize {
		return fmt.Errorf("it ends after %d of %d pages", size/pageSize, m.pages)
	}
	w.used = make([]bool, m.pages)
	w.used[0], w.used[1] = true, true
	if err := w.freelist(m.freelist); err != nil {
		return err
	}
	if err := w.tree(m.root, nil, nil, 0); err != nil {
		return err
	}
	// Only now, since a page that is free and used is wrong in either order.
	for _, id := range w.free {
		if w.used[id] {
			return fmt.Errorf("page %d is free and in use", id)
		}
		w.used[id] = true
	}
	return nil
}

type boltMeta struct {
	root, freelist, pages, txid uint64
}

// readMeta returns the meta page in force. There are two, written in turns; one
// that is no good is what a crash leaves while it is written, and the other is
// in force then.
func readMeta(f io.ReaderAt) (boltMeta, error) {
	var best boltMeta
	found := false
	for i := range int64(2) {
		var p [pageHeader + metaSize]byte
		if _, err := f.ReadAt(p[:], i*pageSize); err != nil {
			return best, err
		}
		b := p[pageHeader:]
		h := fnv.New64a()
		h.Write(b[:56])
		if native.Uint32(b) != boltMagic || native.Uint32(b[4:]) != 2 || native.Uint32(b[8:]) != pageSize ||
			native.Uint64(b[56:]) != h.Sum64() {
			continue
		}
		// bbolt takes any page with a good checksum; a checksum without a key
		// says nothing about the rest, so all of it is checked further on.
		if native.Uint64(p[:]) != uint64(i) || native.Uint16(p[8:]) != metaFlag {
			return best, fmt.Errorf("page %d is not what it should be", i)
		}
		m := boltMeta{root: native.Uint64(b[16:]), freelist: native.Uint64(b[32:]), pages: native.Uint64(b[40:]),
			txid: native.Uint64(b[48:])}
		if !found || m.txid > best.txid {
			best, found = m, true
		}
	}
	if !found {
		return best, errNoMeta
	}
	return best, nil
}

var errNoMeta = fmt.Errorf("neither of its first two pages is whole")

type walker struct {
	f    io.ReaderAt
	used []bool
	free []uint64
}

// page reads a page with its overflow and marks it as used.
func (w *walker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= uint64(len(w.used)) {
		return nil, fmt.Errorf("page %d does not exist", id)
	}
	var head [pageHeader]byte
	if _, err := w.f.ReadAt(head[:], int64(id)*pageSize); err != nil {
		return nil, err
	}
	if native.Uint64(head[:]) != id {
		return nil, fmt.Errorf("page %d is not what it should be", id)
	}
	n := uint64(native.Uint32(head[12:])) + 1
	if n > uint64(len(w.used))-id {
		return nil, fmt.Errorf("page %d goes beyond the last", id)
	}
	for i := id; i < id+n; i++ {
		if w.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		w.used[i] = true
	}
	b := make([]byte, n*pageSize)
	_, err := w.f.ReadAt(b, int64(id)*pageSize)
	return b, err
}

func (w *walker) freelist(id uint64) error {
	b, err := w.page(id)
	if err != nil {
		return err
	}
	if native.Uint16(b[8:]) != freelistFlag {
		return fmt.Errorf("page %d is not the list of free pages", id)
	}
	count, list := uint64(native.Uint16(b[10:])), b[pageHeader:]
	if count == 0xFFFF { // too many for the field: the first number is the count
		count, list = native.Uint64(list), list[8:]
	}
	if count > uint64(len(list))/8 {
		return fmt.Errorf("page %d: its list is longer than itself", id)
	}
	last := uint64(1)
	for i := range count {
		free := native.Uint64(list[8*i:])
		if free <= last || free >= uint64(len(w.used)) {
			return fmt.Errorf("page %d: the list of free pages is out of order", id)
		}
		w.free = append(w.free, free)
		last = free
	}
	return nil
}

// tree walks the pages below id, whose keys are at least low and less than high;
// nil stands for no bound.
func (w *walker) tree(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d is too deep", id)
	}
	b, err := w.page(id)
	if err != nil {
		return err
	}
	return w.node(id, b, low, high, depth)
}

func (w *walker) node(id uint64, b, low, high []byte, depth int) error {
	flags, count := native.Uint16(b[8:]), int(native.Uint16(b[10:]))
	if pageHeader+count*elementSize > len(b) {
		return fmt.Errorf("page %d: more elements than fit", id)
	}
	switch flags {
	case branchFlag:
		if count == 0 {
			return fmt.Errorf("page %d is empty", id)
		}
	case leafFlag:
	default:
		return fmt.Errorf("page %d is of no kind that belongs here", id)
	}
	keys := make([][]byte, count)
	values := make([][]byte, count)
	for i := range count {
		e := b[pageHeader+i*elementSize:]
		at := uint64(pageHeader + i*elementSize)
		var pos, ksize, vsize uint64
		if flags == branchFlag {
			pos, ksize = uint64(native.Uint32(e)), uint64(native.Uint32(e[4:]))
		} else {
			pos, ksize, vsize = uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
		}
		// The data of elements lies behind all of them.
		if at+pos < uint64(pageHeader+count*elementSize) || at+pos+ksize+vsize > uint64(len(b)) || ksize == 0 {
			return fmt.Errorf("page %d: element %d is not within it", id, i)
		}
		keys[i] = b[at+pos : at+pos+ksize]
		values[i] = b[at+pos+ksize : at+pos+ksize+vsize]
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 ||
			i == 0 && low != nil && bytes.Compare(keys[i], low) < 0 ||
			high != nil && bytes.Compare(keys[i], high) >= 0 {
			return fmt.Errorf("page %d: keys are out of order", id)
		}
	}
	for i := range count {
		e := b[pageHeader+i*elementSize:]
		var err error
		switch {
		case flags == branchFlag:
			next := high
			if i+1 < count {
				next = keys[i+1]
			}
			err = w.tree(native.Uint64(e[8:]), keys[i], next, depth+1)
		case native.Uint32(e) == 1:
			err = w.bucket(id, values[i], depth+1)
		case native.Uint32(e) != 0:
			err = fmt.Errorf("page %d: element %d is of no kind", id, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket walks the bucket whose header is v: root u64, sequence u64 and, if root
// is 0, a page within the value itself.
func (w *walker) bucket(id uint64, v []byte, depth int) error {
	if len(v) < 16 || depth > maxDepth {
		return fmt.Errorf("page %d: a bucket is cut short or too deep", id)
	}
	if root := native.Uint64(v); root != 0 {
		return w.tree(root, nil, nil, depth)
	}
	if v = v[16:]; len(v) < pageHeader || native.Uint64(v) != 0 || native.Uint16(v[8:]) != leafFlag ||
		native.Uint32(v[12:]) != 0 {
		return fmt.Errorf("page %d: a bucket within it is not whole", id)
	}
	return w.node(id, v, nil, nil, depth)
}
