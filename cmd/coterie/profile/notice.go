package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// The newest notice of a domain that any room of this profile has heard of lies in the data
// folder, so that each room begins with it.

func (p *Profile) noticePath(d [32]byte) (string, error) {
	dir, err := p.DataDir()
	return filepath.Join(dir, "notices", fmt.Sprintf("%x.notice", d)), err
}

// Notice is what is kept of a domain's notices; nil: nothing, or what is kept is not its.
func (p *Profile) Notice(d *abe.Domain) (*abe.Notice, error) {
	path, err := p.noticePath(d.ID())
	if err != nil {
		return nil, err
	}
	n, err := keyfile.LoadNotice(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = n.Verify(d)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// KeepNotice keeps a notice, unless a newer one of its domain is kept.
func (p *Profile) KeepNotice(d *abe.Domain, n *abe.Notice) error {
	path, err := p.noticePath(d.ID())
	if err != nil {
		return err
	}
	return p.changing(path, func() error {
		if old, err := p.Notice(d); err == nil && old != nil && old.Number >= n.Number {
			return nil
		}
		data, err := n.MarshalBinary()
		if err != nil {
			return err
		}
		return replace(path, data)
	})
}

// ReadNotice reads a domain's notice out of a file, and checks that it is this domain's.
func ReadNotice(path string, d *abe.Domain) (*abe.Notice, error) {
	n, err := keyfile.LoadNotice(path)
	if err != nil {
		return nil, err
	}
	if err := n.Verify(d); err != nil {
		return nil, cli.Fail("notice-foreign", "the notice in %s is not of %s, the domain of your key", path, d.Name()).
			Hint("ask the operator of %s for it once more", d.Name()).Because(err)
	}
	return n, nil
}
