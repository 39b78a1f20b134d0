package keyfile

import (
	"bytes"
	"encoding/base64"
	"strings"

	"filippo.io/age"

	"coterie/crypto/abe"
)

// Label is what a sealed key says of itself without being opened, so that people
// can tell their files apart. It is part of the age header, which whoever opens
// the file authenticates; whoever does not only reads what somebody wrote.
type Label struct {
	Recipient   string // shortened
	Domain      string // the name; may hold anything
	Fingerprint string // of the domain
}

// labelType is the type of the label's stanza in the age header:
//
//	-> coterie-key 1 RECIPIENT FINGERPRINT
//	base64 of the domain's name
//
// RECIPIENT being shortened with three dots. age ignores stanzas of types that
// it does not know, so the plain tool opens such a file.
const labelType = "coterie-key"

// SealKey returns the key file data, of domain d, as a binary age file for one
// recipient, with a label.
func SealKey(data []byte, to age.Recipient, name string, d *abe.Domain) ([]byte, error) {
	stanza := &age.Stanza{
		Type: labelType,
		Args: []string{"1", strings.ReplaceAll(ShortRecipient(name), "…", "..."), strings.ReplaceAll(d.Fingerprint(), "-",
			"")},
		Body: []byte(d.Name()),
	}
	return Seal(data, labelled{to, stanza})
}

// labelled is a recipient with a stanza more.
type labelled struct {
	age.Recipient
	label *age.Stanza
}

// WrapWithLabels keeps the labels of the recipient itself, which are what age
// calls the properties that recipients of one file must share.
func (l labelled) WrapWithLabels(fileKey []byte) (stanzas []*age.Stanza, labels []string, err error) {
	if r, ok := l.Recipient.(age.RecipientWithLabels); ok {
		stanzas, labels, err = r.WrapWithLabels(fileKey)
	} else {
		stanzas, err = l.Wrap(fileKey)
	}
	return append(stanzas, l.label), labels, err
}

// findLabel reads the label in an age header that was parsed before.
func findLabel(header []byte) *Label {
	lines := bytes.Split(header, []byte("\n"))
	for i, line := range lines {
		fields := strings.Fields(string(line))
		if len(fields) != 5 || fields[0] != "->" || fields[1] != labelType || fields[2] != "1" || i+1 == len(lines) {
			continue
		}
		name, err := base64.RawStdEncoding.DecodeString(stanzaBody(lines[i+1:]))
		print := fields[4]
		if err != nil || len(fields[3]) > 16 || len(print) != 16 || strings.Trim(print, "0123456789abcdef") != "" {
			return nil
		}
		return &Label{strings.Replace(fields[3], "...", "…", 1), string(name), print[:4] + "-" + print[4:8] + "-" +
			print[8:12] + "-" + print[12:]}
	}
	return nil
}

// stanzaBody joins the lines of a stanza's body: the first that is not full is
// its last.
func stanzaBody(lines [][]byte) string {
	const full = 64
	var b strings.Builder
	for _, line := range lines {
		b.Write(line)
		if len(line) != full {
			break
		}
	}
	return b.String()
}
