package chat

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxFileName is how many bytes a name has on disk, without what tells it from others.
const maxFileName = 200

// FileName makes of what somebody calls a file a name that does no harm: in no folder, hidden
// nowhere, taken for no option and for no device, and shown as it is. It is never empty.
func FileName(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	name = path.Base(strings.TrimRight(name, "/"))
	name = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`<>:"|?*/`, r):
			return '_' // names have none of these on Windows
		case r == ' ':
			return r
		case r == unicode.ReplacementChar, unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
			unicode.Is(unicode.Variation_Selector, r), !unicode.IsGraphic(r), unicode.Is(unicode.Zs, r):
			return -1
		}
		return r
	}, norm.NFC.String(strings.ToValidUTF8(name, "")))
	name = strings.TrimLeftFunc(name, func(r rune) bool { return strings.ContainsRune(".-~ ", r) || unicode.IsMark(r) })
	name = strings.TrimRight(name, ". ") // Windows drops them
	stem, ext := splitName(name)
	if isDevice(name) {
		stem = "_" + stem
	}
	for len(stem)+len(ext) > maxFileName {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	// What was left out may have stood between letters that are one now.
	if name = norm.NFC.String(strings.TrimRight(stem, " ") + ext); name == "" {
		return "file"
	}
	return name
}

// splitName splits a name from what says its kind, with the dot.
func splitName(name string) (stem, ext string) {
	if ext = path.Ext(name); len(ext) > 20 || ext == name {
		ext = ""
	}
	return strings.TrimSuffix(name, ext), ext
}

// isDevice reports whether Windows takes a name for a device, whatever is behind its first dot.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	switch stem = strings.ToUpper(strings.TrimRight(stem, " ")); stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.Contains("0123456789¹²³", port)
}
