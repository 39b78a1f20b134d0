package record

import (
	"errors"
	"testing"
)

// TestAskOnSmallMachines: where an int has 32 bits, an ask whose counts are
// 2^31 and more was taken as one with none.
func TestAskOnSmallMachines(t *testing.T) {
	great := []byte{0x80, 0, 0, 0}
	for what, b := range map[string][]byte{
		"ids":      append(great, 0, 0, 0, 0),
		"counters": append(append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 32)...), great...),
	} {
		if _, err := ParseAsk(b); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
