package house

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

// Export writes what is kept of a room that is not open to a new file. It says what it wrote.
func (h *House) Export(name, file string, f Flags) (done chat.Exported, err error) {
	r, ok, err := h.Recall(name, f.Key)
	if err != nil {
		return done, err
	}
	if !ok {
		rooms, err := h.Rooms()
		if err != nil {
			return done, err
		}
		return done, profile.NoRoom(name, len(rooms) > 0)
	}
	d, err := r.Descriptor()
	if err != nil {
		return done, err
	}
	path, err := h.HistoryPath(d)
	if err != nil {
		return done, err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return done, cli.Fail("no-history", "nothing is kept of %s here", cli.Clean(name)).Because(err)
	}
	ask, err := h.identities(f)
	if err != nil {
		return done, err
	}
	kept, err := h.OpenHistory(d, nil, ask)
	if err != nil {
		return done, err
	}
	defer kept.Close()
	self, err := peerOf(kept.Identity)
	if err != nil {
		return done, err
	}
	all, gone, err := (&chat.History{Store: node.NewStore(kept.Store), Room: d.ID(), Self: self}).All()
	if err != nil {
		return done, err
	}
	done.File, done.Count = file, len(all)
	for _, s := range gone {
		done.Gone += s.Count
	}
	about := chat.About{ID: d.ID(), Name: d.Name, Domain: r.Domain, Policy: r.Policy, Self: self}
	about.Nick = r.Kept.Text("nick")
	return done, lines.Export(about, file, all, gone)
}

func peerOf(identity ed25519.PrivateKey) (peer.ID, error) {
	key, err := crypto.UnmarshalEd25519PublicKey(identity.Public().(ed25519.PublicKey))
	if err != nil {
		return "", err
	}
	return peer.IDFromPublicKey(key)
}
