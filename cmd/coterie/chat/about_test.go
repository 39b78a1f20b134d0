package chat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// TestWhichMessage: which message something is about, as people type it.
func TestWhichMessage(t *testing.T) {
	r, _ := open(t)
	n := byte(0)
	say := func(by room.Member, words string) ake.Hash {
		n++
		d := room.Delivered{ID: ake.Hash{n}, Author: by, Self: by.Peer == r.state.Self, Received: time.Now()}
		d.Message.Text, d.Message.Kind = words, record.KindText
		r.handle(d)
		return d.ID
	}
	me := room.Member{Peer: r.state.Self, Name: "kari"}
	if _, _, bad := r.target(Parse("/edit x").(Say)); bad == nil || bad.Code != "no-message" {
		t.Errorf("nothing was said: %v", bad)
	}
	first, own, pers, anns := say(mAnn, "one"), say(me, "two"), say(mPer, "three"), say(mAnn, "four")
	for typed, want := range map[string]struct {
		id    ake.Hash
		words string
	}{
		"/reply ann at nine":            {anns, "at nine"},
		"/reply per olav at  nine":      {pers, "at  nine"},
		"/reply ann at\n nine\nor ten":  {anns, "at\n nine\nor ten"},
		"/reply #1 at nine":             {first, "at nine"},
		"/reply " + mAnnTag(r) + " yes": {anns, "yes"},
		"/react 👍":                      {anns, "👍"},
		"/react per olav 👍":             {pers, "👍"},
		"/react #2 👍":                   {own, "👍"},
		"/unreact":                      {anns, ""},
		"/unreact per olav":             {pers, ""},
		"/unreact #1":                   {first, ""},
		"/edit other words":             {own, "other words"},
		"/edit #2 other words":          {own, "other words"},
		"/edit #none of these":          {own, "#none of these"},
		"/withdraw":                     {own, ""},
		"/withdraw #2":                  {own, ""},
	} {
		id, words, bad := r.target(Parse(typed).(Say))
		if bad != nil || id != want.id || words != want.words {
			t.Errorf("%s: %x %q %v", typed, id[:1], words, bad)
		}
	}
	for typed, code := range map[string]string{
		"/react": "bad-input", "/react #1": "bad-input",
		"/reply nobody hello": "not-member", "/reply ann": "bad-input", "/reply #1": "bad-input", "/reply #9 x": "no-message",
		"/reply #0 x": "no-message", "/reply #-1 x": "no-message", "/edit #2": "bad-input", "/withdraw it": "bad-input",
		"/unreact ann x": "bad-input", "/withdraw #2 x": "bad-input",
	} {
		c, ok := Parse(typed).(Say)
		if !ok {
			if code != "bad-input" {
				t.Errorf("%s is no command", typed)
			}
			continue
		}
		if _, _, bad := r.target(c); bad == nil || bad.Code != code {
			t.Errorf("%s: %v, not %s", typed, bad, code)
		}
	}
	// What one said last is not sent yet: an earlier one is not meant.
	r.box.waiting = append(r.box.waiting, &outgoing{})
	for _, typed := range []string{"/edit x", "/withdraw"} {
		if _, _, bad := r.target(Parse(typed).(Say)); bad == nil || bad.Code != "not-sent" {
			t.Errorf("%s: %v", typed, bad)
		}
	}
	if id, _, bad := r.target(Parse("/withdraw #2").(Say)); bad != nil || id != own {
		t.Error(bad)
	}
	r.box.waiting = nil
	// Numbers stay when the oldest are forgotten, and what is withdrawn is not the last.
	r.handle(room.Changed{Target: own, Kind: record.KindWithdrawal, By: me, Self: true})
	if _, _, bad := r.target(Parse("/edit x").(Say)); bad == nil {
		t.Error("a withdrawn message is edited")
	}
	for range MaxFound {
		say(mPer, "more")
	}
	say(mAnn, "last")
	id, _, bad := r.target(Parse(fmt.Sprintf("/reply #%d x", MaxFound+5)).(Say))
	if want := r.seen[len(r.seen)-1].ID; bad != nil || id != want {
		t.Error(bad)
	}
	if _, _, bad := r.target(Parse("/reply #1 x").(Say)); bad == nil {
		t.Error("what is forgotten is found")
	}
}

func mAnnTag(r *Room) string { return r.state.Names.Tag(ann) }

// TestChangesInMemory: a search finds the newest words, and what is withdrawn is not found;
// reactions of whom one ignores are not shown.
func TestChangesInMemory(t *testing.T) {
	r, face := open(t)
	r.state.Ignored[per] = true
	d := room.Delivered{ID: ake.Hash{1}, Author: mAnn, Received: time.Now(),
		Reactions: []room.Reaction{{By: per, Text: "x"}}}
	d.Message.Text = "old words"
	r.handle(d)
	if got, _ := last[room.Delivered](face); len(got.Reactions) > 0 {
		t.Error("a reaction of whom one ignores is shown")
	}
	r.handle(room.Changed{Target: d.ID, Kind: record.KindReaction, By: mPer, Text: "👍"})
	if _, told := last[room.Changed](face); told {
		t.Error("and told")
	}
	find := func(words string) int {
		q := &Query{Words: text.Fold(words), Limit: 10}
		if err := new(History).Search(context.Background(), q, r.seen); err != nil {
			t.Fatal(err)
		}
		return q.Total
	}
	r.handle(room.Changed{Target: d.ID, Kind: record.KindEdit, By: mAnn, Text: "new words"})
	if find("old") != 0 || find("new") != 1 {
		t.Error("not the newest words are found")
	}
	r.handle(room.Changed{Target: d.ID, Kind: record.KindWithdrawal, By: mAnn})
	if find("") != 0 {
		t.Error("what is withdrawn is found")
	}
}

// TestAboutWhatIsNotThere: a program's command about no message is answered.
func TestAboutWhatIsNotThere(t *testing.T) {
	r, face := open(t)
	if err := running(t, r, func(ctx context.Context) {
		for i, which := range []string{strings.Repeat("00", 32), "0011", "", strings.Repeat("z", 64)} {
			r.Do(ctx, Say{Ref: i, About: record.KindReaction, Which: which, Text: "👍"})
		}
		r.Do(ctx, Quit{})
	}); err != nil {
		t.Fatal(err)
	}
	codes := make(map[any]string)
	for _, e := range face.events {
		if w, ok := e.What.(Rejected); ok {
			codes[w.Ref] += w.Err.Code
		}
	}
	for i, want := range []string{"no-message", "bad-input", "bad-input", "bad-input"} {
		if codes[i] != want {
			t.Errorf("%d: %q, not %q", i, codes[i], want)
		}
	}
}

// TestQuotesInMemory: a quote in what is searched and exported without a disk has the newest words, and
// none of what was withdrawn.
func TestQuotesInMemory(t *testing.T) {
	r, _ := open(t)
	d := room.Delivered{ID: ake.Hash{2}, Author: mAnn, ReplyTo: ake.Hash{1}, Received: time.Now()}
	d.Message.Kind, d.Quote = record.KindReply, &room.Quote{Author: mPer, Text: "old words"}
	r.handle(d)
	for _, c := range []room.Changed{
		{Target: ake.Hash{3}, Kind: record.KindEdit, By: mPer, Text: "another's", Of: room.Quote{Text: "another's"}},
		{Target: ake.Hash{1}, Kind: record.KindEdit, By: mPer, Text: "new words", Of: room.Quote{Text: "new words"}},
	} {
		r.handle(c)
	}
	if q := r.seen[0].Quote; q.Text != "new words" {
		t.Errorf("%+v", q)
	}
	r.handle(room.Changed{Target: ake.Hash{1}, Kind: record.KindWithdrawal, By: mPer, Of: room.Quote{Withdrawn: true}})
	if q := r.seen[0].Quote; q.Text != "" || !q.Withdrawn {
		t.Errorf("%+v", q)
	}
	if d.Quote.Text != "old words" {
		t.Error("what a face has is changed, too")
	}
}

// TestReactionNamesNobody: whatever somebody reacts with, it does not look as if others had reacted, too.
func TestReactionNamesNobody(t *testing.T) {
	r, _ := open(t)
	one, two := r.state.name(ann), r.state.name(per)
	for text, want := range map[string]string{
		"🎉":                  "🎉 " + two,
		"❤️":                 "❤ " + two,
		"🎉 " + one + "; 👎":   `"🎉 ` + one + `; 👎" ` + two,
		`🎉" ` + one + `; "👎`: `"🎉' ` + one + `; '👎" ` + two,
		"🎉,👎":                `"🎉,👎" ` + two,
		"yes":                `"yes" ` + two,
		"1":                  `"1" ` + two,
	} {
		got := r.state.ReactionsText([]room.Reaction{{By: ann, Text: "👍"}, {By: per, Text: text}})
		if got != "👍 "+one+"; "+want {
			t.Errorf("%q: %q", text, got)
		}
	}
	said := r.state.changed(room.Changed{Kind: record.KindReaction, By: mPer, Text: "🎉 to " + one + ": x",
		Of: room.Quote{Author: mAnn, Text: "y"}})
	if want := two + ` reacts "🎉 to ` + one + `: x" to ` + one + ": y"; len(said) != 1 || said[0].Text != want {
		t.Errorf("%+v", said)
	}
}

// TestIgnoredReactions: what somebody reacts whom the user ignores is not shown: neither as it comes, nor
// with a message, nor in what is read back, nor among many.
func TestIgnoredReactions(t *testing.T) {
	r, face := open(t)
	r.state.Ignored[mPer.Peer] = true
	both := []room.Reaction{{By: mPer.Peer, Text: "👎"}, {By: mAnn.Peer, Text: "👍"}}
	d := room.Delivered{ID: ake.Hash{1}, Author: mAnn, Received: time.Now(), Reactions: both}
	r.handle(d)
	r.handle(room.Changed{Target: d.ID, Kind: record.KindReaction, By: mPer, Text: "👎"})
	r.handle(room.Changed{Target: d.ID, Kind: record.KindReaction, By: mAnn, Text: "👍", Shown: both})
	back := []room.Delivered{d}
	r.state.withoutIgnored(back)
	shown := [][]room.Reaction{back[0].Reactions, r.seen[0].Reactions}
	for _, e := range face.events {
		switch w := e.What.(type) {
		case room.Delivered:
			shown = append(shown, w.Reactions)
		case room.Changed:
			shown = append(shown, w.Shown)
		}
	}
	if len(shown) != 4 || len(both) != 2 || both[0].By != mPer.Peer {
		t.Errorf("shown: %v; they were %v", shown, both)
	}
	for _, s := range shown {
		if len(s) != 1 || s[0].By != mAnn.Peer {
			t.Errorf("%v", s)
		}
	}
}

// TestEachRefusalIsSaid: who types what cannot be done, and then something else of the kind, is told twice.
func TestEachRefusalIsSaid(t *testing.T) {
	r, _ := open(t)
	no := cli.Fail("no-message", "there is no such message here")
	for _, ref := range []string{"/edit x", "/withdraw"} {
		if said := r.state.Take(Event{What: Rejected{ref, no}}); len(said) != 1 {
			t.Errorf("%s: %v", ref, said)
		}
	}
}
