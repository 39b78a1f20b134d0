package ui

import (
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/text"
	"coterie/node"
)

// panelWidth is that of the members, with the line before them.
const panelWidth = 21

// memberRows are the panel of members: width cells, at most height rows.
func (m *Model) memberRows(width, height int) []string {
	members := m.room.Readers()
	var out []string
	add := func(s string) { out = append(out, text.Truncate(s, width, m.method)) }
	add(fmt.Sprintf(" Can read: %d", max(len(members), 1)))
	relays := m.room.Relays()
	room := height - 1
	if len(relays) > 0 {
		room -= 2 + 2*min(len(relays), 2)
	}
	shown := members
	if len(shown) > room && room > 1 {
		shown = shown[:room-1]
	}
	if len(members) == 0 {
		add("  " + m.name(m.cfg.Self) + "  you")
	}
	// Oneself comes first, as whom one knows; the others in the list's order.
	for _, mb := range shown {
		if mb.Peer == m.cfg.Self {
			add("  " + m.nick(m.name(mb.Peer), mb.Peer) + "  you")
		}
	}
	for _, mb := range shown {
		if mb.Peer != m.cfg.Self {
			add(m.memberRow(mb.Peer, width))
		}
	}
	if len(shown) < len(members) {
		add(fmt.Sprintf("  %s%d more: /who", m.style.more, len(members)-len(shown)))
	}
	if len(relays) > 0 {
		add("")
		add(fmt.Sprintf(" Relays: %d", len(relays)))
		for i, r := range relays {
			if i == 2 {
				break
			}
			add(fmt.Sprintf("  %s  reads", m.room.Names.Tag(r)))
			add("         nothing")
		}
	}
	return out[:min(len(out), height)]
}

// memberRow is a name, how it is reached, and how long that takes.
func (m *Model) memberRow(p peer.ID, width int) string {
	name := m.name(p)
	path := m.room.Path(p)
	kind := " "
	if path.Kind == node.Relayed {
		kind = "r"
	}
	rtt := ""
	if path.RTT > 0 {
		rtt = text.RoundTrip(path.RTT)
	}
	if mb, _ := m.room.Member(p); mb.Suspect {
		rtt = "silent"
	}
	cells := m.method.StringWidth(name)
	shown := m.nick(name, p)
	if rtt == "" && kind == " " {
		return "  " + shown
	}
	// The columns of the example, as long as the name fits.
	const nameColumn, end = 6, 18
	pad := max(nameColumn-cells, 0)
	left := 2 + cells + pad
	right := kind + strings.Repeat(" ", max(end-left-2-len(rtt), 1)) + rtt
	if left+1+len(right) > width {
		return "  " + shown
	}
	return "  " + shown + strings.Repeat(" ", pad+1) + right
}

// pathCounts are how many members are reached directly, and through relays.
func (m *Model) pathCounts() (direct, relayed int) {
	for _, mb := range m.room.Readers() {
		switch m.room.Path(mb.Peer).Kind {
		case node.Direct:
			direct++
		case node.Relayed:
			relayed++
		}
	}
	return direct, relayed
}
