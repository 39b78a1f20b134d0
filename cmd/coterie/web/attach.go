package web

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"image"
	_ "image/gif" // their sizes are looked at
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/room/record"
)

// Files that are sent and got. Between the page and the room each is for a moment a file in a private
// folder, which the page neither names nor learns of.

const (
	// maxUploads is how many files come and go at a time.
	maxUploads = 4
	// keepUpload is how long one is kept at most until the room has taken it.
	keepUpload = 10 * time.Minute
	// saveTime is how long a file that is here is waited for.
	saveTime = 30 * time.Second
	// maxPixels is how large a picture is that the page shows: a small file can be a picture that
	// fills a computer's memory.
	maxPixels = 40 << 20
)

// private makes a folder of its own for one file.
func (s *Server) private() (string, error) {
	if err := os.MkdirAll(s.folder(), 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(s.folder(), folderName()) // mode 0700
}

// folder is where those are.
func (s *Server) folder() string { return cmp.Or(s.cfg.Dir, filepath.Clean(os.TempDir())) }

func folderName() string { return fmt.Sprintf("web-%d-file-", os.Getpid()) }

// place takes a place for a file that comes or goes, and makes a folder for it.
func (s *Server) place(w http.ResponseWriter) (dir string, leave func(), ok bool) {
	select {
	case s.moving <- struct{}{}:
	default:
		refuse(w, http.StatusTooManyRequests, cli.Fail("busy", "other files are on their way").Hint("once more, in a moment"))
		return "", nil, false
	}
	leave = func() { <-s.moving }
	dir, err := s.private()
	if err != nil {
		leave()
		refuse(w, http.StatusInternalServerError, err)
		return "", nil, false
	}
	return dir, leave, true
}

// upload takes a file and sends it to the room. Its name and its ref are in the address.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	room, err := s.find(q.Get("room"))
	if err != nil || room.ended() {
		refuse(w, http.StatusNotFound, cli.Fail("not-open", "this room is not open"))
		return
	}
	dir, leave, ok := s.place(w)
	if !ok {
		return
	}
	defer leave()
	path := filepath.Join(dir, chat.FileName(q.Get("name")))
	if err := write(path, r.Body); err != nil {
		os.RemoveAll(dir)
		refuse(w, http.StatusUnprocessableEntity, cli.Fail("too-long", "a file has at most 32 MiB").Because(err))
		return
	}
	ref := q.Get("ref")
	room.mu.Lock()
	room.uploads[ref] = append(room.uploads[ref], dir) // two pages may have one ref
	room.mu.Unlock()
	time.AfterFunc(keepUpload, func() { os.RemoveAll(dir) })
	if !room.visit.TryDo(chat.File{Ref: ref, Path: path}) {
		os.RemoveAll(dir)
		refuse(w, http.StatusServiceUnavailable, cli.Fail("busy", "too much is waiting").Hint("wait a moment, and once more"))
		return
	}
	answer(w, map[string]bool{"ok": true})
}

func write(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// taken notes what has become of a message of ours: its file is not needed any more. The caller has
// the room's lock.
func (r *room) taken(ref any) {
	name, ok := ref.(string)
	dirs := r.uploads[name]
	if !ok || len(dirs) == 0 {
		return
	}
	os.RemoveAll(dirs[0])
	if r.uploads[name] = dirs[1:]; len(dirs) == 1 {
		delete(r.uploads, name)
	}
}

// saved takes that a file was saved for a page that waits for it, or does so no more. The caller has
// the room's lock.
func (r *room) saved(e chat.Saved) {
	dir := filepath.Dir(e.Path)
	if wait := r.saves[dir]; wait != nil {
		select {
		case wait <- e.Path:
		default:
		}
	} else if filepath.Dir(dir) == r.s.folder() && strings.HasPrefix(filepath.Base(dir), folderName()) {
		os.RemoveAll(dir)
	}
}

// unsaved takes that something was not done. A file that its sender has sealed wrongly is not waited
// for; it is not said which one that is, so that whoever waits asks once more. The caller has the
// room's lock.
func (r *room) unsaved(code string) {
	if code != "file-damaged" {
		return
	}
	for _, wait := range r.saves {
		select {
		case wait <- "":
		default:
		}
	}
}

// file gives a file that is here.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Room string `json:"room"`
		ID   string `json:"id"`
	}
	room := s.ask(w, r, &q, &q.Room)
	if room == nil {
		return
	}
	id, bad := hashOf(q.ID)
	if bad {
		refuse(w, http.StatusBadRequest, badInput())
		return
	}
	dir, leave, ok := s.place(w)
	if !ok {
		return
	}
	defer leave()
	wait := make(chan string, 1)
	room.mu.Lock()
	room.saves[dir] = wait
	room.mu.Unlock()
	defer func() {
		room.mu.Lock()
		delete(room.saves, dir)
		room.mu.Unlock()
		os.RemoveAll(dir)
	}()
	late := time.NewTimer(saveTime)
	defer late.Stop()
	// Its name here is not the one that somebody gave it.
	if room.ended() || !room.visit.TryDo(chat.Save{ID: id, Path: filepath.Join(dir, "file")}) {
		refuse(w, http.StatusServiceUnavailable, cli.Fail("busy", "the file cannot be read now"))
		return
	}
	select {
	case path := <-wait:
		if path == "" {
			refuse(w, http.StatusUnprocessableEntity, cli.Fail("file", "the file cannot be read"))
			return
		}
		give(w, path)
	case <-late.C:
		refuse(w, http.StatusServiceUnavailable, cli.Fail("busy", "the file is not here yet"))
	case <-r.Context().Done():
	}
}

// give writes a file: a picture as one, and all else as bytes that a browser saves and does not open.
func give(w http.ResponseWriter, path string) {
	f, err := os.Open(path)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, _ := io.ReadFull(f, head)
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment")
	if kind := picture(head[:n]); kind != "" {
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", "inline")
	}
	if info, err := f.Stat(); err == nil {
		h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	}
	w.Write(head[:n])
	io.Copy(w, f)
}

// picture is the kind of a picture that a page shows, by what is in it; empty: it is none. An SVG
// can have scripts in it, and is none.
func picture(head []byte) string {
	kind := http.DetectContentType(head)
	switch kind {
	case "image/png", "image/jpeg", "image/gif":
		c, _, err := image.DecodeConfig(bytes.NewReader(head))
		if err != nil || int64(c.Width)*int64(c.Height) > maxPixels {
			return ""
		}
		return kind
	case "image/webp":
		if webpPixels(head) > maxPixels {
			return ""
		}
		return kind
	}
	return ""
}

// webpPixels is how many a WebP picture has, by its first chunk (RFC 9649 §2); none that can be shown
// has more than 2^28.
func webpPixels(b []byte) int64 {
	const unknown = 1 << 62
	if len(b) < 30 {
		return unknown
	}
	wide, high := int64(0), int64(0)
	switch string(b[12:16]) {
	case "VP8X":
		wide = 1 + int64(binary.LittleEndian.Uint32(b[24:28])&0xffffff)
		high = 1 + int64(binary.LittleEndian.Uint32(b[26:30])>>8)
	case "VP8L":
		bits := int64(binary.LittleEndian.Uint32(b[21:25]))
		wide, high = 1+bits&0x3fff, 1+bits>>14&0x3fff
	case "VP8 ":
		wide = int64(binary.LittleEndian.Uint16(b[26:28]) & 0x3fff)
		high = int64(binary.LittleEndian.Uint16(b[28:30]) & 0x3fff)
	default:
		return unknown
	}
	return wide * high
}

// bodyOf is how long a request's body may be.
func bodyOf(r *http.Request) int64 {
	switch r.URL.Path {
	case "/upload":
		return record.MaxFile
	case "/picture":
		return maxPicture
	}
	return maxBody
}

// kindOf is of which kind it is. Neither is one that a form of another page can send.
func kindOf(r *http.Request) string {
	if r.URL.Path == "/upload" || r.URL.Path == "/picture" {
		return "application/octet-stream"
	}
	return "application/json"
}
