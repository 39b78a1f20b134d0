// Package text is the border that text from elsewhere crosses before people see
// it: messages, names, policies, file names, errors of peers. Whoever shows text
// relies on what this package promises and checks nothing again.
//
//	clean.go       Clean, Line: harmless text, and what had to be done for it
//	runes.go       which characters are drawn as what they are
//	escape.go      Escape, ASCII: the same text in fewer characters
//	wrap.go        lines of at most so many cells
//	amounts.go     numbers, sizes and times
//
// Harmless means: no control character but a line feed, nothing that reorders
// (but letters that are written from right to left), nothing invisible, at most
// four marks on a letter, and exactly as many cells as Width says, so that text
// can neither leave its place nor look like another's.
package text
