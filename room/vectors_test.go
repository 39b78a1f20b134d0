package room

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"

	"coterie/crypto/golden"
)

// TestVectorsRooms is about descriptors, ids, topics and links: PROTOCOL.md §4.
// They are kept with the records'.
func TestVectorsRooms(t *testing.T) {
	type vector struct {
		Domain     string   `json:"domain"`
		Name       string   `json:"name"`
		Policy     string   `json:"policy"`
		History    int64    `json:"history_seconds"`
		Questions  bool     `json:"questions,omitempty"`
		Tag        string   `json:"tag"`
		Addresses  []string `json:"addresses"`
		Descriptor string   `json:"descriptor"`
		Room       string   `json:"room"`
		Topic      string   `json:"topic"`
		Link       string   `json:"link"`
	}
	var vs []vector
	for _, l := range testLinks(t) {
		id := l.ID()
		v := vector{
			Domain: hex.EncodeToString(l.Domain[:]), Name: l.Name, Policy: l.Policy.String(), History: int64(l.History.Seconds()), Questions: l.Questions, Tag: hex.EncodeToString(l.Tag),
			Addresses: []string{}, Descriptor: hex.EncodeToString(l.Descriptor.Bytes()), Room: hex.EncodeToString(id[:]), Topic: l.Topic(), Link: l.String(),
		}
		for _, a := range l.Addresses {
			v.Addresses = append(v.Addresses, a.String())
		}
		vs = append(vs, v)
	}
	golden.JSON(t, filepath.Join("record", "testdata", "rooms.json"), vs)
	for i, v := range vs {
		// The seeds of FuzzParseLink.
		seed := fmt.Sprintf("go test fuzz v1\nstring(%q)\n", v.Link)
		golden.Compare(t, filepath.Join("testdata", "fuzz", "FuzzParseLink", fmt.Sprint("link-", i)), []byte(seed))
	}
}
