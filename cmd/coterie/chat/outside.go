package chat

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/room"
)

// Questions from outside: somebody without a key asks, and members answer.

// ParseReply reads what follows /answer: the question's number, and the words.
func ParseReply(args string) Command {
	number, said, _ := strings.Cut(args, " ")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || strings.TrimSpace(said) == "" {
		return Bad{cli.Fail("bad-input", "usage: /answer N WORDS").Hint("/questions lists the questions, with their numbers")}
	}
	return Reply{n, strings.TrimSpace(said)}
}

func (c Questions) do(r visit) {
	if !r.state.TakesQuestions {
		r.show(r.state.outside(c, nil, r.cfg.Now()))
		return
	}
	r.busy(func() {
		all, err := r.node.OutsideQuestions()
		if err != nil {
			r.report(err)
			return
		}
		r.post(func() { r.show(r.state.outside(c, all, r.cfg.Now())) })
	})
}

func (c Reply) do(r visit) {
	r.busy(func() { r.report(r.node.AnswerOutside(c.Number, c.Text)) })
}

// outside lists the questions from outside, and what was answered.
func (s *State) outside(c Questions, all []room.OutsideQuestion, now time.Time) Answer {
	a := Answer{To: c, Title: "questions from outside", Questions: all}
	for _, q := range all {
		a.Lines = append(a.Lines, fmt.Sprintf("%d  %s  %s%s   (taken by %s)", q.Number, s.dayClock(q.At, now),
			oneLine(q.Text), onlyFor(q.For), s.name(q.By.Peer)))
		for _, answer := range q.Answers {
			a.Lines = append(a.Lines, fmt.Sprintf("   %s  %s answered: %s", s.dayClock(answer.At, now),
				either(answer.Self, "you", s.name(answer.By.Peer)), oneLine(answer.Text)))
		}
	}
	switch {
	case !s.TakesQuestions:
		a.Lines = []string{"This room takes no questions from outside: it was made without --questions."}
	case len(all) == 0:
		a.Lines = []string{"Nobody outside has asked anything that your key opens. " +
			"Whoever has the link and the domain's file can: coterie ask LINK 'WORDS' --domain FILE"}
	}
	return a
}

// askedOutside says that somebody outside asks.
func (s *State) askedOutside(q room.OutsideQuestion) []Line {
	if q.History && len(q.Answers) > 0 {
		return nil
	}
	return note("question %d from outside%s, taken by %s: %s   /answer %d WORDS", q.Number, onlyFor(q.For),
		s.name(q.By.Peer), oneLine(q.Text), q.Number)
}

// answeredOutside says what a member answered.
func (s *State) answeredOutside(w room.OutsideAnswer) []Line {
	if w.History {
		return nil
	}
	return note("%s answered question %d from outside: %s", either(w.Self, "you", s.name(w.By.Peer)), w.Number,
		oneLine(w.Text))
}

func onlyFor(policy string) string {
	if policy == "" {
		return ""
	}
	return " for " + cli.Clean(policy) + " alone"
}

func oneLine(said string) string { return strings.Join(strings.Fields(cli.Clean(said)), " ") }
