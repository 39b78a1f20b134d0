package kms

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// A domain's notice names its keys that are good no more (PROTOCOL.md §3.8). It is made from
// the ledger, which has on record what the newest one says, so that it can be written again.

// Revoked is what a ledger says of the newest notice.
type Revoked struct {
	Number  uint32   // 0: none was made
	Serials []uint64 // ascending
}

// FullNoticeError says that a notice has no place for another key.
type FullNoticeError struct {
	Number uint64    // the key
	Free   abe.Day   // when the first of the named keys lapses; 0: that is not known
	Named  []uint64  // in the notice
	Made   time.Time // when that was
}

func (e *FullNoticeError) Error() string {
	return fmt.Sprintf("%d keys are revoked that have not lapsed; a notice has no place for more", len(e.Named))
}

// LapsedError says that a key has lapsed: there is nothing to revoke.
type LapsedError struct{ Issue Issue }

func (e *LapsedError) Error() string {
	return fmt.Sprintf("key %d lapsed on %s", e.Issue.Number, e.Issue.Expires)
}

// ErrNoNotice: no key of the domain was ever revoked.
var ErrNoNotice = errors.New("no key of this domain was revoked")

// Revoke puts on record that a key is good no more, and writes the notice that says so.
// For a key that the newest notice names, it writes that one again, and again is true.
// Whatever a newer notice beside the domain names is named as well: the ledger may have come
// out of an old backup.
func (a *Authority) Revoke(rand io.Reader, number uint64, now time.Time) (n *abe.Notice, issue Issue, again bool,
	err error) {
	today := abe.DayOf(now)
	err = a.append(rand, now, func(l *ledgerFile) (*entry, error) {
		if number == 0 || number >= l.next() || l.issues[number-1].Void {
			return nil, &NumberError{number}
		}
		if issue = l.issues[number-1]; lapsed(issue, today) {
			return nil, &LapsedError{issue}
		}
		beside, err := a.noticeBeside()
		if err != nil {
			return nil, err
		}
		if slices.Contains(l.revoked.Serials, number) && (beside == nil || beside.Number <= l.revoked.Number) {
			again = true
			return nil, errAgain
		}
		named, last := l.revoked.Serials, l.revoked.Number
		if beside != nil && beside.Number > last {
			named, last = append(slices.Clone(named), beside.Serials...), beside.Number
		}
		serials := []uint64{number}
		for _, s := range named {
			if s == 0 || s >= l.next() || !lapsed(l.issues[s-1], today) {
				serials = append(serials, s)
			}
		}
		slices.Sort(serials)
		if serials = slices.Compact(serials); len(serials) > abe.MaxRevoked {
			return nil, l.full(number, serials)
		}
		at := uint32(max(now.Unix(), int64(last)+1))
		if at <= last {
			return nil, errors.New("there is no notice after this one")
		}
		if n, err = a.master.Revoke(at, serials); err != nil {
			return nil, err
		}
		return &entry{kind: kindRevoked, number: number, notice: at, serials: serials}, nil
	})
	if err != nil && !errors.Is(err, errAgain) {
		return nil, issue, false, err
	}
	n, err = a.WriteNotice()
	return n, issue, again, err
}

var errAgain = errors.New("it is revoked already")

// lapsed reports whether a key opens nothing any more. Of a number whose record is lost,
// nobody knows.
func lapsed(i Issue, today abe.Day) bool { return !i.Torn && today >= i.Expires }

// full is the error for one key too many.
func (l *ledger) full(number uint64, serials []uint64) error {
	e := &FullNoticeError{Number: number, Named: l.revoked.Serials, Made: time.Unix(int64(l.revoked.Number), 0).UTC()}
	for _, s := range serials {
		if s == 0 || s >= l.next() || l.issues[s-1].Torn || s == number {
			continue
		}
		if at := l.issues[s-1].Expires; e.Free == 0 || at < e.Free {
			e.Free = at
		}
	}
	return e
}

// noticeBeside is the notice in the domain's folder; nil: there is none.
func (a *Authority) noticeBeside() (*abe.Notice, error) {
	n, err := keyfile.LoadNotice(a.files.Notice())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = n.Verify(a.domain)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.files.Notice(), err)
	}
	return n, nil
}

// WriteNotice writes the newest notice that the ledger has on record, once more. The error
// is ErrNoNotice if there is none.
func (a *Authority) WriteNotice() (*abe.Notice, error) {
	l, err := a.openLedger(true) // so that nobody else writes it
	if err != nil {
		return nil, err
	}
	defer l.close()
	r := l.record()
	if r.Revoked.Number == 0 {
		return nil, ErrNoNotice
	}
	if beside, err := a.noticeBeside(); err != nil {
		return nil, err
	} else if beside != nil && beside.Number > r.Revoked.Number {
		return beside, nil // of a ledger that had more on record
	}
	n, err := a.master.Revoke(r.Revoked.Number, r.Revoked.Serials)
	if err != nil {
		return nil, err
	}
	data, err := n.MarshalBinary()
	if err != nil {
		return nil, err
	}
	a.removed(keyfile.RemoveUnfinished(a.files.Notice()))
	return n, keyfile.Replace(a.files.Notice(), data, 0o644)
}
