package main

import (
	"coterie/cmd/internal/text"
	"coterie/room"
)

// flagsOf says what is odd in a message: names for programs. The text itself is
// passed on as it came.
func (s *session) flagsOf(e room.Delivered) []string {
	_, flags := text.Clean(e.Message.Text)
	if _, like := s.names.Like(e.Author.Peer); like {
		flags |= text.Confusable
	}
	if names := flags.Names(); names != nil {
		return names
	}
	return []string{}
}

// namesMe reports whether a text has one's own name in it, as a word.
func (s *session) namesMe(said string) bool { return s.names.InText(s.node.Self(), said) }
