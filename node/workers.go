package node

import "coterie/room"

// workers is how many attribute-based computations run at a time.
const workers = 2

// Workers are the attribute-based computations that may run at a time, of all nodes that share
// them: several rooms of one process take no more of its cores than one does. Nothing of a
// computation is shared but its turn. A node has as many that wait for one as there are turns,
// so that a room that has much to do has others' waiting behind its next one, not behind all.
type Workers struct{ turns chan struct{} }

// NewWorkers are workers for nodes to share.
func NewWorkers() *Workers { return &Workers{make(chan struct{}, workers)} }

// turn waits for one, and returns what ends it; nil: the node ended before.
func (n *Node) turn() (done func()) {
	w := n.cfg.Workers
	if w == nil {
		return func() {}
	}
	select {
	case w.turns <- struct{}{}:
		return func() { <-w.turns }
	case <-n.ended:
		return nil
	}
}

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
			done := n.turn()
			if done == nil {
				return
			}
			n.compute(t)
			done()
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
