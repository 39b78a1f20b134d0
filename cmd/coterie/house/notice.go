package house

import (
	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
)

// findNotice finds the newest notice of the key's domain: what was typed, or what this
// profile has heard of. A key that it names opens nothing.
func (h *House) findNotice(p *Plan, out Joiner) (err error) {
	domain := p.Key.Domain()
	if !p.Flags.Ephemeral {
		if p.notice, err = h.Notice(domain); err != nil {
			e := cli.Describe(err)
			out.Warn(cli.Fail("notice-not-read", "what is kept of the notices of %s is not read: %s", cli.Clean(domain.Name()),
				e.Text).Hint("others tell you of the newest, and it is kept anew").Because(err))
		}
	}
	if p.Flags.Notice != "" {
		n, err := profile.ReadNotice(p.Flags.Notice, domain)
		if err != nil {
			return err
		}
		if p.notice == nil || n.Number > p.notice.Number {
			p.notice = n
			if keep := h.keepNotice(p); keep != nil {
				if err := keep(n); err != nil {
					return err
				}
			}
		}
	}
	if p.notice.Names(p.Key.Serial()) {
		return chat.Revoked(domain.Name(), p.Key.Serial())
	}
	return nil
}

// keepNotice keeps a notice for the next time; nil: nothing is kept.
func (h *House) keepNotice(p *Plan) func(*abe.Notice) error {
	if p.Flags.Ephemeral || p.Settings == nil {
		return nil
	}
	return func(n *abe.Notice) error { return h.KeepNotice(p.Key.Domain(), n) }
}
