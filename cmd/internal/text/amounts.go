package text

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Count writes n with commas: 9,412.
func Count[T ~int | ~int64 | ~uint64](n T) string {
	digits := strconv.FormatUint(uint64(n), 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Plural writes a number of things: 1 day, 90 days, 2 addresses.
func Plural[T ~int | ~int64 | ~uint64](n T, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "s") {
		thing += "e"
	}
	return Count(n) + " " + thing + "s"
}

// List writes things: a, b and c; more than most of them as a, b and 7 others.
func List(things []string, most int) string {
	n := len(things)
	switch {
	case n > most:
		return fmt.Sprintf("%s and %d others", strings.Join(things[:most-1], ", "), n-most+1)
	case n > 1:
		return strings.Join(things[:n-1], ", ") + " and " + things[n-1]
	}
	return strings.Join(things, "")
}

// Size writes a number of bytes: 9.4 kB.
func Size(n int) string {
	switch {
	case n < 1000:
		return Plural(n, "byte")
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// Span writes how long something lasts, exactly, to the second: 7 days, 36 hours, 90
// seconds.
func Span(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= u.unit && d%u.unit == 0 {
			return Plural(int(d/u.unit), u.name)
		}
	}
	return Plural(max(int(d/time.Second), 0), "second")
}

// Age writes how long ago something was, in short: 4 s, 90 min, 30 h, 3 days.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d.Seconds()), 0))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return Plural(int(d.Hours()/24), "day")
}

// RoundTrip writes how long an answer takes: 0.4 ms, 12 ms, 12 s.
func RoundTrip(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < 10*time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}
