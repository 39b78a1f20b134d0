package abe

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted
	tokenMark // ( ) , and the comparisons
	tokenBad  // ends the list; err says why
)

type token struct {
	kind     tokenKind
	text     string // words and quoted names after NFC
	from, to int    // bytes of the source
	err      *SyntaxError
}

func (t token) is(mark string) bool    { return t.kind == tokenMark && t.text == mark }
func (t token) keyword(kw string) bool { return t.kind == tokenWord && isKeyword(t.text, kw) }
func (t token) number() bool           { return t.kind == tokenWord && allDigits(t.text) }
func (t token) plainWord() bool        { return t.kind == tokenWord && !isAnyKeyword(t.text) }
func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenQuoted:
		return `the name ` + quote(clip(t.text))
	}
	return `"` + clip(t.text) + `"`
}

const denied = `use a named one:  dept != "Physics"`

// misspelt are marks of other languages, longest first, and what to write here.
var misspelt = []struct{ mark, hint string }{
	{"&&", "write: and"}, {"||", "write: or"}, {"==", "write: ="}, {"=>", "write: >="}, {"=<", "write: <="},
	{"<>", "write: !="}, {"&", "write: and"}, {"|", "write: or"}, {"!", denied}, {"≥", "write: >="}, {"≤", "write: <="},
	{"≠", "write: !="}, {";", "write: ,"}, {":", "write: ="}, {"'", `write: "`}, {"“", `write: "`}, {"”", `write: "`},
	{"‘", `write: "`}, {"’", `write: "`}, {"«", `write: "`}, {"»", `write: "`}, {"[", "write: ("}, {"]", "write: )"},
	{"{", "write: ("}, {"}", "write: )"},
}

var marks = []string{"!=", "<=", ">=", "<", ">", "=", "(", ")", ","}

// lex cuts a source into tokens. The last is tokenEnd or tokenBad, so that the
// parser reports whichever error stands first. It is long because a token can begin in many ways, and
// is one loop because each way goes on where the one before ended.
func lex(source string) []token {
	var ts []token
	bad := func(from, to int, msg, hint string) []token {
		return append(ts, token{kind: tokenBad, from: from, to: to, err: newSyntaxError(source, from, to, msg, hint)})
	}
next:
	for at := 0; ; {
		rest := source[at:]
		if rest == "" {
			return append(ts, token{kind: tokenEnd, from: at, to: at})
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			at += size
			continue
		case r == '"':
			text, n, msg := unquote(rest)
			if msg != "" {
				return bad(at, at+n, msg, "")
			}
			name, err := checkName(text)
			if err != nil {
				return bad(at, at+n, err.Error(), "")
			}
			ts = append(ts, token{kind: tokenQuoted, text: name, from: at, to: at + n})
			at += n
			continue
		case r == utf8.RuneError && size == 1:
			return bad(at, at+1, "not valid UTF-8", "")
		case bareRune(r):
			n := 0
			for n < len(rest) {
				r, size := utf8.DecodeRuneInString(rest[n:])
				if !bareRune(r) {
					break
				}
				n += size
			}
			word, err := checkName(rest[:n])
			if err != nil {
				return bad(at, at+n, err.Error(), "")
			}
			ts = append(ts, token{kind: tokenWord, text: word, from: at, to: at + n})
			at += n
			continue
		}
		wrong := func(m, hint string) []token {
			return bad(at, at+len(m), "'"+m+"' is not a word here", hint)
		}
		for _, m := range misspelt {
			if strings.HasPrefix(rest, m.mark) && !strings.HasPrefix(rest, "!=") {
				return wrong(m.mark, m.hint)
			}
		}
		for _, m := range marks {
			if strings.HasPrefix(rest, m) {
				ts = append(ts, token{kind: tokenMark, text: m, from: at, to: at + len(m)})
				at += len(m)
				continue next
			}
		}
		if !printable(r) {
			return bad(at, at+size, fmt.Sprintf("the character %U cannot be used", r), "")
		}
		return wrong(string(r), "a name with such a character needs quotes")
	}
}

// unquote reads the quoted name at the start of s: its text, its length in s
// including the quotes, and what is wrong, if anything.
func unquote(s string) (text string, n int, msg string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), i + 1, ""
		case '\n':
			return "", i, "the quote is not closed on its line"
		case '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", min(i+1, len(s)), `after \ comes " or \ in a quoted name`
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", len(s), "the quote is not closed"
}
