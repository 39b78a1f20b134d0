package chat

import (
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/room"
)

// takeNotice takes the notice in a file.
func (r *Room) takeNotice(path string) error {
	if r.cfg.ReadNotice == nil {
		return cli.Fail("no-notice", "no notice can be taken here")
	}
	n, err := r.cfg.ReadNotice(path)
	if err != nil {
		return err
	}
	_, err = r.node.TakeNotice(n)
	return err
}

// keepNotice keeps a notice for the next time.
func (r *Room) keepNotice(n *abe.Notice) {
	if r.cfg.KeepNotice == nil {
		return
	}
	if err := r.cfg.KeepNotice(n); err != nil {
		r.show(Warning{Err: cli.Fail("notice-not-kept", "the notice of %s could not be kept: %s", r.cfg.Key.Domain().Name(),
			cli.Describe(err).Text).Hint("it holds for this run; others tell you of it the next time").Because(err)})
	}
}

// Revoked says that the domain has revoked a key.
func Revoked(domain string, serial uint64) *cli.Error {
	return cli.Fail("key-revoked", "this key was revoked by its domain, %s: it opens no room any more", cli.Clean(domain)).
		Hint("if it was lost or stolen, ask the operator of %s for a new one: coterie request", cli.Clean(domain)).
		Hint("it is key %d", serial)
}

// noticeText is what is said of a notice.
func (s *State) noticeText(w room.NoticeTaken) string {
	return cli.Clean(s.Domain) + " has revoked a key, on " + w.Notice.Time().Format("2006-01-02 15:04") +
		" UTC: all who are here prove themselves once more; whose key it is cannot read from then on"
}
