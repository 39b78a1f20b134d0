package abe

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is the time that this thread has used.
func cpu(t *testing.T) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// TestOpeningTime: whoever made a ciphertext sees how long its opening takes,
// and must not learn from that whether the key satisfied the policy, nor
// through which leaves. Without the dummy key, one that does not satisfy takes
// less than half the time; without doRest, the ways differ by 10 to 60 %.
func TestOpeningTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures, for half a minute; the race detector's time is no opening's")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const (
		rounds   = 11
		attempts = 6    // the machine may be busy; a real difference stays
		bound    = 0.06 // of the time of an opening
	)
	for _, c := range []struct {
		policy string
		keys   []string // the first satisfies no part
	}{
		{`("NTNU" and "5th year") or "Professor" or "admin"`, []string{"other", "NTNU,5th year", "Professor", "admin"}},
		{`2 of ("a", "b", "c")`, []string{"a", "a,b", "a,c", "b,c"}},
		{`"admin" or dept != "Telematics"`, []string{"dept=Telematics", "admin", "dept=Physics"}},
		{`("a" and "b" and "c") or ("a" and "d") or ("a" and "e" and x != "1" and y != "2")`, []string{"a", "a,b,c", "a,d",
			"a,e,x=0,y=0"}},
	} {
		p := forDay(t, c.policy, testDay)
		keys := make([]*Key, len(c.keys))
		for i, texts := range c.keys {
			keys[i] = issue(t, strings.Split(texts, ",")...)
		}
		honest := encrypt(t, p, "coins", make([]byte, 64))
		wrong := slices.Clone(honest)
		wrong[len(wrong)-1] ^= 1 // the MAC
		r, _ := takeApart(slices.Clone(honest))
		r.c3[len(r.c3)-1][4+95] ^= 1
		bad := r.together()
		for name, ciphertext := range map[string][]byte{"honest": honest, "a wrong MAC": wrong, "a bad point": bad} {
			var report string
			for range attempts {
				report = ""
				ratios := make([][]float64, len(keys)) // to the first key, round by round
				for round := range rounds {
					runtime.GC()
					times := make([]time.Duration, len(keys))
					for i := range keys {
						i = (i + round) % len(keys)
						start := cpu(t)
						p.Decrypt(keys[i], ciphertext, 64)
						times[i] = cpu(t) - start
					}
					for i, d := range times {
						ratios[i] = append(ratios[i], float64(d)/float64(times[0]))
					}
				}
				for i, rs := range ratios {
					slices.Sort(rs)
					lo, mid, hi := rs[rounds/4], rs[rounds/2], rs[3*rounds/4]
					line := fmt.Sprintf("%s, %s, key of %s: %.3f (quartiles %.3f to %.3f)", c.policy, name, c.keys[i], mid, lo, hi)
					t.Log(line)
					if mid < 1-bound || mid > 1+bound {
						report += line + "\n"
					}
				}
				if report == "" {
					break
				}
			}
			if report != "" {
				t.Error("an opening of the same ciphertext takes another time:\n" + report)
			}
		}
	}
}
