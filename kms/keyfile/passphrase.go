package keyfile

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"golang.org/x/text/unicode/norm"
)

// DefaultWorkFactor is log2 of the scrypt cost of one guess at a passphrase:
// age's own default, about a second.
const DefaultWorkFactor = 18

// MaxWorkFactor is the greatest cost that is paid to open a file: that takes 1 GiB
// and some seconds. Who writes a file chooses it, and is not known before it is paid.
const MaxWorkFactor = 20

// EncryptPassphrase returns data as an age file for a passphrase. The cost of
// one guess is 2^logN scrypt steps.
func EncryptPassphrase(data, passphrase []byte, logN int) ([]byte, error) {
	r, err := age.NewScryptRecipient(norm.NFC.String(string(passphrase)))
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(logN)
	return Seal(data, r)
}

// Seal returns data as a binary age file for one recipient.
func Seal(data []byte, to age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// DecryptPassphrase opens the age file data, read from path, with a passphrase.
// It returns a *PassphraseError or a *DamagedError.
//
// A passphrase is letters: how a keyboard or a file system writes an accent does not matter.
// Files are encrypted with the composed form; one that was encrypted otherwise, by another
// program, opens by what was typed, or by the decomposed form.
func DecryptPassphrase(path string, data, passphrase []byte) (plain []byte, err error) {
	typed := string(passphrase)
	var tried []string
	for _, form := range []string{norm.NFC.String(typed), typed, norm.NFD.String(typed)} {
		if slices.Contains(tried, form) {
			continue
		}
		tried = append(tried, form)
		plain, err = decryptWith(path, data, form)
		if wrong := (*PassphraseError)(nil); !errors.As(err, &wrong) {
			return plain, err
		}
	}
	return nil, err
}

func decryptWith(path string, data []byte, passphrase string) ([]byte, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, &PassphraseError{path} // an empty one fits nothing
	}
	id.SetMaxWorkFactor(MaxWorkFactor)
	src, _ := dearmor(data)
	r, err := age.Decrypt(src, id)
	if err != nil && strings.Contains(err.Error(), "work factor too large") {
		return nil, &WorkError{path}
	}
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, &PassphraseError{path}
	} else if err != nil {
		return nil, &DamagedError{Path: path, Size: len(data), Err: err}
	}
	plain, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		clear(plain)
		return nil, &DamagedError{Path: path, Size: len(data), Err: err}
	}
	return plain, nil
}
