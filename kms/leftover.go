package kms

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"coterie/kms/keyfile"
)

// tag marks the temporary file of a key with its domain and number, so that a
// later run knows what it has found, and two domains never touch each other's.
func (a *Authority) tag(number uint64) string {
	return a.tagPrefix() + strconv.FormatUint(number, 10)
}

func (a *Authority) tagPrefix() string {
	id := a.Domain().ID()
	return hex.EncodeToString(id[:8]) + "-"
}

// leftover is the temporary file of a run that was interrupted.
type leftover struct {
	path   string // the key file it was for
	number uint64
}

// leftovers returns those of this domain in a folder, by number.
func (a *Authority) leftovers(folder string) []leftover {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // Reserve will say why
	}
	var found []leftover
	for _, e := range entries {
		hidden, ends := strings.CutSuffix(e.Name(), ".tmp")
		hidden, begins := strings.CutPrefix(hidden, ".")
		at := strings.LastIndexByte(hidden, '.')
		if !ends || !begins || at < 1 {
			continue
		}
		digits, own := strings.CutPrefix(hidden[at+1:], a.tagPrefix())
		if n, err := strconv.ParseUint(digits, 10, 64); own && err == nil && strconv.FormatUint(n, 10) == digits {
			found = append(found, leftover{filepath.Join(folder, hidden[:at]), n})
		}
	}
	slices.SortFunc(found, func(x, y leftover) int {
		if x.number < y.number {
			return -1
		}
		return 1
	})
	return found
}

// complete says whether a leftover is a key that the ledger knows, and returns
// its size. That it may be given its name is not said.
func (a *Authority) complete(l *ledgerFile, left leftover) (issue Issue, size int, ok bool) {
	data, err := keyfile.ReadSecret(keyfile.TempName(left.path, a.tag(left.number)))
	if err != nil || !l.real(left.number) {
		return Issue{}, 0, false
	}
	defer clear(data)
	issue = l.issues[left.number-1]
	return issue, len(data), sha256.Sum256(data) == issue.File
}

// named removes a leftover that is a second name of its key file: the file got
// its name, and then the machine died.
func (a *Authority) named(left leftover) bool {
	temp := keyfile.TempName(left.path, a.tag(left.number))
	file, err := os.Lstat(left.path)
	other, otherErr := os.Lstat(temp)
	if err != nil || otherErr != nil || !os.SameFile(file, other) {
		return false
	}
	os.Remove(temp)
	return true
}

// giveUp declares a leftover's number void, if it is on record, and removes it.
func (a *Authority) giveUp(rand io.Reader, l *ledgerFile, left leftover, now time.Time) (voided bool, err error) {
	if l.real(left.number) {
		void := &entry{kind: kindVoid, time: now.Unix(), number: left.number, reason: reasonNotWritten}
		if err := l.append(rand, void); err != nil {
			return false, err
		}
		voided = true
	}
	return voided, os.Remove(keyfile.TempName(left.path, a.tag(left.number)))
}

// interrupted deals with what an interrupted run for the same file left.
type interrupted struct {
	a   *Authority
	l   *ledgerFile
	r   Request
	out *Issued
}

// settle goes through what was left. done means that the key asked for was
// there.
func (i interrupted) settle(rand io.Reader, now time.Time) (done bool, err error) {
	_, statErr := os.Lstat(i.r.Path)
	taken := statErr == nil && !i.r.Force
	for _, left := range i.a.leftovers(filepath.Dir(i.r.Path)) {
		// Whoever made the file that is there, it is another key: that can wait.
		if filepath.Base(left.path) != filepath.Base(i.r.Path) || i.a.named(left) || taken {
			continue
		}
		issue, size, complete := i.a.complete(i.l, left)
		if !complete {
			voided, err := i.a.giveUp(rand, i.l, left, now)
			if err != nil {
				return false, err
			}
			if voided {
				i.out.Voided = append(i.out.Voided, left.number)
			}
			continue
		}
		if !i.r.matches(issue) {
			return false, &UnfinishedError{i.r.Path, keyfile.TempName(i.r.Path, i.a.tag(left.number)), issue}
		}
		finish := keyfile.Finish
		if i.r.Force {
			finish = keyfile.FinishOver
		}
		if err := finish(i.r.Path, i.a.tag(left.number)); err != nil {
			return false, err
		}
		i.out.Issue, i.out.Size, i.out.Finished = issue, size, true
		return true, nil
	}
	if taken {
		return false, &keyfile.ExistsError{Path: i.r.Path}
	}
	return false, nil
}

// settleFolder deals with all that interrupted runs left in a folder: complete
// keys get their names, the numbers of the others are declared void.
func (a *Authority) settleFolder(rand io.Reader, l *ledgerFile, folder string, now time.Time) (finished []Issued,
	voided []uint64, err error) {
	for _, left := range a.leftovers(folder) {
		if a.named(left) {
			continue
		}
		if issue, size, ok := a.complete(l, left); ok {
			if _, err := os.Lstat(left.path); err == nil {
				continue // another file has the name; that is for people to sort out
			}
			if err := keyfile.Finish(left.path, a.tag(left.number)); err != nil {
				return finished, voided, err
			}
			finished = append(finished, Issued{Issue: issue, Path: left.path, Size: size, Finished: true})
			continue
		}
		done, err := a.giveUp(rand, l, left, now)
		if err != nil {
			return finished, voided, err
		}
		if done {
			voided = append(voided, left.number)
		}
	}
	return finished, voided, nil
}
