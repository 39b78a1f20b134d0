package node

import "time"

// Leave leaves the room for good: the others are told, and Run returns.
func (n *Node) Leave() { n.end(true) }

// GoAway is Leave for somebody who will be back: others keep for them what is said.
func (n *Node) GoAway() { n.end(false) }

func (n *Node) end(forGood bool) {
	n.leaveOnce.Do(func() { n.forGood = forGood; close(n.leaving) })
}

// leave tells the others, for a limited time.
func (n *Node) leave() {
	if n.forGood {
		n.room.Leave(n.now())
	} else {
		n.room.GoAway(n.now())
	}
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
