package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

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
func (s *session) namesMe(said string) bool {
	nick := strings.ToLower(s.names.nick(s.node.Self()))
	if nick == "" {
		return false
	}
	said = strings.ToLower(said)
	for at := 0; ; {
		i := strings.Index(said[at:], nick)
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(said[:at+i])
		after, _ := utf8.DecodeRuneInString(said[at+i+len(nick):])
		if !wordRune(before) && !wordRune(after) {
			return true
		}
		at += i + len(nick)
	}
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r))
}
