package web

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"
)

const (
	// maxFeed is how many lines a page that comes again finds, and maxFeedBytes how many bytes.
	maxFeed      = 8192
	maxFeedBytes = 16 << 20
	// maxRecent is how many lines of each room a page finds that comes new, and maxRecentBytes how
	// many bytes. What was before it asks for.
	maxRecent      = 300
	maxRecentBytes = 512 << 10
)

// A feed has what happened, in its order, with numbers. A page that was cut off says which one it had
// last, and goes on there. One that comes new, or too late, is told how things stand. Nobody waits
// for a page.
type feed struct {
	mu    sync.Mutex
	lines [][]byte
	size  int
	last  uint64 // the number of the last of lines
	news  chan struct{}
	rooms map[string]*lately
}

// lately is a room for a page that comes new.
type lately struct {
	view   []byte // how it stands
	counts []byte // how much of it nobody has seen
	recent [][]byte
	size   int
}

func newFeed() *feed {
	return &feed{news: make(chan struct{}), rooms: make(map[string]*lately), last: 1}
}

// put adds a line of a room's. keep: who comes new is told of it.
func (f *feed) put(room string, line []byte, keep bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.rooms[room]; r != nil && keep {
		r.recent = append(r.recent, line)
		for r.size += len(line); len(r.recent) > maxRecent || r.size > maxRecentBytes; r.recent = r.recent[1:] {
			r.size -= len(r.recent[0])
		}
	}
	f.add(line)
}

// begin has a room begin, anew if it was there.
func (f *feed) begin(room string, view, counts []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rooms[room] = &lately{view: view, counts: counts}
	f.add(fmt.Appendf(nil, `{"room":%q,"anew":true}`, room))
	f.add(view)
	f.add(counts)
}

// stands replaces how a room stands, and how much of it nobody has seen.
func (f *feed) stands(room string, view, counts []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.rooms[room]
	if r == nil {
		return
	}
	if !bytes.Equal(r.view, view) {
		r.view = view
		f.add(view)
	}
	if !bytes.Equal(r.counts, counts) {
		r.counts = counts
		f.add(counts)
	}
}

// add has the lock.
func (f *feed) add(line []byte) {
	f.lines = append(f.lines, line)
	f.last++
	for f.size += len(line); len(f.lines) > maxFeed || f.size > maxFeedBytes; f.lines = f.lines[1:] {
		f.size -= len(f.lines[0])
	}
	close(f.news)
	f.news = make(chan struct{})
}

// after is what happened after a line, up to which that is, and what is closed when there is more.
func (f *feed) after(n uint64) (out [][]byte, upto uint64, news <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := f.last - uint64(len(f.lines)) // the number before the first
	if n < first || n > f.last || n == 0 {
		out = append(out, []byte("{\"begin\":true}\n"))
		for _, id := range slices.Sorted(maps.Keys(f.rooms)) {
			r := f.rooms[id]
			out = append(out, slices.Concat(r.view, []byte{'\n'}), slices.Concat(r.counts, []byte{'\n'}))
			for _, l := range r.recent {
				out = append(out, slices.Concat(l, []byte{'\n'}))
			}
		}
		// Only now it has all up to there: who is cut off before begins again.
		return append(out, fmt.Appendf(nil, "{\"n\":%d}\n", f.last)), f.last, f.news
	}
	for i, l := range f.lines[n-first:] {
		out = append(out, fmt.Appendf(nil, "{\"n\":%d,%s\n", n+1+uint64(i), l[1:]))
	}
	return out, f.last, f.news
}
