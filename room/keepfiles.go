package room

import (
	"slices"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Which files have pieces here, and what gives way where that is too much: PROTOCOL.md §9.9.

// keepFile begins a file's entry. Which pieces are here, the disk knows.
func (r *Room) keepFile(in *record.File, id ake.Hash, ref logRef, branch [32]byte, asked bool) *file {
	r.files.order++
	f := &file{File: in, id: id, ref: ref, branch: branch, asked: asked, order: r.files.order,
		have: make([]bool, len(in.Hashes)), missing: len(in.Hashes), first: r.random(len(in.Hashes))}
	for i, h := range in.Hashes {
		ref := r.files.refs[h]
		if ref.files++; r.isHere(in, i) {
			ref.length = in.PieceLength(i)
			f.have[i] = true
			f.missing--
		}
		r.files.refs[h] = ref
	}
	r.files.byID[id] = f
	r.files.bytes += f.cost()
	return f
}

// isHere reports whether a piece of a file is on the disk, and as long as its message says.
func (r *Room) isHere(f *record.File, i int) bool {
	return r.cfg.Pieces.Length(f.Hashes[i]) == f.PieceLength(i)+ake.PieceOverhead
}

// lies reports whether a file's message says of a piece that is here that it has another length. One
// that did would be kept for another's sake, and charged for what its message says.
func (r *Room) lies(f *record.File) bool {
	for i, h := range f.Hashes {
		if n := r.files.refs[h].length; n != 0 && n != f.PieceLength(i) {
			return true
		}
	}
	return false
}

// want has a file fetched.
func (r *Room) want(f *file) {
	if f.missing > 0 && !f.fetching {
		f.fetching = true
		r.files.wanted = append(r.files.wanted, f)
	}
}

// forgetFile lets go of a file, and of its pieces but for those that others have too.
func (r *Room) forgetFile(f *file) {
	delete(r.files.byID, f.id)
	r.files.bytes -= f.cost()
	r.unwant(f)
	var gone [][32]byte
	for _, h := range f.Hashes {
		ref := r.files.refs[h]
		if ref.files--; ref.files > 0 {
			r.files.refs[h] = ref
			continue
		}
		delete(r.files.refs, h)
		gone = append(gone, h)
	}
	r.forgetPieces(gone)
}

func (r *Room) unwant(f *file) {
	f.fetching = false
	r.files.wanted = slices.DeleteFunc(r.files.wanted, func(o *file) bool { return o == f })
}

func (r *Room) forgetPieces(gone [][32]byte) {
	if len(gone) > 0 {
		failed := r.filesFailed("letting go of a file")
		r.diskTask(func() any { return r.cfg.Pieces.Forget(gone) }, func(result any) {
			failed(result)
			r.lostPieces(gone) // of a file that was asked for again meanwhile
		})
	}
}

// filesFailed tells what went wrong with the disk, if anything did.
func (r *Room) filesFailed(doing string) func(result any) {
	return func(result any) {
		if err, ok := result.(error); ok {
			r.emit(Failed{Doing: doing, Err: err})
		}
	}
}

// forgetFiles lets go of the files of messages that go.
func (r *Room) forgetFiles(goes func(f *file) bool) {
	for _, id := range sortedHashes(r.files.byID) {
		if f := r.files.byID[id]; f.ref.t != nil && goes(f) {
			r.fileLeaves(f, FileGone)
		}
	}
}

// fileLeaves lets go of a file, and tells how it stands then.
func (r *Room) fileLeaves(f *file, state string) {
	r.forgetFile(f)
	info := f.info()
	info.State, info.Have = state, 0
	r.emit(FileChanged{f.id, info})
}

// makeRoom makes room for a file. What our user did not ask for displaces nothing that they did,
// and of what nobody asked for the branch with most gives way: PROTOCOL.md §9.9.
func (r *Room) makeRoom(cost int64, branch [32]byte, asked bool) bool {
	fs := &r.files
	if cost > fs.limit || !asked && cost > fs.limit/2 {
		return false
	}
	for {
		unasked := make(map[[32]byte]int64)
		for _, f := range fs.byID {
			if !f.asked {
				unasked[f.branch] += f.cost()
			}
		}
		overHalf := !asked && unasked[branch]+cost > fs.limit/2
		if !overHalf && fs.bytes+cost <= fs.limit && len(fs.byID) < maxFiles {
			return true
		}
		var first *file
		for _, f := range fs.byID {
			if f.ref.t == nil || f.asked && !asked || overHalf && f.branch != branch {
				continue
			}
			if first == nil || givesWay(f, first, unasked) {
				first = f
			}
		}
		if first == nil {
			return false
		}
		r.fileLeaves(first, FileThere)
	}
}

// givesWay orders files by which goes first.
func givesWay(f, o *file, unasked map[[32]byte]int64) bool {
	switch {
	case f.asked != o.asked:
		return !f.asked
	case !f.asked && unasked[f.branch] != unasked[o.branch]:
		return unasked[f.branch] > unasked[o.branch]
	}
	return f.order < o.order
}

// recallFiles notes the files whose messages are kept, of too many the newest, and lets go of
// pieces that belong to none.
func (r *Room) recallFiles(refs []logRef) {
	if r.cfg.Pieces == nil {
		return
	}
	for _, ref := range refs[max(len(refs)-maxFiles, 0):] {
		if m := r.body(ref.t, ref.index, ref.counter); m != nil && m.Kind == record.KindFile {
			r.noteFile(ref.t, ref.index, m, true)
		}
	}
}

// sweepFiles lets go of pieces that belong to nothing that is kept, or waits to be sent.
func (r *Room) sweepFiles() {
	if r.cfg.Pieces == nil {
		return
	}
	for i := range r.outbox.held {
		if m := &r.outbox.held[i]; m.kind == record.KindFile {
			if f, err := record.ParseFile(m.text); err == nil {
				r.keepFile(f, fileTextID(m.text), logRef{}, r.identity, true)
			}
		}
	}
	keep := make([][32]byte, 0, len(r.files.refs))
	for h := range r.files.refs {
		keep = append(keep, h)
	}
	r.diskTask(func() any { return r.cfg.Pieces.Sweep(keep) }, r.filesFailed("letting go of files"))
}
