package node

import (
	"time"

	"coterie/room"
)

// Leave leaves the room for good: the others are told, and Run returns.
func (n *Node) Leave() { n.end((*Node).leaveForGood) }

// GoAway is Leave for somebody who will be back: others keep for them what is said, and what
// they have said and nobody could read goes out then.
func (n *Node) GoAway() { n.end((*Node).goAway) }

// Finish is GoAway for whoever will not know then what still waits: it is given up, but for
// what an earlier process left.
func (n *Node) Finish() { n.end((*Node).finish) }

func (n *Node) end(how func(*Node)) {
	n.leaveOnce.Do(func() { n.how = how; close(n.leaving) })
}

func (n *Node) leaveForGood() { n.room.Leave(n.now()) }
func (n *Node) goAway()       { n.room.GoAway(n.now()) }

func (n *Node) finish() {
	n.room.Drop(n.now(), func(m room.HeldMessage) bool {
		_, earlier := m.Ref.(room.HeldNumber)
		return !earlier
	})
	n.goAway()
}

// leave tells the others, for a limited time.
func (n *Node) leave() {
	n.how(n)
	n.drain()
	limit := time.NewTimer(leaveTime)
	defer limit.Stop()
	for len(n.streams) > 0 {
		select {
		case f := <-n.inputs:
			f()
			n.drain()
		case <-limit.C:
			return
		}
	}
}
