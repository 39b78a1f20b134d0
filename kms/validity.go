package kms

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"coterie/crypto/abe"
)

// MaxYears bounds how long a key is valid. Revocation is lapse, so this is also
// how long a mistake lasts.
const MaxYears = 5

// LastDay is later than any key lapses.
const LastDay = abe.Day(1<<32 - 1)

// defaultDays is the validity of a key unless another is asked for.
const defaultDays = 90

// DefaultExpires is the validity of a key unless another is asked for, in a
// domain with a limit of so many days, or 0.
func DefaultExpires(limit int) string {
	if limit == 0 || limit > defaultDays {
		limit = defaultDays
	}
	return strconv.Itoa(limit) + "d"
}

// ParseExpires reads when a key that is valid from a day lapses: a number of
// days ("90d") or years ("2y"), or a date ("2026-12-31"), which is the first day
// it is no longer valid. It is one day to MaxYears years after from.
func ParseExpires(s string, from abe.Day) (abe.Day, error) {
	expires, err := parseExpires(s, from)
	if err != nil {
		return 0, err
	}
	if expires <= from {
		return 0, fmt.Errorf("%s is not after %s, the first day of the key", expires, from)
	}
	if latest := addYears(from, MaxYears); expires > latest {
		return 0, fmt.Errorf("%q is too long: the limit is %d years, to %s", s, MaxYears, latest)
	}
	return expires, nil
}

var errNotTime = errors.New("is not a time")

func parseExpires(s string, from abe.Day) (abe.Day, error) {
	if strings.Contains(s, "-") {
		day, err := abe.ParseDay(s)
		if err != nil {
			return 0, fmt.Errorf("%q %w; write 2026-12-31 or 90d", s, errNotTime)
		}
		return day, nil
	}
	digits, unit := s, ""
	if len(s) > 0 {
		digits, unit = s[:len(s)-1], s[len(s)-1:]
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	switch {
	case unit != "d" && unit != "y" || errors.Is(err, strconv.ErrSyntax):
		return 0, fmt.Errorf("%q %w; write 90d, 2y or 2026-12-31", s, errNotTime)
	case err != nil, unit == "y" && n > MaxYears:
		return 0, fmt.Errorf("%q is too long: the limit is %d years", s, MaxYears)
	case unit == "y":
		return addYears(from, int(n)), nil
	}
	return from + abe.Day(n), nil
}

// ParseLimit reads how many days a domain's keys may last: 120d or 2y; empty is
// no limit but MaxYears, and 0.
func ParseLimit(s string) (days int, err error) {
	if s == "" {
		return 0, nil
	}
	if strings.Contains(s, "-") {
		return 0, fmt.Errorf("%q is not a number of days; write 120d", s)
	}
	// Any first day will do: a year is counted as 365 days.
	if years, ok := strings.CutSuffix(s, "y"); ok {
		n, err := strconv.ParseUint(years, 10, 8)
		if err != nil || n < 1 || n > MaxYears {
			return 0, fmt.Errorf("%q is not a time of 1 day to %d years", s, MaxYears)
		}
		return int(n) * 365, nil
	}
	expires, err := ParseExpires(s, 0)
	return int(expires), err
}

func addYears(d abe.Day, years int) abe.Day { return abe.DayOf(d.Start().AddDate(years, 0, 0)) }

// renewDays is how many days before its end a key is shown as due for renewal:
// enough to reach somebody, few enough to mean something.
const renewDays = 14

// State is what a key on record is worth on a day.
type State int

// The states of a key on record.
const (
	Valid   State = iota
	Renew         // valid, but not for long
	Later         // not valid yet
	Lapsed        // no longer valid
	Unknown       // its record was cut short
	Void          // it was never written
)

// StateOn returns the state of the key on a day, and the days until it lapses or
// becomes valid.
func (i Issue) StateOn(day abe.Day) (State, int) {
	switch {
	case i.Void:
		return Void, 0
	case i.Torn:
		return Unknown, 0
	case day < i.From:
		return Later, int(i.From - day)
	case day >= i.Expires:
		return Lapsed, 0
	case i.Expires-day <= renewDays:
		return Renew, int(i.Expires - day)
	}
	return Valid, int(i.Expires - day)
}
