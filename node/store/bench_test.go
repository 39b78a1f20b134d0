package store

import (
	"os"
	"testing"
	"time"
)

func benchEntry(i int) Entry {
	e := message(epochA, uint32(i%10), uint64(i/10+1))
	e.Data = make([]byte, 300)
	return e
}

// BenchmarkAppend is the way of one message of 300 bytes to the disk, folding
// going on beside it.
func BenchmarkAppend(b *testing.B) {
	s := mustOpen(b, Config{Path: b.TempDir() + "/room.db", Key: testKey, Room: testRoom})
	batch := make([]Entry, 1)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		batch[0] = benchEntry(i)
		i++
		must(b, s.Append(batch))
	}
}

// BenchmarkAppendBatch is the same in batches of 100; time is per message.
func BenchmarkAppendBatch(b *testing.B) {
	s := mustOpen(b, Config{Path: b.TempDir() + "/room.db", Key: testKey, Room: testRoom})
	batch := make([]Entry, 100)
	n := 0
	for b.Loop() {
		for j := range batch {
			batch[j] = benchEntry(n)
			n++
		}
		must(b, s.Append(batch))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/message")
}

// BenchmarkHistory has 100,000 messages of 300 bytes: how long opening takes, how
// long reading all of them, one page of 50, and how large the file is.
func BenchmarkHistory(b *testing.B) {
	cfg := Config{Path: b.TempDir() + "/room.db", Key: testKey, Room: testRoom, SyncEvery: time.Hour}
	s := mustOpen(b, cfg)
	batch := make([]Entry, 0, 1000)
	for i := range 100_000 {
		if batch = append(batch, benchEntry(i)); len(batch) == cap(batch) {
			must(b, s.Append(batch))
			batch = batch[:0]
		}
	}
	must(b, s.Close())
	info, err := os.Stat(cfg.Path)
	must(b, err)
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(cfg)
			must(b, err)
			must(b, s.Close())
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
	})
	s = mustOpen(b, cfg)
	b.Run("Scan", func(b *testing.B) {
		for b.Loop() {
			n := 0
			must(b, s.Forward(func(Entry) bool { n++; return true }))
			if n != 100_000 {
				b.Fatal(n)
			}
		}
	})
}
