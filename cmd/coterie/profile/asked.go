package profile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
	"coterie/room"
)

// An Asked is a question to a room that was asked from outside, without a key, and that waits
// for its answer: a file of its own, which is secret. Whoever has it reads the answer.
type Asked struct {
	Room   string    `toml:"room"`
	Link   string    `toml:"link"`
	Domain string    `toml:"domain"` // the path of the domain's file
	Begin  []string  `toml:"begin,omitempty"`
	For    string    `toml:"for,omitempty"`
	Text   string    `toml:"text"`
	At     time.Time `toml:"at"`
	Taken  bool      `toml:"taken"` // a member said that it has it
	Secret string    `toml:"secret"`

	*room.Inquiry `toml:"-"`
}

// askedDays is for how long a question is kept here: it is kept no longer in the room.
const askedDays = room.OutsideDays + 1

func (p *Profile) askedFolder() (string, error) {
	dir, err := p.DataDir()
	return filepath.Join(dir, "asked"), err
}

func (p *Profile) askedPath(a *Asked) (string, error) {
	dir, err := p.askedFolder()
	return filepath.Join(dir, hex.EncodeToString(a.ID[:8])+".toml"), err
}

// KeepAsked keeps a question until it is answered.
func (p *Profile) KeepAsked(a *Asked) error {
	path, err := p.askedPath(a)
	if err != nil {
		return err
	}
	a.Secret = hex.EncodeToString(a.Bytes())
	var b bytes.Buffer
	b.WriteString("# A question to a room. This file is secret: whoever has it reads the answer.\n")
	if err := toml.NewEncoder(&b).Encode(a); err != nil {
		return err
	}
	return p.ReplaceSecret(path, b.Bytes())
}

// ForgetAsked removes what is kept of a question.
func (p *Profile) ForgetAsked(a *Asked) error {
	path, err := p.askedPath(a)
	if err != nil {
		return err
	}
	return p.changing(path, func() error { return os.Remove(path) })
}

// Asked are the questions that wait for answers, oldest first. Those whose time is over are
// removed, and returned apart.
func (p *Profile) Asked(now time.Time) (waiting, over []*Asked, err error) {
	dir, err := p.askedFolder()
	if err != nil {
		return nil, nil, err
	}
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".toml") {
			continue
		}
		path := filepath.Join(dir, f.Name())
		data, err := keyfile.ReadSecret(path)
		if err != nil {
			return nil, nil, err
		}
		a := new(Asked)
		_, err = toml.Decode(string(data), a)
		if err == nil {
			var secret []byte
			if secret, err = hex.DecodeString(a.Secret); err == nil {
				a.Inquiry, err = room.ParseInquiry(secret)
			}
		}
		if err != nil {
			return nil, nil, cli.Fail("file-damaged", "%s is damaged", path).
				Hint("remove it; the question that it was for can be asked again").Because(err)
		}
		if age := now.Sub(a.At); age > askedDays*24*time.Hour {
			if err := p.ForgetAsked(a); err != nil {
				return nil, nil, err
			}
			over = append(over, a)
			continue
		}
		waiting = append(waiting, a)
	}
	slices.SortFunc(waiting, func(a, b *Asked) int { return a.At.Compare(b.At) })
	return waiting, over, nil
}
