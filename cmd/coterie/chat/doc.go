// Package chat is an open room, behind every way of showing it: what is known of it, what
// its user can want, what happens in it, and the words for all of that. Faces (plain lines,
// JSON lines, the terminal, the control socket) draw what they are told and pass on what is
// typed. They decide nothing.
//
//	events.go    what happens: an Event has its room, its time, and what it is
//	commands.go  what the user can want, and how that is typed after a slash
//	state.go     State: what is known of a room
//	take.go      State.Take: what an event changes, and the words for it
//	words.go     epochs, paths, names
//	answers.go   what /who, /info, /status, /whois and /help say
//	view.go      how a room stands, for a face that shows it all the time
//	errors.go    what went wrong, for people
//	room.go      Room: the goroutine that takes events and commands
//	obey.go      doing what the user wants
//	visit.go     .. for one of several faces
//	again.go     events by which another State knows what one does
//	wire.go      events and commands on their way to another process
//	outbox.go    what was typed, until it is sent or given up
//	watch.go     health, paths and silence, from one look to the next
//	namesakes.go other rooms of the same name
//	history.go   what was said, read back and searched
//	log.go       the log: no texts, no keys, no names
//
// A State changes by events alone. So whoever gets a room's events, in this process or
// behind a socket, can have one of its own and knows what the room's goroutine knows.
package chat
