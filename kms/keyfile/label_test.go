package keyfile

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"coterie/crypto/abe"
)

func TestLabel(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"NTNU", "Ærø", strings.Repeat("x", 48), strings.Repeat("x", 64)} {
		m, err := abe.Setup(rand.Reader, domain)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			id   age.Identity
			to   age.Recipient
			str  string
			kind string
		}{{x, x.Recipient(), x.Recipient().String(), "X25519"}, {h, h.Recipient(), h.Recipient().String(),
			"mlkem768x25519"}} {
			file, err := SealKey([]byte("the key"), c.to, c.str, m.Domain())
			if err != nil {
				t.Fatal(err)
			}
			head, err := ReadAgeHeader(file)
			if err != nil {
				t.Fatal(err)
			}
			want := Label{ShortRecipient(c.str), domain, m.Domain().Fingerprint()}
			if head.Label == nil || *head.Label != want || len(head.Types) != 1 || head.Types[0] != c.kind {
				t.Errorf("%+v, %+v; want %+v", head, head.Label, want)
			}
			// age itself opens it.
			r, err := age.Decrypt(bytes.NewReader(file), c.id)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(r); err != nil || string(plain) != "the key" {
				t.Errorf("%q, %v", plain, err)
			}
			// Whoever changes the label makes a file that its owner cannot open.
			changed := bytes.Replace(file, []byte(labelType+" 1 age1"), []byte(labelType+" 1 age2"), 1)
			if _, err := age.Decrypt(bytes.NewReader(changed), c.id); err == nil {
				t.Error("a file with another label opens")
			}
		}
	}
}

func TestHostileLabels(t *testing.T) {
	for _, stanza := range []string{
		"-> coterie-key 1 age1 \nTlROVQ", "-> coterie-key 2 age1ql3z...cac8p 4f1c9ab277d0e31a\nTlROVQ",
		"-> coterie-key 1 age1ql3z...cac8p 4F1C9AB277D0E31A\nTlROVQ",
		"-> coterie-key 1 age1ql3z...cac8pxxxxxxxxxxxxxxxxxxxxx 4f1c9ab277d0e31a\nTlROVQ",
		"-> coterie-key 1 age1ql3z...cac8p 4f1c9ab277d0e31a\n!!", "-> coterie-key 1 age1ql3z...cac8p 4f1c9ab277d0e31a",
	} {
		if l := findLabel([]byte(stanza)); l != nil {
			t.Errorf("%q gives %+v", stanza, l)
		}
	}
}
