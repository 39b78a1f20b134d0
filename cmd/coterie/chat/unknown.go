package chat

import (
	"coterie/cmd/internal/cli"
	"coterie/kms/words"
)

// instead is what there is for commands of other programs.
var instead = map[string]string{
	"exit": "/quit goes away, and /leave leaves the room for good", "part": "/leave leaves the room for good",
	"bye": "/quit goes away, and /leave leaves the room for good", "away": "/quit goes away; what is said is kept for you",
	"names": "/who lists who can read", "members": "/who lists who can read", "users": "/who lists who can read",
	"list": "coterie rooms lists your rooms", "join": "coterie join ROOM opens another room",
	"msg": noPrivate, "dm": noPrivate, "query": noPrivate, "whisper": noPrivate, "w": noPrivate,
	"topic": "/info says what the room is for: its policy", "name": "/nick NAME calls you something else",
	"kick": noKick, "ban": noKick, "block": "/ignore WHO shows nothing more of them",
	"mute":   "/ignore WHO shows nothing more of them",
	"invite": "/link is what you give to others", "settings": "/set alone lists the settings",
	"config": "/set alone lists the settings", "version": "coterie --version, in a shell", "find": "/search WORDS",
}

const (
	noPrivate = "there are no messages to one person; /to POLICY WORDS is for those alone whose key satisfies a policy"
	noKick    = "nobody can be sent away: whose key satisfies the policy is let in; /cut WHO goes on without them"
)

// NoCommand is the error for a name that is none of them.
func NoCommand(word string, all []Slash) *cli.Error {
	e := cli.Fail("bad-input", "there is no command /%s", cli.Clean(word))
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	has := instead[word]
	if like := words.Near(word, names, 1); len(like) > 0 && has == "" {
		e.Hint("did you mean /%s?", like[0])
	}
	if has != "" {
		return e.Hint("%s", has)
	}
	return e.Hint("/help lists the commands; //%s sends it as text", cli.Clean(word))
}
