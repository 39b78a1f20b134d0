package kms

import (
	"errors"
	"fmt"
	"io"
	"time"

	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// Raise gives all keys to come the next generation, and returns it. Rooms whose
// policy asks for it shut out every older key.
func (a *Authority) Raise(rand io.Reader, now time.Time) (generation uint32, err error) {
	err = a.append(rand, now, func(l *ledgerFile) (*entry, error) {
		if l.generation == 1<<32-1 {
			return nil, errors.New("there is no generation after this one")
		}
		generation = l.generation + 1
		return &entry{kind: kindRaised, generation: generation}, nil
	})
	return generation, err
}

// Mark puts on record that a key is not to be renewed and why, or, if end is
// false, that it is again. It returns a *NumberError if there is no such key.
func (a *Authority) Mark(rand io.Reader, number uint64, end bool, because string, now time.Time) (issue Issue,
	err error) {
	if err := request.CheckName(because); err != nil {
		return issue, fmt.Errorf("the reason: %w", err)
	}
	err = a.append(rand, now, func(l *ledgerFile) (*entry, error) {
		if !l.real(number) {
			return nil, &NumberError{number}
		}
		issue = l.issues[number-1]
		return &entry{kind: kindMarked, number: number, end: end, because: because}, nil
	})
	return issue, err
}

// append puts one entry on record.
func (a *Authority) append(rand io.Reader, now time.Time, make func(*ledgerFile) (*entry, error)) error {
	l, _, err := a.change(rand, now)
	if err != nil {
		return err
	}
	defer l.close()
	e, err := make(l)
	if err != nil {
		return err
	}
	e.time = now.Unix()
	return l.append(rand, e)
}

// Forget erases names and recipients out of the entries of the keys that choose
// picks, and returns those keys as they were. The hashes of all entries stay as
// they are. Nothing else in a ledger is ever written again, so the file is
// replaced as a whole.
func (a *Authority) Forget(rand io.Reader, now time.Time, choose func(Issue) bool) ([]Issue, error) {
	l, _, err := a.change(rand, now)
	if err != nil {
		return nil, err
	}
	defer l.close()
	erase := make(map[uint64]bool)
	var chosen []Issue
	for _, issue := range l.issues {
		if !issue.Torn && !issue.Forgotten && choose(issue) {
			erase[issue.Number] = true
			chosen = append(chosen, issue)
		}
	}
	if len(chosen) == 0 {
		return nil, nil
	}
	data, err := l.read()
	if err != nil {
		return nil, err
	}
	again, copied := newLedger(l.path, l.id, l.aead)
	err = again.eachLine(data[len(copied):], func(e *entry, line []byte) error {
		if e.kind == kindIssued && erase[e.number] {
			e.person = person{form: personForgotten, commitment: e.person.commit()}
			var err error
			if line, err = again.seal(rand, e); err != nil {
				return err
			}
		}
		copied = append(copied, line...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if again.last != l.last || again.torn != nil {
		return nil, fmt.Errorf("%s: erasing would break the chain", l.path)
	}
	return chosen, keyfile.Replace(l.path, copied, 0o600)
}
