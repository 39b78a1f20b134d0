// Package ui is the terminal's face of an open room. Its Model, of bubbletea, gets what happens
// in the room and what is typed as messages, and a screen comes out. What it knows of the room
// is a chat.State of its own, and the words are those of package chat. The model does no input
// or output: whatever leads outside goes through Backend, which is Program.
//
//	ui.go         Config, Backend, Model
//	program.go    Program: the models on a terminal
//	rooms.go      several rooms on one screen
//	update.go     messages, to whom they go
//	events.go     what happens in the room, as lines
//	epoch.go      lines about epochs, runs of them joined
//	entry.go      a line of the log, as it is drawn
//	scroll.go     the log, and what of it is on the screen
//	view.go       the screen
//	members.go    the panel of members
//	panel.go      texts over the messages
//	answers.go    /readers and /help
//	keys.go       keys
//	editor.go     the input line
//	send.go       from the input line into the room
//	guard.go      what asks before it is sent: pastes, secrets
//	commands.go   slash commands
//	complete.go   Tab
//	search.go     Ctrl+F, Ctrl+R
//	disksearch.go what a search finds on the disk
//	unread.go     the mark, the title, notifications
//	setting.go    what settings do here
//	qr.go         QR codes
//	debug.go      the log as it runs
//	style.go      characters and colours
//	capabilities.go what a terminal can do
//
// Text from others passes package text before it is kept, and is never cleaned
// again: bubbletea itself lets a carriage return write one line over another.
//
// A frame costs what is on the screen, however long the log is: wrapped lines are
// kept with the entry they are of, for one width.
package ui
