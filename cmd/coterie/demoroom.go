package main

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// What ann and prof say, one line each for every line of yours.
var demoLines = map[string][]string{
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
	},
}

// demoRoom leaves the stage to the user: ann and prof answer what they type.
func (a *app) demoRoom(st *stage, _ demoOut) error {
	plain, err := lines.NewPlain(a.stdout, a.stderr, a.now, "short")
	if err != nil {
		return err
	}
	var out face = plain
	if a.onTerminal() {
		out = &terminal{Plain: plain, app: a}
	}
	fmt.Fprintln(a.stdout)
	cli.Print(a.stdout, "Opening the room. Type something; ann and prof answer. /who says who can read. /quit ends it.", "")
	fmt.Fprintln(a.stdout)
	you := st.players["you"]
	key := st.keys["you"]
	p := &plan{
		key: key, nick: demoNick, descriptor: st.desc, hold: 10 * time.Minute, kept: make(profile.Values),
		through: st.desc.Policy.Explain(key.Attributes(), key.Generation()).Through,
		flags:   joinFlags{linger: time.Second},
	}
	r := a.newRoom(p, you.Node, nil, nil, out)
	for _, name := range []string{"ann", "prof"} {
		st.script(name)
	}
	events, ended := you.handOver(r)
	if err := a.attend(context.Background(), r, p, bufio.NewReaderSize(a.stdin, lines.MaxLine), out, events, ended); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if e, err := st.without(ctx, you.Self()); err == nil {
		cli.Print(a.stdout, fmt.Sprintf("You left; ann and prof made epoch %x without you, so you could not read on even with your key.", e.ID[:2]), "")
	}
	fmt.Fprint(a.stdout, "For real:   kms init MYDOMAIN        make keys             (docs/OPERATOR.md)\n            coterie request          ask somebody for one  (docs/MEMBER.md)\n")
	return nil
}

// handOver lets a room have the player's events: first those that tell who
// is there, then all that come.
func (p *player) handOver(r *chat.Room) (<-chan node.Event, <-chan error) {
	events, ended := make(chan node.Event, 1024), make(chan error, 1)
	p.mu.Lock()
	var last node.Event
	for _, e := range p.events {
		if e, ok := e.(room.EpochStarted); ok {
			last = e
		}
	}
	if last != nil {
		events <- last // the one in force is shown
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
func (st *stage) script(name string) {
	p, you := st.players[name], st.players["you"].Self()
	said := 0
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = func(e node.Event) {
		switch e := e.(type) {
		case room.Delivered:
			if lines := demoLines[name]; e.Author.Peer == you && said < len(lines) {
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
