package chat

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
)

// Take takes an event, and returns what is said of it. Texts in lines are clean, but for
// those of errors. It is long because it has a case for each event.
func (s *State) Take(e Event) []Line {
	if _, again := e.What.(Rejected); !again && !quiet(e.What) {
		s.rejection = ""
	}
	switch w := e.What.(type) {
	case room.EpochStarted:
		return s.epoch(w, e.At)
	case room.Departed:
		if s.Departed[w.Member.Peer] != Stays {
			return nil
		}
		if s.Departed[w.Member.Peer] = Leaves; w.Away {
			s.Departed[w.Member.Peer] = GoesAway
		}
		if len(s.Readers()) < 2 { // else the epoch without them says so
			return note("%s %s; nobody else is here", s.name(w.Member.Peer), either(w.Away, "went away", "left"))
		}
	case room.Renamed:
		return s.renamed(w.Member, e.At)
	case room.Delivered:
		return append(s.delivered(w, e.At), s.beside(w)...)
	case room.Changed:
		return s.changed(w)
	case room.Sent:
		return s.saidTo(w.To)
	case Answer:
		if to, ok := w.To.(To); ok {
			s.toldWhom(to.Expr)
		}
	case room.Held:
		why := "new keys are on their way"
		if w.Alone {
			why = "nobody else is here"
		}
		return one(Line{Kind: Mark, Text: fmt.Sprintf("%s; %s held", why, text.Plural(s.Held, "message"))})
	case room.Restored:
		return note("%s", s.restoredText(w.Messages, e.At))
	case room.Unsaid:
		return note("%s", s.unsaidText(w, e.At))
	case room.Absence:
		kind := Arrived
		if w.Missing || w.Lost {
			kind = Missing
		}
		return one(Line{Kind: kind, Text: s.absenceText(w, e.At)})
	case room.Gap:
		return s.gap(w)
	case room.Shortened:
		if !w.Before {
			// It was shown, and will be missing later: that is said now and then.
			if since := e.At.Sub(s.shortenedAt); since >= 0 && since < time.Hour {
				return nil
			}
			s.shortenedAt = e.At
		}
		return note("%s", s.ShortenedText(w, e.At))
	case room.Equivocated:
		s.learn(w.Author.Peer, fmt.Sprintf("sent two different messages as number %d under keys %x: %x and %x",
			w.Counter, w.Epoch[:2], w.IDs[0][:4], w.IDs[1][:4]))
		return alarm("%s sent two different messages as number %d; the first one stays", s.name(w.Author.Peer),
			w.Counter)
	case room.Cut:
		s.ignore(w.Member.Peer, w.On)
		return note("%s", s.cutText(w))
	case room.NoticeTaken:
		if w.Own {
			return nil // the end says so
		}
		return note("%s", s.noticeText(w))
	case room.LeftOut:
		return alarm("%s tried to leave %s out, %s: you go on as before", s.name(w.By.Peer), s.name(w.Member.Peer),
			text.Plural(w.Times, "time"))
	case room.Past:
		return s.before(w, e.At)
	case room.Proved:
		clear(s.refused)
		if !s.Joined() {
			return step("proof", "you and %s proved yourselves to each other in %d ms", s.name(w.Peer),
				w.Took.Milliseconds())
		}
	case room.Refused:
		if n := len(s.refused); !s.refused[w.Peer] && n < maxFactPeers {
			if s.refused[w.Peer] = true; n < maxRefused {
				return note("%s did not prove itself, or did not take your proof", s.name(w.Peer))
			}
		}
	case room.Failed:
		return warning(Warn, failed(w))
	case room.Asked:
		s.Questions = append(s.Questions, w)
		return one(Line{Kind: Question, Text: s.askedText(w)})
	case room.Attested:
		return s.attested(w, e.At)
	case room.OutsideQuestion:
		return s.askedOutside(w)
	case room.OutsideAnswer:
		return s.answeredOutside(w)
	case node.Bootstrapped:
		s.Unanswered, s.clockApart = nil, false
		s.answered[w.Address.String()] = true
		if !s.Joined() {
			return step("bootstrap", "%s, %d ms", Host(w.Address), w.Took.Milliseconds())
		}
	case node.BootstrapFailed:
		return s.bootstrapFailed(w)
	case node.RelayRefused:
		return warning(Warn, s.relayRefused(w))
	case node.NotSaving:
		return warning(Warn, savingError(w))
	default:
		return s.own(e)
	}
	return nil
}

// own takes an event of this package's own. It is as long as Take, for the same reason.
func (s *State) own(e Event) []Line {
	switch w := e.What.(type) {
	case Ready:
		s.Link = w.Link
		out := step("room", "%s, %s", cli.Clean(s.Name), room.Fingerprint(s.ID))
		for _, a := range w.Addresses {
			out = append(out, Line{Kind: Standing, Step: "address", Text: a.String()})
		}
		if !w.Joined {
			out = append(out, Line{Kind: Standing,
				Text: "nobody else is here yet; what you type is held until somebody can read it"})
		}
		return out
	case Bye:
		if w.Stays {
			return note("%s stays open in the background%s", cli.Clean(s.Name), waits(w.Kept))
		}
		if w.Kept > 0 {
			return note("you went away; %s to be sent when you are back", text.Plural(w.Kept, "message")+
				either(w.Kept == 1, " waits", " wait"))
		}
		switch {
		case w.NotForgotten != nil:
			return warning(Alarm, w.NotForgotten)
		case w.Forgot != "":
			return note("you left. %s", Forgot(s.Name, w.Forgot))
		}
		return note("you %s", either(w.Away, "went away", "left"))
	case Warning:
		if w.Calm {
			return warning(Calm, w.Err)
		}
		return warning(Warn, w.Err)
	case NotDone:
		return warning(Alarm, w.Err)
	case Rejected:
		// What is given up all at once is said once, and by what gave it up.
		// Others answer what somebody typed: each is said.
		again := w.Err.Code == s.rejection && (w.Err.Code == codeAlone || w.Err.Code == "busy")
		if again || w.Err.Code == codeUndelivered || w.Err.Code == codeDropped {
			return nil
		}
		s.rejection = w.Err.Code
		return warning(Alarm, w.Err)
	case Waiting:
		s.Held, s.Unsaid = w.N, w.Unsaid
	case StillAlone:
		s.alone = true
		return one(Line{Kind: Trying, Step: "room", Text: w.Text, Details: []string{
			"you are first, or the others are offline. To invite them: /link. What you type is held until somebody " +
				"can read it"}})
	case Snapshot:
		s.Snapshot = w
	case MemberState:
		if w.Suspect {
			return note("nothing is heard of %s", s.name(w.Member.Peer))
		}
		return note("%s is back", s.name(w.Member.Peer))
	case HealthChanged:
		s.Health = w.Shown
	case Fetching:
		return note("%s (%s) is asked for, and saved when it is here", FileName(w.File.Name),
			text.Size(int(w.File.Size)))
	case Saved:
		return note("%s is saved as %s", FileName(w.File.Name), cli.Clean(w.Path))
	case Pinged:
		return note("%s", s.pong(w.Path))
	case ProofAsked:
		return note("asked %s; they are asked to allow it", s.Named(w.Peer))
	case Ignored:
		s.ignore(w.Peer, w.On)
		if w.On {
			return note("nothing more of %s is shown; /unignore %s ends that", s.Named(w.Peer), s.Names.Tag(w.Peer))
		}
		return note("%s is shown again", s.Named(w.Peer))
	case Dropped:
		if w.N == 0 {
			return note("nothing is held")
		}
		return note("given up: %s", text.Plural(w.N, "message"))
	case SendingHeld:
		if w.N == 0 {
			return note("nothing waits for your word")
		}
		when := ", as soon as somebody can read"
		if len(s.Readers()) > 1 {
			when = ""
		}
		return note("%s out%s", text.Plural(w.N, "message")+either(w.N == 1, " goes", " go"), when)
	case Exported:
		return note("%s", w.Text())
	case SettingKept:
		if w.Name == "time" {
			if s.Clock = w.Value; !IsClock(s.Clock) {
				s.Clock = defaultClock
			}
		}
		return note("%s: %s; %s", w.Name, cli.Clean(w.Value), w.How)
	}
	return nil
}

// waits says how many messages of ours wait.
func waits(n int) string {
	if n == 0 {
		return ""
	}
	return "; " + text.Plural(n, "message") + either(n == 1, " waits", " wait") + " to be sent"
}

// quiet reports whether nothing is ever said of such an event.
func quiet(what any) bool {
	switch what.(type) {
	case Snapshot, Waiting, Kept, PathChanged, HealthChanged, LinkChanged, room.Reached, room.Sent,
		room.FileChanged, node.Connected:
		return true
	}
	return false
}

// maxRefused is of how many peers it is said that they refused us, since one did not.
const maxRefused = 3

// The codes of messages that were given up all at once.
const codeUndelivered, codeDropped = "undelivered", "dropped"

func one(l Line) []Line                   { return []Line{l} }
func note(format string, a ...any) []Line { return one(Line{Text: fmt.Sprintf(format, a...)}) }
func alarm(format string, a ...any) []Line {
	return one(Line{Kind: Alarm, Text: fmt.Sprintf(format, a...)})
}
func step(name, f string, a ...any) []Line {
	return one(Line{Kind: Step, Step: name, Text: fmt.Sprintf(f, a...)})
}
func warning(k Kind, err *cli.Error) []Line {
	return one(Line{k, "", err.Text, err.Details, err.Hints})
}

func (s *State) askedText(q room.Asked) string {
	return fmt.Sprintf("%s asks you to prove %s. They alone will learn that you hold it.", s.Named(q.Member.Peer),
		cli.Clean(q.Policy))
}

func (s *State) ignore(p peer.ID, on bool) {
	if s.Ignored[p] = on; !on {
		delete(s.Ignored, p)
	}
}

func (s *State) epoch(e room.EpochStarted, at time.Time) []Line {
	s.Started++
	var members []peer.ID
	for _, m := range e.Members {
		// Who is back has not said their name yet.
		s.Names.Take(m.Peer, cmp.Or(m.Name, s.Names.Nick(m.Peer)), at)
		members = append(members, m.Peer)
		if s.Here[m.Peer].IsZero() {
			s.Here[m.Peer] = at
		}
	}
	for _, m := range slices.Concat(e.Left, e.WentAway) {
		delete(s.Here, m.Peer)
	}
	s.Epoch, s.Since = e, at
	s.told, s.Departed = s.Departed, make(map[peer.ID]Leave)
	clear(s.refused)
	s.past[e.ID] = pastEpoch{members, ids(e.Away)}
	if s.order = append(s.order, e.ID); len(s.order) > maxEpochs {
		delete(s.past, s.order[0])
		s.order = s.order[1:]
	}
	var out []Line
	switch {
	case s.Started == 1:
		out = one(s.FirstLine(e.ID, members))
		whoCame := "you joined"
		// Of two who met, who waited was not kept from anything. The other's name may not be known yet.
		waited := s.alone && len(members) == 2
		if waited {
			whoCame = "somebody came"
		}
		joined := fmt.Sprintf("%s: %s; %s", EpochName(e.ID), whoCame, CanRead(len(members), len(e.Away)))
		switch {
		case e.WasAway:
			joined += ". What was said while you were away comes from those who have it."
		case s.History == 0 && !waited:
			joined += ". What was said before you came is not for you."
		}
		out = append(out, Line{Text: joined})
	case len(e.Joined) > 0 || len(e.Left) > 0 || len(e.WentAway) > 0:
		var c Changes
		c.Add(e)
		out = note("%s", s.ChangesText(&c))
	case e.Reason == room.ReasonRekey:
		out = note("%s: new keys; %s", EpochName(e.ID), CanRead(len(members), len(e.Away)))
	} // else it is nobody's doing: counted, and not told
	for _, id := range members {
		out = append(out, s.lookTwice(id)...)
	}
	return out
}

// FirstLine says who can read in this peer's first epoch.
func (s *State) FirstLine(id ake.Hash, members []peer.ID) Line {
	return Line{Kind: Step, Step: EpochName(id), Text: CanRead(len(members), 0) + ": " + s.List(members)}
}

func (s *State) renamed(m room.Member, at time.Time) []Line {
	before := s.name(m.Peer)
	if !s.Names.Take(m.Peer, m.Name, at) {
		return nil
	}
	if m.Peer == s.Self {
		return note("you are %s now", s.name(m.Peer))
	}
	return append(note("%s is %s now", before, s.name(m.Peer)), s.lookTwice(m.Peer)...)
}

func (s *State) delivered(d room.Delivered, at time.Time) []Line {
	if d.Self {
		return nil
	}
	switch {
	case d.Hearsay:
		s.Names.Hear(d.Author.Peer, d.Author.Name, at)
	case !d.History || d.Author.Name != "":
		s.Names.Take(d.Author.Peer, d.Author.Name, at)
	}
	if d.History {
		return nil
	}
	return s.lookTwice(d.Author.Peer)
}

// lookTwice says once when a name looks like another's.
func (s *State) lookTwice(p peer.ID) []Line {
	first, like := s.Names.Like(p)
	name := s.Names.Nick(p)
	if !like || s.looked[p] == name {
		return nil
	}
	s.looked[p] = name
	who := s.name(first) + ", who was here first"
	if first == s.Self {
		who = "you"
	}
	return one(Line{Kind: Aside, Text: fmt.Sprintf("%s looks like %s. Another peer.", s.name(p), who)})
}

func (s *State) gap(g room.Gap) []Line {
	n := int(min(g.Last-g.First+1, 1<<30))
	is, was, has := "are", "were", "have"
	if n == 1 {
		is, was, has = "is", "was", "has"
	}
	messages := fmt.Sprintf("%s of %s", text.Plural(n, "message"), s.name(g.Author.Peer))
	if g.Filled {
		return one(Line{Kind: Arrived, Text: fmt.Sprintf("%s %s missing here, and %s arrived", messages, was, has)})
	}
	return one(Line{Kind: Missing, Text: fmt.Sprintf("%s %s missing here; fetching", messages, is)})
}

// ShortenedText says what is not kept any more.
func (s *State) ShortenedText(w room.Shortened, now time.Time) string {
	are, when := "are", ""
	if w.Count == 1 {
		are = "is"
	}
	switch {
	case !w.Since.IsZero() && w.Until.After(w.Since):
		when = fmt.Sprintf(", %s to %s,", s.dayClock(w.Since, now), s.dayClock(w.Until, now))
	case !w.Until.IsZero():
		when = ", " + s.dayClock(w.Until, now) + ","
	}
	gone := fmt.Sprintf("%s of %s%s %s not kept any more", text.Plural(w.Count, "message"),
		s.name(w.Author.Peer), when, are)
	if w.Before {
		return gone + ": more was said than is kept of this room"
	}
	return fmt.Sprintf("what is kept of this room has reached %s: %s", text.Size(int(s.Status.Keep)), gone)
}

func (s *State) before(p room.Past, at time.Time) []Line {
	if !p.Over || p.Count == 0 {
		return nil
	}
	from := "kept here"
	if p.By != "" {
		from = "told by " + s.name(p.By)
	}
	return note("above: %s from %s, since %s, %s", text.Plural(p.Count, "message"),
		either(p.Away, "while you were away", "before"), s.dayClock(p.Oldest, at), from)
}

func (s *State) attested(a room.Attested, at time.Time) []Line {
	who, policy := s.Named(a.Member.Peer), cli.Clean(a.Policy)
	if a.Given {
		s.questionOver = at
		s.Questions = slices.DeleteFunc(s.Questions, func(q room.Asked) bool { return q.Member.Peer == a.Member.Peer })
	}
	switch {
	case a.Given && a.OK:
		return note("you proved %s to %s alone", policy, who)
	case a.Given:
		return note("you did not prove %s to %s: %s", policy, who, a.Reason)
	case a.OK:
		proved := fmt.Sprintf("proved %s of %s to you", policy, cli.Clean(s.Domain))
		s.learn(a.Member.Peer, proved+" at "+s.clock(at))
		s.noteProof(a.Policy, a.Member.Peer)
		return note("%s %s. You cannot prove it to others.", who, proved)
	}
	return note("%s did not prove it", who)
}

// bootstrapFailed: most often the others are merely offline.
func (s *State) bootstrapFailed(e node.BootstrapFailed) []Line {
	s.Unanswered = nil
	for i, a := range e.Addresses {
		text, _ := Dialled(e.Errors[i])
		s.Unanswered = append(s.Unanswered, cli.Clean(a.String())+"   "+text)
	}
	err := bootstrapError(e)
	s.clockApart = err.Code == "clock"
	if err.Code == codeWrongPeer || s.clockApart {
		return warning(Warn, err)
	}
	return warning(Calm, err)
}

// Named is a peer with its tag.
func (s *State) Named(p peer.ID) string {
	if nick := s.Names.Nick(p); nick != "" {
		return cli.Clean(nick) + " " + s.Names.Tag(p)
	}
	return s.Names.Tag(p)
}

func (s *State) name(p peer.ID) string { return s.Names.Show(p) }

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}
