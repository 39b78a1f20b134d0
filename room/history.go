package room

import (
	"cmp"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// ReadBack reads what was said in a room, in the order in which it was saved: what is worth it by
// its record alone, until visit returns false; gone is what is not kept any more. It was checked
// before it was saved, and is not checked again.
func ReadBack(j Journal, room ake.Hash, self peer.ID, worth func(*record.Signed) bool,
	visit func(Delivered) bool) (gone []Shortened, err error) {
	var failed error
	own, _ := identityOf(self)
	about, heads, err := readChanges(j, room)
	if err != nil {
		return nil, err
	}
	err = readJournal(j, room, savedReader{
		rest: func(s Saved, t savedHead) {
			if rest, err := ParseRest(s); err == nil {
				gone = append(gone, rest.Shortened(t.author(s.Author), s.Epoch))
			}
		},
		said: func(s Saved, t savedHead, m *record.Signed) bool {
			if isOutside(m.Kind) || changes(m.Kind) || !worth(m) {
				return true
			}
			d := delivered(t, room, self, s, m)
			if h, ok := heads[s.Epoch]; ok && d.Author.Name == "" { // it was saved later
				d.Author = h.author(s.Author)
			}
			if m.Kind == record.KindTo {
				w, err := savedWords(j, s.Epoch, s.Author, m.Counter)
				if failed = err; err != nil {
					return false
				}
				readWords(&d, w)
			}
			readFile(&d)
			about.apply(&d, t.List[s.Author].Identity, viewer{self: own, read: func(c change) (string, bool) {
				words, err := c.saved(j, room)
				failed = cmp.Or(failed, err)
				return words, err == nil
			}})
			return failed == nil && visit(d)
		},
	})
	return gone, cmp.Or(err, failed)
}

// readChanges reads what was said about messages, by their notes alone, and who spoke, with the names
// that were saved.
func readChanges(j Journal, room ake.Hash) (changesOf, map[ake.Hash]savedHead, error) {
	type place struct {
		epoch   ake.Hash
		author  int
		counter uint64
	}
	type targeted struct {
		target ake.Hash
		change
	}
	var all []targeted
	logs := make(map[place]*aboutLog) // by counter 0
	heads := make(map[ake.Hash]savedHead)
	counts := make(map[place]ake.Hash)    // of two under one counter
	highest := make(map[place]uint64)     // the greatest counter of a log so far
	again := false                        // what came before may have had a counter, too
	least := func(s Saved, n note) bool { // .. whatever its kind
		at := place{s.Epoch, s.Author, s.Counter}
		was, held := counts[at]
		if held && compareHashes(n.id, was) < 0 {
			counts[at] = n.id
		}
		return held
	}
	err := readJournal(j, room, savedReader{
		head: func(s Saved, t savedHead) bool { heads[s.Epoch] = t; return true },
		noted: func(s Saved, n note) {
			at := place{epoch: s.Epoch, author: s.Author}
			held, late := least(s, n), s.Counter <= highest[at]
			highest[at] = max(highest[at], s.Counter)
			if !changes(n.kind) {
				return
			}
			if !held {
				counts[place{s.Epoch, s.Author, s.Counter}], again = n.id, again || late
			}
			if logs[at] == nil {
				logs[at] = &aboutLog{s.Epoch, s.Author, heads[s.Epoch].List[s.Author].Identity}
			}
			all = append(all, targeted{n.target, change{logs[at], s.Counter, n.lamport, n.id, n.kind, n.empty()}})
		},
	})
	if err == nil && again {
		err = readJournal(j, room, savedReader{noted: func(s Saved, n note) { least(s, n) }})
	}
	of := make(changesOf)
	for _, c := range all {
		if counts[place{c.epoch, c.author, c.counter}] == c.id {
			of.add(c.target, c.change)
		}
	}
	return of, heads, err
}

// saved reads the words of a change.
func (c *change) saved(j Journal, room ake.Hash) (string, error) {
	all, err := j.Messages(c.epoch, c.author, c.counter, c.counter)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if m, err := record.ParseLog(s.Data); err == nil && m.ID(room) == c.id {
			words, _ := wordsAbout(m)
			return words, nil
		}
	}
	return "", nil
}

// A savedHead is what was saved of an epoch. Past: only the member that served it says who
// was there.
type savedHead struct {
	*record.Transcript
	past bool
}

// author is who has a place in the epoch's list.
func (t savedHead) author(index int) Member {
	return Member{Peer: peerOf(t.List[index].Identity), Name: nameIn(t.Transcript, index)}
}

// A savedReader takes what is read from a journal. Those that are nil are left out.
type savedReader struct {
	// head reports whether what was said in a transcript is wanted.
	head func(s Saved, t savedHead) bool
	// said takes a message, until it returns false.
	said func(s Saved, t savedHead, m *record.Signed) bool
	// noted takes the note of a message, in the place of said: messages are not read then.
	noted func(s Saved, n note)
	// rest takes what stays of messages that are not kept any more; named, that an author's name
	// is there.
	rest  func(s Saved, t savedHead)
	named func(s Saved)
	// words takes what came of the words in a message for some.
	words func(s Saved)
	// lost takes what has no head that is wanted.
	lost func(epoch ake.Hash)
}

// readJournal takes apart what was saved. It is long because it has a case for each kind.
func readJournal(j Journal, room ake.Hash, to savedReader) error {
	heads := make(map[ake.Hash]savedHead)
	load := j.Load
	if to.noted != nil {
		load = j.Notes
	}
	err := load(func(s Saved) bool {
		t, ok := heads[s.Epoch]
		switch {
		case s.Author == Head && ok: // a disk that was full has it twice
		case s.Author == Head:
			head, past, err := parseHead(room, s.Data)
			t = savedHead{head, past}
			if err == nil && head.Brief.ID() == s.Epoch && (to.head == nil || to.head(s, t)) {
				heads[s.Epoch] = t
				return true
			}
			fallthrough
		case !ok: // who spoke in it was not saved: the disk was full
			if to.lost != nil {
				to.lost(s.Epoch)
			}
		case s.Author >= len(t.Authors):
		case s.Counter >= wordsMark:
			if to.words != nil {
				to.words(s)
			}
		case s.Rest:
			if to.rest != nil {
				to.rest(s, t)
			}
		case s.Counter == 0:
			if n, err := record.ParseName(s.Data); err == nil && t.Authors[s.Author].Working == n.Working {
				t.SetName(n)
				if to.named != nil {
					to.named(s)
				}
			}
		case to.noted != nil:
			if n, ok := parseNote(s.Note); ok {
				to.noted(s, n)
			}
		default:
			m, err := record.ParseLog(s.Data)
			if err == nil && m.Epoch == s.Epoch && t.List.Index(m.CID) == s.Author {
				return to.said(s, t, m)
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("reading back what was said: %w", err)
	}
	return nil
}

// parseHead takes the head of a transcript as it was saved; past tells that only
// the member that served it says anything of who was there.
func parseHead(room ake.Hash, data []byte) (head *record.Transcript, past bool, err error) {
	if len(data) == 0 || data[0] > 1 {
		return nil, false, fmt.Errorf("%w: head of a transcript", record.ErrForm)
	}
	head, err = record.ParseTranscript(room, data[1:])
	return head, data[0] == 1, err
}

// delivered is a message that was saved, as it is shown again.
func delivered(t savedHead, room ake.Hash, self peer.ID, s Saved, m *record.Signed) Delivered {
	author := t.author(s.Author)
	return Delivered{
		ID: m.ID(room), Author: author, Self: author.Peer == self, Message: m.Body, Epoch: s.Epoch,
		Received: s.At, Day: t.Brief.Period.Day(), History: true, Hearsay: t.past,
	}
}

// nameIn is what an author called themselves in an epoch.
func nameIn(t *record.Transcript, index int) string {
	if c := t.Authors[index]; c != nil {
		for _, n := range t.Names {
			if n.Working == c.Working {
				return n.Text
			}
		}
	}
	return ""
}
