package profile

import (
	"regexp"
	"strconv"
	"strings"

	"coterie/cmd/internal/cli"
)

var size = regexp.MustCompile(`^([0-9]{1,7}) ?(MB|GB)$`)

// leastKept is the least that can be kept of a room: what is under way takes some of it.
const leastKept = 64_000_000

// ParseSize reads how much of a room is kept on disk: 500MB or 2GB.
func ParseSize(s string) (int64, *cli.Error) {
	m := size.FindStringSubmatch(strings.ToUpper(s))
	if m == nil {
		return 0, isNot(s, "a size").Hint("such as 500MB or 2GB; --ephemeral keeps nothing")
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // at most seven digits
	if n *= 1_000_000; m[2] == "GB" {
		n *= 1000
	}
	if n < leastKept {
		return 0, cli.Usage("%q is too little", s).Hint("at least 64MB; --ephemeral keeps nothing")
	}
	return n, nil
}
