package store

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
)

// placeTail is the place, in associated data, of a tail's records.
const placeTail = "coterie/1 store tail"

// tailHeader is the size of what stands in front of a record: length u32, seq
// u64, checksum u32 of these twelve bytes.
const tailHeader = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// tail is one of the two files that what was appended goes to first.
type tail struct {
	f    *os.File
	path string
	size int64  // what is good of it
	end  uint64 // the number after its last entry
	torn bool   // there may be more in it than size
}

// appendRecord appends the record of a batch whose first entry has the number
// seq and whose encoding is plain.
func appendRecord(b []byte, s *sealer, seq uint64, plain []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(plain)+overhead))
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
	head := b[start:]
	var key [tailHeader]byte
	copy(key[:], head)
	return s.seal(b, placeTail, key[:], plain)
}

// write adds a record, in one write. A write that fails may leave a part of it,
// which goes before the next one.
func (t *tail) write(record []byte, end uint64) error {
	if t.torn {
		if err := t.f.Truncate(t.size); err != nil {
			return err
		}
		t.torn = false
	}
	if _, err := t.f.WriteAt(record, t.size); err != nil {
		t.torn = t.f.Truncate(t.size) != nil
		return err
	}
	t.size += int64(len(record))
	t.end = end
	return nil
}

// clear empties the file. Nothing of it, not even a header, is kept, so that
// what comes next goes to other blocks of the disk: after a power cut a file
// system gives back the old content or the new one and not a mixture.
func (t *tail) clear() error {
	if err := t.f.Truncate(0); err != nil {
		return err
	}
	t.size, t.end, t.torn = 0, 0, false
	return nil
}

// batch is one record of a tail.
type batch struct {
	seq     uint64 // of the first entry
	entries []Entry
}

// end is the number after the last entry.
func (b *batch) end() uint64 { return b.seq + uint64(len(b.entries)) }

// read returns the batches in a tail. What cannot have been written whole is
// left out, with all that comes after it; anything else that does not open is
// damage.
func (t *tail) read(s *sealer) ([]batch, error) {
	info, err := t.f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxTail {
		return nil, &DamagedError{t.path, "too large"}
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(t.f, data); err != nil {
		return nil, err
	}
	batches, good, ok := parseTail(s, data)
	if !ok {
		return nil, &DamagedError{t.path, "a record does not open"}
	}
	t.size, t.torn = int64(good), good < len(data)
	if n := len(batches); n > 0 {
		t.end = batches[n-1].end()
	}
	return batches, nil
}

// parseTail returns the batches in data and how much of it they take.
func parseTail(s *sealer, data []byte) (batches []batch, good int, ok bool) {
	for good < len(data) {
		b, n, ok := parseRecord(s, data[good:])
		if !ok {
			return batches, good, unwritten(data, good)
		}
		if n := len(batches); n > 0 && b.seq != batches[n-1].end() {
			return batches, good, false
		}
		batches = append(batches, b)
		good += n
	}
	return batches, good, true
}

func parseRecord(s *sealer, data []byte) (b batch, n int, ok bool) {
	if len(data) < tailHeader {
		return batch{}, 0, false
	}
	head := data[:tailHeader]
	size := uint64(binary.BigEndian.Uint32(head))
	if crc32.Checksum(head[:12], castagnoli) != binary.BigEndian.Uint32(head[12:]) || size > uint64(len(data)-tailHeader) {
		return batch{}, 0, false
	}
	value := data[tailHeader : tailHeader+size]
	plain, ok := s.open(nil, placeTail, head, value)
	if !ok {
		return batch{}, 0, false
	}
	b.seq = binary.BigEndian.Uint64(head[4:])
	for len(plain) > 0 {
		var e Entry
		if e, plain, ok = parseEntry(plain); !ok {
			return batch{}, 0, false
		}
		b.entries = append(b.entries, e)
	}
	return b, tailHeader + int(size), len(b.entries) > 0
}

// unwritten says whether the record at data[at:], which does not open, was cut
// off: by the death of the process, so that the file ends within it, or by a
// power cut, which leaves zeros where blocks did not reach the disk. Random bytes
// as ciphertext has them are not 64 zeros. Whoever can write to the disk can
// feign both, and gains what they get by cutting the file there.
func unwritten(data []byte, at int) bool {
	rest := data[at:]
	if len(rest) < tailHeader {
		return true
	}
	if crc32.Checksum(rest[:12], castagnoli) == binary.BigEndian.Uint32(rest[12:]) {
		if size := uint64(binary.BigEndian.Uint32(rest)); size > uint64(len(rest)-tailHeader) {
			return true
		} else if zeros(rest[tailHeader : tailHeader+size]) {
			return true
		}
	}
	return zeros(rest[:min(len(rest), 2*diskBlock)])
}

// diskBlock is the least that a disk writes at once.
const diskBlock = 512

// zeros says whether 64 bytes in a row are zero, or all of fewer.
func zeros(b []byte) bool {
	run := 0
	for _, c := range b {
		if run++; c != 0 {
			run = 0
		}
		if run == 64 {
			return true
		}
	}
	return run == len(b)
}
