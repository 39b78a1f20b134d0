package chat

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/kms/words"
	"coterie/room"
	"coterie/room/record"
)

// Words for some: what is said to those alone whose key satisfies a policy.

// ParseTo reads what follows /to: a policy, and the words. A policy of several parts stands
// in parentheses, or in ' '. Without words it is asked whom they would be for.
func ParseTo(args string) Command {
	expr, said, bad := SplitTo(args)
	if bad == nil {
		_, bad = ToPolicy(expr, said)
	}
	switch {
	case bad != nil:
		return Bad{bad}
	case said == "":
		return To{expr}
	}
	return Say{Text: said, To: expr}
}

// StrayTo is the error for a message that was meant for some, and would be said to all for the
// blank before it.
func StrayTo(s string) *cli.Error {
	if said := strings.TrimSpace(s); said != s && (said == "/to" || strings.HasPrefix(said, "/to ")) {
		return cli.Fail("bad-input", "a blank stands before /to, so that all would read it; nothing was sent").
			Hint("take the blank away")
	}
	return nil
}

// SplitTo splits what follows /to. It does not guess: a policy that seems to go on in what
// would be the words is an error, since they would be read by others than were meant.
func SplitTo(args string) (expr, said string, bad *cli.Error) {
	end, depth, quoted := -1, 0, false
	if rest, ok := strings.CutPrefix(args, "'"); ok {
		expr, said, ok = strings.Cut(rest, "'")
		if !ok {
			return "", "", toUsage("the quote ' has no end")
		}
		if said != "" && said[0] != ' ' {
			return "", "", toUsage("a space is missing behind the policy")
		}
		return expr, strings.TrimSpace(said), nil
	}
	for i := 0; i < len(args) && end < 0; i++ {
		switch c := args[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case strings.IndexByte(" \t\r\n", c) >= 0 && depth == 0:
			end = i
		}
	}
	switch {
	case quoted:
		return "", "", toUsage(`the quote " has no end`)
	case depth != 0:
		return "", "", toUsage("a parenthesis of the policy has no other")
	case end < 0:
		return args, "", nil
	}
	expr, said = args[:end], strings.TrimSpace(args[end:])
	next, _, _ := strings.Cut(said, " ")
	if goesOn := []string{"and", "or", "of"}; slices.Contains(goesOn, strings.ToLower(next)) ||
		strings.IndexAny(next, "=<>!") == 0 || strings.TrimRight(expr, "=<>!") != expr {
		return "", "", cli.Fail("bad-input", "is %s the whole policy? The words begin with %s", cli.Clean(expr),
			cli.Clean(next)).
			Hint("put a policy of several parts in parentheses: /to (%s %s ...) WORDS", cli.Clean(expr), cli.Clean(next)).
			Hint("if these are the words: /to (%s) %s ...", cli.Clean(expr), cli.Clean(next))
	}
	return expr, said, nil
}

func toUsage(what string) *cli.Error {
	return cli.Fail("bad-input", "%s", what).Hint("/help to")
}

// ToPolicy is the policy of words for some. The error says why they cannot be said to it.
func ToPolicy(expr, said string) (*abe.Policy, *cli.Error) {
	policy, err := abe.ParsePolicy(expr)
	if err != nil {
		return nil, cli.Describe(err)
	}
	if err := room.CheckWords(policy, said); err != nil {
		return nil, wordsError(err, policy, said)
	}
	return policy, nil
}

func wordsError(err error, policy *abe.Policy, said string) *cli.Error {
	switch {
	case errors.Is(err, room.ErrWordsPolicy):
		return cli.Fail("to-policy", "this policy is too large to say something to it").
			Hint("at most %d parts and %d letters; a comparison of numbers counts as up to 32 parts",
				record.MaxWordsLeaves, record.MaxWordsPolicy).Because(err)
	case errors.Is(err, room.ErrTooLong):
		return cli.Fail("too-long", "the words have %s bytes; beside this policy there is room for %s",
			cli.Count(len(said)), cli.Count(record.MaxWords(policy))).Hint("split them, or say them to a shorter policy").
			Because(err)
	}
	return sendError(err, said)
}

// ToHead is how a name is shown before words for some: names have no quote and no
// comparison in them, and every policy has.
func ToHead(name string, d room.Delivered) string {
	if d.To == "" {
		return name
	}
	return name + " to " + cli.Clean(d.To)
}

// Closed is what stands in the place of words that cannot be read here, or not yet; "" for
// all others.
func Closed(d room.Delivered) string {
	switch d.Reading {
	case room.Unread:
		return "your key does not open it"
	case room.NotOpened:
		return "not opened yet"
	}
	return ""
}

// whom says whom words for some would be for, as far as anybody knows.
func (s *State) whom(policy *abe.Policy) []string {
	out := []string{fmt.Sprintf("for %s alone; all others here see that there is something, and for whom",
		cli.Clean(policy.String()))}
	attributes, err := abe.ParseAttributes(s.Attributes)
	if err == nil && !policy.Explain(attributes, s.Generation).Satisfied {
		out = append(out, "your own key does not satisfy it: what you say stays readable for you on this computer alone")
	}
	out = append(out, s.provedTo(policy.String()))
	return append(out, s.unknown(policy, attributes)...)
}

// provedTo says who here has proved a policy to this user.
func (s *State) provedTo(policy string) string {
	var ids []peer.ID
	others := 0
	for _, m := range s.Readers() {
		if m.Peer == s.Self {
			continue
		}
		others++
		if s.proved[policy][m.Peer] {
			ids = append(ids, m.Peer)
		}
	}
	if len(ids) == 0 {
		return "nobody here has proved it to you, so nobody knows who can read it; /prove WHO POLICY asks"
	}
	return fmt.Sprintf("%d of the %s here %s proved it to you: %s%s", len(ids), text.Plural(others, "other"),
		either(len(ids) == 1, "has", "have"), s.List(ids), either(len(ids) < others, "; of the rest nobody knows", ""))
}

// noteProof remembers who proved which policy, within bounds.
func (s *State) noteProof(policy string, p peer.ID) {
	of := s.proved[policy]
	switch {
	case of == nil && len(s.proved) < maxFacts:
		s.proved[policy] = map[peer.ID]bool{p: true}
	case of != nil && len(of) < maxFactPeers:
		of[p] = true
	}
}

// unknown asks about attributes that are neither in the room's policy nor in this key: they
// may be misspelt, and then nobody has them.
func (s *State) unknown(policy *abe.Policy, attributes []abe.Attribute) (out []string) {
	var known []string
	if p, err := abe.ParsePolicy(s.Policy); err == nil {
		for _, m := range p.Explain(nil, s.Generation).Missing {
			known = append(known, m.Attribute)
		}
	}
	for _, a := range attributes {
		known = append(known, s.leaf(a))
	}
	for _, m := range policy.Explain(attributes, s.Generation).Missing {
		if slices.Contains(known, m.Attribute) || !strings.HasPrefix(m.Attribute, `"`) {
			continue
		}
		line := fmt.Sprintf("%s is neither in the room's policy nor in your key; names are exact", cli.Clean(m.Attribute))
		if like := words.Near(m.Attribute, known, 1); len(like) > 0 {
			line += ": did you mean " + cli.Clean(like[0]) + "?"
		}
		out = append(out, line)
	}
	return out
}

// leaf is an attribute as a policy has it.
func (s *State) leaf(a abe.Attribute) string {
	if p, err := abe.ParsePolicy(a.String()); err == nil {
		return p.String()
	}
	return a.String()
}

// toldWhom notes that it was told whom words for a policy are for. It returns nil if it was
// told before.
func (s *State) toldWhom(expr string) *abe.Policy {
	p, err := abe.ParsePolicy(expr)
	if err != nil || s.toldTo[p.String()] {
		return nil
	}
	if len(s.toldTo) >= maxFactPeers {
		clear(s.toldTo)
	}
	s.toldTo[p.String()] = true
	return p
}

// saidTo tells whom words for some are for, once for each policy.
func (s *State) saidTo(policy string) []Line {
	if policy == "" {
		return nil
	}
	p := s.toldWhom(policy)
	if p == nil {
		return nil
	}
	var out []Line
	for _, l := range s.whom(p) {
		out = append(out, note("%s", l)...)
	}
	return out
}
