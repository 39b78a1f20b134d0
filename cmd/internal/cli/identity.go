package cli

import (
	"filippo.io/age"

	"coterie/kms/keyfile"
)

// Identities returns what keyfile.LoadKey calls when a key is sealed: it reads
// the age identities at path and asks for their passphrase if they have one.
// Without a path there are none.
func Identities(path string, opts PassphraseOptions) func() ([]age.Identity, error) {
	if path == "" {
		return nil
	}
	return func() ([]age.Identity, error) {
		var ids []age.Identity
		load := func(passphrase func() ([]byte, error)) (err error) {
			ids, err = keyfile.LoadIdentities(path, passphrase)
			return err
		}
		// Most identity files have no passphrase; whether this one has, the first
		// reading finds out.
		protected := false
		err := load(func() ([]byte, error) {
			protected = true
			return nil, keyfile.ErrWrongPassphrase
		})
		if !protected {
			return ids, err
		}
		name := path
		if opts.Name != "" {
			name = opts.Name
		}
		err = WithPassphrase("Passphrase for "+name+":", opts, func(p []byte) error {
			return load(func() ([]byte, error) { return p, nil })
		})
		return ids, err
	}
}
