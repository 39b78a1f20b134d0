package room

import (
	"maps"
	"slices"
	"time"
)

// reportFilled tells of gaps of which it was told, and in which nothing is missing any
// more.
func (r *Room) reportFilled(t *transcript, index int) {
	l := t.log(index)
	l.reportedGaps = slices.DeleteFunc(l.reportedGaps, func(g [2]uint64) bool {
		for c := g[0]; c <= g[1]; c++ {
			if _, ok := l.id(c); !ok {
				return false
			}
		}
		r.emit(Gap{Author: r.author(t, index), Epoch: t.id, First: g[0], Last: g[1], Filled: true})
		return true
	})
}

// expireGaps tells of what is missing, and after a while shows what comes after
// it. What fills a gap later is shown as late.
func (r *Room) expireGaps() {
	refs := slices.Collect(maps.Values(r.logs.gaps))
	slices.SortFunc(refs, func(a, b logRef) int {
		if c := compareHashes(a.t.id, b.t.id); c != 0 {
			return c
		}
		return a.index - b.index
	})
	for _, ref := range refs {
		l := ref.t.log(ref.index)
		if r.logs.transcripts[ref.t.id] != ref.t {
			delete(r.logs.gaps, l)
			continue
		}
		if l.holds() {
			continue
		}
		next := l.highest()
		for c := range l.ahead {
			if c > l.shown {
				next = min(next, c)
			}
		}
		age := r.now.Sub(l.gapSince)
		if age >= gapReportTime && len(l.reportedGaps) < maxSecondMessages &&
			(len(l.reportedGaps) == 0 || l.reportedGaps[len(l.reportedGaps)-1][0] != l.shown+1) {
			gap := [2]uint64{l.shown + 1, next - 1}
			l.reportedGaps = append(l.reportedGaps, gap)
			r.emit(Gap{Author: r.author(ref.t, ref.index), Epoch: ref.t.id, First: gap[0], Last: gap[1]})
		}
		if age >= gapTime {
			l.shown, l.gapSince = next-1, time.Time{}
			r.show(nil, ref.t, ref.index)
		}
	}
}

// wakeForGaps sees to being woken when a gap is to be spoken of or given up.
func (r *Room) wakeForGaps() {
	for l := range r.logs.gaps {
		if l.holds() {
			continue
		}
		if age := r.now.Sub(l.gapSince); age < gapReportTime {
			r.wakeAt(l.gapSince.Add(gapReportTime))
		} else {
			r.wakeAt(l.gapSince.Add(max(gapTime, age)))
		}
	}
}
