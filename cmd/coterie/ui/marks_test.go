package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/node"
)

// TestNamesYou: a line that names the user has a mark of its own, and others do not.
func TestNamesYou(t *testing.T) {
	s := newStage(t, 100, 16)
	s.epoch(1, "first", nil, nil, mAnn, mKari)
	s.say(mAnn, "kari: please send me the notes")
	s.say(mAnn, "karin is not kariana")
	for _, line := range s.cells() {
		if marked := strings.Contains(line, "@"); marked != strings.Contains(line, "kari: please") {
			t.Errorf("marked %v: %q", marked, line)
		}
	}
}

// TestNobodyAnswers: that the others are offline is one line and no alarm, however many
// addresses are known; /peers has each and why. Another peer at an address is an alarm.
func TestNobodyAnswers(t *testing.T) {
	s := newStage(t, 100, 24)
	var e node.BootstrapFailed
	for i := range 8 {
		e.Addresses = append(e.Addresses, ma.StringCast(fmt.Sprintf("/ip4/10.0.0.%d/tcp/4001", i+1)))
		e.Errors = append(e.Errors, errors.New("connection refused"))
	}
	s.do(e)
	if !s.contains("-- none of 8 bootstrap addresses answered; still trying") || s.contains("!!") ||
		s.contains("refused") {
		t.Errorf("on the screen:\n%s", s.screen())
	}
	s.types("/peers")
	s.enter()
	if !s.contains("failed     /ip4/10.0.0.8/tcp/4001   connection refused") {
		t.Errorf("on the screen:\n%s", s.screen())
	}
	s.press("esc")
	e.Errors[3] = fmt.Errorf("%w: expected a, found b", node.ErrWrongPeer)
	if s.do(e); !s.contains("!!") || !s.contains("/ip4/10.0.0.4/tcp/4001 is a different peer") {
		t.Errorf("on the screen:\n%s", s.screen())
	}
	s.do(node.Bootstrapped{Address: e.Addresses[0]})
	s.types("/peers")
	s.enter()
	if s.contains("failed  ") {
		t.Errorf("on the screen:\n%s", s.screen())
	}
}
