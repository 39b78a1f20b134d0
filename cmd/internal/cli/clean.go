package cli

import "coterie/cmd/internal/text"

// Clean makes text from elsewhere (a file name, a policy, an attribute, whatever
// a peer sent) fit to be printed on one line: it is text.Line without the flags.
func Clean(s string) string {
	clean, _ := text.Line(s)
	return clean
}
