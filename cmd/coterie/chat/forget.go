package chat

import (
	"fmt"

	"coterie/cmd/internal/cli"
)

// Forgotten reports whether nothing of the room is to be left on this computer.
func (r *Room) Forgotten() bool { return r.forget }

// EraseBy has what this computer has of the room taken away, if it is to be forgotten, when its node has
// ended and before that is told. The key file stays, and erase returns it.
func (r *Room) EraseBy(erase func() (keyFile string, bad *cli.Error)) { r.erase = erase }

// Forgot says that nothing of a room is left on this computer but a key file.
func Forgot(room, keyFile string) string {
	return fmt.Sprintf("Forgot %s: its history here and the history's key are erased. The key file %s is still there.",
		cli.Clean(room), cli.Clean(keyFile))
}
