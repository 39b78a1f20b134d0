package lines_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/lines"
)

// over is an event as another process gets it.
func over(t *testing.T, s *chat.State, what any) any {
	t.Helper()
	var b bytes.Buffer
	e := s.Portable(chat.Event{Room: s.ID, At: nine, What: what})
	if err := chat.NewEventWriter(&b).Write([]chat.Event{e}); err != nil {
		t.Fatalf("%T: %v", what, err)
	}
	got, err := chat.NewEventReader(&b).Read()
	if err != nil {
		t.Fatalf("%T: %v", what, err)
	}
	return got[0].What
}

// TestEventsGoOver: a face in another process shows each event as one beside the room does,
// word for word.
func TestEventsGoOver(t *testing.T) {
	for i, what := range everyEvent() {
		t.Run(fmt.Sprintf("%d %T", i, what), func(t *testing.T) {
			var here, there [2]bytes.Buffer
			var faces []*shown
			for i := range 2 {
				p, err := lines.NewPlain(&here[i], &here[i], "none")
				if err != nil {
					t.Fatal(err)
				}
				faces = append(faces, &shown{chat.NewState(aRoom(), nine), p},
					&shown{chat.NewState(aRoom(), nine), lines.NewJSON(&there[i], now)})
			}
			room := chat.NewState(aRoom(), nine)
			for _, before := range everyEvent()[:i+1] {
				for i := range 2 {
					here[i].Reset()
					there[i].Reset()
				}
				far := over(t, room, before)
				room.Take(chat.Event{Room: room.ID, At: nine, What: before})
				for i, f := range faces {
					if i < 2 {
						f.show(before)
					} else {
						f.show(far)
					}
				}
			}
			if here[0].String() != here[1].String() {
				t.Errorf("plain lines: %q\nand not %q", &here[1], &here[0])
			}
			if there[0].String() != there[1].String() {
				t.Errorf("JSON lines: %q\nand not %q", &there[1], &there[0])
			}
		})
	}
}

// TestSlashesGoOver: whatever can be typed can be typed in a window, too.
func TestSlashesGoOver(t *testing.T) {
	for _, s := range chat.Slashes {
		if line, err := chat.EncodeCommand(s.Make("x")); err != nil {
			t.Errorf("/%s: %v", s.Name, err)
		} else if _, err := chat.DecodeCommand(line); err != nil {
			t.Errorf("/%s: %s: %v", s.Name, line, err)
		}
	}
}

// TestCommandsGoOver: each command comes out of its line as it went in, and no line has another
// come out.
func TestCommandsGoOver(t *testing.T) {
	for _, c := range []chat.Command{
		chat.Say{Ref: uint64(7), Text: "hei \x1b[2J", To: "Professor"}, chat.Quit{Linger: time.Second, Leave: true},
		chat.Say{About: 6, Text: "bob hei", Typed: true}, chat.Say{Ref: uint64(8), About: 9, Which: "00"},
		chat.Recent{Count: 3}, chat.Export{File: "x"},
		chat.Who{}, chat.Whois{Who: "ann"}, chat.Prove{Who: "ann", Expr: `"Professor"`}, chat.Allow{ID: "00", Allow: true},
		chat.Search{Ref: uint64(8), Words: "x", From: "a", Begin: true, After: nine, Limit: 3},
		chat.Older{Before: nine, Count: 100}, chat.Set{Name: "nick", Value: "x"}, chat.MarkUnread{ID: hashOf("x"), At: nine},
		chat.Debug{On: true}, chat.Forget{}, chat.ShowHeld{Ref: uint64(0)},
		chat.Questions{Ref: uint64(3)}, chat.Reply{Number: 2, Text: "ja"}, chat.Cut{Who: "x", On: true},
		chat.Parse("/nosuch"),
	} {
		line, err := chat.EncodeCommand(c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := chat.DecodeCommand(line); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: %#v, %v, not %#v", line, got, err, c)
		}
	}
	for _, bad := range []string{
		``, `{}`, `[]`, `{"do":"bad","with":{}}`, `{"do":"bad","with":{"Err":{"Err":1}}}`, `{"do":"say"}`, `{"do":"say","with":{"Text":1}}`,
		`{"do":"say","with":{"Words":"x"}}`, `{"do":"quit","with":{}} {}`, `{"do":"say","ref":-1,"with":{}}`,
		`{"do":"say","with":{},"more":1}`,
	} {
		if c, err := chat.DecodeCommand([]byte(bad)); err == nil {
			t.Errorf("%s is %#v", bad, c)
		}
	}
	c, err := chat.DecodeCommand([]byte(`{"do":"older","with":{"Count":1000000000}}`))
	if older, ok := c.(chat.Older); err != nil || !ok || older.Count > 10_000 {
		t.Errorf("%#v, %v", c, err)
	}
}
