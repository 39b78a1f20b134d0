package text

import (
	"testing"
	"time"
)

// TestAmounts: one way to write a number of things and a time, for every face.
func TestAmounts(t *testing.T) {
	for got, want := range map[string]string{
		Plural(1, "day"): "1 day", Plural(9412, "day"): "9,412 days", Plural(2, "address"): "2 addresses",
		Span(7 * 24 * time.Hour): "7 days", Span(36 * time.Hour): "36 hours", Span(90 * time.Minute): "90 minutes",
		Span(90 * time.Second): "90 seconds", Span(0): "0 seconds", Span(time.Hour): "1 hour",
		Age(-time.Second): "0 s", Age(90 * time.Minute): "90 min", Age(30 * time.Hour): "30 h", Age(72 * time.Hour): "3 days",
		RoundTrip(400 * time.Microsecond): "0.4 ms", RoundTrip(4500 * time.Microsecond): "4.5 ms",
		RoundTrip(12 * time.Millisecond): "12 ms", RoundTrip(12 * time.Second): "12 s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
