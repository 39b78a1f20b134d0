package people

import (
	"regexp"
	"strings"
	"unicode"

	"coterie/cmd/internal/text"

	"golang.org/x/net/idna"
)

// hosts are addresses of any scheme, in any case: what comes before a host can be as long as one
// likes, and a browser ends it at a backslash too, and takes other full stops for dots.
var (
	hosts = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://([^\s/\\?#<>"']+)[^\s<>"']*`)
	dots  = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")
)

// MarkHosts writes the ASCII form of its host behind each address that mixes
// scripts, as http://аpple.example (xn--pple-43d.example): the letters of one
// script can be drawn like those of another.
func MarkHosts(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return hosts.ReplaceAllStringFunc(s, func(found string) string {
		host := hosts.FindStringSubmatch(found)[1]
		host = host[strings.LastIndex(host, "@")+1:]
		host, _, _ = strings.Cut(dots.Replace(host), ":")
		if !mixed(host) {
			return found
		}
		ascii, err := idna.Punycode.ToASCII(host)
		if err != nil || ascii == host {
			return found
		}
		return found + " (" + ascii + ")"
	})
}

// mixed reports whether one label of a host has letters of Latin and of another
// script, or looks like Latin and is not.
func mixed(host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		latin, other := false, false
		for _, r := range label {
			if r < 0x80 {
				latin = latin || unicode.IsLetter(r)
				continue
			}
			if unicode.Is(unicode.L, r) {
				if unicode.Is(unicode.Latin, r) {
					latin = true
				} else {
					other = true
				}
			}
		}
		if latin && other || other && text.IsASCII(skeleton(label)) {
			return true
		}
	}
	return false
}
