package abe

import (
	"fmt"
	"strconv"
	"strings"
)

// parser is recursive descent over PROTOCOL.md §2.1:
//
//	policy = or
//	or     = and { "or" and }
//	and    = term { "and" term }
//	term   = "(" or ")" | K "of" "(" or { "," or } ")" | name [ comparison value ]
type parser struct {
	source string
	tokens []token
	at     int
	parens int
}

func parse(source string) (*node, error) {
	if len(source) > maxSource {
		return nil, newSyntaxError(source, 0, 0,
			fmt.Sprintf("%s bytes are too long; the limit is %s", commas(uint64(len(source))), commas(maxSource)), "")
	}
	if strings.TrimSpace(source) == "" {
		return nil, newSyntaxError(source, 0, 0, "the policy is empty", `for example:  NTNU and "5th year"`)
	}
	p := &parser{source: source, tokens: lex(source)}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokenEnd {
		return nil, p.unexpected(`"and", "or" or the end`)
	}
	return n, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

// next takes a token. The last one stays: nothing follows it.
func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

// after is the token that follows the next one.
func (p *parser) after() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) fail(from, to token, msg, hint string) error {
	return newSyntaxError(p.source, from.from, to.to, msg, hint)
}

func (p *parser) unexpected(expected string) error {
	t := p.peek()
	if t.kind == tokenBad {
		return t.err
	}
	return p.fail(t, t, "expected "+expected+", found "+t.describe(), "")
}

func (p *parser) or() (*node, error) {
	return p.junction(opOr, func() (*node, error) { return p.junction(opAnd, p.term) })
}

func (p *parser) junction(o op, part func() (*node, error)) (*node, error) {
	keyword := "and"
	if o == opOr {
		keyword = "or"
	}
	var kids []*node
	for {
		kid, err := part()
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
		if !p.peek().keyword(keyword) {
			return join(o, kids), nil
		}
		p.next()
	}
}

func (p *parser) term() (*node, error) {
	t := p.peek()
	switch {
	case t.is("("):
		p.next()
		return p.inParens(t, `"and", "or" or ")"`, p.or)
	case t.number() && p.after().keyword("of"):
		return p.threshold()
	case t.keyword("not"):
		return nil, p.fail(t, t, `"not" does not exist; a bare attribute cannot be denied`, denied)
	case t.number() && p.after().is("("):
		return nil, p.fail(t, t, `expected "of" after `+clip(t.text), "write: "+clip(t.text)+" of (")
	case t.kind == tokenQuoted, t.plainWord():
		return p.attribute()
	}
	return nil, p.unexpected(`a name or "("`)
}

// inParens parses what stands between an opening parenthesis, already taken,
// and its closing one.
func (p *parser) inParens(open token, expected string, inner func() (*node, error)) (*node, error) {
	if p.parens++; p.parens > maxParens {
		return nil, p.fail(open, open, fmt.Sprintf("nested too deeply; the limit is %d", maxNesting), "")
	}
	n, err := inner()
	if err != nil {
		return nil, err
	}
	if !p.peek().is(")") {
		return nil, p.unexpected(expected)
	}
	p.next()
	p.parens--
	return n, nil
}

func (p *parser) threshold() (*node, error) {
	number, of := p.next(), p.next()
	k, err := p.integer(number)
	if err != nil {
		return nil, err
	}
	open := p.peek()
	if !open.is("(") {
		return nil, p.unexpected(`"("`)
	}
	p.next()
	n := &node{op: opOf, from: number.from, to: of.to}
	_, err = p.inParens(open, `"and", "or", "," or ")"`, func() (*node, error) {
		for {
			kid, err := p.or()
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
			if !p.peek().is(",") {
				return n, nil
			}
			p.next()
		}
	})
	if err != nil {
		return nil, err
	}
	switch {
	case k == 0:
		return nil, p.fail(number, number, "0 of anything is always satisfied", "write a number from 1")
	case uint64(k) > uint64(len(n.kids)):
		return nil, p.fail(number, number, fmt.Sprintf("%d of %d can never be satisfied", k, len(n.kids)), "")
	}
	n.k = int(k)
	return n, nil
}

var comparisons = map[string]comparison{"=": equal, "!=": unequal, "<": less, "<=": atMost, ">": greater, ">=": atLeast}

func (p *parser) attribute() (*node, error) {
	name := p.next()
	if err := p.spaceless(name); err != nil {
		return nil, err
	}
	if name.number() {
		return nil, p.fail(name, name, clip(name.text)+" is a number, not a name", "as a name it needs quotes: "+
			quote(clip(name.text)))
	}
	mark := p.peek()
	c, ok := comparisons[mark.text]
	if mark.kind != tokenMark || !ok {
		if name.text == generation {
			return nil, p.fail(name, name, "generation is reserved and needs a number", "write: generation = 2")
		}
		return &node{leaf: leaf{name: name.text}, from: name.from, to: name.to}, nil
	}
	p.next()
	value := p.peek()
	if value.kind != tokenQuoted && !value.plainWord() {
		return nil, p.unexpected("a value")
	}
	p.next()
	if err := p.spaceless(value); err != nil {
		return nil, err
	}
	if value.number() {
		if _, err := p.integer(value); err != nil {
			return nil, err
		}
	}
	number, isNumber := integer(value.text)
	l := leaf{name: name.text, comparison: c, value: value.text, number: number}
	switch {
	case c == equal || c == unequal:
		if l.name == generation && !isNumber {
			return nil, p.fail(value, value, value.describe()+" is not a number", "write: generation = 2")
		}
	case l.name == generation:
		return nil, p.fail(mark, mark, "generation can only be compared with = and !=", "write: generation = "+
			clip(value.text))
	case !isNumber:
		return nil, p.fail(value, value, value.describe()+" is not a number", mark.text+
			" compares numbers; texts have = and !=")
	case c == less && number == 0:
		return nil, p.fail(name, value, "no number is less than 0", "")
	case c == greater && number == maxInteger:
		return nil, p.fail(name, value, fmt.Sprintf("no number is greater than %d", uint32(maxInteger)), "")
	}
	return &node{leaf: l, from: name.from, to: value.to}, nil
}

// integer reads an unquoted number.
func (p *parser) integer(t token) (uint32, error) {
	if n, ok := integer(t.text); ok {
		return n, nil
	}
	for _, c := range t.text {
		if c > '9' {
			return 0, p.fail(t, t, "a number has the digits 0 to 9", "as a text it needs quotes: "+quote(clip(t.text)))
		}
	}
	if short := strings.TrimLeft(t.text, "0"); len(short) < len(t.text) {
		if short == "" {
			short = "0"
		}
		return 0, p.fail(t, t, clip(t.text)+" has a leading zero", "write: "+clip(short)+"   or, for a text: "+
			quote(clip(t.text)))
	}
	return 0, p.fail(t, t, clip(t.text)+" is too large (largest "+strconv.FormatUint(maxInteger, 10)+")", "")
}

// spaceless reports words that stand side by side, of which t was the first: a
// name with a space that lacks its quotes.
func (p *parser) spaceless(t token) error {
	if t.kind != tokenWord || !p.adjacentWord() {
		return nil
	}
	last, words := t, []string{t.text}
	for p.adjacentWord() {
		last = p.next()
		words = append(words, last.text)
	}
	const longestHint = 200
	hint := p.source[:t.from] + quote(strings.Join(words, " ")) + p.source[last.to:]
	for _, r := range hint {
		if !printable(r) {
			hint = ""
			break
		}
	}
	if len(hint) > longestHint {
		hint = ""
	}
	return p.fail(t, last, "a name with a space needs quotes", hint)
}

func (p *parser) adjacentWord() bool {
	t := p.peek()
	return t.plainWord() && !(t.number() && p.after().keyword("of"))
}
