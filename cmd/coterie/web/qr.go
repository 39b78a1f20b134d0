package web

import (
	"bytes"
	"errors"
	"image/png"
	"io"
	"net/http"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"coterie/cmd/internal/cli"
	proto "coterie/room"
)

// A link in a picture of its QR code. The page draws the picture as a small PNG, whatever it was, and
// the program reads that: few browsers can read the code themselves.

const (
	// maxPicture is how many bytes such a PNG has at most, and maxSide how many pixels in one direction.
	maxPicture = 16 << 20
	maxSide    = 1600
)

func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, badInput())
		return
	}
	link, bad := linkInPicture(b)
	if bad != nil {
		refuse(w, http.StatusUnprocessableEntity, bad)
		return
	}
	answer(w, struct {
		Link string `json:"link"`
	}{link})
}

// linkInPicture is the link in the QR code in a PNG.
func linkInPicture(b []byte) (string, *cli.Error) {
	text, err := readQR(b)
	if err != nil {
		return "", cli.Fail("link-not", "there is no QR code in this picture that can be read").
			Hint("a picture of the code alone, straight from above, is read best").Because(err)
	}
	if text = proto.Pasted(text); !proto.IsLink(text) {
		return "", cli.Fail("link-not", "the QR code in this picture is not that of a link").
			Hint("/link in the room shows the link's code")
	}
	return text, nil
}

// readQR reads a picture that anybody may have made. What its reader trips over is no code.
func readQR(b []byte) (text string, err error) {
	defer func() {
		if recover() != nil {
			text, err = "", errors.New("the picture cannot be read")
		}
	}()
	is, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	if is.Width > maxSide || is.Height > maxSide {
		return "", errors.New("the picture is too large")
	}
	picture, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	bits, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	read, err := qrcode.NewQRCodeReader().Decode(bits, hints)
	if err != nil {
		return "", err
	}
	return read.GetText(), nil
}
