package kms

import (
	"path/filepath"
	"slices"
	"strconv"

	"coterie/crypto/abe"
	"coterie/kms/request"
)

// Renewal says which keys to renew and how.
type Renewal struct {
	Numbers []uint64 // these; empty: all that Until covers
	// Until chooses keys that lapse on that day or before. Of those it leaves out
	// what is lapsed already, was renewed, is not to be renewed, was revoked, was issued today
	// under the present generation, or whose owner was forgotten.
	Until abe.Day
	Add   []abe.Attribute // a named one replaces that of its name
	Drop  []abe.Attribute
	Today abe.Day
	// Expires gives the end of a key that lasts from a day; nil: as long as the old
	// one, or as long as the domain allows.
	Expires func(from abe.Day) abe.Day
	Folder  string // where the files go, called after name and old number
	Path    string // the file, for one key
}

// Choose returns the requests for the new keys. It is a Batch's.
func (n *Renewal) Choose(r *Record) ([]Request, error) {
	var requests []Request
	add := func(old Issue) error {
		request, err := n.request(old, r)
		requests = append(requests, request)
		return err
	}
	for _, number := range n.Numbers {
		if number == 0 || number > uint64(len(r.Issues)) {
			return nil, &NumberError{number}
		}
		old := r.Issues[number-1]
		switch {
		case old.Void, old.Torn:
			return nil, &NumberError{number}
		case old.Revoked:
			return nil, &RevokedError{old}
		case old.NoRenew:
			return nil, &NoRenewError{old}
		case old.Forgotten:
			return nil, &ForgottenError{old}
		}
		if err := add(old); err != nil {
			return nil, err
		}
	}
	if len(n.Numbers) > 0 {
		return requests, nil
	}
	for _, old := range r.Issues {
		state, _ := old.StateOn(n.Today)
		live := state == Valid || state == Renew || state == Later
		fresh := abe.DayOf(old.Made) == n.Today && old.Generation == r.Generation
		if !live || old.Expires > n.Until || old.RenewedBy != 0 || old.NoRenew || old.Revoked || old.Forgotten || fresh {
			continue
		}
		if err := add(old); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// request is that for a key that takes over from old.
func (n *Renewal) request(old Issue, r *Record) (Request, error) {
	q := Request{Name: old.Name, To: old.Recipient, From: n.Today, Renews: old.Number, Path: n.Path}
	if q.Path == "" {
		q.Path = filepath.Join(n.Folder, request.FileName(old.Name)+"-"+strconv.FormatUint(old.Number, 10)+".key")
	}
	if n.Expires != nil {
		q.Expires = n.Expires(n.Today)
	} else {
		span := old.Expires - old.From
		if r.Limit != 0 {
			span = min(span, abe.Day(r.Limit))
		}
		q.Expires = n.Today + span
	}
	var texts []string
	for _, text := range old.Attributes {
		a, err := abe.ParseAttribute(text)
		if err != nil {
			return q, err
		}
		replaced := func(b abe.Attribute) bool { return b == a || b.Named && a.Named && b.Name == a.Name }
		if !slices.Contains(n.Drop, a) && !slices.ContainsFunc(n.Add, replaced) {
			texts = append(texts, text)
		}
	}
	for _, a := range n.Add {
		texts = append(texts, a.String())
	}
	if len(texts) == 0 {
		return q, &NothingLeftError{old}
	}
	var err error
	q.Attributes, err = abe.ParseAttributes(texts)
	return q, err
}
