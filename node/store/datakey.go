package store

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"filippo.io/age"

	"coterie/kms/keyfile"
)

// What a key file has: magic (16) || room tag (32) || key (32), plain or within
// an age file.
const (
	keyMagic   = "coterie datakey1"
	keySize    = 16 + 32 + 32
	ageMagic   = "age-encryption.org/v1\n"
	maxKeyFile = 64 << 10 // an age file for a hybrid recipient has about 2 KB
)

// DataKey returns the data key of the room whose database is at path, from the
// file beside it, and draws it on the first use.
//
// With an identity (X25519 or hybrid), a new key is sealed with age to the first
// of them. Without one it is written as it is, and plain is true, also later:
// whoever copies the folder reads the history, and the caller says so.
//
// It returns *IdentityError if the key is sealed for another identity, or for one
// and none is given; *KeyMissingError if there is a database without its key;
// *ForeignError for another room's or another program's file; *DamagedError,
// *PermissionError, *OwnerError, *RunningError. It never replaces a file.
func DataKey(path string, room [32]byte, ids []age.Identity) (key [32]byte, plain bool, err error) {
	key, plain, err = dataKey(path, room, ids)
	if err != nil {
		return [32]byte{}, false, fmt.Errorf("opening the key of the history: %w", full(err))
	}
	return key, plain, nil
}

func dataKey(path string, room [32]byte, ids []age.Identity) (key [32]byte, plain bool, err error) {
	name := prefix(path) + keySuffix
	data, err := readBounded(name, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return drawKey(path, room, ids)
	} else if err != nil {
		return key, false, err
	}
	defer func() { clear(data) }()
	if plain = !bytes.HasPrefix(data, []byte(ageMagic)); !plain {
		if data, err = unseal(name, data, ids); err != nil {
			return key, false, err
		}
	}
	key, err = parseKey(name, room, data)
	return key, plain, err
}

func parseKey(name string, room [32]byte, data []byte) (key [32]byte, err error) {
	tag := roomTag(room)
	switch {
	case !bytes.HasPrefix(data, []byte(keyMagic)):
		return key, &ForeignError{name, "it is no data key"}
	case len(data) != keySize:
		return key, &DamagedError{name, "it has a wrong size"}
	case subtle.ConstantTimeCompare(tag[:], data[16:48]) == 0:
		return key, &ForeignError{name, "it is another room's key"}
	}
	return [32]byte(data[48:]), nil
}

func unseal(name string, data []byte, ids []age.Identity) ([]byte, error) {
	if len(ids) == 0 {
		return nil, &IdentityError{name}
	}
	r, err := age.Decrypt(bytes.NewReader(data), ids...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, &IdentityError{name}
	}
	var plain []byte
	if err == nil {
		plain, err = io.ReadAll(io.LimitReader(r, keySize+1))
	}
	if err != nil {
		return nil, &DamagedError{name, "it does not open"}
	}
	return plain, nil
}

// drawKey makes a room's data key, under the room's lock: of two processes that
// start at once, one draws.
func drawKey(path string, room [32]byte, ids []age.Identity) (key [32]byte, plain bool, err error) {
	if err := makeFolder(path); err != nil {
		return key, false, err
	}
	l, err := lockRoom(path)
	if err != nil {
		return key, false, err
	}
	defer l.Close()
	name := prefix(path) + keySuffix
	if _, err := os.Lstat(path); err == nil {
		return key, false, &KeyMissingError{path, name}
	}
	rand.Read(key[:])
	tag := roomTag(room)
	data := append([]byte(keyMagic), tag[:]...)
	data = append(data, key[:]...)
	defer func() { clear(data) }()
	if len(ids) > 0 {
		sealed, err := sealTo(ids[0], data)
		if err != nil {
			return key, false, err
		}
		clear(data)
		data = sealed
	}
	if err := writePrivate(name, data); err != nil {
		return key, false, err
	}
	return key, len(ids) == 0, nil
}

func sealTo(id age.Identity, data []byte) ([]byte, error) {
	var to age.Recipient
	switch id := id.(type) {
	case *age.X25519Identity:
		to = id.Recipient()
	case *age.HybridIdentity:
		to = id.Recipient()
	default:
		return nil, fmt.Errorf("an identity of this kind has no recipient: %T", id)
	}
	return keyfile.Seal(data, to)
}
