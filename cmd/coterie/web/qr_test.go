package web

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rsc.io/qr"

	"coterie/cmd/internal/browse"
)

// codeOf is a picture of a text's QR code: of so many pixels a square, on grey paper, at an angle.
func codeOf(t testing.TB, text string, pixels int, lean float64) []byte {
	t.Helper()
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	side := (code.Size+16)*pixels + int(lean*float64(code.Size*pixels))
	paper := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			shade := uint8(200)
			if code.Black((x-int(lean*float64(y)))/pixels-8, y/pixels-8) {
				shade = 60
			}
			paper.SetGray(x, y, color.Gray{Y: shade})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, paper); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestLinkInPicture: a link is read out of a picture of its QR code, and nothing out of others.
func TestLinkInPicture(t *testing.T) {
	link := "coterie:2:den:" + strings.Repeat("AgHSv7Qu3ONT9KTgswGhws0NZzf5", 8)
	for _, lean := range []float64{0, 0.05} {
		if got, bad := linkInPicture(codeOf(t, link, 5, lean)); bad != nil || got != link {
			t.Errorf("leaning by %v: %q, %v", lean, got, bad)
		}
	}
	for what, b := range map[string][]byte{
		"of another text":    codeOf(t, "https://example.org/", 5, 0),
		"of no code":         codeOf(t, "", 1, 0)[:60],
		"of too many pixels": codeOf(t, link, 30, 0),
		"nothing":            nil,
	} {
		if got, bad := linkInPicture(b); bad == nil {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// TestPageReadsPicture: a picture of a link's code gives the link, in the page.
func TestPageReadsPicture(t *testing.T) {
	s := served(t, newStage("exam"))
	s.has(t)
	b := browse.Start(t, 1200, 800, false)
	b.Open(s.Host(), s.Link())
	link := "coterie:2:den:" + strings.Repeat("AgHSv7Qu3ONT9KTgswGhws0NZzf5", 8)
	dir := t.TempDir()
	show := func(name, text string) {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, codeOf(t, text, 20, 0), 0o600); err != nil {
			t.Fatal(err)
		}
		b.Upload("dialog input[type=file]", at)
	}
	b.Click("button", "Join a room")
	show("link.png", link)
	b.Until("[...document.querySelectorAll('dialog input, dialog textarea')].some((e) => e.value === '" + link + "')")
	b.Fine()
	show("text.png", "a text")
	b.Shows("dialog .fault", "not that of a link")
}

func FuzzLinkInPicture(f *testing.F) {
	f.Add(codeOf(f, "coterie:2:den:AgHSv7Qu3ONT9KTgswGhws0NZzf5", 2, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if link, bad := linkInPicture(b); bad == nil && !strings.HasPrefix(strings.ToLower(link), "coterie:") {
			t.Errorf("%q is no link", link)
		}
	})
}
