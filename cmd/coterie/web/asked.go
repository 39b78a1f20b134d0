package web

import (
	"reflect"

	"coterie/cmd/coterie/chat"
)

// maxAsked is how many questions of pages are waited for; of more the newest.
const maxAsked = 64

// maxPageName is how long the name is that a page has given itself.
const maxPageName = 64

// An asked is a command that a page gave. All pages share a visit, so the room does not know which one did.
type asked struct {
	c    chat.Command
	page string
}

// asks notes who gives a command, before that can be answered.
func (r *room) asks(c chat.Command, page string) {
	switch c.(type) {
	case chat.Say, chat.Search:
		return // all are told of it; it names the page
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked = append(r.asked, asked{c, page}); len(r.asked) > maxAsked {
		r.asked = append([]asked(nil), r.asked[1:]...)
	}
}

// asker is the page that gave a command which is answered now; empty: that is not known. It is the last
// one that gave this, or else another of its kind: what was refused has no answer, and stays. The caller
// has the lock.
func (r *room) asker(c chat.Command) string {
	found := -1
	for i := len(r.asked) - 1; i >= 0; i-- {
		if reflect.DeepEqual(r.asked[i].c, c) {
			found = i
			break
		}
		if found < 0 && reflect.TypeOf(r.asked[i].c) == reflect.TypeOf(c) {
			found = i
		}
	}
	if found < 0 {
		return ""
	}
	page := r.asked[found].page
	r.asked = append(r.asked[:found], r.asked[found+1:]...)
	return page
}
