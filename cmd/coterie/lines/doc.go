// Package lines shows an open room as lines, and reads lines: plain ones for people and for
// grep, or one JSON object each for programs. docs/INTERFACE.md specifies both.
//
//	plain.go   plain lines
//	json.go    events as JSON
//	object.go  an object that keeps the order of its fields
//	input.go   lines of input, as commands
package lines
