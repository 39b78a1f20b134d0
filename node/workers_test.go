package node

import (
	"testing"
	"testing/synctest"
)

// TestSharedWorkers: of all rooms of a process so many compute at a time, one that has much to do
// gets no more turns than one that has little, and one that ends waits for none.
func TestSharedWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewWorkers()
		node := func() *Node { return &Node{cfg: Config{Workers: shared}, ended: make(chan struct{})} }
		busy, other := node(), node()
		var done []func()
		for range workers {
			done = append(done, busy.turn())
		}
		got := make(chan func(), 1)
		go func() { got <- other.turn() }()
		go func() { // it waits as well
			if end := busy.turn(); end != nil {
				end()
			}
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("there is no end of turns")
		default:
		}
		done[0]()
		if end := <-got; end == nil {
			t.Error("no turn")
		} else {
			end()
		}
		done[1]()
		synctest.Wait()
		for range workers {
			done = append(done, busy.turn())
		}
		go func() { got <- other.turn() }()
		synctest.Wait()
		close(other.ended)
		if end := <-got; end != nil {
			t.Error("a node that has ended has a turn")
		}
	})
}
