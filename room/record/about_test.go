package record

import (
	"fmt"
	"slices"
	"strings"

	"coterie/crypto/ake"
)

// newAbout is a message of ann's about another.
func newAbout(kind byte, words string) *Signed {
	a := About{Target: hashOf("target"), Words: words}
	return asMessage(newPerson("ann"), kind, []byte(a.Text()))
}

// goodAbout are one of each kind, and those at their limits.
func goodAbout() []*Signed {
	return []*Signed{
		newAbout(KindReply, "Hei"), newAbout(KindReaction, "👍"), newAbout(KindReaction, ""), newAbout(KindEdit, "Hei, bob"),
		newAbout(KindWithdrawal, ""),
		newAbout(KindReply, strings.Repeat("a", MaxAbout)), newAbout(KindEdit, strings.Repeat("a", MaxAbout)),
		newAbout(KindReaction, strings.Repeat("a", MaxReaction)), newAbout(KindReply, "a"), newAbout(KindEdit, "a"),
	}
}

// encoded is each of them.
func encoded(all []*Signed, as func(*Signed) []byte) (out [][]byte) {
	for _, m := range all {
		out = append(out, as(m))
	}
	return out
}

func inLog(m *Signed) []byte { return m.AppendLog(nil) }

// about are PROTOCOL.md §9.8's messages.
func (r *refusals) about() {
	refuse := func(name string, m *Signed) {
		r.form("log", name, m.AppendLog(nil))
		r.form("content", name, m.Content())
	}
	inLog := []field{{"epoch", 32}, {"author", 32}, {"length of the body", 2}, {"counter", 8}, {"previous", 32}, {"time", 8},
		{"lamport", 8}, {"kind", 1}, {"length of the text", 2}, {"target", 32}}
	for i, name := range []string{"reply", "reaction", "edit", "withdrawal"} {
		kind, words := KindReply+byte(i), "Hei"
		if kind == KindWithdrawal {
			words = ""
		}
		r.cuts("log", name+": ", newAbout(kind, words).AppendLog(nil), append(slices.Clone(inLog), field{"words", len(words)}, signatureField)...)
		refuse(name+": no target", asMessage(newPerson("ann"), kind, nil))
		refuse(name+": a target of 31 bytes", asMessage(newPerson("ann"), kind, make([]byte, ake.HashSize-1)))
		for _, bad := range notUTF8 {
			refuse(fmt.Sprintf("%s: words %x are not UTF-8", name, bad), newAbout(kind, bad))
		}
	}
	refuse("reply: no words", newAbout(KindReply, ""))
	refuse("reply: 16,353 bytes of words", newAbout(KindReply, strings.Repeat("a", MaxAbout+1)))
	refuse("reaction: 65 bytes of words", newAbout(KindReaction, strings.Repeat("a", MaxReaction+1)))
	refuse("edit: no words", newAbout(KindEdit, ""))
	refuse("edit: 16,353 bytes of words", newAbout(KindEdit, strings.Repeat("a", MaxAbout+1)))
	refuse("withdrawal: words", newAbout(KindWithdrawal, "a"))
}
