package room

import "testing"

// regressions are schedules that once broke a rule, as TestSimulate shrank them.
var regressions = []struct {
	name     string
	schedule schedule
}{
	// A node whose clock was behind the committer's began the old day's epoch
	// anew at each least distance until its own midnight.
	{"commits for the day before the head's", schedule{
		seed: 241, start: "23:58:40", peers: "mmm", skew: []int{0, 0, 84},
		loss: 0, dup: 0, delay: 25, jitter: 0, notice: 0,
		steps: []step{
			{16644, "start", 0, 0},
			{25071, "start", 1, 0},
			{39023, "start", 2, 0},
			{39024, "whole", 0, 0},
		},
	}},
	// Peer 3 is cut off while the others begin two epochs that list it.
	{"missed two commits", schedule{
		seed: 79, start: "09:00:00", peers: "mmmmmo", skew: []int{0, 0, 0, 0, 0, 0},
		loss: 0, dup: 0, delay: 25, jitter: 400, notice: 0,
		steps: []step{
			{0, "mesh", 0, 0},
			{7, "start", 4, 0},
			{293, "start", 1, 0},
			{501, "start", 5, 0},
			{789, "start", 2, 0},
			{1377, "start", 0, 0},
			{1634, "start", 3, 0},
			{3277, "crash", 1, 0},
			{10905, "leave", 4, 0},
			{17476, "start", 4, 0},
			{17737, "part", 40, 0},
			{18679, "start", 1, 0},
			{19455, "say", 2, 0},
			{21099, "heal", 0, 0},
		},
	}},
	// Seven peers who begin at once make more epochs than logs are kept of.
	{"more epochs than logs", schedule{
		seed: 296, start: "09:00:00", peers: "mmmmmmmr", skew: []int{-57, 0, 0, 0, 0, -42, 0, -81},
		loss: 0, dup: 0, delay: 25, jitter: 400, notice: 0,
		steps: []step{
			{0, "mesh", 0, 0},
			{0, "start", 1, 0},
			{0, "start", 2, 0},
			{0, "start", 3, 0},
			{0, "start", 4, 0},
			{0, "start", 5, 0},
			{0, "start", 6, 0},
			{2191, "part", 237, 0},
			{3170, "say", 1, 0},
			{8229, "start", 0, 0},
			{9037, "heal", 0, 0},
		},
	}},
}

// TestRegressions runs the schedules above.
func TestRegressions(t *testing.T) {
	for _, c := range regressions {
		t.Run(c.name, func(t *testing.T) {
			if _, f := c.schedule.runWatched(); f != nil {
				t.Errorf("%v", f)
			}
		})
	}
}

// TestSameSeedSameRun: a run depends on its schedule alone.
func TestSameSeedSameRun(t *testing.T) {
	for seed := range uint64(20) {
		a, f := generate(seed).runWatched()
		b, g := generate(seed).runWatched()
		if (f == nil) != (g == nil) || a.network.steps != b.network.steps || a.commits != b.commits || a.restAt != b.restAt || a.rng.Uint64() != b.rng.Uint64() {
			t.Errorf("seed %d: %d and %d events, %d and %d commits, %v and %v", seed, a.network.steps, b.network.steps, a.commits, b.commits, f, g)
		}
	}
}
