package kms

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

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
	Force         bool   // replace what may be at Path
	Check         Check
	Renews        uint64 // the key it takes over from, or 0
}

// Issued is what Issue did.
type Issued struct {
	Issue
	Path string
	Size int // of the key file in bytes
	// Finished says that an earlier run had recorded this very key and was
	// interrupted; this one gave the file its name.
	Finished bool
	// Torn is the line that was found cut short and is on record as that now.
	Torn *TornError
	// Voided are numbers whose keys an interrupted run recorded and never wrote.
	Voided []uint64
}

// Issue makes a key, records it and writes it to r.Path, in the order the
// package's documentation gives. It returns *keyfile.ExistsError,
// *NotWrittenError, *UnfinishedError, *LedgerError, *ClockError, *LimitError,
// ErrName and what reading and writing files returns.
func (a *Authority) Issue(rand io.Reader, r Request, now time.Time) (*Issued, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	l, torn, err := a.change(rand, now)
	if err != nil {
		return nil, err
	}
	defer l.close()
	out := &Issued{Path: r.Path, Torn: torn}
	if err := l.checkLimit(r); err != nil {
		return out, err
	}
	rest := interrupted{a, l, r, out}
	if done, err := rest.settle(rand, now); done || err != nil {
		return out, err
	}
	data, err := a.make(rand, r, l.next(), l.generation)
	if err != nil {
		return out, err
	}
	defer clear(data)
	out.Issue, err = a.write(rand, l, r, data, now)
	out.Size = len(data)
	return out, err
}

// change opens the ledger for writing and mends what a crash left of its last
// line.
func (a *Authority) change(rand io.Reader, now time.Time) (*ledgerFile, *TornError, error) {
	l, err := a.openLedger(true)
	if err != nil {
		return nil, nil, err
	}
	if last := time.Unix(l.time, 0).UTC(); !a.ClockIsRight && now.Add(clockSlack).Before(last) {
		l.close()
		return nil, nil, &ClockError{l.path, now, last}
	}
	for _, path := range []string{a.files.Ledger(), a.files.Master(), a.files.Domain()} {
		a.removed(keyfile.RemoveUnfinished(path))
	}
	torn, err := l.heal(rand, now.Unix())
	if err != nil {
		l.close()
		return nil, nil, err
	}
	return l, torn, nil
}

// clockSlack is how far behind the last entry the clock may be: what a clock that
// is being set by the network does.
const clockSlack = 10 * time.Minute

// check refuses what would fail after its number is taken.
func (r *Request) check() error {
	if err := request.CheckName(r.Name); err != nil {
		return err
	}
	if r.To != "" {
		if _, err := keyfile.ParseRecipient(r.To); err != nil {
			return err
		}
	}
	return nil
}

// checkLimit holds a request against the domain's own limit.
func (l *ledgerFile) checkLimit(r Request) error {
	if days := uint32(r.Expires - r.From); l.limit != 0 && r.Expires > r.From && days > l.limit {
		return &LimitError{days, l.limit}
	}
	return nil
}

// write puts the key data on record and into its file.
func (a *Authority) write(rand io.Reader, l *ledgerFile, r Request, data []byte, now time.Time) (Issue, error) {
	d, err := a.record(rand, l, r, data, now)
	if err != nil {
		return Issue{}, err
	}
	commit := d.file.Commit
	if r.Force {
		commit = d.file.Replace
	}
	if err := commit(data); err != nil {
		void := &entry{kind: kindVoid, time: now.Unix(), number: d.issue.Number, reason: reasonNotWritten}
		voided := l.append(rand, void) == nil
		if voided {
			d.file.Discard()
		}
		// Otherwise the temporary file stays, for the next run to find.
		return d.issue, &NotWrittenError{d.issue.Number, voided, err}
	}
	return d.issue, nil
}

// draft is a key that is on record and not yet under its name.
type draft struct {
	issue Issue
	file  *keyfile.Pending
}

// record reserves the place of the key data, which has the next number, and
// appends its entry.
func (a *Authority) record(rand io.Reader, l *ledgerFile, r Request, data []byte, now time.Time) (*draft, error) {
	number := l.next()
	reserve := keyfile.Reserve
	if r.Force {
		reserve = keyfile.ReserveOver
	}
	file, err := reserve(r.Path, a.tag(number))
	if err != nil {
		return nil, err
	}
	e := &entry{
		kind: kindIssued, time: now.Unix(), number: number, generation: l.generation, from: r.From, expires: r.Expires,
		file: sha256.Sum256(data), renews: r.Renews, check: r.Check,
		person: person{form: personKept, name: r.Name, recipient: r.To},
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
	return &draft{l.issues[number-1], file}, nil
}

// make returns the bytes of the key file.
func (a *Authority) make(rand io.Reader, r Request, number uint64, generation uint32) ([]byte, error) {
	key, err := a.master.Issue(rand, abe.Grant{
		Serial: number, Attributes: r.Attributes, Generation: generation, From: r.From, Expires: r.Expires,
	})
	if err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	if key, err = key.WithRelays(a.domain.Relays()); err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	data, err := key.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	if r.To == "" {
		return data, nil
	}
	defer clear(data)
	to, err := keyfile.ParseRecipient(r.To)
	if err != nil {
		return nil, err
	}
	sealed, err := keyfile.SealKey(data, to, r.To, a.Domain())
	if err != nil {
		return nil, fmt.Errorf("sealing the key: %w", err)
	}
	return sealed, nil
}

// matches says whether issue is the key that r asks for.
func (r Request) matches(issue Issue) bool {
	return !issue.Void && !issue.Torn && r.Grant() == issue.Grant() && r.From == issue.From &&
		r.Expires == issue.Expires && r.Renews == issue.Renews
}

// Grant is what stands for the person and the attributes of a key: two keys of
// one grant say the same about the same.
func (i Issue) Grant() string {
	return grant(i.Name, i.Recipient, i.Attributes)
}

// Grant is that of the key to be issued.
func (r Request) Grant() string {
	var texts []string
	for _, a := range r.Attributes {
		texts = append(texts, a.String())
	}
	return grant(r.Name, r.To, texts)
}

// grant joins what holds no controls with one.
func grant(name, recipient string, attributes []string) string {
	return strings.Join(append([]string{name, recipient}, attributes...), "\x00")
}
