package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// TestReceive: frames come whole, whatever was read from another stream before; and an end in the
// middle of one is told from the end of a stream.
func TestReceive(t *testing.T) {
	framed := func(n int) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(n)), bytes.Repeat([]byte{'x'}, n)...)
	}
	for _, n := range []int{1, readBufferSize, readBufferSize + 1} {
		whole := append(framed(n), framed(n)...)
		for end := range len(whole) + 1 {
			if n > 1 && end%997 > 0 && (end+5)%(n+lengthSize) > 10 {
				continue // those near an end of a frame, and some others
			}
			got := 0
			err := receive(bytes.NewReader(whole[:end]), each(func(f []byte) bool {
				if !bytes.Equal(f, framed(n)[lengthSize:]) {
					t.Errorf("frames of %d: another one of %d", n, len(f))
				}
				got++
				return true
			}))
			want := io.ErrUnexpectedEOF
			if end%(n+lengthSize) == 0 {
				want = io.EOF
			}
			if got != end/(n+lengthSize) || !errors.Is(err, want) {
				t.Errorf("frames of %d, cut off after %d bytes: %d frames, then %v", n, end, got, err)
			}
		}
	}
}
