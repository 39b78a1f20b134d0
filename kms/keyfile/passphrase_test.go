package keyfile

import (
	"bytes"
	"errors"
	"testing"

	"filippo.io/age"
	"golang.org/x/text/unicode/norm"
)

// TestPassphraseIsLetters: a passphrase with accents opens however they are written, and
// another one does not. What another program encrypted opens as well.
func TestPassphraseIsLetters(t *testing.T) {
	composed, decomposed := norm.NFC.String("Bl\u00e5b\u00e6r-\u00e9"), norm.NFD.String("Bl\u00e5b\u00e6r-\u00e9")
	if composed == decomposed {
		t.Fatal("the test shows nothing")
	}
	other := func(passphrase string) []byte {
		r, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			t.Fatal(err)
		}
		r.SetWorkFactor(1)
		data, err := Seal([]byte("secret"), r)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	ours := func(passphrase string) []byte {
		data, err := EncryptPassphrase([]byte("secret"), []byte(passphrase), 1)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, data := range map[string][]byte{
		"composed": ours(composed), "decomposed": ours(decomposed), "by another": other(composed),
		"by another, decomposed": other(decomposed),
	} {
		for _, typed := range []string{composed, decomposed} {
			if plain, err := DecryptPassphrase("x", data, []byte(typed)); err != nil || !bytes.Equal(plain, []byte("secret")) {
				t.Errorf("%s: %+q: %v", name, typed, err)
			}
		}
		var wrong *PassphraseError
		if _, err := DecryptPassphrase("x", data, []byte("Blabar-e")); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
