package room

import (
	"slices"
	"strings"

	"coterie/crypto/ake"
)

// A memJournal is a disk: it outlives the process.
type memJournal struct {
	named  map[string]Saved
	order  []Saved
	reads  int
	loads  int   // of all that was said
	given  int   // messages that were read
	failed error // what every call returns
}

func (j *memJournal) save(all []Saved) {
	for _, s := range all {
		s.Data = slices.Clone(s.Data)
		if s.Name != "" {
			if j.named == nil {
				j.named = make(map[string]Saved)
			}
			if j.named[s.Name] = s; len(s.Data) == 0 {
				delete(j.named, s.Name)
			}
			continue
		}
		if s.Rest {
			j.order = slices.DeleteFunc(j.order, func(o Saved) bool {
				return o.Epoch == s.Epoch && o.Author == s.Author && o.Counter > 0 && o.Counter <= s.Counter && !o.Rest
			})
		}
		j.order = append(j.order, s)
	}
}

func (j *memJournal) forget(ids []ake.Hash) {
	j.order = slices.DeleteFunc(j.order, func(s Saved) bool { return slices.Contains(ids, s.Epoch) })
}

func (j *memJournal) Load(yield func(Saved) bool) error {
	j.loads++
	for _, part := range [3]func(Saved) bool{
		func(s Saved) bool { return s.Author == Head },
		func(s Saved) bool { return s.Rest },
		func(s Saved) bool { return s.Author != Head && !s.Rest },
	} {
		for _, s := range j.order {
			if part(s) && !yield(s) {
				return j.failed
			}
		}
	}
	return j.failed
}

// Notes has no messages, so that whoever needs them has to read them.
func (j *memJournal) Notes(yield func(Saved) bool) error {
	for _, part := range [4]func(Saved) bool{
		func(s Saved) bool { return s.Author == Head },
		func(s Saved) bool { return s.Rest },
		func(s Saved) bool { return s.Author != Head && !s.Rest && s.Counter == 0 },
		func(s Saved) bool { return s.Author != Head && !s.Rest && s.Counter > 0 },
	} {
		for _, s := range j.order {
			if s.Author != Head && !s.Rest && s.Counter > 0 {
				s.Data = nil
			}
			if part(s) && !yield(s) {
				return j.failed
			}
		}
	}
	return j.failed
}

func (j *memJournal) Messages(epoch ake.Hash, author int, from, to uint64) (out []Saved, _ error) {
	j.reads++
	defer func() { j.given += len(out) }()
	for _, s := range j.order {
		if s.Epoch == epoch && s.Author == author && s.Counter > 0 && !s.Rest && s.Counter >= from && s.Counter <= to {
			out = append(out, s)
		}
	}
	return out, j.failed
}

func (j *memJournal) Named(prefix string) (out []Saved, err error) {
	for name, s := range j.named {
		if strings.HasPrefix(name, prefix) {
			out = append(out, s)
		}
	}
	return out, j.failed
}
