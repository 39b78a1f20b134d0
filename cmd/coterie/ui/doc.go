// Package ui is the terminal interface of a room, as a model of bubbletea: what
// happens in the room and what is typed come as messages, and a screen comes
// out. It does no input or output: whatever leads outside goes through Backend.
//
//	ui.go         Config, Backend, Model
//	update.go     messages, to whom they go
//	events.go     what happens in the room, as lines
//	epoch.go      lines about epochs, runs of them joined
//	entry.go      a line of the log, as it is drawn
//	scroll.go     the log, and what of it is on the screen
//	view.go       the screen
//	members.go    the panel of members
//	panel.go      texts over the messages
//	answers.go    what commands show
//	keys.go       keys
//	editor.go     the input line
//	send.go       from the input line into the room
//	guard.go      what asks before it is sent: pastes, secrets
//	commands.go   slash commands
//	complete.go   Tab
//	search.go     Ctrl+F, Ctrl+R
//	unread.go     the mark, the title, notifications
//	style.go      characters and colours
//
// Text from others passes package text before it is kept, and is never cleaned
// again: bubbletea itself lets a carriage return write one line over another.
//
// A frame costs what is on the screen, however long the log is: wrapped lines are
// kept with the entry they are of, for one width.
package ui
