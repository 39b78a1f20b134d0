package profile

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/BurntSushi/toml"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/room"
)

// A Room is one that was joined: a name is enough the next time.
type Room struct {
	Name      string    `toml:"name"`
	Domain    string    `toml:"domain"`
	DomainID  string    `toml:"domain_id"`
	Policy    string    `toml:"policy"`
	History   string    `toml:"history,omitempty"`
	Questions bool      `toml:"questions,omitempty"` // it takes them from outside
	Tag       string    `toml:"tag,omitempty"`       // of an unlisted room: secret
	Key       string    `toml:"key"`                 // the path of the key file
	Addresses []string  `toml:"addresses,omitempty"`
	Last      time.Time `toml:"last"`
	// Kept are settings that hold for this room: what was typed once is so the next time.
	Kept Values `toml:"-"`
}

// maxAddresses bounds the addresses kept of one room.
const maxAddresses = 8

// RoomsPath is where joined rooms are kept.
func (p *Profile) RoomsPath() (string, error) {
	dir, err := p.ConfigDir()
	return filepath.Join(dir, "rooms.toml"), err
}

// Rooms reads what is kept of rooms.
func (p *Profile) Rooms() ([]Room, error) {
	path, err := p.RoomsPath()
	if err != nil {
		return nil, err
	}
	data, err := keyfile.ReadSecret(path)
	if isNone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	damaged := func(err error) error {
		return cli.Fail("file-damaged", "%s is damaged", path).
			Hint("move it away; rooms are remembered again as you join them").Because(err)
	}
	var f struct {
		Rooms []Room `toml:"room"`
	}
	var more struct {
		Rooms []map[string]any `toml:"room"`
	}
	md, err := toml.Decode(string(data), &f)
	if err == nil {
		_, err = toml.Decode(string(data), &more)
	}
	if err != nil {
		return nil, damaged(err)
	}
	for i := range f.Rooms {
		if f.Rooms[i].Kept, err = kept(more.Rooms[i]); err != nil {
			return nil, damaged(err)
		}
	}
	for _, unknown := range md.Undecoded() {
		name := unknown[len(unknown)-1]
		if s, ok := find(name); !ok || !s.Kept {
			line, col := locate(string(data), unknown)
			return nil, cli.Fail("config", "%s:%d:%d: there is no setting %q", path, line, col, name)
		}
	}
	return f.Rooms, nil
}

// remembered is Rooms for whoever joins one: without a home folder there are none.
func (p *Profile) remembered() ([]Room, error) {
	rooms, err := p.Rooms()
	if isNoHome(err) {
		return nil, nil
	}
	return rooms, err
}

// kept are the settings among what the file has of a room.
func kept(file map[string]any) (Values, error) {
	out := make(Values)
	for _, s := range Table {
		if raw, ok := file[s.Name]; s.Kept && ok {
			v, err := s.typed(raw)
			if err != nil {
				return nil, err
			}
			out[s.Name] = v
		}
	}
	return out, nil
}

// changeRooms changes what is kept of rooms, all at once, while no other process does.
func (p *Profile) changeRooms(change func([]Room) ([]Room, error)) error {
	path, err := p.RoomsPath()
	if err != nil {
		return err
	}
	return p.changing(path, func() error {
		rooms, err := p.Rooms()
		if err != nil {
			return err
		}
		if rooms, err = change(rooms); err != nil {
			return err
		}
		return saveRooms(path, rooms)
	})
}

// saveRooms writes what is kept of rooms, in place of what is there.
func saveRooms(path string, rooms []Room) error {
	var b bytes.Buffer
	b.WriteString("# Rooms that were joined. coterie writes this file; coterie forget ROOM takes one out.\n\n")
	enc := toml.NewEncoder(&b)
	for _, r := range rooms {
		b.WriteString("[[room]]\n")
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("remembering rooms: %w", err)
		}
		if err := enc.Encode(map[string]any(r.Kept)); len(r.Kept) > 0 && err != nil {
			return fmt.Errorf("remembering rooms: %w", err)
		}
		b.WriteByte('\n')
	}
	if b.Len() > keyfile.MaxSize {
		return cli.Fail("rooms-full", "%s would be larger than %s", path, cli.Size(keyfile.MaxSize)).
			Hint("coterie rooms lists all; coterie forget ROOM takes one out")
	}
	return replace(path, b.Bytes())
}

// NewRoom is a room that is being joined, with a key.
func NewRoom(d *room.Descriptor, domain, keyPath string, kept Values, now time.Time) (Room, error) {
	key, err := filepath.Abs(keyPath)
	r := Room{
		Name: d.Name, Domain: domain, DomainID: hex.EncodeToString(d.Domain[:]), Policy: d.Policy.String(),
		Tag: hex.EncodeToString(d.Tag), Key: key, Last: now.UTC().Truncate(time.Second), Kept: kept,
		Questions: d.Questions,
	}
	if d.History > 0 {
		r.History = d.History.String()
	}
	return r, err
}

// Is reports whether it is the room of a descriptor.
func (r *Room) Is(d *room.Descriptor) bool {
	return r.Name == d.Name && r.DomainID == hex.EncodeToString(d.Domain[:]) && r.Policy == d.Policy.String() &&
		r.Tag == hex.EncodeToString(d.Tag) && r.Span() == d.History && r.Questions == d.Questions
}

// Span is how far back newcomers may read.
func (r *Room) Span() time.Duration {
	d, err := time.ParseDuration(r.History)
	if r.History == "" || err != nil {
		return 0
	}
	return d
}

// Descriptor is the room, going by what is kept alone: it needs no key.
func (r *Room) Descriptor() (*room.Descriptor, error) {
	policy, err := abe.ParsePolicy(r.Policy)
	if err != nil {
		return nil, err
	}
	domain, err := hex.DecodeString(r.DomainID)
	tag, err2 := hex.DecodeString(r.Tag)
	if err != nil || err2 != nil || len(domain) != 32 || len(tag) != 0 && len(tag) != 16 {
		return nil, cli.Fail("file-damaged", "what rooms.toml says of %s is damaged", cli.Clean(r.Name)).
			Hint("coterie forget %s", cli.Quote(r.Name))
	}
	if len(tag) == 0 {
		tag = nil
	}
	return &room.Descriptor{Domain: [32]byte(domain), Name: r.Name, Policy: policy, History: r.Span(), Tag: tag,
		Questions: r.Questions}, nil
}

// In is the room, for a key of its domain.
func (r *Room) In(domain *abe.Domain) (*room.Descriptor, error) {
	d, err := r.Descriptor()
	if err != nil {
		return nil, err
	}
	switch {
	case d.Domain == domain.ID():
		return d, nil
	case r.Domain == domain.Name():
		return nil, cli.Fail("same-name-domain", "two domains call themselves %s: your key's is %s, the room's is %s",
			r.Domain, domain.Fingerprint(), room.Fingerprint(d.Domain)).
			Hint("compare the fingerprint with your operator")
	}
	return nil, WrongDomain(domain, r.Domain+" "+room.Fingerprint(d.Domain))
}

// WrongDomain says that a key is of another domain than the room.
func WrongDomain(key *abe.Domain, other string) error {
	return cli.Fail("wrong-domain", "this key is from %s %s, the room belongs to %s", key.Name(), key.Fingerprint(),
		other).
		Hint("give a key of the room's domain with --key")
}

// Remember keeps a room that is being joined, and some addresses of others besides those that
// are known.
func (p *Profile) Remember(now Room, addrs []ma.Multiaddr) error {
	d, err := now.Descriptor()
	if err != nil {
		return err
	}
	add := func(s string) {
		if len(now.Addresses) < maxAddresses && !slices.Contains(now.Addresses, s) {
			now.Addresses = append(now.Addresses, s)
		}
	}
	for _, m := range addrs {
		add(m.String())
	}
	return p.changeRooms(func(rooms []Room) ([]Room, error) {
		i := slices.IndexFunc(rooms, func(r Room) bool { return r.Is(d) && r.Key == now.Key })
		if i < 0 {
			return append(rooms, now), nil
		}
		for _, s := range rooms[i].Addresses {
			add(s)
		}
		rooms[i] = now
		return rooms, nil
	})
}

// KeptOf are the settings that were kept of a room, joined with a key.
func (p *Profile) KeptOf(d *room.Descriptor, keyPath string) (Values, error) {
	key, err := filepath.Abs(keyPath)
	if err != nil {
		return nil, err
	}
	rooms, err := p.remembered()
	if err != nil {
		return nil, err
	}
	for _, r := range rooms {
		if r.Is(d) && r.Key == key {
			return r.Kept, nil
		}
	}
	return make(Values), nil
}

// Recall finds a room by its name, and by the key if one is given. ok is false if there is none.
func (p *Profile) Recall(name, keyPath string) (r Room, ok bool, err error) {
	hits, err := p.Namesakes(name, keyPath)
	if err != nil {
		return r, false, err
	}
	switch len(hits) {
	case 0:
		return r, false, nil
	case 1:
		return hits[0], true, nil
	}
	e := cli.Fail("ambiguous", "%d rooms called %s are remembered", len(hits), cli.Clean(name))
	for _, r := range hits {
		e.Detail(fmt.Sprintf("%s   %s   %s", cli.Clean(r.Domain), cli.Clean(Tilde(r.Key)), cli.Clean(r.Policy)))
	}
	if OneKey(hits) {
		return r, false, e.Hint("say which: coterie join %s --policy 'POLICY'", cli.Quote(name))
	}
	return r, false, e.Hint("say which: coterie join %s --key FILE", cli.Quote(name))
}

// Namesakes are the rooms of a name, and of a key if one is given.
func (p *Profile) Namesakes(name, keyPath string) ([]Room, error) {
	rooms, err := p.remembered()
	if err != nil {
		return nil, err
	}
	key := ""
	if keyPath != "" {
		if key, err = filepath.Abs(keyPath); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(rooms, func(r Room) bool { return r.Name != name || key != "" && r.Key != key }), nil
}

// OneKey reports whether all of them are entered with one key.
func OneKey(rooms []Room) bool {
	return !slices.ContainsFunc(rooms, func(r Room) bool { return r.Key != rooms[0].Key })
}
