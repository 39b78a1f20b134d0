package abe

import (
	"fmt"
	"time"
)

// A Period is a day as far as it lies after a notice (PROTOCOL.md §3.8), whose number it
// has; 0 is before any. What is encapsulated for a period is for keys that are valid on
// the day and that the notice does not name. Periods are ordered by notice, then by day:
// what begins after a notice is above all that began before it. The next one of the same
// notice is p+1.
type Period uint64

// PeriodOf is a day after the notice of that number.
func PeriodOf(notice uint32, d Day) Period { return Period(uint64(notice)<<32 | uint64(d)) }

// Notice is the number of the notice, or 0.
func (p Period) Notice() uint32 { return uint32(p >> 32) }

// Day is the day.
func (p Period) Day() Day { return Day(uint32(p)) }

// Start is the first instant of its day.
func (p Period) Start() time.Time { return p.Day().Start() }

func (p Period) String() string {
	if p.Notice() == 0 {
		return p.Day().String()
	}
	return fmt.Sprintf("%s after notice %d", p.Day(), p.Notice())
}
