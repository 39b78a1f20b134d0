package node

import (
	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// Send sends a message, or holds it until somebody else can read it; events
// tell which, and are there when Send returns. The errors are those of room.Send,
// and ErrEnded.
func (n *Node) Send(ref any, kind byte, text string) error {
	var err error
	if !n.do(func() { err = n.room.Send(n.now(), ref, kind, text); n.drain() }) {
		return ErrEnded
	}
	return err
}

// SendAbout is Send for what is about another message. The errors are those of
// room.SendAbout, and ErrEnded.
func (n *Node) SendAbout(ref any, kind byte, target ake.Hash, words string) error {
	var err error
	if !n.do(func() { err = n.room.SendAbout(n.now(), ref, kind, target, words); n.drain() }) {
		return ErrEnded
	}
	return err
}

// SendTo is Send for words that only those can read whose keys satisfy a policy. The errors
// are those of room.SendTo, and ErrEnded.
func (n *Node) SendTo(ref any, policy *abe.Policy, text string) error {
	var err error
	if !n.do(func() { err = n.room.SendTo(n.now(), ref, policy, text); n.drain() }) {
		return ErrEnded
	}
	return err
}
