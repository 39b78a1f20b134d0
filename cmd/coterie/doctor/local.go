package doctor

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/kms/keyfile"
	"coterie/node"
	"coterie/room"
)

func (d *diagnosis) version() {
	d.tell("ok", "version", fmt.Sprintf("coterie %s, protocol %d, %s %s/%s", cli.ProgramVersion(), node.Version,
		runtime.Version(), runtime.GOOS, runtime.GOARCH))
}

func (d *diagnosis) terminal() {
	if !ui.IsTerminal(d.In, d.Out) {
		d.tell("ok", "terminal", "none: plain lines")
		return
	}
	w, h, err := term.GetSize(int(d.Out.(*os.File).Fd()))
	if err != nil {
		w, h = 0, 0
	}
	name := os.Getenv("TERM")
	if name == "" {
		name = "TERM is not set"
	}
	parts := []string{name, "UTF-8", fmt.Sprintf("%dx%d", w, h)}
	if name == "dumb" || os.Getenv("TERM") == "" {
		d.tell("warn", "terminal", strings.Join(parts[:1], "")+": plain lines, since nothing is known of it",
			"export TERM=xterm-256color")
		return
	}
	// What it does with a paste and with focus is asked of every terminal; that it
	// answers cannot be seen from here.
	parts = append(parts, "bracketed paste and focus if it has them", "notifications by the bell")
	if kind := ui.Desktop(); kind != "" {
		parts[len(parts)-1] = "notifications by OSC " + kind
	}
	if !ui.IsUTF8() {
		parts[1] = "not UTF-8"
		d.tell("warn", "terminal", strings.Join(parts, ", "), "export LANG=C.UTF-8")
		return
	}
	d.tell("ok", "terminal", strings.Join(parts, ", "))
}

func (d *diagnosis) config() {
	c, err := d.Profile.Settings()
	if err != nil {
		d.fail("config", err)
		return
	}
	d.settings = c
	d.keyPath = c.Text("key")
	if d.Identity == "" {
		d.Identity = c.Text("identity")
	}
	if _, err := os.Stat(c.Path); err != nil {
		d.tell("ok", "config", "none: the defaults")
		return
	}
	d.tell("ok", "config", profile.Tilde(c.Path))
}

func (d *diagnosis) identity() {
	path, err := d.Profile.IdentityPath(d.Identity)
	if err != nil {
		d.fail("identity", err)
		return
	}
	data, err := keyfile.ReadSecret(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.Identity == "":
		d.tell("ok", "identity", "none yet: coterie request makes it")
	case err != nil:
		d.fail("identity", err)
	case keyfile.KindOf(data) == keyfile.Identity:
		d.tell("warn", "identity", profile.Tilde(path)+", 0600, without a passphrase: whoever copies it has your keys",
			"coterie passphrase")
	default:
		d.tell("ok", "identity", profile.Tilde(path)+", 0600, passphrase")
	}
	clear(data)
}

// theRoom finds out which room is meant, if any.
func (d *diagnosis) theRoom() {
	name := room.Pasted(d.Room)
	if name == "" {
		return
	}
	if room.IsLink(name) {
		l, err := room.ParseLink(name)
		if err != nil {
			d.fail("room", chat.LinkError(err))
			return
		}
		d.desc, d.addrs = l.Descriptor, l.Addresses
		return
	}
	r, ok, err := d.Profile.Recall(name, d.Key)
	if err == nil && !ok {
		err = profile.NoRoom(name, false)
	}
	if err == nil {
		d.desc, err = r.Descriptor()
	}
	if err == nil {
		d.addrs, err = profile.Addresses("address", r.Addresses)
	}
	if err != nil {
		d.fail("room", err)
		return
	}
	d.keyPath = r.Key
}

func (d *diagnosis) theKey() {
	if d.Key != "" {
		d.keyPath = d.Key
	}
	if d.keyPath == "" {
		return
	}
	ids, err := d.Profile.Identities(d.Identity, d.PassphraseFile)
	if err == nil {
		d.key, err = keyfile.LoadKey(d.keyPath, ids)
	}
	if err != nil {
		d.fail("key", err)
		return
	}
	today := abe.DayOf(d.Now())
	left := int(d.key.Expires()) - int(today)
	text := fmt.Sprintf("%s: %s; %s; %s", profile.Tilde(d.keyPath), d.key.Domain().Name(), cli.KeyAttributes(d.key),
		cli.Plural(max(left, 0), "more day"))
	switch {
	case left <= 0:
		d.fail("key", cli.KeyExpired(d.keyPath, d.key, today))
	case today < d.key.From():
		d.tell("FAIL", "key", fmt.Sprintf("%s is valid from %s", profile.Tilde(d.keyPath), d.key.From()),
			"is this computer's clock right?")
	case left <= 7:
		d.tell("warn", "key", text, "ask the operator for a renewal")
	default:
		d.tell("ok", "key", text)
	}
}

// policy checks that the key gets in, and how long that takes here.
func (d *diagnosis) policy() {
	if d.desc == nil || d.key == nil {
		return
	}
	domain := d.key.Domain()
	if domain.ID() != d.desc.Domain {
		d.fail("policy", profile.WrongDomain(domain, room.Fingerprint(d.desc.Domain)))
		return
	}
	e := d.desc.Policy.Explain(d.key.Attributes(), d.key.Generation())
	if !e.Satisfied {
		d.fail("policy", chat.Unsatisfied(d.desc, d.key, e))
		return
	}
	today := abe.DayOf(d.Now())
	if !d.key.ValidOn(today) {
		return // said already
	}
	suite := room.NewABE(d.key, d.desc.Policy)
	seed, err := ake.NewSecret(rand.Reader)
	if err != nil {
		d.fail("policy", err)
		return
	}
	ctx := &ake.Context{Room: d.desc.ID(), Period: abe.PeriodOf(0, today)}
	began := time.Now()
	made, err := suite.Encapsulate(seed, ctx, nil)
	if err != nil {
		d.fail("policy", err)
		return
	}
	mid := time.Now()
	if _, err := suite.Open(ctx, nil, made.Bytes); err != nil {
		d.tell("FAIL", "policy", "the key says that it satisfies the policy, and opens nothing",
			"the key file does not fit its domain: ask the operator for another")
		return
	}
	d.tell("ok", "policy", fmt.Sprintf("satisfied through %s; encapsulate %d ms, open and compare %d ms on this machine",
		e.Through, mid.Sub(began).Milliseconds(), time.Since(mid).Milliseconds()))
}

// history looks whether what is kept of the room is sealed.
func (d *diagnosis) history() {
	if d.desc == nil {
		return
	}
	path, err := d.Profile.HistoryPath(d.desc)
	if err != nil {
		d.fail("history", err)
		return
	}
	data, err := keyfile.ReadSecret(strings.TrimSuffix(path, ".db") + ".key")
	defer clear(data)
	name := cli.Clean(d.desc.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.tell("ok", "history", name+": nothing is kept here")
	case err != nil:
		d.fail("history", err)
	case keyfile.KindOf(data) == keyfile.Sealed:
		d.tell("ok", "history", name+": encrypted with a key that is sealed for your identity")
	default:
		d.tell("warn", "history", name+": encrypted with a key stored beside it",
			"a key that was sealed for your identity protects the history too; --ephemeral keeps nothing")
	}
}
