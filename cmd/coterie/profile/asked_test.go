package profile

import (
	"bytes"
	"crypto/rand"
	"os"
	"runtime"
	"testing"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/room"
)

// TestAsked: what was asked from outside is kept, for its owner alone, until it is answered or its
// time is over; what is damaged is an error that says which file.
func TestAsked(t *testing.T) {
	home := t.TempDir()
	for _, v := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
		t.Setenv(v, home)
	}
	m, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := abe.ParsePolicy("NTNU")
	if err != nil {
		t.Fatal(err)
	}
	d, err := room.NewDescriptor(m.Domain(), "exam", policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.Questions = true
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var p Profile
	if waiting, over, err := p.Asked(now); err != nil || len(waiting)+len(over) > 0 {
		t.Errorf("at first: %v, %v, %v", waiting, over, err)
	}
	keep := func(text string, at time.Time) *Asked {
		in, err := room.Inquire(rand.Reader, m.Domain(), d, nil, abe.DayOf(at), nil, text)
		if err != nil {
			t.Fatal(err)
		}
		a := &Asked{Room: "exam", Link: (&room.Link{Descriptor: d}).String(), Domain: "/ntnu.domain", For: `"Professor"`,
			Begin: []string{"10.0.0.7:4001"}, Text: text, At: at, Taken: true, Inquiry: in}
		if err := p.KeepAsked(a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	later, first := keep("second", now.Add(time.Second)), keep("first\n\x1b", now)
	waiting, over, err := p.Asked(now)
	if err != nil || len(waiting) != 2 || len(over) > 0 {
		t.Fatal(waiting, over, err)
	}
	if got := waiting[0]; got.Text != first.Text || got.Link != first.Link || !got.At.Equal(now) || !got.Taken ||
		got.For != first.For || len(got.Begin) != 1 || !bytes.Equal(got.Bytes(), first.Bytes()) || got.ID != first.ID {
		t.Errorf("kept is %+v", got)
	}
	path, err := p.askedPath(first)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v, %v", info, err)
	}
	if err := p.ForgetAsked(first); err != nil {
		t.Fatal(err)
	}
	if waiting, over, err = p.Asked(now.Add(9 * 24 * time.Hour)); err != nil || len(waiting) > 0 || len(over) != 1 ||
		over[0].ID != later.ID {
		t.Errorf("after nine days: %v, %v, %v", waiting, over, err)
	}
	if waiting, over, err = p.Asked(now); err != nil || len(waiting)+len(over) > 0 {
		t.Errorf("they are kept: %v, %v, %v", waiting, over, err)
	}
	bad := keep("third", now)
	if path, err = p.askedPath(bad); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "secret = 1", "secret = \"00\"", "secret = \"zz\"", "["} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Asked(now); cli.Describe(err).Code != "file-damaged" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
