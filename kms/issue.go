package kms

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// Request is a key to be issued.
type Request struct {
	Name          string // of the person, for the ledger; may be empty
	To            string // the age recipient to seal it for; empty: not sealed
	Attributes    []abe.Attribute
	From, Expires abe.Day
	Path          string // the key file
}

// Issued is what Issue did.
type Issued struct {
	Issue
	Size int // of the key file in bytes
	// Finished says that an earlier run had recorded this very key and was
	// interrupted; this one gave the file its name.
	Finished bool
	// Torn is the line that was found cut short and is on record as that now.
	Torn *TornError
	// Voided are numbers whose keys an interrupted run recorded and never wrote.
	Voided []uint64
	// Spelling are attributes nobody has that differ in case alone from one that
	// somebody has.
	Spelling []Spelling
}

// Spelling is an attribute that may be misspelt.
type Spelling struct {
	Attribute string
	Like      string // what others have
	Keys      int    // how many
}

// Issue makes a key, records it and writes it to r.Path, in the order the
// package's documentation gives. It returns *keyfile.ExistsError,
// *NotWrittenError, *UnfinishedError, *LedgerError, ErrName and what reading and
// writing files returns.
func (a *Authority) Issue(rand io.Reader, r Request, now time.Time) (*Issued, error) {
	if err := request.CheckName(r.Name); err != nil {
		return nil, err
	}
	var to age.Recipient
	if r.To != "" {
		var err error
		if to, err = keyfile.ParseRecipient(r.To); err != nil {
			return nil, err
		}
	}
	l, err := openLedger(a.files.Ledger(), a.Domain().ID(), a.aead, true)
	if err != nil {
		return nil, err
	}
	defer l.close()
	torn, err := l.heal(rand, now.Unix())
	if err != nil {
		return nil, err
	}
	out := &Issued{Torn: torn}
	rest := interrupted{a, l, r, out}
	if done, err := rest.settle(rand, now); done || err != nil {
		return out, err
	}
	out.Spelling = l.spelling(r.Attributes)
	d, err := a.record(rand, l, r, to, now)
	if err != nil {
		return out, err
	}
	out.Issue, out.Size = d.issue, len(d.data)
	defer clear(d.data)
	if err := d.file.Commit(d.data); err != nil {
		void := &entry{kind: kindVoid, time: now.Unix(), number: d.issue.Number, reason: reasonNotWritten}
		voided := l.append(rand, void) == nil
		return out, &NotWrittenError{d.issue.Number, r.Path, voided, err}
	}
	return out, nil
}

// draft is a key that is on record and not yet under its name.
type draft struct {
	issue Issue
	data  []byte
	file  *keyfile.Pending
}

// record makes the key, reserves its place and appends its entry.
func (a *Authority) record(rand io.Reader, l *ledgerFile, r Request, to age.Recipient, now time.Time) (*draft, error) {
	number := l.next()
	data, err := a.make(rand, r, to, number, l.generation)
	if err != nil {
		return nil, err
	}
	file, err := keyfile.Reserve(r.Path, a.tag(number))
	if err != nil {
		return nil, err
	}
	e := &entry{
		kind: kindIssued, time: now.Unix(), number: number, generation: l.generation, from: r.From, expires: r.Expires,
		file: sha256.Sum256(data), person: person{form: personKept, name: r.Name, recipient: r.To},
	}
	for _, attribute := range r.Attributes {
		e.attributes = append(e.attributes, attribute.String())
	}
	if _, err := io.ReadFull(rand, e.person.salt[:]); err != nil {
		file.Discard()
		return nil, err
	}
	if err := l.append(rand, e); err != nil {
		file.Discard()
		return nil, err
	}
	return &draft{l.issues[number-1], data, file}, nil
}

// make returns the bytes of the key file.
func (a *Authority) make(rand io.Reader, r Request, to age.Recipient, number uint64, generation uint32) ([]byte, error) {
	key, err := a.master.Issue(rand, abe.Grant{
		Serial: number, Attributes: r.Attributes, Generation: generation, From: r.From, Expires: r.Expires,
	})
	if err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	data, err := key.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	if to == nil {
		return data, nil
	}
	defer clear(data)
	sealed, err := keyfile.Seal(data, to)
	if err != nil {
		return nil, fmt.Errorf("sealing the key: %w", err)
	}
	return sealed, nil
}

// tag marks the temporary file of a key with its domain and number, so that a
// later run knows what it has found, and two domains never touch each other's.
func (a *Authority) tag(number uint64) string {
	return a.tagPrefix() + strconv.FormatUint(number, 10)
}

func (a *Authority) tagPrefix() string {
	id := a.Domain().ID()
	return hex.EncodeToString(id[:8]) + "-"
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
	taken, takenErr := os.Lstat(i.r.Path)
	for _, number := range i.numbers() {
		temp := keyfile.TempName(i.r.Path, i.a.tag(number))
		if info, err := os.Lstat(temp); takenErr == nil && err == nil && os.SameFile(taken, info) {
			os.Remove(temp) // the file got its name, and then the machine died
			continue
		}
		if takenErr == nil {
			continue // whoever made that file, it is another key; this can wait
		}
		known := number >= 1 && number < i.l.next()
		data, err := keyfile.ReadSecret(temp)
		if err == nil && known && sha256.Sum256(data) == i.l.issues[number-1].File {
			issue := i.l.issues[number-1]
			if !i.r.matches(issue) {
				return false, &UnfinishedError{i.r.Path, temp, issue}
			}
			if err := keyfile.Finish(i.r.Path, i.a.tag(number)); err != nil {
				return false, err
			}
			i.out.Issue, i.out.Size, i.out.Finished = issue, len(data), true
			return true, nil
		}
		if err := os.Remove(temp); err != nil {
			return false, err
		}
		if known && !i.l.issues[number-1].Void && !i.l.issues[number-1].Torn {
			void := &entry{kind: kindVoid, time: now.Unix(), number: number, reason: reasonNotWritten}
			if err := i.l.append(rand, void); err != nil {
				return false, err
			}
			i.out.Voided = append(i.out.Voided, number)
		}
	}
	if takenErr == nil {
		return false, &keyfile.ExistsError{Path: i.r.Path}
	}
	return false, nil
}

// numbers returns the numbers of the temporary files beside r.Path, in order.
func (i interrupted) numbers() []uint64 {
	entries, err := os.ReadDir(filepath.Dir(i.r.Path))
	if err != nil {
		return nil // Reserve will say why
	}
	prefix, suffix, _ := strings.Cut(filepath.Base(keyfile.TempName(i.r.Path, i.a.tagPrefix()+"#")), "#")
	var numbers []uint64
	for _, e := range entries {
		rest, begins := strings.CutPrefix(e.Name(), prefix)
		digits, ends := strings.CutSuffix(rest, suffix)
		if !begins || !ends {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 64); err == nil && strconv.FormatUint(n, 10) == digits {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// matches says whether issue is the key that r asks for.
func (r Request) matches(issue Issue) bool {
	return !issue.Void && r.Name == issue.Name && r.To == issue.Recipient && r.From == issue.From && r.Expires == issue.Expires &&
		slices.EqualFunc(r.Attributes, issue.Attributes, func(a abe.Attribute, b string) bool { return a.String() == b })
}

// spelling returns those attributes that no key has, while one that differs in
// case alone some have.
func (l *ledgerFile) spelling(attributes []abe.Attribute) []Spelling {
	count := make(map[string]int)
	for _, issue := range l.issues {
		for _, a := range issue.Attributes {
			count[a]++
		}
	}
	var found []Spelling
	for _, a := range attributes {
		own := a.String()
		if count[own] > 0 {
			continue
		}
		best := Spelling{Attribute: own}
		for like, n := range count {
			if strings.EqualFold(like, own) && (n > best.Keys || n == best.Keys && like < best.Like) {
				best.Like, best.Keys = like, n
			}
		}
		if best.Keys > 0 {
			found = append(found, best)
		}
	}
	return found
}
