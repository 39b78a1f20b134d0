package node

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

var scenes = flag.Bool("scenes", false, "run TestScenes, which takes minutes")

// A sceneMember is one who says something each second; all that it hears, and
// when it was offline, is written down.
type sceneMember struct {
	*player
	mu    sync.Mutex
	heard map[string]bool
	said  int
	off   []time.Time // when it went offline, and came back, in turns
}

func onStage(p *player, n int) *sceneMember {
	p.together(n)
	s := &sceneMember{player: p, heard: make(map[string]bool)}
	go func() {
		for l := range p.lines {
			s.mu.Lock()
			if text, is := strings.CutPrefix(l, "heard "); is {
				s.heard[strings.TrimRight(text, "x")] = true
			}
			if off := strings.HasPrefix(l, "offline "); off || strings.HasPrefix(l, "online ") {
				if off == (len(s.off)%2 == 0) {
					s.off = append(s.off, time.Now())
				}
			}
			s.mu.Unlock()
		}
	}()
	return s
}

// offline says whether it is, and since when either is so.
func (s *sceneMember) offline() (is bool, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.off) > 0 {
		since = s.off[len(s.off)-1]
	}
	return len(s.off)%2 == 1, since
}

// A stage has all members of a scene.
type stage struct {
	*internet
	all   []*sceneMember
	bytes int // of what is said
}

// talk lets time pass, in which all say something each second.
func (st *stage) talk(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		for _, s := range st.all {
			s.tell("say %s %d%s", s.name, s.said, strings.Repeat("x", st.bytes))
			s.said++
		}
	}
}

// over waits until everybody has heard everything, and returns how long that took.
func (st *stage) over() time.Duration {
	st.t.Helper()
	began := time.Now()
	for {
		missing := ""
		for _, s := range st.all {
			for _, o := range st.all {
				s.mu.Lock()
				for i := range o.said {
					if what := fmt.Sprintf("%s %d", o.name, i); s != o && !s.heard[what] {
						missing = fmt.Sprintf("%s has not heard %q", s.name, what)
					}
				}
				s.mu.Unlock()
			}
		}
		switch {
		case missing == "":
			return time.Since(began).Round(100 * time.Millisecond)
		case time.Since(began) > patience:
			st.t.Fatal(missing)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// always fails if anybody was offline at any time.
func (st *stage) always() {
	st.t.Helper()
	for _, s := range st.all {
		if s.mu.Lock(); len(s.off) > 1 { // at the beginning all are
			st.t.Errorf("%s was offline for a time", s.name)
		}
		s.mu.Unlock()
	}
}

// house is so many members on one network.
func (st *stage) house(ctx context.Context, n int, prepare func(ns string)) (lan string) {
	lan = st.lan("lan")
	var all []*player
	for i := range n {
		name := string(rune('a' + i))
		ns := st.space(name)
		st.plug(lan, ns, "eth0", fmt.Sprintf("192.168.50.%d/24", 10+i), "")
		if prepare != nil {
			prepare(ns)
		}
		all = append(all, st.play(ctx, ns, part{Name: name, MDNS: true}))
	}
	for _, p := range all {
		st.all = append(st.all, onStage(p, len(all)))
	}
	return lan
}

// TestScenes: what happens to networks. Nothing that is said is lost; and nobody is shown
// as offline who is not, or for ten seconds as connected who is not (of these, three are
// those in which health waits for an answer).
func TestScenes(t *testing.T) {
	if !*scenes {
		t.Skip("takes minutes: -scenes")
	}
	for _, scene := range []struct {
		name string
		play func(ctx context.Context, st *stage)
	}{
		{"a fifth of all packets lost", func(ctx context.Context, st *stage) {
			st.house(ctx, 2, func(ns string) {
				st.filter(ns, `
table inet bad {
	chain in {
		type filter hook input priority 0
		iifname "eth0" numgen random mod 100 < 20 drop
	}
}`)
			})
			st.talk(2 * time.Minute)
			st.t.Log("all is heard after", st.over())
			st.always()
		}},
		{"packets of 1,280 bytes", func(ctx context.Context, st *stage) {
			st.house(ctx, 2, func(ns string) { st.in(ns, "link set eth0 mtu 1280") })
			st.bytes = 15000
			st.talk(20 * time.Second)
			st.t.Log("all is heard after", st.over())
			st.always()
		}},
		{"IPv6 alone", func(ctx context.Context, st *stage) {
			next := 10
			st.house(ctx, 2, func(ns string) {
				st.in(ns, "addr flush dev eth0 scope global")
				st.in(ns, fmt.Sprintf("addr add fd50::%d/64 dev eth0 nodad", next))
				next++
			})
			st.talk(20 * time.Second)
			st.t.Log("all is heard after", st.over())
			st.always()
		}},
		{"a partition of a minute", func(ctx context.Context, st *stage) {
			st.house(ctx, 4, nil)
			st.talk(5 * time.Second)
			for i, s := range st.all {
				for j := range st.all {
					if (i < 2) != (j < 2) {
						st.in(st.name(s.name), fmt.Sprintf("route add blackhole 192.168.50.%d", 10+j))
					}
				}
			}
			st.talk(time.Minute)
			for i, s := range st.all {
				for j := range st.all {
					if (i < 2) != (j < 2) {
						st.in(st.name(s.name), fmt.Sprintf("route del blackhole 192.168.50.%d", 10+j))
					}
				}
			}
			st.t.Log("all is heard after", st.over())
			st.always()
		}},
		{"from Wi-Fi to a phone", func(ctx context.Context, st *stage) {
			_, at := st.relay(ctx, st.host("relay", 1), "45.10.1.2")
			_, ann := st.home("wifi", 11, "a")
			_, bob := st.home("bobs", 12, "b")
			phone, _ := st.home("phone", 13)
			var all []*player
			for i, ns := range []string{ann[0], bob[0]} {
				all = append(all, st.play(ctx, ns, part{Name: string(rune('a' + i)), Bootstrap: at}))
			}
			for _, p := range all {
				st.all = append(st.all, onStage(p, len(all)))
			}
			st.talk(10 * time.Second)
			st.in(ann[0], "link del eth0")
			st.talk(3 * time.Second)
			st.plug(phone, ann[0], "eth0", "192.168.13.10/24", "192.168.13.1")
			st.talk(20 * time.Second)
			st.t.Log("all is heard after", st.over())
			for _, s := range st.all {
				if is, _ := s.offline(); is {
					st.t.Errorf("%s is offline", s.name)
				}
			}
		}},
		{"a cable pulled for 200 seconds", func(ctx context.Context, st *stage) {
			lan := st.house(ctx, 2, nil)
			st.talk(5 * time.Second)
			pulled := time.Now()
			st.in(lan, "link set p11-eth0 down")
			st.talk(200 * time.Second)
			for _, s := range st.all {
				if is, since := s.offline(); !is || since.Sub(pulled) > 7*time.Second {
					st.t.Errorf("%s is offline: %v, %v after the cable was pulled", s.name, is, since.Sub(pulled))
				} else {
					st.t.Log(s.name, "is offline after", since.Sub(pulled).Round(100*time.Millisecond))
				}
			}
			back := time.Now()
			st.in(lan, "link set p11-eth0 up")
			st.t.Log("all is heard after", st.over())
			for _, s := range st.all {
				if is, since := s.offline(); is || since.Sub(back) > 10*time.Second {
					st.t.Errorf("%s is offline: %v, %v after the cable was back", s.name, is, since.Sub(back))
				}
			}
		}},
	} {
		t.Run(scene.name, func(t *testing.T) {
			st := &stage{internet: newInternet(t)}
			ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
			defer cancel()
			scene.play(ctx, st)
		})
	}
}
