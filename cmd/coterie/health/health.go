// Package health says how a peer is doing, in one word and with the reason: facts
// go in, items come out. It does no input or output and reads no clock; the
// terminal, JSON lines and status show what it finds.
//
// An item that is explained by another is not shown beside it, so that one cause
// gives one line, and what may pass by itself has to last a while.
package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coterie/cmd/internal/text"
)

// A Severity says how bad it is.
type Severity string

// The severities.
const (
	Info  Severity = "info"
	Warn  Severity = "warn"
	Error Severity = "error"
)

// A Code names an item. It is also the word on the screen.
type Code string

// The codes, worst first.
const (
	Expired  Code = "EXPIRED"  // your key lapsed
	Refused  Code = "REFUSED"  // nobody accepts your proof
	Offline  Code = "OFFLINE"  // nothing is connected
	Alone    Code = "ALONE"    // nobody of the room is
	Split    Code = "SPLIT"    // a member's view differs from ours
	Clock    Code = "CLOCK"    // ours differs from the others'
	Joining  Code = "JOINING"  // the next epoch is on its way
	Behind   Code = "BEHIND"   // messages are known of but not yet here
	Relayed  Code = "RELAYED"  // every path is relayed
	Old      Code = "OLD"      // a newer protocol is in the room
	Expiring Code = "EXPIRING" // your key lapses within a week
	OK       Code = "ok"       // none of these
)

// An Item is one thing that is wrong.
type Item struct {
	Code     Code
	Severity Severity
	// Text is one or two sentences for people, Hint what to do about it.
	Text, Hint string
	// Args are what is in the text, for machines.
	Args map[string]any
	// DependsOn: where one of these is present, this item says nothing more.
	DependsOn []Code
	// TimeToVisible is how long it must last before it is shown.
	TimeToVisible time.Duration
}

// Facts are what is known at one moment. The zero value is that of a peer that
// has just begun, with a key that lapsed.
type Facts struct {
	// KeyDays is how many more days the key is valid, today included; Expires is
	// its last day's successor, for the text.
	KeyDays int
	Expires string
	// Refusals is how many peers did not take our proof, nor prove themselves,
	// since the last that did.
	Refusals int
	// Bootstraps is how many addresses were given to begin with.
	Bootstraps int
	// Direct and Relayed are how many peers are connected on such paths, relays
	// left out; Relays how many of those are.
	Direct, Relayed, Relays int
	// ByRelay: peers are to meet at a relay, as in the demonstration.
	ByRelay bool
	// Mute: on the connections that there are nobody answers.
	Mute bool
	// UDPBlocked: UDP does not get out of this network.
	UDPBlocked bool
	// Members is the size of the epoch in force, ourselves included; 0: there is
	// none.
	Members int
	// MaySend: what is sent now goes out at once.
	MaySend bool
	// Held is how many messages wait for a reader.
	Held int
	// Parted says that all others said good-bye, and how: "ann went away".
	Parted string
	// Others is how many neighbours were heard in the room, in the epoch or not.
	Others int
	// Elsewhere says which other rooms of this one's name there are, and what to do.
	Elsewhere []string
	// Differ are members whose view has differed from ours for a while.
	Differ []string
	// Skew is how far our clock is ahead of the median of SkewOf others.
	Skew   time.Duration
	SkewOf int
	// SetBack is how far the room's time is ahead of our clock, which was set back.
	SetBack time.Duration
	// ClockApart: nobody told theirs, since the clocks are so far apart that no
	// connection came to be.
	ClockApart bool
	// Missing is how many messages are known of but not here.
	Missing int
	// Newer of Peers speak a later protocol: Version.
	Newer, Peers, Version int
}

const (
	// blip is how long trouble with the network must last.
	blip = 5 * time.Second
	// muteBlip is how long of that where nobody has answered for a while.
	muteBlip = 2 * time.Second
	// maxSkew is how far clocks may differ.
	maxSkew = 2 * time.Minute
	// soon is how many days before its end a key is said to lapse.
	soon = 7
)

// partedHint is what to do where all others said good-bye: nothing is wrong.
const partedHint = "what you type is held until somebody is here; /link invites others"

// Check returns all that is wrong, worst first, whether shown or not. It is long because it has a
// case for each thing that can be wrong.
func Check(f Facts) []Item {
	var items []Item
	add := func(i Item) { items = append(items, i) }
	connected := f.Direct + f.Relayed + f.Relays
	if f.Mute {
		connected = 0
	}
	if f.KeyDays <= 0 {
		add(Item{
			Code: Expired, Severity: Error,
			Text: fmt.Sprintf("Your key lapsed on %s.", f.Expires),
			Hint: "ask for a renewal, then join again with the new key",
			Args: map[string]any{"expires": f.Expires},
		})
	}
	if f.Refusals > 0 && f.Members < 2 {
		text := fmt.Sprintf("%s answered and none accepted your proof.", text.Plural(f.Refusals, "member"))
		if f.Refusals == 1 {
			text = "1 member answered and did not accept your proof."
		}
		add(Item{
			Code: Refused, Severity: Error, Text: text,
			Hint: "usually a clock or an expired key: coterie doctor",
			Args: map[string]any{"members": f.Refusals}, DependsOn: []Code{Expired},
		})
	}
	// Where the last one said good-bye there is nothing to mend: that nobody is here says it.
	parted := f.Parted != "" && f.Members < 2 && !f.Mute
	if connected == 0 && !parted {
		i := Item{
			Code: Offline, Severity: Warn,
			Text: "No peer is connected." + heldText(f.Held),
			Hint: "is the network up? others come here, /link invites them, and --bootstrap gives the address of one",
			Args: map[string]any{"held": f.Held},
		}
		switch {
		case f.Parted != "":
			i.Text = "No peer is connected: " + f.Parted + "." + heldText(f.Held)
			i.Hint = partedHint
		case f.Bootstraps > 0:
			i.Hint = "is the network up, and are the addresses of --bootstrap right? they are tried again"
		case f.Members < 2: // the first in a room, as a rule: there is nothing to mend
			i.Text = "No peer is connected yet: /link invites others." + heldText(f.Held)
			i.Hint = "others come here by the link, and --bootstrap gives the address of one; is the network up?"
		}
		if f.Bootstraps > 0 || f.Members > 1 {
			i.TimeToVisible = blip
		}
		if f.Mute {
			i.Text, i.TimeToVisible = "No peer answers."+heldText(f.Held), muteBlip
		}
		if f.ClockApart {
			i.DependsOn = []Code{Clock}
		}
		add(i)
	}
	nobody, hint := "Nobody else is here.", "/link to invite; is the policy typed the same? the room id must match"
	if f.Parted != "" {
		nobody, hint = "Nobody else is here: "+f.Parted+".", partedHint
		if connected == 0 {
			nobody = "Nobody else is here: " + f.Parted + ". No peer is connected."
		}
	}
	switch {
	case f.Members < 2 && f.Others == 0:
		add(Item{
			Code: Alone, Severity: Warn,
			Text: nobody + heldText(f.Held),
			Hint: elsewhere(f, hint),
			Args: map[string]any{"held": f.Held}, DependsOn: []Code{Expired, Refused, Offline},
		})
	case f.Members < 2:
		add(Item{
			Code: Joining, Severity: Info,
			Text: fmt.Sprintf("Joining: %s here.", are(f.Others, "peer")) + heldText(f.Held), Hint: elsewhere(f, ""),
			Args: map[string]any{"held": f.Held}, DependsOn: []Code{Expired, Refused, Offline},
		})
	case f.Others == 0:
		text := fmt.Sprintf("None of the %d other members is connected.", f.Members-1)
		if f.Members == 2 {
			text = "The other member is not connected."
		}
		add(Item{
			Code: Alone, Severity: Warn, Text: text + heldText(f.Held),
			Hint: "they may be offline, or cannot be reached from here; a way to them is looked for",
			Args: map[string]any{"held": f.Held, "members": f.Members - 1}, DependsOn: []Code{Expired, Refused, Offline},
			TimeToVisible: blip,
		})
	case !f.MaySend && f.Held > 0:
		add(Item{
			Code: Joining, Severity: Info,
			Text: "New keys are on their way." + heldText(f.Held),
			Args: map[string]any{"held": f.Held}, DependsOn: []Code{Expired, Offline},
		})
	}
	if len(f.Differ) > 0 {
		add(Item{
			Code: Split, Severity: Warn,
			Text: fmt.Sprintf("%s %s other members than you do.", text.List(f.Differ, 3), verb(len(f.Differ), "sees", "see")),
			Hint: "a path between some members is cut; it heals when one leads around",
			Args: map[string]any{"peers": f.Differ}, DependsOn: []Code{Offline, Alone},
		})
	}
	if f.SetBack > maxSkew && (f.SkewOf == 0 || f.Skew.Abs() <= maxSkew) {
		add(Item{
			Code: Clock, Severity: Warn,
			Text: fmt.Sprintf("This computer's clock was set back, and this room is %s ahead of it.", span(f.SetBack)),
			Hint: "leave and join again, which goes by the clock as it is; until then others may not hear you",
			Args: map[string]any{"ms": f.SetBack.Milliseconds(), "peers": 0}, TimeToVisible: blip,
		})
	}
	if skew := f.Skew.Abs(); skew > maxSkew && f.SkewOf > 0 {
		way := "ahead of"
		if f.Skew < 0 {
			way = "behind"
		}
		add(Item{
			Code: Clock, Severity: Warn,
			Text: fmt.Sprintf("This computer's clock is %s %s the others (median of %d).", span(skew), way, f.SkewOf),
			Hint: "set the clock; until then your key and their messages may seem expired",
			Args: map[string]any{"ms": f.Skew.Milliseconds(), "peers": f.SkewOf}, TimeToVisible: blip,
		})
	}
	if f.ClockApart && f.SkewOf == 0 {
		add(Item{
			Code: Clock, Severity: Warn,
			Text: "This computer's clock and that of a peer that answers are more than an hour apart.",
			Hint: "set the clock of whichever is wrong; certificates are valid by the clock",
		})
	}
	if f.Missing > 0 {
		add(Item{
			Code: Behind, Severity: Info,
			Text: fmt.Sprintf("%s missing here; fetching.", are(f.Missing, "message")),
			Args: map[string]any{"messages": f.Missing}, DependsOn: []Code{Offline, Alone}, TimeToVisible: blip,
		})
	}
	if f.Direct == 0 && f.Relayed > 0 && !f.ByRelay {
		text, hint := "Every path is relayed: neither end could dial the other.",
			"what is said is as secret through relays; a port that your router forwards to this computer, with --listen, helps"
		if f.UDPBlocked {
			text, hint = "Every path is relayed: UDP does not get out of this network.",
				"another network may let it; what is said is as secret through relays"
		}
		add(Item{
			Code: Relayed, Severity: Info, Text: text, Hint: hint,
			Args: map[string]any{"peers": f.Relayed}, DependsOn: []Code{Offline, Alone}, TimeToVisible: blip,
		})
	}
	if f.Newer > 0 {
		add(Item{
			Code: Old, Severity: Warn,
			Text: fmt.Sprintf("%d of %s %s protocol %d and cannot be heard.", f.Newer, text.Plural(f.Peers, "peer"),
				verb(f.Newer, "speaks", "speak"), f.Version),
			Hint: "update coterie; they still relay for you",
			Args: map[string]any{"newer": f.Newer, "peers": f.Peers, "version": f.Version}, TimeToVisible: blip,
		})
	}
	if f.KeyDays > 0 && f.KeyDays <= soon {
		add(Item{
			Code: Expiring, Severity: Info,
			Text: fmt.Sprintf("Your key lapses in %s, on %s.", text.Plural(f.KeyDays, "day"), f.Expires),
			Hint: "ask for a renewal",
			Args: map[string]any{"days": f.KeyDays, "expires": f.Expires},
		})
	}
	slices.SortStableFunc(items, func(a, b Item) int { return rank(a.Code) - rank(b.Code) })
	return items
}

// Now returns what is wrong at this moment, worst first, but for what others explain. Whoever asks
// does not want to wait until it has lasted.
func Now(f Facts) []Item {
	all := Check(f)
	return slices.DeleteFunc(slices.Clone(all), func(i Item) bool {
		return slices.ContainsFunc(all, func(o Item) bool { return slices.Contains(i.DependsOn, o.Code) })
	})
}

var order = []Code{Expired, Refused, Offline, Alone, Split, Clock, Joining, Behind, Relayed, Old, Expiring, OK}

func rank(c Code) int { return slices.Index(order, c) }

// A Watch keeps how long each item has lasted.
type Watch struct {
	since map[Code]time.Time
	shown []Item
}

// Step takes the facts of a moment and returns what is to be shown, worst first.
func (w *Watch) Step(now time.Time, f Facts) []Item {
	items := Check(f)
	since := make(map[Code]time.Time)
	for _, i := range items {
		since[i.Code] = now
		if t, ok := w.since[i.Code]; ok {
			since[i.Code] = t
		}
	}
	w.since = since
	w.shown = nil
	for _, i := range items {
		// What explains an item does so from the first moment, seen or not: else the
		// one would appear before the other.
		explained := slices.ContainsFunc(i.DependsOn, func(c Code) bool { _, ok := since[c]; return ok })
		if !explained && now.Sub(since[i.Code]) >= i.TimeToVisible {
			w.shown = append(w.shown, i)
		}
	}
	return w.shown
}

// Shown are the items of the last step.
func (w *Watch) Shown() []Item { return w.shown }

// Word is the one word for the items that are shown.
func Word(shown []Item) Code {
	if len(shown) == 0 {
		return OK
	}
	return shown[0].Code
}

// Trouble reports whether an item deserves a line of its own.
func (i Item) Trouble() bool { return i.Severity != Info || i.Code == Joining }

// elsewhere is the hint for who finds nobody: others may be in a room that only
// looks like this one.
func elsewhere(f Facts, otherwise string) string {
	if len(f.Elsewhere) == 0 {
		return otherwise
	}
	return strings.Join(f.Elsewhere, "; ")
}

func heldText(held int) string {
	if held == 0 {
		return ""
	}
	return fmt.Sprintf(" %s held until somebody can read %s.", are(held, "message"), verb(held, "it", "them"))
}

func are(n int, thing string) string { return text.Plural(n, thing) + verb(n, " is", " are") }

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// span writes a time for people: 3 h 2 min.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return text.Plural(int(d.Hours()/24), "day")
}
