package demo

import (
	"context"
	"time"

	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// What ann and prof say, one line each for every line of yours.
var sayings = map[string][]string{
	"ann": {
		"hi! prof and I read that, and nobody else does",
		"try /who: it lists everybody who can read",
		"mallory's key is from the same domain, but it does not satisfy the policy",
		"when you /quit, the two of us make new keys without you",
	},
	"prof": {
		"my key says Professor; yours says something else. Nobody here can see which",
		"the relay between us carries this and cannot read it",
		"/prove prof Professor asks me, and shows you alone",
		"/to Professor and some words: I read them, and ann sees that there are some",
	},
}

// You is the user's part: a node, and a key that lets it in.
func (st *Stage) You() (*node.Node, *abe.Key, *room.Descriptor) {
	return st.players["you"].Node, st.keys["you"], st.desc
}

// TakeOver leaves the stage to the user: ann and prof answer what they say. The events are the
// node's: first the one that tells who is there, then all that come. ended tells when it is
// over.
func (st *Stage) TakeOver() (events <-chan node.Event, ended <-chan error) {
	for _, name := range []string{"ann", "prof"} {
		st.script(name)
	}
	return st.players["you"].handOver()
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

// script lets a player answer whatever you say, and allow what it is asked.
func (st *Stage) script(name string) {
	p, you := st.players[name], st.players["you"].Self()
	said := 0
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = func(e node.Event) {
		switch e := e.(type) {
		case room.Delivered:
			if lines := sayings[name]; e.Author.Peer == you && said < len(lines) {
				text := lines[said]
				said++
				go p.Send(nil, record.KindText, text)
			}
		case room.Asked:
			go p.Answer(e.ID, true)
		case room.EpochStarted:
			// The others wait for the epoch without you.
			p.mu.Lock()
			p.events = append(p.events, e)
			close(p.news)
			p.news = make(chan struct{})
			p.mu.Unlock()
		}
	}
}
