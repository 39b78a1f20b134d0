package demo

import (
	"context"
	"sync"
	"time"

	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// A hint is what ann or prof says of one thing to try. The next follows when the user has done it;
// if they do another thing, again is said.
type hint struct {
	who, text string
	try       deed
	again     string
}

type deed uint8

const (
	speak       deed = iota
	speakToSome      // with /to
	ask              // with /prove
)

var hints = []hint{
	{"ann", "Hi! Your key lets you in here: it says NTNU and 5th year. Nobody asked who you are. Type something, and " +
		"press Enter.", speak, ""},
	{"ann", "prof and I can read that, and nobody else. /who lists everybody who can read. Try it, and say something " +
		"more.", speak, ""},
	{"prof", "My key says Professor. Nobody here can see what yours says. Have me prove mine: /prove prof Professor",
		ask, "Type this, and press Enter: /prove prof Professor"},
	{"ann", "You alone saw that proof. Now say something for professors alone: /to Professor hello",
		speakToSome, "Type this, and press Enter: /to Professor hello"},
	{"prof", "I read it. ann saw only that you said something, and for whom.", speak, ""},
	{"ann", "That was all. A relay carries our words, and cannot read them. After your /quit we make new keys without " +
		"you.", speak, ""},
}

// You is the user's part: a node, and a key that lets it in.
func (st *Stage) You() (*node.Node, *abe.Key, *room.Descriptor) {
	return st.players["you"].Node, st.keys["you"], st.desc
}

// TakeOver leaves the stage to the user: ann and prof say what to try. The events are the node's:
// first the one that tells who is there, then all that come. ended tells when it is over.
func (st *Stage) TakeOver() (events <-chan node.Event, ended <-chan error) {
	events, ended = st.players["you"].handOver()
	st.script()
	return events, ended
}

// GoneOn waits until the others have gone on without the user. ok is false if they did not in
// time.
func (st *Stage) GoneOn() (epoch room.EpochStarted, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, err := st.without(ctx, st.players["you"].Self())
	return e, err == nil
}

// handOver passes the player's events on: first the epoch in force, then all that come.
func (p *player) handOver() (<-chan node.Event, <-chan error) {
	events, ended := make(chan node.Event, 1024), make(chan error, 1)
	p.mu.Lock()
	var last node.Event
	for _, e := range p.events {
		if e, ok := e.(room.EpochStarted); ok {
			last = e
		}
	}
	if last != nil {
		events <- last
	}
	p.tell = func(e node.Event) { events <- e }
	p.mu.Unlock()
	go func() {
		<-p.ended
		close(events)
		ended <- nil
	}()
	return events, ended
}

// script has ann and prof say the hints, and allow what they are asked.
func (st *Stage) script() {
	you := st.players["you"].Self()
	var mu sync.Mutex
	at := -1
	did := func(d deed) {
		mu.Lock()
		defer mu.Unlock()
		var h hint
		text := ""
		switch {
		case at < 0 || at+1 < len(hints) && d == hints[at].try:
			at++
			h = hints[at]
			text = h.text
		case at+1 < len(hints):
			h = hints[at]
			text = h.again
		}
		if text != "" {
			go st.players[h.who].Send(nil, record.KindText, text)
		}
	}
	for _, name := range []string{"ann", "prof"} {
		p := st.players[name]
		p.mu.Lock()
		p.tell = func(e node.Event) {
			switch e := e.(type) {
			case room.Delivered:
				switch {
				case name != "ann" || e.Author.Peer != you: // one of them is enough
				case e.To != "":
					did(speakToSome)
				default:
					did(speak)
				}
			case room.Asked:
				go p.Answer(e.ID, true)
				did(ask)
			case room.EpochStarted:
				// The others wait for the epoch without you.
				p.mu.Lock()
				p.events = append(p.events, e)
				close(p.news)
				p.news = make(chan struct{})
				p.mu.Unlock()
			}
		}
		p.mu.Unlock()
	}
	did(speak)
}
