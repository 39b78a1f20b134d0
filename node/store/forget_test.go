package store

import (
	"slices"
	"testing"
)

// TestForget: what is forgotten is gone at once and after opening again, and
// nothing else is; Forward has the rest in the order of arrival.
func TestForget(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	must(t, s.Append([]Entry{
		{Kind: EpochEntry, Epoch: epochA, Data: []byte("a")}, message(epochA, 1, 1), message(epochA, 1, 2),
		{Kind: EpochEntry, Epoch: epochB, Data: []byte("b")}, message(epochB, 1, 2), message(epochB, 1, 1),
	}))
	must(t, s.Forget([][32]byte{epochA, epochA, {9}}))
	check := func() {
		t.Helper()
		var got []string
		must(t, s.Epochs(func(e Entry) bool { got = append(got, string(e.Data)); return true }))
		must(t, s.Forward(func(e Entry) bool { got = append(got, string(e.Data)); return true }))
		if want := []string{"b", "text 2 of author 1", "text 1 of author 1"}; !slices.Equal(got, want) {
			t.Errorf("there is %q, want %q", got, want)
		}
		if m, err := s.Messages(epochA, 1, 0, 9); err != nil || len(m) > 0 {
			t.Errorf("messages of what was forgotten: %v, %v", m, err)
		}
	}
	check()
	must(t, s.Close())
	s = mustOpen(t, cfg)
	check()
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	must(t, s.Forget(nil))
	if m, err := s.Messages(epochA, 1, 0, 9); err != nil || len(m) != 1 {
		t.Errorf("it takes no more of it: %v, %v", m, err)
	}
}
