package main

import "github.com/spf13/cobra"

// topics are pages of help that belong to no command.
func topics() []*cobra.Command {
	var out []*cobra.Command
	for _, t := range []struct{ name, short, long string }{
		{"policies", "who may enter a room", `Who may enter a room is a policy over attributes:

  "NTNU" and "5th year"                  both
  ("NTNU" and "5th year") or Professor   either; parentheses group
  2 of (board, editor, admin)            at least two of them
  dept = Telematics, dept != Physics     a named attribute, and its value
  age >= 18                              numbers compare

A name with a space needs quotes; names are exact: "5th Year" is not "5th year". A bare attribute cannot be denied.
In a room, /to Professor WORDS says something to those alone who satisfy a policy; in parentheses if it has parts.
A key must also be valid on the day. kms policy 'POLICY' --key FILE says whether a key gets in, and what is missing.`},
		{"links", "how a room is passed on", `A room is its name, its policy, its domain and its options: whoever has the same ones is in the same room.
A link has them all in it, and some addresses:

  coterie join 'coterie:2:exam:...' --key kari.key
  coterie join - --key kari.key          reads the link from standard input
  coterie link 'coterie:2:exam:...'      what a link says, without joining
  coterie link exam                      the link of a room that you joined; | pbcopy copies it
  coterie link exam --qr                 the same, to be scanned

The link of a listed room is no secret: it lets nobody in who has no key. The link of an unlisted room is: whoever has it
knows of the room, so give it to coterie join - rather than as an argument, which other users of the computer may see.`},
		{"security", "what is promised, and what is not", `Can read: the members, listed by /who, and whomever one of them tells. Each proved to hold a key that
satisfies the policy today, or was let in by one who did. Nobody learns which attributes let somebody in.
Not even with everybody's long-term keys, the authority's included, can what was recorded be opened later.
Who left reads nothing of what comes after; a newcomer reads nothing from before, unless the room's history is on.
Anyone on the way sees your network address, that you are in the room, its size and its policy. A relay sees the same.
What /to says is for those whose key satisfies its policy; all others in the room see that there is something.
A key opens rooms until it lapses on its day, or until its domain's notice that revokes it has come. docs/THREATS.md and docs/PROTOCOL.md are exact.`},
		{"environment", "what the environment says", `COTERIE_NICK, COTERIE_KEY, COTERIE_IDENTITY, COTERIE_HISTORY, COTERIE_KEEP, COTERIE_TIME, COTERIE_HOLD, COTERIE_LOG
                      settings, stronger than those of config.toml; coterie config shows what is in force
XDG_CONFIG_HOME       config.toml, identity, rooms.toml           (~/.config/coterie)
XDG_DATA_HOME         what was said, if a room keeps it           (~/.local/share/coterie)
XDG_STATE_HOME        logs                                        (~/.local/state/coterie)
XDG_RUNTIME_DIR       the sockets of running rooms
TERM=dumb             no escape codes`},
		{"exit-codes", "what the exit status says", `0     done
1     it failed; standard error says why
2     wrong usage: an unknown command or flag, something missing, a policy that is none;
      coterie status, ping, read, say, save: no such room runs
130   a second signal came while leaving`},
	} {
		out = append(out, &cobra.Command{Use: t.name, Short: t.short, Long: t.long})
	}
	return out
}
