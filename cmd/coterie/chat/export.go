package chat

import (
	"fmt"
	"slices"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/room"
	"coterie/room/record"
)

// All reads all that is kept of what was said, in its order.
func (h *History) All() (all []room.Delivered, gone []room.Shortened, err error) {
	gone, err = room.ReadBack(h.Store, h.Room, h.Self, func(*record.Signed) bool { return true },
		func(d room.Delivered) bool {
			all = append(all, d)
			return true
		})
	room.InOrder(all)
	room.Quotes(all)
	return all, room.JoinShortened(gone), err
}

func (c Export) do(r visit) {
	if r.cfg.Export == nil {
		r.refuse(cli.Fail("failed", "nothing can be written from here"))
		return
	}
	memory := slices.Clone(r.seen)
	r.busy(func() {
		done, err := r.export(c.File, memory)
		if err != nil {
			r.tell(NotDone{cli.Describe(err)})
			return
		}
		r.tell(done)
	})
}

// export writes what is on the disk, or without one what is in memory.
func (r *Room) export(file string, memory []room.Delivered) (done Exported, err error) {
	h := r.history()
	done.File, done.Memory = file, h.Store == nil
	all, gone := memory, []room.Shortened(nil)
	if done.Memory {
		room.InOrder(all)
	} else if all, gone, err = h.All(); err != nil {
		return done, err
	}
	for _, s := range gone {
		done.Gone += s.Count
	}
	done.Count = len(all)
	return done, r.cfg.Export(r.state.About, file, all, gone)
}

// Text says what was written, and what was not.
func (e Exported) Text() string {
	out := fmt.Sprintf("%s in %s, which is not encrypted", text.Plural(e.Count, "message"), cli.Clean(e.File))
	if e.Memory {
		out += "; nothing is kept here, so these are those since you opened the room"
	}
	if e.Gone > 0 {
		out += "; not kept any more: " + text.Plural(e.Gone, "message")
	}
	return out
}
