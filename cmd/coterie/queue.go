package main

import (
	"sync"

	"coterie/cmd/coterie/ui"
)

// A queue has events on their way to the interface. When it is full, whoever puts
// something there waits, and so does the room: nothing is lost.
type queue struct {
	mu     sync.Mutex
	space  *sync.Cond
	events ui.Events
	news   chan struct{} // capacity 1
	closed bool
}

const maxQueue = 1 << 14

func (q *queue) init() {
	q.space = sync.NewCond(&q.mu)
	q.news = make(chan struct{}, 1)
}

func (q *queue) put(e any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.events) >= maxQueue && !q.closed {
		q.space.Wait()
	}
	if q.closed {
		return
	}
	q.events = append(q.events, e)
	select {
	case q.news <- struct{}{}:
	default:
	}
}

func (q *queue) take() ui.Events {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.events
	q.events = nil
	q.space.Broadcast()
	return out
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.space.Broadcast()
}
