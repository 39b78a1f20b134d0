package store

import (
	"encoding/binary"
	"hash/crc32"
)

// placeEntry is the place, in associated data, of a log's records.
const placeEntry = "coterie/2 store entry"

// recordHeader is the size of what stands in front of a sealed entry: length u32, number
// u64, how many entries of its batch come after it u32, checksum u32 of these 16 bytes.
const recordHeader = 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends the record of the entry with the number seq, whose encoding is
// plain, and after which left more of its batch follow.
func appendRecord(b []byte, s *sealer, seq uint64, left int, plain []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(plain)+overhead))
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, uint32(left))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
	var head [recordHeader]byte
	copy(head[:], b[start:])
	return s.seal(b, placeEntry, head[:], plain)
}

// A record is one entry of a log, and where it is there.
type record struct {
	entry Entry // its number is its Arrival
	left  int
	size  int // with its header
}

// readHeader reads the header at the beginning of data: the size of the record, its
// number, and how many of its batch follow. ok says that it is whole, not that the record is.
func readHeader(data []byte) (size int, seq uint64, left int, ok bool) {
	if len(data) < recordHeader || crc32.Checksum(data[:16], castagnoli) != binary.BigEndian.Uint32(data[16:]) {
		return 0, 0, 0, false
	}
	sealed, left32 := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[12:])
	if sealed > maxLog || left32 > maxLog {
		return 0, 0, 0, false
	}
	return recordHeader + int(sealed), binary.BigEndian.Uint64(data[4:]), int(left32), true
}

// parseRecord opens the record at the beginning of data. What is in it has memory of its own.
func parseRecord(s *sealer, data []byte) (r record, ok bool) {
	size, seq, left, ok := readHeader(data)
	if !ok || size > len(data) {
		return r, false
	}
	plain, ok := s.open(placeEntry, data[:recordHeader], data[recordHeader:size])
	if !ok {
		return r, false
	}
	e, rest, ok := parseEntry(plain)
	if !ok || len(rest) > 0 {
		return r, false
	}
	e.Arrival = seq
	return record{e, left, size}, true
}

// parseLog calls take with the records of a log to which something is still appended, the
// first of which has the number seq, and returns how much of it is good: what cannot have been
// written whole is left out, with all that comes after it, and so is a batch of which the end is
// missing. ok is false if anything else does not open, or is not in order.
func parseLog(s *sealer, data []byte, seq uint64, take func(record)) (good int, ok bool) {
	var batch []record // whose end has not come
	at := 0
	for at < len(data) {
		r, ok := parseRecord(s, data[at:])
		if !ok {
			return good, unwritten(data, at)
		}
		if r.entry.Arrival != seq || len(batch) > 0 && r.left != batch[len(batch)-1].left-1 {
			return good, false
		}
		seq++
		at += r.size
		if batch = append(batch, r); r.left > 0 {
			continue
		}
		for _, b := range batch {
			take(b)
		}
		batch, good = batch[:0], at
	}
	return good, true
}

// unwritten says whether the record at data[at:], which does not open, was cut
// off: by the death of the process, so that the file ends within it, or by a
// power cut, which leaves zeros where blocks did not reach the disk. Random bytes
// as ciphertext has them are not 64 zeros. Whoever can write to the disk can
// feign both, and gains what they get by cutting the file there.
func unwritten(data []byte, at int) bool {
	rest := data[at:]
	if len(rest) < recordHeader {
		return true
	}
	if size, _, _, ok := readHeader(rest); ok && (size > len(rest) || zeros(rest[recordHeader:size])) {
		return true
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
