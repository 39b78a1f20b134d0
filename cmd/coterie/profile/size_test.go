package profile

import "testing"

// TestSizes: how much is kept of a room is said as people say it; what is too little to
// work, or no size, is refused.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"2GB": 2_000_000_000, "500MB": 500_000_000, "64 mb": 64_000_000, "9999999GB": 9_999_999_000_000_000,
		"": 0, "63MB": 0, "0GB": 0, "2": 0, "2TB": 0, "-2GB": 0, "2.5GB": 0, "99999999GB": 0, "2GB ": 0, "MB": 0,
	} {
		got, err := ParseSize(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	if _, err := ParseSize("2GB"); err != nil {
		t.Error(err)
	}
	for _, s := range Table {
		if s.Name == "keep" && s.check(s.Usual) != nil {
			t.Error("what is usual is refused")
		}
	}
}
