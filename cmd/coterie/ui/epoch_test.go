package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room"
)

// TestEpochLinesAreJoined: a run of changes without a message between is one
// line.
func TestEpochLinesAreJoined(t *testing.T) {
	mia, tor, liv := member("mia's id", "mia"), member("tor's id", "tor"), member("liv's id", "liv")
	s := newStage(t, 120, 16)
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	s.say(mAnn, "hei")
	s.epoch(2, room.ReasonJoined, []room.Member{mia}, nil, mAnn, mKari, mia)
	s.now = s.now.Add(20 * time.Second)
	s.epoch(3, room.ReasonJoined, []room.Member{tor, liv}, nil, mAnn, mKari, mia, tor, liv)
	s.now = s.now.Add(20 * time.Second)
	s.epoch(0xa410, room.ReasonLeft, nil, []room.Member{mAnn}, mKari, mia, tor, liv)
	if want := "-- keys a410: mia, tor and liv joined, ann left; 4 can read"; !s.contains(want) {
		t.Errorf("no %q in\n%s", want, s.screen())
	}
	if strings.Count(s.screen(), "-- keys") != 2 {
		t.Errorf("not joined:\n%s", s.screen())
	}
	s.say(mia, "a message between")
	s.epoch(6, room.ReasonLeft, nil, []room.Member{tor}, mKari, mia, liv)
	s.now = s.now.Add(20 * time.Second)
	s.epoch(7, room.ReasonJoined, []room.Member{tor}, nil, mKari, mia, tor, liv)
	if want := "-- keys 0007: tor went and came back; 4 can read"; !s.contains(want) {
		t.Errorf("no %q in\n%s", want, s.screen())
	}
	s.epoch(8, room.ReasonLeft, nil, []room.Member{tor}, mKari, mia, liv)
	if want := "-- keys 0008: tor left; 3 can read"; !s.contains(want) {
		t.Errorf("no %q in\n%s", want, s.screen())
	}
	s.epoch(10, room.ReasonLapsed, nil, []room.Member{mia}, mKari, liv)
	s.epoch(11, room.ReasonExpired, nil, []room.Member{liv}, mKari)
	if want := "-- keys 000b: tor left, mia vanished, liv expired; 1 can read"; !s.contains(want) {
		t.Errorf("no %q in\n%s", want, s.screen())
	}
	s.epoch(9, room.ReasonJoined, []room.Member{tor}, nil, mKari, mia, tor, liv)
	s.do(room.EpochStarted{ID: ake.Hash{0, 12}, Members: []room.Member{mKari, mia, liv}, WentAway: []room.Member{tor},
		Away: []room.Member{tor}, Reason: room.ReasonAway})
	if want := "liv expired; 3 can read, 1 when back"; !s.contains(want) || !s.contains("tor went away") {
		t.Errorf("no %q in\n%s", want, s.screen())
	}
	s.say(mia, "another")
	s.epoch(4, room.ReasonJoined, []room.Member{mAnn}, nil, mKari, mAnn, mia, tor, liv)
	s.now = s.now.Add(2 * time.Minute)
	s.epoch(5, room.ReasonLeft, nil, []room.Member{mAnn}, mKari, mia, tor, liv)
	if strings.Count(s.screen(), "-- keys") != 5 {
		t.Errorf("joined:\n%s", s.screen())
	}
}

// TestFirstName: who comes without a name and says it a moment later has it in the
// lines that say that it came; a change of name later has its own line.
func TestFirstName(t *testing.T) {
	s := newStage(t, 120, 16)
	tor, mia := peer.ID("tor's id"), peer.ID("mia's id")
	s.epoch(1, room.ReasonFirst, nil, nil, mKari, member(tor, ""))
	s.epoch(2, room.ReasonJoined, []room.Member{member(mia, "")}, nil, mKari, member(tor, ""), member(mia, ""))
	s.do(room.Renamed{Member: member(tor, "tor")}, room.Renamed{Member: member(mia, "mia")})
	for _, want := range []string{"2 can read: you, tor", "keys 0002: mia joined; 3 can read"} {
		if !s.contains(want) {
			t.Errorf("no %q in\n%s", want, s.screen())
		}
	}
	if s.contains(" now") {
		t.Errorf("got\n%s", s.screen())
	}
	s.do(room.Renamed{Member: member(mia, "liv")})
	if !s.contains("mia is liv now") {
		t.Errorf("got\n%s", s.screen())
	}
	s.epoch(3, room.ReasonJoined, []room.Member{mAnn}, nil, mKari, member(tor, ""), member(mia, ""), mAnn)
	other := newStage(t, 120, 16)
	other.epoch(1, room.ReasonFirst, nil, nil, mKari, member(tor, ""))
	other.now = other.now.Add(time.Minute)
	other.do(room.Renamed{Member: member(tor, "tor")})
	if !other.contains(" is tor now") {
		t.Errorf("got\n%s", other.screen())
	}
}
