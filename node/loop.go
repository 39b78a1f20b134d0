package node

import (
	"errors"
	"time"

	"coterie/room"
)

// loop owns the room until it is left. Should the room's state break, which it
// never may, nothing that the loop owns is to be relied on any more: it ends.
func (n *Node) loop() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newBroken(p)
		}
	}()
	n.forwarders.know(n.room.MembersNear())
	n.drain()
	for {
		select {
		case f := <-n.inputs:
			f()
		case f := <-n.heard: // of its own: it has its turn, however many streams are busy
			f()
		case <-n.wake.C: // each second, if not before
			n.wakesAt = time.Time{}
			n.room.Tick(n.now())
			n.forwarders.know(n.room.MembersNear())
		case <-n.leaving:
			n.leave()
			switch {
			case n.superseded:
				return room.ErrSuperseded
			case n.revoked:
				return room.ErrRevoked
			}
			return nil
		}
		n.drain()
	}
}

func (n *Node) spawn(f func()) {
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		f()
	}()
}

// do runs f in the loop, and waits until it has run. It returns false if the
// loop has ended, or broke while f ran.
func (n *Node) do(f func()) bool { return n.doBy(n.inputs, f) }

// doBy is do by one of the ways into the loop.
func (n *Node) doBy(way chan<- func(), f func()) bool {
	done := make(chan struct{})
	select {
	case way <- func() { f(); close(done) }:
	case <-n.ended:
		return false
	}
	select {
	case <-done:
		return true
	case <-n.ended: // a loop that broke has not run all that it took
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

// ErrEnded is returned after the node has ended.
var ErrEnded = errors.New("the room was left")
