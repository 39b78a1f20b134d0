package chat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/room"
)

// Files that members send: PROTOCOL.md §9.9. Nothing here opens one, or shows what is in it.

const (
	// maxSeenFiles is how many files have a number; of more the newest.
	maxSeenFiles = 4096
	// maxSaving is how many are waited for, to be saved.
	maxSaving = 64
	// maxCopies is how many files of one name a folder may have.
	maxCopies = 999
)

// A seenFile is one that was shown.
type seenFile struct {
	id   ake.Hash
	info room.FileInfo
	from room.Member
	self bool
	at   time.Time
}

// shownFiles are those that were shown, by number, and what is to be saved when it is here. They
// belong to the room's goroutine.
type shownFiles struct {
	all    []seenFile
	gone   int              // how many there were before these
	number map[ake.Hash]int // from 1
	saving map[ake.Hash][]toSave
}

// A toSave is a file that is to be saved at a path, once, and the faces that asked for that.
type toSave struct {
	path string
	by   []any
}

// maxAsking is how many faces are told of one; of more the last: a script that tries again is
// another each time.
const maxAsking = 64

// wait has files saved when they are here; false: too many are waited for.
func (f *shownFiles) wait(id ake.Hash, s toSave) bool {
	if f.saving == nil {
		f.number, f.saving = make(map[ake.Hash]int), make(map[ake.Hash][]toSave)
	}
	all := f.saving[id]
	if i := slices.IndexFunc(all, func(o toSave) bool { return o.path == s.path }); i >= 0 {
		for _, by := range s.by {
			if !slices.Contains(all[i].by, by) {
				all[i].by = append(all[i].by, by)
			}
		}
		all[i].by = all[i].by[max(len(all[i].by)-maxAsking, 0):]
		return true
	}
	if len(all) == 0 && len(f.saving) >= maxSaving || len(all) >= 8 {
		return false
	}
	f.saving[id] = append(all, s)
	return true
}

// note gives a file its number.
func (f *shownFiles) note(d *room.Delivered) {
	if d.File == nil {
		return
	}
	info := *d.File
	if f.number == nil {
		f.number, f.saving = make(map[ake.Hash]int), make(map[ake.Hash][]toSave)
	}
	if f.number[d.ID] == 0 {
		f.all = append(f.all, seenFile{d.ID, info, d.Author, d.Self, d.ShownAt()})
		f.number[d.ID] = f.gone + len(f.all)
	}
	if n := maxSeenFiles / 16; len(f.all) > maxSeenFiles { // whoever sends many has no other go without one
		for _, o := range f.all[:n] {
			delete(f.number, o.id)
		}
		f.all, f.gone = append([]seenFile(nil), f.all[n:]...), f.gone+n
	}
	info.Number = f.number[d.ID]
	d.File = &info
}

// at is the file of a number; nil: there is none.
func (f *shownFiles) at(number int) *seenFile {
	if i := number - f.gone - 1; i >= 0 && i < len(f.all) {
		return &f.all[i]
	}
	return nil
}

// noteFiles is note for what was read back, and says how it stands with each.
func (r *Room) noteFiles(all []room.Delivered, states map[ake.Hash]room.FileInfo) {
	for i := range all {
		if info, ok := states[all[i].ID]; ok && all[i].File != nil {
			all[i].File = &info
		}
		r.files.note(&all[i])
	}
}

// fileStates asks how it stands with the files among messages.
func (r *Room) fileStates(all []room.Delivered) map[ake.Hash]room.FileInfo {
	var ids []ake.Hash
	for _, d := range all {
		if d.File != nil {
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return r.node.FileStates(ids)
}

// fileChanged takes what has become of a file.
func (r *Room) fileChanged(c room.FileChanged) room.FileChanged {
	c.Number = r.files.number[c.ID]
	if f := r.files.at(c.Number); f != nil {
		f.info = c.FileInfo
	}
	waiting := r.files.saving[c.ID]
	switch c.State {
	case room.FileHere:
		delete(r.files.saving, c.ID)
		for _, s := range waiting {
			if !r.saveFor(c.ID, s) {
				r.answerAll(s, NotDone{cli.Fail("busy", "too many requests at once").Hint("wait for the answers")})
			}
		}
	case room.FileGone, room.FileThere:
		delete(r.files.saving, c.ID)
		bad := cli.Fail("file-gone", "%s is not saved: its message is not kept any more", FileName(c.Name))
		if c.State == room.FileThere {
			bad = cli.Fail("file-stopped", "%s is not saved: it is not fetched any more", FileName(c.Name)).
				Hint("saving it again begins anew")
		}
		for _, s := range waiting {
			r.answerAll(s, NotDone{bad})
		}
	}
	return c
}

// Path makes a path absolute, as whoever types it means it: they may be in another process than
// the room.
func Path(typed string) string {
	if rest, ok := strings.CutPrefix(typed, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			typed = filepath.Join(home, rest) + trailing(typed)
		}
	}
	if abs, err := filepath.Abs(typed); err == nil {
		return abs + trailing(typed)
	}
	return typed
}

// trailing is the separator at the end of a path that names a folder.
func trailing(p string) string {
	if n := len(p); n > 0 && os.IsPathSeparator(p[n-1]) {
		return string(filepath.Separator)
	}
	return ""
}

// parseSave reads what follows /save: the file's number, and where to.
func parseSave(args string) Command {
	which, to, _ := strings.Cut(args, " ")
	n, err := strconv.Atoi(which)
	if err != nil || n < 1 {
		return Bad{cli.Fail("bad-input", "usage: /save N [PATH]").Hint("/files lists the files, with their numbers")}
	}
	return Save{Number: n, Path: Path(strings.TrimSpace(to) + either(strings.TrimSpace(to) == "", "./", ""))}
}

// parseStop reads what follows /stop.
func parseStop(args string) Command {
	n, err := strconv.Atoi(args)
	if err != nil || n < 1 {
		return Bad{cli.Fail("bad-input", "usage: /stop N").Hint("/files lists the files, with their numbers")}
	}
	return Stop{Number: n}
}

func (c Files) do(r visit) {
	all, gone := slices.Clone(r.files.all), r.files.gone
	r.busy(func() {
		ids := make([]ake.Hash, len(all))
		for i, f := range all {
			ids[i] = f.id
		}
		states := r.node.FileStates(ids)
		r.post(func() {
			a := Answer{To: c, Title: "files"}
			for i, f := range all {
				if info, ok := states[f.id]; ok {
					f.info = info
				} else if f.info.State != room.FileGone {
					f.info.State = room.FileThere
				}
				who := either(f.self, "you", r.state.name(f.from.Peer))
				a.Lines = append(a.Lines, fmt.Sprintf("%d  %s  %s  %s (%s)  %s", gone+i+1, r.state.dayClock(f.at, r.cfg.Now()),
					who, FileName(f.info.Name), text.Size(int(f.info.Size)), fileState(f.info)))
			}
			if len(all) == 0 {
				a.Lines = []string{"No file was sent here since you opened the room; /file PATH sends one."}
			}
			r.show(a)
		})
	})
}

// fileState says in words how it stands with a file.
func fileState(f room.FileInfo) string {
	switch f.State {
	case room.FileHere:
		return "here"
	case room.FileFetching:
		return fmt.Sprintf("fetching, %d %%", f.Have*100/max(f.Size, 1))
	case room.FileGone:
		return "gone"
	}
	return "not here; others may have it"
}

// FileText is what is said of a file that was sent. save is the command that saves one.
func FileText(f *room.FileInfo, self bool, save string) string {
	out := fmt.Sprintf("sent %s (%s)", FileName(f.Name), text.Size(int(f.Size)))
	switch {
	case f.State == room.FileGone:
		return out + "; not kept any more"
	case f.State == room.FileFetching && f.Have > 0:
		out += "; " + fileState(*f)
	}
	if self || f.Number == 0 {
		return out
	}
	return fmt.Sprintf("%s; %s %d", out, save, f.Number)
}

// fileError says why a file was not sent or fetched.
func fileError(err error) *cli.Error {
	switch {
	case errors.Is(err, room.ErrNoFile):
		return cli.Fail("no-file", "there is no such file").Hint("/files lists them").Because(err)
	case errors.Is(err, room.ErrNotFetched):
		return cli.Fail("file", "that file is not being fetched").Hint("/files says how it stands with each").Because(err)
	case errors.Is(err, room.ErrFileLies):
		return cli.Fail("no-file", "the file is not what its message says, and is not kept").Because(err)
	case errors.Is(err, room.ErrFilesFull):
		return cli.Fail("files-full", "there is no room for the file in what is kept of this room").
			Hint("/set keep 4GB keeps more, from the next time").Because(err)
	case errors.Is(err, room.ErrFilesBusy):
		return cli.Fail("busy", "too many files are being sent or fetched").Because(err)
	case errors.Is(err, room.ErrHeldFull):
		return cli.Fail("busy", "too much waits to be sent").Hint("/held shows it").Because(err)
	}
	return Describe(err)
}

func (c Fetch) do(r visit) {
	r.busy(func() {
		if err := r.node.FetchFile(c.ID); err != nil {
			r.tell(NotDone{fileError(err)})
		}
	})
}

// do has a file fetched no more. Whoever wants that waits for it no more; others who do are told.
func (c Stop) do(r visit) {
	if !r.named(&c.ID, c.Number) {
		return
	}
	waiting := r.files.saving[c.ID]
	for i := range waiting {
		waiting[i].by = slices.DeleteFunc(waiting[i].by, func(by any) bool { return by == r.by })
	}
	if waiting = slices.DeleteFunc(waiting, func(s toSave) bool { return len(s.by) == 0 }); len(waiting) > 0 {
		r.files.saving[c.ID] = waiting
	} else {
		delete(r.files.saving, c.ID)
	}
	n := r.files.number[c.ID]
	f := r.files.at(n)
	r.busy(func() {
		switch err := r.node.StopFile(c.ID); {
		case err != nil && f != nil && f.self:
			r.tell(NotDone{cli.Fail("file", "%s is yours: it is sent, and not fetched", FileName(f.info.Name)).
				Hint("/withdraw takes it back: who has saved it keeps that; /drop gives up on it while it waits")})
		case err != nil:
			r.tell(NotDone{fileError(err)})
		case f != nil:
			r.tell(Answer{To: c, Title: "files", Lines: []string{fmt.Sprintf(
				"%s is not fetched any more; /save %d begins anew", FileName(f.info.Name), n)}})
		}
	})
}

// named puts in the id of a file that is named by its number. One that is not there is refused.
func (r visit) named(id *ake.Hash, number int) bool {
	if number == 0 {
		return true
	}
	f := r.files.at(number)
	if f == nil {
		r.refuse(cli.Fail("no-file", "there is no file %d", number).Hint("/files lists them"))
		return false
	}
	*id = f.id
	return true
}

// do saves a file, or has it fetched first.
func (c Save) do(r visit) {
	if !r.named(&c.ID, c.Number) {
		return
	}
	s := toSave{c.Path, []any{r.by}}
	if !r.saveFor(c.ID, s) {
		r.refuse(cli.Fail("busy", "too many requests at once").Hint("wait for the answers"))
	}
}

// saveFor saves a file, or has it fetched first; false: too much is being done.
func (r *Room) saveFor(id ake.Hash, s toSave) bool {
	return r.beside(func() {
		saved, err := r.save(Save{ID: id, Path: s.path})
		switch {
		case errors.Is(err, room.ErrNotHere):
			r.fetchToSave(id, s)
		case err != nil:
			r.post(func() { r.answerAll(s, NotDone{saveError(err)}) })
		default:
			r.post(func() { r.answerAll(s, saved) })
		}
	})
}

// answerAll tells all who asked for a file to be saved.
func (r *Room) answerAll(s toSave, what any) {
	for _, by := range s.by {
		r.showTo(by, what)
	}
}

// fetchToSave has a file fetched that is to be saved then.
func (r *Room) fetchToSave(id ake.Hash, s toSave) {
	taken := false
	if r.inside(context.Background(), func() { taken = r.files.wait(id, s) }) != nil {
		return
	}
	if !taken {
		r.post(func() { r.answerAll(s, NotDone{fileError(room.ErrFilesBusy)}) })
		return
	}
	if err := r.node.FetchFile(id); err != nil {
		r.post(func() { r.notSaved(id, err) })
		return
	}
	info, known := r.node.FileStates([]ake.Hash{id})[id]
	r.post(func() {
		if f := r.files.at(r.files.number[id]); f != nil {
			info, known = f.info, true
		}
		if known {
			r.answerAll(s, Fetching{id, info})
		}
	})
}

// notSaved tells all who wait for a file that it cannot be fetched.
func (r *Room) notSaved(id ake.Hash, err error) {
	waiting := r.files.saving[id]
	delete(r.files.saving, id)
	for _, s := range waiting {
		r.answerAll(s, NotDone{fileError(err)})
	}
}

func saveError(err error) *cli.Error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path) && path.Op == inFolder:
		return cli.Fail("file", "cannot save in %s: %v", cli.Clean(path.Path), path.Err).Because(err)
	case errors.As(err, &path):
		return cli.Fail("file", "cannot save as %s: %v", cli.Clean(path.Path), path.Err).Because(err)
	case errors.As(err, &link):
		return cli.Fail("file", "cannot save as %s: %v", cli.Clean(link.New), link.Err).Because(err)
	case errors.Is(err, ake.ErrNotOpened):
		return cli.Fail("file-damaged", "the file does not open: who sent it has sealed it wrongly").Because(err)
	}
	return fileError(err)
}

// inFolder is the Op of an error that is a folder's.
const inFolder = "save in"

// save writes a file that is here, under a name that nothing has. A folder that nothing can be
// saved in is refused before anything is fetched.
func (r *Room) save(c Save) (saved Saved, err error) {
	folder, name := filepath.Split(c.Path)
	if at, err := os.Stat(c.Path); err == nil && at.IsDir() {
		folder, name = c.Path, ""
	}
	if !filepath.IsAbs(folder) {
		return saved, &fs.PathError{Op: "save", Path: c.Path, Err: errors.New("it is no absolute path")}
	}
	// Under another name first: what has the name is whole.
	temp, err := os.CreateTemp(folder, ".coterie-*") // mode 0600
	if bad := (*fs.PathError)(nil); errors.As(err, &bad) {
		return saved, &fs.PathError{Op: inFolder, Path: filepath.Clean(folder), Err: bad.Err}
	} else if err != nil {
		return saved, err
	}
	defer os.Remove(temp.Name())
	info, ok := r.node.FileStates([]ake.Hash{c.ID})[c.ID]
	if !ok || info.State != room.FileHere {
		temp.Close()
		return saved, room.ErrNotHere
	}
	if name == "" {
		name = FileName(info.Name)
	}
	err = r.node.WriteFile(c.ID, temp)
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if bad := (*fs.PathError)(nil); errors.As(err, &bad) && bad.Path == temp.Name() {
		err = &fs.PathError{Op: inFolder, Path: filepath.Clean(folder), Err: bad.Err}
	}
	if err != nil {
		return saved, err
	}
	at, err := takeName(temp.Name(), folder, name)
	return Saved{c.ID, info, at}, err
}

// takeName gives a file a name in a folder that nothing there has.
func takeName(temp, folder, name string) (string, error) {
	stem, ext := splitName(name)
	for n := 1; ; n++ {
		path := filepath.Join(folder, name)
		err := os.Link(temp, path) // fails where a rename would overwrite
		if err != nil && !errors.Is(err, fs.ErrExist) {
			// FAT and some network file systems know no links.
			if _, there := os.Lstat(path); errors.Is(there, fs.ErrNotExist) {
				err = os.Rename(temp, path)
			} else if there == nil {
				err = fs.ErrExist
			}
		}
		if err == nil || !errors.Is(err, fs.ErrExist) || n == maxCopies {
			return path, err
		}
		name = fmt.Sprintf("%s (%d)%s", stem, n+1, ext)
	}
}
