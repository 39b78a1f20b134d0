package abe

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestRelays: a domain's relays come with its file and with its keys, and change
// neither its identity nor what its keys open; without any, files are as they were.
func TestRelays(t *testing.T) {
	k := issue(t, "NTNU")
	plain, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	relays := []string{"relay.ntnu.no", "/ip4/192.0.2.7/tcp/4001"}
	d, err := authority().Domain().WithRelays(relays)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Equal(authority().Domain()) || d.Fingerprint() != authority().Domain().Fingerprint() ||
		len(authority().Domain().Relays()) != 0 {
		t.Error("with relays it is another domain")
	}
	file, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := ParseDomain(file); err != nil || !slices.Equal(read.Relays(), relays) || !read.Equal(d) {
		t.Errorf("read back: %v, %v", read, err)
	}
	with, err := k.WithRelays(relays)
	if err != nil {
		t.Fatal(err)
	}
	file, err = with.MarshalBinary()
	if err != nil || !bytes.HasPrefix(file, []byte("coterie-key 2\n")) {
		t.Fatalf("%q, %v", file[:min(14, len(file))], err)
	}
	read, err := ParseKey(file)
	if err != nil || !slices.Equal(read.Domain().Relays(), relays) || read.Serial() != k.Serial() {
		t.Fatalf("read back: %v", err)
	}
	if bytes.Contains([]byte(read.String()), []byte("relay.ntnu.no")) {
		t.Error("it prints what is in it")
	}
	read.Domain().Relays()[0] = "x"
	if read.Domain().Relays()[0] != relays[0] {
		t.Error("whoever reads the relays can change them")
	}
	without, err := read.WithRelays(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := without.MarshalBinary(); err != nil || !bytes.Equal(again, plain) {
		t.Error("without relays it is another file than before")
	}
	for _, bad := range [][]string{{""}, {"a b"}, {"a", "a"}, {"\u00e5"}, {strings.Repeat("x", 256)},
		slices.Repeat([]string{"a"}, 9), {"a\n"}} {
		if _, err := k.WithRelays(bad); err == nil || CheckRelays(bad) == nil {
			t.Errorf("%q are taken", bad)
		}
	}
	if _, err := (*Key)(nil).WithRelays(nil); err == nil {
		t.Error("no key has relays")
	}
}
