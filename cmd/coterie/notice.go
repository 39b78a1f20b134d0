package main

import (
	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
)

// findNotice finds the newest notice of the key's domain: what was typed, or what this
// profile has heard of. A key that it names opens nothing.
func (a *app) findNotice(p *plan, out face) (err error) {
	domain := p.key.Domain()
	if !p.flags.ephemeral {
		if p.notice, err = a.Notice(domain); err != nil {
			e := cli.Describe(err)
			out.Warn(cli.Fail("notice-not-read", "what is kept of the notices of %s is not read: %s", cli.Clean(domain.Name()),
				e.Text).Hint("others tell you of the newest, and it is kept anew").Because(err))
		}
	}
	if p.flags.notice != "" {
		n, err := profile.ReadNotice(p.flags.notice, domain)
		if err != nil {
			return err
		}
		if p.notice == nil || n.Number > p.notice.Number {
			p.notice = n
			if keep := a.keepNotice(p); keep != nil {
				if err := keep(n); err != nil {
					return err
				}
			}
		}
	}
	if p.notice.Names(p.key.Serial()) {
		return chat.Revoked(domain.Name(), p.key.Serial())
	}
	return nil
}

// keepNotice keeps a notice for the next time; nil: nothing is kept.
func (a *app) keepNotice(p *plan) func(*abe.Notice) error {
	if p.flags.ephemeral || p.settings == nil {
		return nil
	}
	return func(n *abe.Notice) error { return a.KeepNotice(p.key.Domain(), n) }
}
