package chat

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// Events and commands between two processes of one version of this program, so that a face may
// be in another than its room. Other programs use JSON lines (package lines).

// What has no form of its own that can be encoded.
type (
	wireSnapshot struct {
		Room                         room.Status
		Peers                        []node.Path
		Uptime, Ahead                time.Duration
		BytesIn, BytesOut            int64
		Disk, Keep                   int64
		Goroutine, Clocks, Nearby    int
		Speaking, Newer, LeastSpoken int
		Addresses                    []ma.Multiaddr
		Relays                       []peer.ID
		MDNS, UDPBlocked, Mute       bool
		Link                         string
		Wrong                        []health.Item
	}
	wireNotice struct {
		Domain  [32]byte
		Number  uint32
		Serials []uint64
		Own     bool
	}
	wireAnswer struct {
		To    []byte
		Title string
		Lines []string
		Held  []room.HeldMessage
		// Questions are from outside.
		Questions []room.OutsideQuestion
	}
)

func init() {
	for _, v := range []any{
		room.EpochStarted{}, room.LeftOut{}, room.Cut{}, room.Departed{}, room.Renamed{}, room.Delivered{}, room.Sent{},
		room.Held{}, room.Restored{}, room.Unsaid{}, room.Absence{}, room.Proved{}, room.Refused{}, room.Contributed{},
		room.Reached{}, room.Gap{}, room.Shortened{}, room.Equivocated{}, room.Past{}, room.Asked{}, room.Attested{},
		room.Opened{}, room.FileChanged{}, room.HeldNumber(0), room.OutsideQuestion{}, room.OutsideAnswer{},
		node.Bootstrapped{}, node.Connected{},
		LinkChanged{}, Ready{}, Warning{}, NotDone{}, Rejected{}, Waiting{}, StillAlone{}, MemberState{}, PathChanged{},
		HealthChanged{}, Pinged{}, ProofAsked{}, Ignored{}, Dropped{}, SettingKept{}, Kept{}, SendingHeld{}, Found{},
		Earlier{}, Fetching{}, Saved{}, Exported{}, Logged{}, Bye{}, room.Changed{}, wireSnapshot{}, wireNotice{},
		wireAnswer{},
		json.Number(""), map[string]any{}, []any{}, []string{}, time.Duration(0),
	} {
		gob.Register(v)
	}
}

// A wireBatch is what goes over at a time: events, or why there are no more.
type wireBatch struct {
	Events []Event
	End    *cli.Error
}

// An EventWriter writes events for another process.
type EventWriter struct{ enc *gob.Encoder }

// NewEventWriter writes to w.
func NewEventWriter(w io.Writer) *EventWriter { return &EventWriter{gob.NewEncoder(w)} }

// Write writes events, each of which is portable and for whoever reads.
func (w *EventWriter) Write(events []Event) error {
	out := make([]Event, len(events))
	for i, e := range events {
		e.For = nil
		e.What = packed(e.What)
		out[i] = e
	}
	return w.enc.Encode(wireBatch{Events: out})
}

// End says why there are no more; nil: the room was left.
func (w *EventWriter) End(err *cli.Error) error { return w.enc.Encode(wireBatch{End: bare(err)}) }

// An EventReader reads events of another process.
type EventReader struct{ dec *gob.Decoder }

// NewEventReader reads from r.
func NewEventReader(r io.Reader) *EventReader { return &EventReader{gob.NewDecoder(r)} }

// Read reads the next events there are. The error is io.EOF when there are no more, or what
// the other end says.
func (r *EventReader) Read() ([]Event, error) {
	var b wireBatch
	if err := r.dec.Decode(&b); err != nil {
		return nil, err
	}
	if b.End != nil {
		return nil, b.End
	}
	for i := range b.Events {
		what, err := unpacked(b.Events[i].What)
		if err != nil {
			return nil, err
		}
		b.Events[i].What = what
	}
	return b.Events, nil
}

func packed(what any) any {
	switch w := what.(type) {
	case Snapshot:
		s := w.Status
		return wireSnapshot{
			Room: s.Room, Peers: s.Peers, Uptime: s.Uptime, Ahead: s.Ahead, BytesIn: s.BytesIn, BytesOut: s.BytesOut,
			Disk: s.Disk, Keep: s.Keep, Goroutine: s.Goroutine, Clocks: s.Clocks, Nearby: s.Nearby, Speaking: s.Speaking,
			Newer: s.Newer, LeastSpoken: s.Version, Addresses: s.Addresses, Relays: s.Relays, MDNS: s.MDNS,
			UDPBlocked: s.UDPBlocked, Mute: s.Mute, Link: w.Link, Wrong: w.Wrong,
		}
	case room.NoticeTaken:
		return wireNotice{w.Notice.Domain, w.Notice.Number, w.Notice.Serials, w.Own}
	case Answer:
		to, err := EncodeCommand(w.To)
		if err != nil {
			to = nil
		}
		return wireAnswer{to, w.Title, w.Lines, w.Held, w.Questions}
	}
	return what
}

func unpacked(what any) (any, error) {
	switch w := what.(type) {
	case wireSnapshot:
		return Snapshot{Link: w.Link, Wrong: w.Wrong, Status: node.Status{
			Room: w.Room, Peers: w.Peers, Uptime: w.Uptime, Ahead: w.Ahead, BytesIn: w.BytesIn, BytesOut: w.BytesOut,
			Disk: w.Disk, Keep: w.Keep, Goroutine: w.Goroutine, Clocks: w.Clocks, Nearby: w.Nearby, Speaking: w.Speaking,
			Newer: w.Newer, Version: w.LeastSpoken, Addresses: w.Addresses, Relays: w.Relays, MDNS: w.MDNS,
			UDPBlocked: w.UDPBlocked, Mute: w.Mute,
		}}, nil
	case wireNotice:
		return room.NoticeTaken{Notice: &abe.Notice{Domain: w.Domain, Number: w.Number, Serials: w.Serials},
			Own: w.Own}, nil
	case wireAnswer:
		a := Answer{Title: w.Title, Lines: w.Lines, Held: w.Held, Questions: w.Questions}
		if len(w.To) > 0 {
			c, err := DecodeCommand(w.To)
			if err != nil {
				return nil, err
			}
			a.To = c
		}
		return a, nil
	case nil:
		return nil, errors.New("an event without anything in it")
	}
	return what, nil
}

// commands are those that go over, by name.
var commands = make(map[string]reflect.Type)

func init() {
	for _, c := range []Command{
		Say{}, Quit{}, Who{}, Info{}, Status{}, Whois{}, Link{}, Help{}, Peers{}, Ignores{}, To{}, Nick{}, Rekey{}, Drop{},
		SendHeld{}, ShowHeld{}, Ping{}, Prove{}, Allow{}, Ignore{}, Cut{}, Notice{}, Search{}, Older{}, Set{}, MarkUnread{},
		Debug{}, Forget{}, Bad{}, Questions{}, Reply{}, Recent{}, Export{}, File{}, Fetch{}, Save{}, Stop{}, Files{},
	} {
		commands[nameOf(c)] = reflect.TypeOf(c)
	}
}

func nameOf(c Command) string { return strings.ToLower(reflect.TypeOf(c).Name()) }

// A wireCommand is one on its way. Its ref, if it has one, is a number.
type wireCommand struct {
	Do   string          `json:"do"`
	Ref  *uint64         `json:"ref,omitempty"`
	With json.RawMessage `json:"with"`
}

// MapRef is a command, or what happened, with what f makes of its ref. One that has none is as it was.
func MapRef[T any](what T, f func(ref any) any) T {
	was := reflect.ValueOf(what)
	if was.Kind() != reflect.Struct || !was.FieldByName("Ref").IsValid() {
		return what
	}
	v := reflect.New(was.Type()).Elem()
	v.Set(was)
	ref := f(v.FieldByName("Ref").Interface())
	v.FieldByName("Ref").Set(reflect.ValueOf(&ref).Elem())
	return v.Interface().(T)
}

// EncodeCommand is a command as a line for another process, without its end. A ref that is no
// number is left out.
func EncodeCommand(c Command) ([]byte, error) {
	if c == nil || commands[nameOf(c)] == nil {
		return nil, fmt.Errorf("%T does not go to another process", c)
	}
	out := wireCommand{Do: nameOf(c)}
	c = MapRef(c, func(ref any) any {
		if n, ok := ref.(uint64); ok {
			out.Ref = &n
		}
		return nil
	})
	if bad, ok := c.(Bad); ok {
		c = Bad{Err: bare(bad.Err)}
	}
	var err error
	out.With, err = json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// DecodeCommand reads a line that EncodeCommand made, or that somebody made up.
func DecodeCommand(line []byte) (Command, error) {
	var in wireCommand
	if err := strictly(line, &in); err != nil {
		return nil, err
	}
	t := commands[in.Do]
	if t == nil {
		return nil, errors.New("no command of this version")
	}
	v := reflect.New(t)
	if err := strictly(in.With, v.Interface()); err != nil {
		return nil, err
	}
	c := MapRef(v.Elem().Interface().(Command), func(any) any {
		if in.Ref == nil {
			return nil
		}
		return *in.Ref
	})
	switch w := c.(type) {
	case Say:
		if w.About != 0 && !record.IsAbout(w.About) {
			return nil, errors.New("nothing that is about a message")
		}
	case Search:
		w.Limit = min(max(w.Limit, 1), MaxFound)
		return w, nil
	case Recent:
		w.Count = min(max(w.Count, 1), maxRecent)
		return w, nil
	case Older:
		w.Count = min(max(w.Count, 0), maxBack)
		return w, nil
	case Bad:
		if w.Err == nil {
			return nil, errors.New("nothing that is wrong")
		}
	case Quit:
		w.Linger = min(max(w.Linger, 0), time.Hour)
		return w, nil
	}
	return c, nil
}

// Unsayable is the error for words that no room takes, nil: nothing is known against them. JSON
// would have other words of what is not UTF-8.
func (c Say) Unsayable() *cli.Error {
	if !utf8.ValidString(c.Text) {
		return sendError(room.ErrText, c.Text)
	}
	if len(c.Text) <= record.MaxText || c.About != 0 {
		return nil // or it is seen which message it is about
	}
	return sendError(room.ErrTooLong, c.Text)
}

func strictly(data []byte, to any) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one object on a line")
	}
	return nil
}
