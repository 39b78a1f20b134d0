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

// DefaultExpires is the validity of a key unless another is asked for.
const DefaultExpires = "90d"

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

func parseExpires(s string, from abe.Day) (abe.Day, error) {
	if strings.Contains(s, "-") {
		day, err := abe.ParseDay(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a date; write 2026-12-31 or 90d", s)
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
		return 0, fmt.Errorf("%q is not a time; write 90d, 2y or 2026-12-31", s)
	case err != nil, unit == "y" && n > MaxYears:
		return 0, fmt.Errorf("%q is too long: the limit is %d years", s, MaxYears)
	case unit == "y":
		return addYears(from, int(n)), nil
	}
	return from + abe.Day(n), nil
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
