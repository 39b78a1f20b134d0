package node

// What streams cost is bounded for each peer and for all (PROTOCOL.md §11). Where
// all of it is taken, whoever took most gives way: peers that open streams and say
// nothing, or ask and do not read, are in the way of each other, and of nobody
// else for long.

// admit finds a place for a stream that a peer has opened. The loop runs it.
func (n *Node) admit(s *stream) bool {
	all := 0
	of := make(map[string]int)
	for _, other := range n.streams {
		if other.inbound {
			all++
			of[string(other.peer)]++
		}
	}
	own := of[string(s.peer)]
	if own >= maxFromPeer {
		return false
	}
	if all < maxFromAll {
		return true
	}
	var oldest *stream
	for _, other := range n.streams {
		if !other.inbound || of[string(other.peer)] <= own {
			continue
		}
		if oldest == nil || of[string(other.peer)] > of[string(oldest.peer)] ||
			of[string(other.peer)] == of[string(oldest.peer)] && other.id < oldest.id {
			oldest = other
		}
	}
	if oldest == nil {
		return false
	}
	n.dropStream(oldest)
	return true
}

// write queues a frame on a stream. The loop runs it.
func (n *Node) write(s *stream, frame []byte) {
	for n.queued.Load()+int64(len(frame)) > maxQueues {
		longest := s
		for _, other := range n.streams {
			if other.queuing() > longest.queuing() {
				longest = other
			}
		}
		if longest == s {
			break // it is the one to give way, which it does
		}
		n.dropStream(longest)
	}
	s.write(frame)
}

// dropStream ends a stream at once, and what is queued on it.
func (n *Node) dropStream(s *stream) {
	delete(n.streams, s.id)
	s.drop()
	s.reset()
	n.room.StreamClosed(n.now(), s.id)
}
