package abe

import (
	"fmt"
	"strconv"
	"time"
)

// Day is a UTC day, counted from 1970-01-01.
type Day uint32

// maxDay is 9999-12-31, the last day that has a text of ten characters.
const maxDay Day = 2932896

const secondsOfDay = 24 * 60 * 60

// DayOf returns the UTC day of t. Times before 1970 count as its first day,
// times after 9999 as its last.
func DayOf(t time.Time) Day {
	s := t.Unix()
	if s < 0 {
		return 0
	}
	return Day(min(s/secondsOfDay, int64(maxDay)))
}

// ParseDay reads a day as String writes it, "2026-11-23".
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || len(s) != len(time.DateOnly) || t.Year() < 1970 {
		return 0, fmt.Errorf("%q is not a day; write 2026-12-31", clip(s))
	}
	return DayOf(t), nil
}

// Start is the first instant of the day, UTC.
func (d Day) Start() time.Time { return time.Unix(int64(d)*secondsOfDay, 0).UTC() }

func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// blockSizes are the lengths of day blocks, PROTOCOL.md §3.1. A day lies in one
// aligned block of each size, so an encapsulation names four labels; powers of
// eight keep a key of 90 days at about 20.
var blockSizes = [4]Day{512, 64, 8, 1}

// block is the days [index*size, (index+1)*size).
type block struct{ size, index Day }

func (b block) label() string {
	return "d" + strconv.Itoa(int(b.size)) + "_" + strconv.Itoa(int(b.index))
}

// blocksOf are the four blocks that contain a day.
func blocksOf(d Day) (bs [4]block) {
	for i, size := range blockSizes {
		bs[i] = block{size, d / size}
	}
	return bs
}

// cover is the least set of aligned blocks whose union is [from, end): at each
// day the largest block that begins there and does not overrun the end. It is
// least because blocks of different sizes are nested or apart, never crossing.
func cover(from, end Day) []block {
	var bs []block
	for at := from; at < end; {
		for _, size := range blockSizes {
			if at%size == 0 && size <= end-at {
				bs = append(bs, block{size, at / size})
				at += size
				break
			}
		}
	}
	return bs
}
