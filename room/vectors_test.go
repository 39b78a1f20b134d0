package room

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestVectorsRooms is about descriptors, ids, topics and links: PROTOCOL.md §4.
// They are kept with the records'.
func TestVectorsRooms(t *testing.T) {
	type vector struct {
		Domain     string   `json:"domain"`
		Name       string   `json:"name"`
		Policy     string   `json:"policy"`
		History    int64    `json:"history_seconds"`
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
			Domain: hex.EncodeToString(l.Domain[:]), Name: l.Name, Policy: l.Policy.String(), History: int64(l.History.Seconds()), Tag: hex.EncodeToString(l.Tag),
			Addresses: []string{}, Descriptor: hex.EncodeToString(l.Descriptor.Bytes()), Room: hex.EncodeToString(id[:]), Topic: l.Topic(), Link: l.String(),
		}
		for _, a := range l.Addresses {
			v.Addresses = append(v.Addresses, a.String())
		}
		vs = append(vs, v)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(vs); err != nil {
		t.Fatal(err)
	}
	testFile(t, filepath.Join("record", "testdata", "rooms.json"), b.Bytes())
	for i, v := range vs {
		// The seeds of FuzzParseLink.
		seed := fmt.Sprintf("go test fuzz v1\nstring(%q)\n", v.Link)
		testFile(t, filepath.Join("testdata", "fuzz", "FuzzParseLink", fmt.Sprint("link-", i)), []byte(seed))
	}
}

// testFile compares with a file, or writes it anew.
func testFile(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -run TestVectorsRooms . -update writes it anew)\n got %s", path, got)
	}
}
