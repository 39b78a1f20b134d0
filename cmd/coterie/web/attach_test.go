package web

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/room/record"
)

// upload sends a file as a page does.
func (p *page) upload(name string, from io.Reader) (status int) {
	p.t.Helper()
	p.refs++
	where := url.Values{"room": {roomID}, "name": {name}, "ref": {strconv.Itoa(p.refs)}}
	r := p.request(http.MethodPost, "/upload?"+where.Encode(), from)
	r.Header.Set("Content-Type", "application/octet-stream")
	status, _, _ = p.send(r)
	return status
}

// nothingLeft waits until no file of a page's is on the disk.
func nothingLeft(t *testing.T, s *Server) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(s.cfg.Dir, "*"))
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatal(left, err)
		}
	}
}

// TestUploads: a file goes to the room from a private folder, under a name that does no harm there, and
// is gone when the room has it. One that is too large goes nowhere.
func TestUploads(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	names := []string{"notes.txt", "../../../etc/passwd", "/etc/passwd", "..", "", ".bashrc", "a\x00b", `C:\x\y.exe`,
		strings.Repeat("x", 5000), "-rf", "\u202egnp.exe"}
	for _, name := range names {
		if status := p.upload(name, strings.NewReader("words")); status != http.StatusOK {
			t.Errorf("%q: %d", name, status)
		}
	}
	for i, f := range g.sent {
		dir, name := filepath.Split(f.path)
		if f.err != nil || string(f.data) != "words" {
			t.Error(f.path, f.err)
		}
		if filepath.Dir(filepath.Clean(dir)) != s.cfg.Dir || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
			t.Errorf("%q became %q", names[i], f.path)
		}
	}
	if len(g.sent) != len(names) {
		t.Error(len(g.sent))
	}
	nothingLeft(t, s)
	if status := p.upload("large", io.LimitReader(zeros{}, record.MaxFile+1)); status != http.StatusUnprocessableEntity {
		t.Error("a file without end is taken:", status)
	}
	nothingLeft(t, s)
	if info, err := os.Stat(s.cfg.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	stranger := &page{t: t, s: s}
	if status := stranger.upload("x", strings.NewReader("x")); status != http.StatusUnauthorized {
		t.Error(status)
	}
	if len(g.sent) != len(names) {
		t.Error("a stranger, or too much, came through")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestPicturesAlone: what a browser may show is a picture of four kinds, by what is in the file; all
// else, and what would fill its memory, is bytes to be saved.
func TestPicturesAlone(t *testing.T) {
	draw := func(f func(io.Writer, image.Image) error, wide int) []byte {
		var b bytes.Buffer
		if err := f(&b, image.NewPaletted(image.Rect(0, 0, wide, 8), []color.Color{color.Black, color.White})); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	webp := func(wide int) []byte { // its head
		b := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"), 0, 0, 0, 0, byte(wide), byte(wide>>8),
			byte(wide>>16), byte(wide), byte(wide>>8), byte(wide>>16))
		return append(b, make([]byte, 100)...)
	}
	large := draw(png.Encode, 8)
	copy(large[16:24], []byte{0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff}) // the size that it says it has
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	p := signedIn(t, s)
	for what, file := range map[string]struct {
		bytes []byte
		kind  string
	}{
		"a PNG":          {draw(png.Encode, 8), "image/png"},
		"a JPEG":         {draw(func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }, 8), "image/jpeg"},
		"a GIF":          {draw(func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }, 8), "image/gif"},
		"a WebP":         {webp(100), "image/webp"},
		"a large WebP":   {webp(1 << 14), ""},
		"a large PNG":    {large, ""},
		"an SVG":         {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`), ""},
		"a page":         {[]byte("<!doctype html><script>1</script>"), ""},
		"XML":            {[]byte(`<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>`), ""},
		"a PDF":          {[]byte("%PDF-1.7"), ""},
		"a script":       {[]byte("alert(1)"), ""},
		"a BMP":          {[]byte("BM\x00\x00\x00\x00"), ""},
		"half a picture": {draw(png.Encode, 8)[:12], ""},
	} {
		g.kept = file.bytes
		ask := `{"room":"` + roomID + `","id":"` + strings.Repeat("0", 64) + `"}`
		r := p.request(http.MethodPost, "/file", strings.NewReader(ask))
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(got.Body)
		got.Body.Close()
		kind, how := "application/octet-stream", "attachment"
		if file.kind != "" {
			kind, how = file.kind, "inline"
		}
		h := got.Header
		if err != nil || got.StatusCode != http.StatusOK || !bytes.Equal(b, file.bytes) ||
			h.Get("Content-Type") != kind || h.Get("Content-Disposition") != how ||
			h.Get("X-Content-Type-Options") != "nosniff" {
			t.Error(what, got.Status, got.Header, err)
		}
	}
	nothingLeft(t, s)
}

// TestSavedElsewhere: a file that somebody saves in a terminal is left alone.
func TestSavedElsewhere(t *testing.T) {
	g := newStage("exam")
	s := served(t, g)
	s.has(t)
	path := filepath.Join(t.TempDir(), "mine", "thesis.pdf")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("years"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.tell(chat.Saved{Path: path}, said(1, "after that"))
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if lines, _, _ := s.feed.after(0); bytes.Contains(bytes.Join(lines, nil), []byte("after that")) {
			break
		}
		if time.Now().After(until) {
			t.Fatal("nothing is told")
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
