package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/room"
)

// askTime is how long a stream with a question may last: its user has a minute.
const askTime = room.QuestionTime + 20*time.Second

// Ask asks a member to prove that it satisfies a policy of the room's domain;
// room.Attested follows. The errors are those of room.Ask, and ErrEnded.
func (n *Node) Ask(to peer.ID, policy *abe.Policy) error {
	var err error
	if !n.do(func() { err = n.room.Ask(n.now(), to, policy) }) {
		return ErrEnded
	}
	return err
}

// Answer is the user's word on a question (room.Asked). The errors are those of
// room.Answer, and ErrEnded.
func (n *Node) Answer(id string, allow bool) error {
	var err error
	if !n.do(func() { err = n.room.Answer(n.now(), id, allow) }) {
		return ErrEnded
	}
	return err
}

// Ping measures how long a peer takes to answer over the path there is. It does
// not dial.
func (n *Node) Ping(ctx context.Context, p peer.ID) (Path, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if path := n.Path(p); path.Kind == NoPath {
		return path, ErrNotConnected
	}
	took, err := n.ping(ctx, p)
	path := n.Path(p)
	if err == nil {
		path.RTT = took
	}
	return path, err
}
