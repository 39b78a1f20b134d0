package chat

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// What is said about a message: a reply, a reaction, new words, or that it is withdrawn.
// Which message that is, people say by a number, or by who said it; programs by its id.

// Recent says which messages there are, and by which numbers they go.
type Recent struct{ Count int }

const (
	// recentCount is of how many it says so, and maxRecent of how many at most.
	recentCount, maxRecent = 10, 500
	// quoteCells is how much of a message is quoted on a line.
	quoteCells = 60
)

// about is a command that is about a message, as it is typed.
func about(kind byte) func(string) Command {
	return func(args string) Command { return Say{About: kind, Text: args, Typed: true} }
}

func parseRecent(args string) Command {
	n, err := strconv.Atoi(args)
	if args == "" {
		n, err = recentCount, nil
	}
	if err != nil || n < 1 {
		return Bad{cli.Fail("bad-input", "usage: /recent [N]").Hint("/help recent")}
	}
	return Recent{min(n, maxRecent)}
}

func (c Recent) do(r visit) {
	a := Answer{To: c, Title: "recent messages"}
	for i := max(len(r.seen)-c.Count, 0); i < len(r.seen); i++ {
		d := r.seen[i]
		line := fmt.Sprintf("#%d %s: %s", r.seenGone+i+1, ToHead(r.state.name(d.Author.Peer), d), inShort(d.Message.Text))
		closed := Closed(d)
		if d.Withdrawn {
			closed = "withdrawn"
		}
		if closed != "" {
			line = fmt.Sprintf("#%d %s (%s)", r.seenGone+i+1, ToHead(r.state.name(d.Author.Peer), d), closed)
		}
		a.Lines = append(a.Lines, line)
	}
	if len(a.Lines) == 0 {
		a.Lines = []string{"Nothing was said yet."}
	}
	r.show(a)
}

// inShort is the beginning of a text, on one line.
func inShort(s string) string {
	return text.Truncate(cli.Clean(strings.Join(strings.Fields(s), " ")), quoteCells, text.ByRune)
}

// verb is the command for a kind, as it is typed.
func verb(kind byte) string {
	switch kind {
	case record.KindReply:
		return "/reply"
	case record.KindReaction:
		return "/react"
	case record.KindEdit:
		return "/edit"
	}
	return "/withdraw"
}

// target is the message that something is about, and the words.
func (r *Room) target(c Say) (id ake.Hash, words string, bad *cli.Error) {
	if c.Typed {
		return r.typedTarget(c)
	}
	b, err := hex.DecodeString(c.Which)
	if err != nil || len(b) != len(id) {
		return id, "", cli.Fail("bad-input", "the id of a message has 64 hexadecimal digits")
	}
	return ake.Hash(b), c.Text, nil
}

// typedTarget is target of what somebody typed: a number, a name or neither, and then the words.
func (r *Room) typedTarget(c Say) (id ake.Hash, words string, bad *cli.Error) {
	words = c.Text
	if c.Back {
		words = ""
	}
	first, rest, _ := strings.Cut(c.Text, " ")
	own := c.About == record.KindEdit || c.About == record.KindWithdrawal
	number, isNumber := strings.CutPrefix(first, "#")
	n, err := strconv.Atoi(number)
	var of func(room.Delivered) bool
	switch {
	case c.About == record.KindReaction && !c.Back && (c.Text == "" || isNumber && err == nil && rest == ""):
		return id, "", cli.Fail("bad-input", "usage: /react [WHICH] EMOJI").Hint("/unreact takes a reaction back")
	case isNumber && err == nil:
		i := n - r.seenGone - 1
		if i < 0 || i >= len(r.seen) {
			return id, "", cli.Fail("no-message", "there is no message #%d", n).Hint("/recent says which there are")
		}
		return r.seen[i].ID, strings.TrimSpace(rest), r.wordless(c.About, rest)
	case own && len(r.box.waiting) > 0:
		return id, "", cli.Fail("not-sent", "what you said last is not sent yet, and nobody has read it").
			Hint("/drop gives up what waits; /held shows it; #N, as /recent has it, is an earlier message")
	case own:
		of = func(d room.Delivered) bool { return d.Self && !d.Withdrawn }
	case c.About == record.KindReaction && (c.Text == "" || rest == "" && !c.Back):
		of = func(d room.Delivered) bool { return !d.Self && !d.Withdrawn }
	default:
		p, rest, bad := r.state.Whom(c.Text, true)
		if bad != nil {
			return id, "", bad.Hint("or the number of a message, such as #12; /recent says which there are")
		}
		rest = lastFields(c.Text, len(strings.Fields(rest)))
		if bad := r.wordless(c.About, rest); bad != nil {
			return id, "", bad
		}
		if c.Back && rest != "" {
			return id, "", cli.Fail("bad-input", "usage: /unreact [WHICH]").Hint("/help unreact")
		}
		words, of = rest, func(d room.Delivered) bool { return d.Author.Peer == p && !d.Withdrawn }
	}
	for i := len(r.seen) - 1; i >= 0; i-- {
		if of(r.seen[i]) {
			return r.seen[i].ID, words, r.wordless(c.About, words)
		}
	}
	return id, "", cli.Fail("no-message", "there is no such message here").Hint("/recent says which there are")
}

// lastFields are the last n words of a text, with what is between them as it is.
func lastFields(s string, n int) string {
	for skip := len(strings.Fields(s)) - n; skip > 0; skip-- {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		s = s[max(strings.IndexFunc(s+" ", unicode.IsSpace), 0):]
	}
	return strings.TrimSpace(s)
}

// wordless is what is wrong with words that are missing, or too many.
func (r *Room) wordless(kind byte, words string) *cli.Error {
	least, most := record.WordsAbout(kind)
	switch words = strings.TrimSpace(words); {
	case least > 0 && words == "":
		return cli.Fail("bad-input", "%s needs words", verb(kind)).Hint("/help %s", verb(kind)[1:])
	case most == 0 && words != "":
		return cli.Fail("bad-input", "/withdraw takes the number of a message of yours, or nothing").
			Hint("/recent says which there are")
	}
	return nil
}

// aboutError says why something about a message was not taken.
func aboutError(kind byte, err error, words string) *cli.Error {
	switch {
	case errors.Is(err, room.ErrNoTarget):
		return cli.Fail("no-message", "that message is not here").Hint("/recent says which there are").Because(err)
	case errors.Is(err, room.ErrTargetTo):
		return cli.Fail("for-some", "that was said to some alone, and %s tells all", either(kind == record.KindReaction,
			"a reaction", "this")).Hint(`/to "Professor" WORDS says something to some`).Because(err)
	case errors.Is(err, room.ErrTarget):
		return cli.Fail("bad-input", "%s is not for such a message", verb(kind)).Because(err)
	case errors.Is(err, room.ErrNotYours):
		return cli.Fail("not-yours", "somebody else said that").Hint("/edit and /withdraw are for what you said").Because(err)
	case errors.Is(err, room.ErrWithdrawn):
		return cli.Fail("withdrawn", "that message was withdrawn").Because(err)
	case errors.Is(err, room.ErrNoWordsLeft):
		return cli.Fail("bad-input", "there are no words in it").Because(err)
	case errors.Is(err, room.ErrTooLong):
		_, most := record.WordsAbout(kind)
		return cli.Fail("too-long", "it has %s bytes; the limit is %s", cli.Count(len(words)), cli.Count(most)).Because(err)
	}
	return sendError(err, words)
}

// Said is a quote on one line; its author's name comes first.
func (s *State) Said(q *room.Quote) string {
	who := either(q.Self, "you", s.name(q.Author.Peer))
	if q.Withdrawn {
		return who + " (withdrawn)"
	}
	return who + ": " + inShort(q.Text)
}

// QuoteLine says what a reply answers.
func (s *State) QuoteLine(d room.Delivered) string {
	who := either(d.Self, "you answer", s.name(d.Author.Peer)+" answers")
	if d.Quote == nil || s.Ignored[d.Quote.Author.Peer] {
		return who + " a message that is not here"
	}
	return who + " " + s.Said(d.Quote)
}

// Reacted is what a message's reactions are and whose, in the order in which they came.
func Reacted(all []room.Reaction) []ReactionCount {
	var out []ReactionCount
	at := make(map[string]int)
	for _, r := range all {
		clean := inShort(r.Text)
		i, ok := at[clean]
		if !ok {
			i = len(out)
			at[clean] = i
			out = append(out, ReactionCount{Text: clean})
		}
		out[i].By = append(out[i].By, r.By)
	}
	return out
}

// ReactionsText says who reacted how.
func (s *State) ReactionsText(all []room.Reaction) string {
	var parts []string
	for _, c := range Reacted(all) {
		parts = append(parts, besideNames(c.Text)+" "+s.List(c.By))
	}
	return strings.Join(parts, "; ")
}

// besideNames is a reaction where names stand beside it: in quotes if there is anything in it that
// names or lists of them have. So it says of nobody else that they reacted.
func besideNames(clean string) string {
	if !strings.ContainsFunc(clean, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSpace(r) || strings.ContainsRune(`,;:~"`, r)
	}) {
		return clean
	}
	return `"` + strings.ReplaceAll(clean, `"`, "'") + `"`
}

// A ReactionCount is how many reacted alike.
type ReactionCount struct {
	Text string // clean
	By   []peer.ID
}

// changeSeen changes what was shown of a message, and where it is quoted: that is searched, and exported.
func (r *Room) changeSeen(c room.Changed) {
	for i := range r.seen {
		d := &r.seen[i]
		if d.ID == c.Target {
			d.Change(c)
		}
		if d.Quote != nil && d.ReplyTo == c.Target {
			of := c.Of // faces have the old one
			d.Quote = &of
		}
	}
}

// changed is what is said of a reaction and of a withdrawal. New words are shown as a
// message is.
func (s *State) changed(c room.Changed) []Line {
	who := either(c.Self, "you", s.name(c.By.Peer))
	switch {
	case c.Kind == record.KindEdit:
		return nil
	case c.Kind == record.KindWithdrawal:
		return below("%s withdrew the message of %s", who, s.dayClock(TimeOf(c.Of.Time), c.Received))
	case c.Text == "":
		return below("%s took back %s reaction to %s", who, either(c.Self, "your", "their"), s.Said(&c.Of))
	}
	return below("%s %s %s to %s", who, either(c.Self, "react", "reacts"), besideNames(inShort(c.Text)),
		s.Said(&c.Of))
}

func below(format string, a ...any) []Line {
	return one(Line{Kind: Below, Text: fmt.Sprintf(format, a...)})
}

// beside is what a message answers, how people reacted to it, and that it is what somebody
// answered before it came.
func (s *State) beside(d room.Delivered) (out []Line) {
	if d.ReplyTo != (ake.Hash{}) {
		out = one(Line{Kind: Above, Text: s.QuoteLine(d)})
		if d.Quote == nil {
			if len(s.unasked) >= maxFactPeers {
				clear(s.unasked)
			}
			s.unasked[d.ReplyTo] = d.Author.Peer
		}
	}
	if len(d.Reactions) > 0 {
		out = append(out, below("%s", s.ReactionsText(d.Reactions))...)
	}
	if p, ok := s.unasked[d.ID]; ok {
		delete(s.unasked, d.ID)
		out = append(out, below("that is what %s answered above", either(p == s.Self, "you", s.name(p)))...)
	}
	return out
}
