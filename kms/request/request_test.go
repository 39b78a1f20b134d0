package request

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

const sample = `coterie request 1
name: Kari Nordmann
recipient: age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj
want: NTNU
want: 5th year
made: 2026-11-23
domain: 4f1c9ab277d0e31a
`

func parse(t testing.TB, text string) *Request {
	t.Helper()
	r, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func code(t testing.TB, r *Request) string {
	t.Helper()
	c, err := r.Code()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadsBack(t *testing.T) {
	r := parse(t, sample)
	if r.Name != "Kari Nordmann" || len(r.Want) != 2 || r.Want[1].Name != "5th year" || r.Made.String() != "2026-11-23" ||
		r.Domain != "4f1c9ab277d0e31a" {
		t.Errorf("%+v", r)
	}
	if again, err := r.Marshal(); err != nil || string(again) != sample {
		t.Errorf("%v\n%s", err, again)
	}
	// The code is part of what two people say to each other: it must not change.
	if got, want := code(t, r), "birth-vessel-custom-universe-turn-develop"; got != want {
		t.Errorf("the code is %s, want %s", got, want)
	}
	least := Request{Recipient: r.Recipient, Want: r.Want[:1], Made: r.Made}
	text, err := least.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, string(text)); got.Name != "" || got.Domain != "" {
		t.Errorf("%+v", got)
	}
}

func TestHybridRecipient(t *testing.T) {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, sample)
	r.Recipient = id.Recipient().String()
	text, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if parse(t, string(text)).Recipient != r.Recipient {
		t.Error("the recipient is another")
	}
}

// Whoever carries a request and puts his own recipient into it, or changes
// anything else, changes the code.
func TestRequestCodeSwap(t *testing.T) {
	own, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, sample)
	codes := map[string]string{code(t, r): "the request itself"}
	for name, change := range map[string]func(r *Request){
		"recipient":         func(r *Request) { r.Recipient = own.Recipient().String() },
		"name":              func(r *Request) { r.Name = "Kari Nordman" },
		"no name":           func(r *Request) { r.Name = "" },
		"another attribute": func(r *Request) { r.Want = append(r.Want[:1:1], abe.Attribute{Name: "Professor"}) },
		"one more":          func(r *Request) { r.Want = append(r.Want[:2:2], abe.Attribute{Name: "Professor"}) },
		"order":             func(r *Request) { r.Want = []abe.Attribute{r.Want[1], r.Want[0]} },
		"day":               func(r *Request) { r.Made++ },
		"domain":            func(r *Request) { r.Domain = "4f1c9ab277d0e31b" },
	} {
		changed := *r
		change(&changed)
		c := code(t, &changed)
		if other, ok := codes[c]; ok {
			t.Errorf("%s has the code of %s", name, other)
		}
		codes[c] = name
	}
}

// What mail does to text changes neither the request nor its code.
func TestMail(t *testing.T) {
	want := code(t, parse(t, sample))
	for name, text := range map[string]string{
		"old ends":   strings.ReplaceAll(sample, "\n", "\r"),
		"line ends":  strings.ReplaceAll(sample, "\n", "\r\n"),
		"empty line": "\n\n" + sample + "\n\n",
		"no end":     strings.TrimSpace(sample),
		"spaces":     strings.ReplaceAll(sample, "\n", "  \n"),
		"mark":       "\ufeff" + sample,
	} {
		if got := code(t, parse(t, text)); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestRefused(t *testing.T) {
	const recipient = "recipient: age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n"
	swap := func(old, new string) string { return strings.Replace(sample, old, new, 1) }
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":          {"", ErrFormat},
		"something else": {"hello\n", ErrFormat},
		"newer":          {swap("request 1", "request 2"), ErrVersion},
		"hidden name":    {swap("Nordmann", "Nord\u202emann"), ErrName},
		"escape in name": {swap("Nordmann", "\x1b[2J"), ErrName},
		"name twice":     {swap("name:", "name: Ann\nname:"), ErrFormat},
		"no recipient":   {swap(recipient, ""), ErrFormat},
		"two recipients": {swap(recipient, recipient+recipient), ErrFormat},
		"comment":        {swap("want: NTNU", "# want: NTNU"), ErrFormat},
		"mistyped":       {swap("age1zvk", "age1zvl"), ErrFormat},
		"upper case": {swap("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
			"AGE1ZVKYG2LQZRAA2LNJVQEJ32NKUU0UES2S82HZRYE869XEEXVN73EQUNUJWJ"), ErrFormat},
		"secret half": {swap("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj", "AGE-SECRET-KEY-1QQQ"),
			ErrFormat},
		"wants nothing":    {swap("want: NTNU\nwant: 5th year\n", ""), ErrFormat},
		"another spelling": {swap("want: 5th year", `want: "5th year"`), ErrFormat},
		"no day":           {swap("made: 2026-11-23\n", ""), ErrFormat},
		"odd day":          {swap("2026-11-23", "2026-11-31"), ErrFormat},
		"odd domain":       {swap("4f1c9ab277d0e31a", "4F1C9AB277D0E31A"), ErrFormat},
		"unknown field":    {sample + "admin: yes\n", ErrFormat},
		"out of order": {swap("made: 2026-11-23\ndomain: 4f1c9ab277d0e31a\n",
			"domain: 4f1c9ab277d0e31a\nmade: 2026-11-23\n"), ErrFormat},
		"two spaces": {swap("name: K", "name:  K"), ErrName},
		"too long":   {sample + strings.Repeat(" \n", MaxSize), ErrFormat},
	} {
		if r, err := Parse([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	var bad *abe.AttributeError
	for _, text := range []string{swap("want: NTNU", "want: 5th year"), swap("want: NTNU", "want: generation=2"),
		swap("want: NTNU\n", strings.Repeat("want: a=1\nwant: a=2\n", 20))} {
		if _, err := Parse([]byte(text)); !errors.As(err, &bad) {
			t.Errorf("%v", err)
		}
	}
}

// A request is either refused or has one form, and its code is that form's.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(strings.ReplaceAll(sample, "\n", "\r\n")))
	f.Add([]byte("coterie request 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		canonical, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again := parse(t, string(canonical))
		if text, err := again.Marshal(); err != nil || !bytes.Equal(text, canonical) || code(t, r) != code(t, again) {
			t.Errorf("%q reads back as %q, %v", canonical, text, err)
		}
		if keyfile.KindOf(b) != keyfile.Request {
			t.Error("a request is not known as one")
		}
	})
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"Kari Nordmann": "kari-nordmann", "": "key", "../../etc/passwd": "etc-passwd", "Åse Ødegård": "åse-ødegård",
		"42": "42", "---": "key",
		"a  b!": "a-b", ".hidden": "hidden", strings.Repeat("x", 200): strings.Repeat("x", 61),
	} {
		if got := FileName(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
