package node

import "coterie/room"

// queue hands a task to the workers without making the loop wait.
func (n *Node) queue(t room.Task) {
	select {
	case n.work <- t:
	case <-n.ended:
	}
}

func (n *Node) worker() {
	for {
		select {
		case t := <-n.work:
			n.compute(t)
		case <-n.ended:
			return
		}
	}
}

// compute does a task's work. Should that break, so does the room, which would wait
// for the result for ever.
func (n *Node) compute(t room.Task) {
	defer func() {
		if p := recover(); p != nil {
			broken := newBroken(p)
			n.do(func() { panic(broken) })
		}
	}()
	result := t.Run()
	n.do(func() { n.room.Computed(n.now(), t.ID, result) })
}
