package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/demo"
	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

// A roomAnswer is what a room that runs here says.
type roomAnswer struct {
	control.OpenRoom
	control.Answer
	err    error
	status struct {
		Peer    peer.ID `json:"peer"`
		Members []struct {
			Peer string `json:"peer"`
			Self bool   `json:"self"`
		} `json:"members"`
		Peers []struct {
			Peer string `json:"peer"`
			Kind string `json:"kind"`
		} `json:"peers"`
	}
}

// look looks at the network once, for all checks of it.
func (d *diagnosis) look() {
	if d.settings == nil {
		return // said already
	}
	open, err := d.open()
	if err == nil {
		for _, r := range open {
			answer := roomAnswer{OpenRoom: r}
			if answer.Answer, answer.err = r.Ask(control.Question{Status: true}); answer.err == nil {
				answer.err = json.Unmarshal(answer.Event, &answer.status)
			}
			d.rooms = append(d.rooms, answer)
		}
	}
	if d.listen, err = profile.Addresses("listen", d.settings.List("listen")); err != nil {
		d.surveyErr = err
		return
	}
	more, err := profile.Addresses("bootstrap", d.settings.List("bootstrap"))
	if err != nil {
		d.surveyErr = err
		return
	}
	cfg := node.SurveyConfig{Listen: d.listen, Addresses: slices.Concat(d.addrs, more, d.keyRelays()), Room: d.desc,
		MDNS: d.settings.On("mdns"), Now: d.Now}
	for _, r := range d.rooms {
		cfg.Not = append(cfg.Not, r.status.Peer)
	}
	if d.survey, d.surveyErr = node.Look(context.Background(), cfg); errors.Is(d.surveyErr, node.ErrPortTaken) {
		// The rest can be looked at all the same.
		cfg.Listen = nil
		d.survey, _ = node.Look(context.Background(), cfg)
	}
}

func (d *diagnosis) clock() {
	s := d.survey
	if s == nil {
		return
	}
	for _, p := range s.Probed {
		if node.TroubleIn(p.Err) == node.BadClock && s.Clocks == 0 {
			text, hint := chat.Dialled(p.Err)
			d.tell("FAIL", "clock", text, hint)
			return
		}
	}
	if s.Clocks == 0 {
		d.tell("ok", "clock", "nobody told theirs, to compare")
		return
	}
	for _, i := range health.Check(health.Facts{KeyDays: 1, Skew: s.Ahead.Round(time.Second), SkewOf: s.Clocks}) {
		if i.Code == health.Clock {
			d.tell("FAIL", "clock", i.Text, i.Hint)
			return
		}
	}
	d.tell("ok", "clock", fmt.Sprintf("differs by %.1f s from the median of %s", s.Ahead.Abs().Seconds(),
		cli.Plural(s.Clocks, "peer")))
}

// port checks that the addresses of the settings can be listened on.
func (d *diagnosis) port() {
	switch {
	case d.settings == nil:
	case errors.Is(d.surveyErr, node.ErrPortTaken) && len(d.rooms) > 0:
		d.tell("ok", "port", cli.Describe(chat.NodeError(d.surveyErr)).Text+"; "+cli.Clean(d.rooms[0].Room)+" runs here")
	case d.surveyErr != nil:
		d.fail("port", chat.NodeError(d.surveyErr))
	case len(d.listen) == 0:
		d.tell("ok", "port", "any free port: "+chat.Listening(d.survey.Listening))
	default:
		d.tell("ok", "port", chat.Listening(d.survey.Listening)+" free")
	}
}

func (d *diagnosis) udp() {
	s := d.survey
	switch {
	case s == nil:
	case s.UDPBlocked:
		d.tell("warn", "udp", "does not get out of this network; TCP and relays are used", "another network may let it")
	case !s.UDP:
		d.tell("ok", "udp", "nobody answered with whom it could be tried")
	case len(s.Observed) == 0 || chat.Port(s.Observed[0].Address) == s.Observed[0].Address.String():
		d.tell("ok", "udp", "works")
	case len(s.Observed) > 1:
		d.tell("warn", "udp", fmt.Sprintf("works, with another address for each of %s", cli.Plural(len(s.Observed), "group")+
			" of peers"), "others can hardly dial this computer; a relay helps")
	default:
		o := s.Observed[0]
		d.tell("ok", "udp", fmt.Sprintf("works, address %s, the same for %s", hostPort(o.Address),
			cli.Plural(o.Peers, "peer")))
	}
}

// hostPort is an address as people know it.
func hostPort(a ma.Multiaddr) string {
	_, at, err := manet.DialArgs(a)
	if err != nil {
		return strings.TrimPrefix(strings.TrimPrefix(a.String(), "/ip4/"), "/ip6/")
	}
	return at
}

// reachable says whether others can dial this computer, as far as that can be
// told from how they see it.
func (d *diagnosis) reachable() {
	s := d.survey
	if s == nil {
		return
	}
	if len(s.Observed) == 0 {
		d.tell("ok", "reachable", "nobody answered who could tell")
		return
	}
	o := s.Observed[0]
	switch {
	case !o.Own:
		d.tell("warn", "reachable", "no: "+hostPort(o.Address)+" is an address translator's; others reach you through a "+
			"relay first",
			"a port that your router forwards to this computer, with --listen, helps")
	case manet.IsPublicAddr(o.Address):
		d.tell("ok", "reachable", "as "+hostPort(o.Address)+", unless a firewall is in between")
	case manet.IsIPLoopback(o.Address):
		d.tell("ok", "reachable", "on this computer; nobody elsewhere was asked")
	default:
		d.tell("ok", "reachable", "on its own network, as "+hostPort(o.Address)+"; nobody further away was asked")
	}
}

func (d *diagnosis) bootstrap() {
	if d.survey == nil {
		return
	}
	for _, p := range d.survey.Probed {
		switch {
		case p.Err != nil:
			text, hint := chat.Dialled(p.Err)
			d.tell("FAIL", "bootstrap", fmt.Sprintf("%s: %s: %s", p.Address, node.TroubleIn(p.Err), text), hint)
		case p.Version > node.Version:
			d.tell("FAIL", "bootstrap", fmt.Sprintf("%s: protocol: it answers, and speaks version %d", p.Address, p.Version),
				"update coterie")
		case p.Version == 0:
			d.tell("FAIL", "bootstrap", fmt.Sprintf("%s: protocol: it answers, and does not speak version %d", p.Address,
				node.Version), "is it a coterie peer?")
		default:
			what := "a member"
			if p.Relay {
				what = "a relay"
			}
			d.tell("ok", "bootstrap", fmt.Sprintf("%s, %s, %d ms; protocol %d", p.Address, what, p.Took.Milliseconds(),
				p.Version))
		}
	}
}

func (d *diagnosis) mdns() {
	s := d.survey
	switch {
	case s == nil:
	case !d.settings.On("mdns"):
		d.tell("ok", "mdns", "off (mdns = false)")
	case !s.MDNS:
		d.tell("ok", "mdns", "off: only this computer is listened to, or there is no network that has it")
	case d.desc == nil:
		d.tell("ok", "mdns", fmt.Sprintf("%s of coterie on this network", cli.Plural(len(s.Nearby), "peer")))
	default:
		n := 0
		for _, p := range s.Nearby {
			if p.InRoom {
				n++
			}
		}
		d.tell("ok", "mdns", fmt.Sprintf("%s of this room on this network", cli.Plural(n, "peer")))
	}
}

// running says who is in the room: as the room itself knows, if it runs here, and
// else by who answered.
func (d *diagnosis) running() {
	if d.desc == nil {
		return
	}
	name := cli.Clean(d.desc.Name)
	runs := false
	for _, r := range d.rooms {
		if r.Room != d.desc.Name {
			continue
		}
		runs = true
		switch {
		case r.err != nil:
			d.tell("FAIL", "room", fmt.Sprintf("process %d does not answer: %v", r.PID, r.err))
		case !r.OK:
			d.tell("warn", "room", strings.Join(r.Lines[:min(1, len(r.Lines))], ""), "coterie status "+cli.Quote(r.Room))
		default:
			d.tell("ok", "room", name+": "+r.answered())
		}
	}
	if runs || d.survey == nil {
		return
	}
	inRoom := make(map[peer.ID]bool)
	for _, p := range append(slices.Clone(d.survey.Probed), d.survey.Nearby...) {
		if p.InRoom {
			inRoom[p.Peer] = true
		}
	}
	d.tell("ok", "room", fmt.Sprintf("%s does not run here now; %s answered", name, cli.Plural(len(inRoom), "member")))
}

// answered says how the other members of a running room are reached.
func (r *roomAnswer) answered() string {
	kinds := make(map[string]string)
	for _, p := range r.status.Peers {
		kinds[p.Peer] = p.Kind
	}
	n := make(map[string]int)
	for _, m := range r.status.Members {
		if !m.Self {
			n[kinds[m.Peer]]++
		}
	}
	direct, relayed := n[string(node.Direct)], n[string(node.Relayed)]
	text := fmt.Sprintf("%s answered; %d direct, %d relayed", cli.Plural(direct+relayed, "member"), direct, relayed)
	switch rest := len(r.status.Members) - 1 - direct - relayed; {
	case rest > 0 && direct+relayed == 0:
		text += fmt.Sprintf("; %d not connected", rest)
	case rest > 0:
		text += fmt.Sprintf("; %d more through others", rest)
	}
	return text
}

// open are the rooms that this profile has open.
func (d *diagnosis) open() ([]control.OpenRoom, error) {
	dir, err := d.Profile.RuntimeDir()
	if err != nil {
		return nil, err
	}
	return control.Open(dir, "")
}

func (d *diagnosis) selfTest() {
	var out strings.Builder
	if err := demo.Check(&demo.Plain{W: &out}, d.Now); err != nil {
		d.fail("self-test", err)
		return
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	d.tell("ok", "self-test", "demo --check: "+lines[len(lines)-1])
}

// keyRelays are those of the key that is diagnosed.
func (d *diagnosis) keyRelays() []ma.Multiaddr {
	if d.key == nil {
		return nil
	}
	return profile.DomainRelays(d.key.Domain(), func(e *cli.Error) { d.tell("warn", "bootstrap", e.Text, e.Hints...) })
}
