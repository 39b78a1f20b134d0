package abe

import "strconv"

// Labels are what tkn20 calls attributes: [A-Za-z0-9_]+, with one value of the
// same alphabet each. Every family of labels begins with a letter of its own,
// and what follows is injective, so two different things never share a label
// (PROTOCOL.md §2.4):
//
//	a_NAME           a bare attribute; value "1"
//	n_NAME           a named attribute; value v_VALUE
//	iNN_NAME         bit NN (00 is the lowest) of an integer; value "0" or "1"
//	g                the generation; value in decimal
//	s                the key's serial; value in decimal
//	dSIZE_INDEX      a block of days (day.go); value "1"
//
// No label is one of tkn20's keywords and none has a "-", which keeps clear of
// the label that tkn20 adds by itself.
const (
	generationLabel = "g"
	serialLabel     = "s"
	present         = "1"
)

func bareLabel(name string) string   { return "a_" + encode(name) }
func namedLabel(name string) string  { return "n_" + encode(name) }
func valueLabel(value string) string { return "v_" + encode(value) }

func bitLabel(name string, bit int) string {
	return "i" + string(rune('0'+bit/10)) + string(rune('0'+bit%10)) + "_" + encode(name)
}

// encode keeps ASCII letters and digits and writes every other byte as "_" and
// two lower-case hexadecimal digits. The underscore is one of those others, so
// an underscore always begins an escape and the encoding is injective.
func encode(s string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			b = append(b, c)
		default:
			b = append(b, '_', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// addAttribute puts an attribute's labels into a key's set.
func addAttribute(labels map[string]string, a Attribute) {
	if !a.Named {
		labels[bareLabel(a.Name)] = present
		return
	}
	labels[namedLabel(a.Name)] = valueLabel(a.Value)
	if n, ok := integer(a.Value); ok {
		for i := range integerBits {
			labels[bitLabel(a.Name, i)] = bitOf(n, i)
		}
	}
}

// labels are all that a key of this grant holds.
func (g Grant) labels() map[string]string {
	labels := map[string]string{
		generationLabel: strconv.FormatUint(uint64(g.Generation), 10), serialLabel: strconv.FormatUint(g.Serial, 10),
	}
	for _, a := range g.Attributes {
		addAttribute(labels, a)
	}
	for _, b := range cover(g.From, g.Expires) {
		labels[b.label()] = present
	}
	return labels
}
