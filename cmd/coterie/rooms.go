package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/BurntSushi/toml"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"

	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/node/store"
	"coterie/room"
)

// A remembered room is one that was joined: a name is enough the next time.
type remembered struct {
	Name      string    `toml:"name"`
	Domain    string    `toml:"domain"`
	DomainID  string    `toml:"domain_id"`
	Policy    string    `toml:"policy"`
	History   string    `toml:"history,omitempty"`
	Tag       string    `toml:"tag,omitempty"` // of an unlisted room: secret
	Key       string    `toml:"key"`           // the path of the key file
	Addresses []string  `toml:"addresses,omitempty"`
	Last      time.Time `toml:"last"`
	habit
}

// maxRemembered bounds the addresses kept of one room.
const maxRemembered = 8

type roomsFile struct {
	Rooms []remembered `toml:"room"`
}

func (a *app) roomsPath() (string, error) {
	dir, err := a.configDir()
	return filepath.Join(dir, "rooms.toml"), err
}

// rooms reads what is remembered.
func (a *app) rooms() ([]remembered, error) {
	path, err := a.roomsPath()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := keyfile.ReadSecret(path)
	if err != nil {
		return nil, err
	}
	var f roomsFile
	md, err := toml.Decode(string(data), &f)
	if err != nil {
		return nil, cli.Fail("file-damaged", "%s is damaged", path).Hint("move it away; rooms are remembered again as you join them").Because(err)
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		line, col := locate(string(data), unknown[0])
		return nil, cli.Fail("config", "%s:%d:%d: there is no setting %q", path, line, col, unknown[0][len(unknown[0])-1])
	}
	return f.Rooms, nil
}

// saveRooms replaces the file, with mode 0600, all at once.
func (a *app) saveRooms(rooms []remembered) error {
	path, err := a.roomsPath()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("# Rooms that were joined. coterie writes this file; coterie forget ROOM takes one out.\n\n")
	if err := toml.NewEncoder(&b).Encode(roomsFile{rooms}); err != nil {
		return fmt.Errorf("remembering rooms: %w", err)
	}
	return replaceSecret(path, b.Bytes())
}

// replaceSecret writes a file that only its owner may read in place of whatever
// is there.
func replaceSecret(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return keyfile.Replace(path, data, 0o600)
}

// same reports whether r is the room of a descriptor.
func (r *remembered) same(d *room.Descriptor) bool {
	return r.Name == d.Name && r.DomainID == hex.EncodeToString(d.Domain[:]) && r.Policy == d.Policy.String() && r.Tag == hex.EncodeToString(d.Tag) && r.history() == d.History
}

func (r *remembered) history() time.Duration {
	d, err := time.ParseDuration(r.History)
	if r.History == "" || err != nil {
		return 0
	}
	return d
}

// descriptor is the room, for a key of its domain.
func (r *remembered) descriptor(domain *abe.Domain) (*room.Descriptor, error) {
	d, err := r.bare()
	if err != nil {
		return nil, err
	}
	if d.Domain != domain.ID() {
		if r.Domain == domain.Name() {
			return nil, cli.Fail("same-name-domain", "two domains call themselves %s: your key's is %s, the room's is %s", r.Domain, domain.Fingerprint(), room.Fingerprint(d.Domain)).
				Hint("compare the fingerprint with your operator")
		}
		return nil, wrongDomain(domain, r.Domain+" "+room.Fingerprint(d.Domain))
	}
	return d, nil
}

// remember notes a room that is being joined, and what else is known of it.
func (a *app) remember(p *plan, addrs []ma.Multiaddr) error {
	rooms, err := a.rooms()
	if err != nil {
		return err
	}
	key, err := filepath.Abs(p.keyPath)
	if err != nil {
		return err
	}
	d := p.descriptor
	now := remembered{
		Name: d.Name, Domain: p.key.Domain().Name(), DomainID: hex.EncodeToString(d.Domain[:]), Policy: d.Policy.String(),
		Tag: hex.EncodeToString(d.Tag), Key: key, Last: a.now().UTC().Truncate(time.Second), habit: p.habit,
	}
	if d.History > 0 {
		now.History = d.History.String()
	}
	for _, m := range addrs {
		if s := m.String(); len(now.Addresses) < maxRemembered && !slices.Contains(now.Addresses, s) {
			now.Addresses = append(now.Addresses, s)
		}
	}
	i := slices.IndexFunc(rooms, func(r remembered) bool { return r.same(d) && r.Key == key })
	if i < 0 {
		return a.saveRooms(append(rooms, now))
	}
	for _, s := range rooms[i].Addresses {
		if len(now.Addresses) < maxRemembered && !slices.Contains(now.Addresses, s) {
			now.Addresses = append(now.Addresses, s)
		}
	}
	rooms[i] = now
	return a.saveRooms(rooms)
}

// recall finds a remembered room by its name, and by the key if one is given.
// ok is false if there is none.
func (a *app) recall(name, keyPath string) (r remembered, ok bool, err error) {
	hits, err := a.namesakes(name, keyPath)
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
		e.Detail(fmt.Sprintf("%s   %s   %s", cli.Clean(r.Domain), cli.Clean(tilde(r.Key)), cli.Clean(r.Policy)))
	}
	if oneKey(hits) {
		return r, false, e.Hint("say which: coterie join %s --policy 'EXPR'", cli.Quote(name))
	}
	return r, false, e.Hint("say which: coterie join %s --key FILE", cli.Quote(name))
}

// namesakes are the remembered rooms of a name, and of a key if one is given.
func (a *app) namesakes(name, keyPath string) ([]remembered, error) {
	rooms, err := a.rooms()
	if err != nil {
		return nil, err
	}
	key := ""
	if keyPath != "" {
		if key, err = filepath.Abs(keyPath); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(rooms, func(r remembered) bool { return r.Name != name || key != "" && r.Key != key }), nil
}

// oneKey reports whether all of them are entered with one key.
func oneKey(rooms []remembered) bool {
	return !slices.ContainsFunc(rooms, func(r remembered) bool { return r.Key != rooms[0].Key })
}

func (a *app) roomsCommand() *cobra.Command {
	var asJSON bool
	var move string
	cmd := &cobra.Command{
		Use:   "rooms",
		Short: "list the rooms you joined, and how to join them again",
		Example: `  coterie rooms
  coterie rooms --move exam       (their domain has a new master key: prints what to send the members)`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			rooms, err := a.rooms()
			if err != nil {
				return err
			}
			if move != "" {
				return a.moveRoom(rooms, move)
			}
			return a.printRooms(rooms, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().StringVar(&move, "move", "", "print what to tell the members when `ROOM` moves to a new domain")
	cmd.RegisterFlagCompletionFunc("move", a.completeRooms)
	return cmd
}

func (a *app) printRooms(rooms []remembered, asJSON bool) error {
	slices.SortStableFunc(rooms, func(x, y remembered) int { return y.Last.Compare(x.Last) })
	if !asJSON && len(rooms) == 0 {
		_, err := fmt.Fprintln(a.stdout, "No room was joined yet.\n\n  coterie join ROOM --key FILE --policy 'EXPR'")
		return err
	}
	for _, r := range rooms {
		if asJSON {
			o := lines.NewObject("room").Add("room", r.Name).Add("domain", r.Domain).Add("domain_id", r.DomainID).Add("policy", r.Policy).
				Add("key", r.Key).Add("unlisted", r.Tag != "").Add("addresses", len(r.Addresses)).Add("last", lines.Stamp(r.Last))
			if _, err := a.stdout.Write(o.Line()); err != nil {
				return err
			}
			continue
		}
		note := ""
		if r.Tag != "" {
			note = "   unlisted"
		}
		if _, err := fmt.Fprintf(a.stdout, "%-16s %-12s last %s   %s   %s%s\n", cli.Clean(r.Name), cli.Clean(r.Domain), r.Last.Local().Format("2006-01-02"),
			cli.Clean(tilde(r.Key)), cli.Clean(r.Policy), note); err != nil {
			return err
		}
	}
	return nil
}

// moveRoom says what to tell the members when the room's domain has to be
// replaced: a room belongs to its domain, so a new domain means a new room.
func (a *app) moveRoom(rooms []remembered, name string) error {
	i := slices.IndexFunc(rooms, func(r remembered) bool { return r.Name == name })
	if i < 0 {
		return a.noRoom(rooms, name)
	}
	r := rooms[i]
	_, err := fmt.Fprintf(a.stdout, `The room %s belongs to the domain %s. With a new domain it is another room; nobody can be moved by force.
Say this in the room, where the members can see who says it:

  %s moves to a new domain. Compare the new domain's fingerprint with the operator, ask for a new key, and join with
  coterie join %s --key NEW.key --policy %s
`, cli.Clean(r.Name), cli.Clean(r.Domain), cli.Clean(r.Name), cli.Quote(r.Name), cli.Quote(r.Policy))
	return err
}

// noRoom is the error for a name that is not remembered.
func (a *app) noRoom(rooms []remembered, name string) error {
	e := cli.Fail("no-room", "no room called %s is remembered", cli.Clean(name))
	if len(rooms) == 0 {
		return e.Hint("coterie join %s --key FILE --policy 'EXPR'", cli.Quote(name))
	}
	return e.Hint("coterie rooms lists them")
}

func (a *app) forgetCommand() *cobra.Command {
	var yes bool
	var policy string
	cmd := &cobra.Command{
		Use:   "forget ROOM",
		Short: "erase what this computer remembers of a room",
		Example: `  coterie forget exam
  coterie forget exam --policy NTNU      (of two rooms called exam, the one with this policy)`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE:              func(_ *cobra.Command, args []string) error { return a.forget(args[0], policy, yes) },
	}
	cmd.Flags().StringVar(&policy, "policy", "", "only the room of that name with this policy, `EXPR`")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) forget(name, policy string, yes bool) error {
	rooms, err := a.rooms()
	if err != nil {
		return err
	}
	if policy != "" {
		p, err := abe.ParsePolicy(policy)
		if err != nil {
			return err
		}
		policy = p.String()
	}
	var stay, gone []remembered
	for _, r := range rooms {
		if r.Name == name && (policy == "" || r.Policy == policy) {
			gone = append(gone, r)
		} else {
			stay = append(stay, r)
		}
	}
	if len(gone) == 0 {
		return a.noRoom(rooms, name)
	}
	for _, r := range gone {
		if pid := a.runs(r); pid != 0 {
			return cli.Fail("room-running", "%s is open in another process (pid %d)", cli.Clean(name), pid).
				Hint("/forget there leaves and erases; or /quit there, and then once more")
		}
	}
	if !yes {
		question := fmt.Sprintf("Forget %s, with its history, policy and addresses? Your key stays.", cli.Clean(name))
		if len(gone) > 1 {
			question = fmt.Sprintf("Forget all %d rooms called %s, with their history, policies and addresses? Your keys stay.", len(gone), cli.Clean(name))
			for _, r := range gone {
				question += "\n  " + cli.Clean(r.Policy)
			}
			question += "\nFor one of them: --policy 'EXPR'."
		}
		ok, err := cli.Confirm(question, "--yes")
		if err != nil {
			return err
		}
		if !ok {
			return cli.Fail("not-done", "nothing was forgotten")
		}
	}
	if err := a.eraseHistory(gone); err != nil {
		return err
	}
	if err := a.saveRooms(stay); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "Forgot %s. The key file %s is still there.\n", cli.Clean(name), cli.Clean(tilde(gone[0].Key)))
	return err
}

// runs is the process that has a remembered room open; 0: none.
func (a *app) runs(r remembered) int {
	d, err := r.bare()
	dir, err2 := a.runtimeDir()
	if err != nil || err2 != nil {
		return 0
	}
	return control.PID(filepath.Join(dir, control.Name(d.ID(), false)))
}

// forgetRoom erases a room, whichever keys it was joined with.
func (a *app) forgetRoom(d *room.Descriptor) error {
	rooms, err := a.rooms()
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(rooms), func(r remembered) bool { return !r.same(d) })
	if err := a.eraseHistory(gone); err != nil {
		return err
	}
	return a.saveRooms(slices.DeleteFunc(rooms, func(r remembered) bool { return r.same(d) }))
}

// eraseHistory removes what the data folder has of rooms: first the keys, and then all
// files that begin with a room's id.
func (a *app) eraseHistory(rooms []remembered) error {
	dir, err := a.dataDir()
	if err != nil {
		return err
	}
	for _, r := range rooms {
		d, err := r.bare()
		if err != nil {
			continue // what cannot be read has no history that could be found
		}
		path, err := a.diskPath(d)
		if err != nil {
			return err
		}
		if err := store.Remove(path); errors.Is(err, store.ErrRunning) {
			return diskError(d, err)
		} // whatever else went wrong: what is left goes now
		files, err := filepath.Glob(filepath.Join(dir, "rooms", lines.ID(d.ID())+"*"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// bare is the room, going by what is remembered alone: it needs no key.
func (r *remembered) bare() (*room.Descriptor, error) {
	policy, err := abe.ParsePolicy(r.Policy)
	if err != nil {
		return nil, err
	}
	domain, err := hex.DecodeString(r.DomainID)
	tag, err2 := hex.DecodeString(r.Tag)
	if err != nil || err2 != nil || len(domain) != 32 || len(tag) != 0 && len(tag) != 16 {
		return nil, cli.Fail("file-damaged", "what rooms.toml says of %s is damaged", cli.Clean(r.Name)).Hint("coterie forget %s", cli.Quote(r.Name))
	}
	if len(tag) == 0 {
		tag = nil
	}
	return &room.Descriptor{Domain: [32]byte(domain), Name: r.Name, Policy: policy, History: r.history(), Tag: tag}, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
