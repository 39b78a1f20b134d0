package node_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// Two members of a room on this computer: ann listens, bob dials her, and when both can read, she says
// hello. Run ends when a node left, and then closes Events.
func Example() {
	descriptor, keys := domain("ann", "bob")
	begin := func(i int, bootstrap ...ma.Multiaddr) *node.Node {
		n, err := node.New(node.Config{
			Room: descriptor, Key: keys[i], Name: []string{"ann", "bob"}[i], Bootstrap: bootstrap,
			Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
		})
		if err != nil {
			log.Fatal(err)
		}
		return n
	}
	ann := begin(0)
	bob := begin(1, ann.Addresses()...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go ann.Run(ctx)
	go bob.Run(ctx)

	over := make(chan struct{})
	go func() {
		defer close(over)
		said := false
		for event := range ann.Events() {
			if e, ok := event.(room.EpochStarted); ok && len(e.Members) == 2 && !said {
				ann.Send(nil, record.KindText, "hello")
				said = true
			}
		}
	}()
	for event := range bob.Events() {
		if e, ok := event.(room.Delivered); ok {
			fmt.Printf("%s: %s\n", e.Author.Name, e.Message.Text)
			bob.Leave()
			ann.Leave()
		}
	}
	<-over
	// Output:
	// ann: hello
}

// domain makes a room, and a key for each of its members.
func domain(members ...string) (*room.Descriptor, []*abe.Key) {
	authority, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		log.Fatal(err)
	}
	policy, err := abe.ParsePolicy("NTNU or Professor")
	if err != nil {
		log.Fatal(err)
	}
	descriptor, err := room.NewDescriptor(authority.Domain(), "exam", policy, 0)
	if err != nil {
		log.Fatal(err)
	}
	attributes, err := abe.ParseAttributes([]string{"NTNU"})
	if err != nil {
		log.Fatal(err)
	}
	today := abe.DayOf(time.Now())
	var keys []*abe.Key
	for i := range members {
		key, err := authority.Issue(rand.Reader, abe.Grant{
			Serial: uint64(i + 1), Attributes: attributes, From: today, Expires: today + 30,
		})
		if err != nil {
			log.Fatal(err)
		}
		keys = append(keys, key)
	}
	return descriptor, keys
}
