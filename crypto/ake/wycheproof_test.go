package ake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"
	"golang.org/x/crypto/chacha20poly1305"
)

// Wycheproof's vectors are about primitives that this module takes from
// elsewhere. The tests hold those to them, so that a change below shows here. What
// this protocol asks beyond them is in testdata/keys.json.

// A hexInput is bytes that stand in hexadecimal.
type hexInput []byte

func (h *hexInput) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// A wycheproofCase is a vector with what its group says of all in it.
type wycheproofCase struct {
	ID      int      `json:"tcId"`
	Comment string   `json:"comment"`
	Flags   []string `json:"flags"`
	Result  string   `json:"result"` // "valid", "invalid" or "acceptable"

	Message               hexInput         `json:"msg"`
	Signature             hexInput         `json:"sig"`
	Key, IV, AAD, CT, Tag hexInput         // AEAD and MAC
	IKM, Salt, Info, OKM  hexInput         // HKDF
	Size                  int              // of OKM, bytes
	Seed, EK, M, C        hexInput         // ML-KEM
	K                     hexInput         `json:"K"` // of ML-KEM
	Group                 *wycheproofGroup `json:"-"`
}

type wycheproofGroup struct {
	PublicKey struct {
		PK hexInput `json:"pk"`
	} `json:"publicKey"`
	TagSize int               `json:"tagSize"` // bits
	Tests   []*wycheproofCase `json:"tests"`
}

// eachWycheproof calls f for each vector of a file, and asks that there be as
// many of each result as the counts say: a file that is empty proves nothing.
func eachWycheproof(t *testing.T, name string, counts map[string]int, f func(t *testing.T, c *wycheproofCase)) {
	t.Helper()
	raw, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests  int                `json:"numberOfTests"`
		Groups []*wycheproofGroup `json:"testGroups"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	seen, sum := make(map[string]int), 0
	for _, g := range file.Groups {
		for _, c := range g.Tests {
			c.Group = g
			seen[c.Result]++
			sum++
			f(t, c)
		}
	}
	for _, result := range []string{"valid", "invalid", "acceptable"} {
		if seen[result] != counts[result] {
			t.Errorf("%s: %d vectors are %s, not %d", name, seen[result], result, counts[result])
		}
	}
	if sum != file.Tests {
		t.Errorf("%s: %d vectors, not %d", name, sum, file.Tests)
	}
}

// mustBe compares what was made of a vector with its result.
func (c *wycheproofCase) mustBe(t *testing.T, taken bool) {
	t.Helper()
	if taken != (c.Result == "valid") {
		t.Errorf("%d, %s %v %q: taken is %v", c.ID, c.Result, c.Flags, c.Comment, taken)
	}
}

// TestWycheproofEd25519: the rule of PROTOCOL.md §1 and Wycheproof agree in all
// of its vectors. It has no key of small order, with torsion or in a second
// encoding, and one R in a second encoding. So it does not notice a verifier that
// takes such keys, or one that multiplies by the cofactor.
func TestWycheproofEd25519(t *testing.T) {
	eachWycheproof(t, "ed25519_test.json", map[string]int{"valid": 88, "invalid": 63},
		func(t *testing.T, c *wycheproofCase) {
			key, err := PublicEd25519(c.Group.PublicKey.PK)
			if err != nil {
				t.Errorf("%d: the key is refused", c.ID)
				return
			}
			c.mustBe(t, ed25519.Verify(key, c.Message, c.Signature))
			c.mustBe(t, new(lenient).verify(key, c.Message, c.Signature))
		})
}

// TestWycheproofAEAD: ChaCha20-Poly1305, which seals what an epoch says, and
// XChaCha20-Poly1305, which seals joins.
func TestWycheproofAEAD(t *testing.T) {
	for _, a := range []struct {
		file   string
		counts map[string]int
		nonce  int
	}{
		{"chacha20_poly1305_test.json", map[string]int{"valid": 256, "invalid": 69}, chacha20poly1305.NonceSize},
		{"xchacha20_poly1305_test.json", map[string]int{"valid": 246, "invalid": 69}, chacha20poly1305.NonceSizeX},
	} {
		nonces := 0
		eachWycheproof(t, a.file, a.counts, func(t *testing.T, c *wycheproofCase) {
			aead, err := chacha20poly1305.New(c.Key)
			if a.nonce == chacha20poly1305.NonceSizeX {
				aead, err = chacha20poly1305.NewX(c.Key)
			}
			if err != nil {
				t.Fatal(err)
			}
			sealed := append(slices.Clone(c.CT), c.Tag...)
			if len(c.IV) != a.nonce {
				// Nonces are of fixed size here; another is a mistake in the code.
				nonces++
				mustPanic(t, "a nonce of another size", func() { aead.Open(nil, c.IV, sealed, c.AAD) })
				c.mustBe(t, false)
				return
			}
			plain, err := aead.Open(nil, c.IV, sealed, c.AAD)
			c.mustBe(t, err == nil)
			if err == nil && !bytes.Equal(plain, c.Message) {
				t.Errorf("%d: opens to %x", c.ID, plain)
			}
			if made := aead.Seal(nil, c.IV, c.Message, c.AAD); bytes.Equal(made, sealed) != (c.Result == "valid") {
				t.Errorf("%d: seals to %x", c.ID, made)
			}
		})
		if nonces != 9 {
			t.Errorf("%s: %d nonces of another size, not 9", a.file, nonces)
		}
	}
}

// TestWycheproofHKDF: HKDF-SHA256. X of PROTOCOL.md §1 is its second half.
func TestWycheproofHKDF(t *testing.T) {
	eachWycheproof(t, "hkdf_sha256_test.json", map[string]int{"valid": 83, "invalid": 3},
		func(t *testing.T, c *wycheproofCase) {
			out, err := hkdf.Key(sha256.New, c.IKM, c.Salt, string(c.Info), c.Size)
			c.mustBe(t, err == nil)
			if err == nil && !bytes.Equal(out, c.OKM) {
				t.Errorf("%d: %x", c.ID, out)
			}
		})
}

// TestWycheproofHMAC: HMAC-SHA256, whole and cut short; and for keys of 32
// bytes, which are all that this protocol has, as this package calls it.
func TestWycheproofHMAC(t *testing.T) {
	ours := 0
	eachWycheproof(t, "hmac_sha256_test.json", map[string]int{"valid": 66, "invalid": 108},
		func(t *testing.T, c *wycheproofCase) {
			m := hmac.New(sha256.New, c.Key)
			m.Write(c.Message)
			c.mustBe(t, hmac.Equal(m.Sum(nil)[:c.Group.TagSize/8], c.Tag))
			if len(c.Key) != SecretSize {
				return
			}
			ours++
			key, err := SecretFromBytes(c.Key)
			if err != nil {
				t.Fatal(err)
			}
			tag := authenticate(key, c.Message)
			c.mustBe(t, hmac.Equal(tag[:c.Group.TagSize/8], c.Tag))
		})
	if ours != 162 {
		t.Errorf("%d keys of 32 bytes, not 162", ours)
	}
}

// TestWycheproofMLKEM: ML-KEM-768, of which crypto/mlkem keeps the seed as
// private key. Wycheproof's keys in the long form it does not read; they are left
// out.
func TestWycheproofMLKEM(t *testing.T) {
	private := func(t *testing.T, c *wycheproofCase) *mlkem.DecapsulationKey768 {
		t.Helper()
		key, err := mlkem.NewDecapsulationKey768(c.Seed)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key.EncapsulationKey().Bytes(), c.EK) {
			t.Errorf("%d: another public key", c.ID)
		}
		return key
	}
	eachWycheproof(t, "mlkem_768_keygen_seed_test.json", map[string]int{"valid": 100},
		func(t *testing.T, c *wycheproofCase) {
			private(t, c)
		})
	eachWycheproof(t, "mlkem_768_test.json", map[string]int{"valid": 161, "invalid": 40},
		func(t *testing.T, c *wycheproofCase) {
			key, err := mlkem.NewDecapsulationKey768(c.Seed)
			if err != nil {
				c.mustBe(t, false)
				return
			}
			// A ciphertext that was changed gives a secret, too: another.
			shared, err := key.Decapsulate(c.C)
			c.mustBe(t, err == nil)
			if err == nil && (!bytes.Equal(shared, c.K) || !bytes.Equal(private(t, c).Bytes(), c.Seed)) {
				t.Errorf("%d: %x", c.ID, shared)
			}
		})
	eachWycheproof(t, "mlkem_768_encaps_test.json", map[string]int{"valid": 133, "invalid": 132},
		func(t *testing.T, c *wycheproofCase) {
			public, err := mlkem.NewEncapsulationKey768(c.EK)
			c.mustBe(t, err == nil)
			if err != nil {
				return
			}
			shared, ciphertext, err := mlkemtest.Encapsulate768(public, c.M)
			if err != nil || !bytes.Equal(shared, c.K) || !bytes.Equal(ciphertext, c.C) {
				t.Errorf("%d: %x, %v", c.ID, shared, err)
			}
		})
}
