package ake

import (
	"fmt"
	"testing"
	"time"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"

	"coterie/crypto/abe"
)

//	go test -run '^$' -bench . ./crypto/ake

// oneX25519 is what one X25519 operation takes on this machine.
func oneX25519(b *testing.B) time.Duration {
	b.Helper()
	k, pub := x25519Of("bench"), x25519Of("other").PublicKey()
	const runs = 300
	best := time.Hour
	for range 5 { // the least of several: others may be at work
		began := time.Now()
		for range runs {
			if _, err := k.ECDH(pub); err != nil {
				b.Fatal(err)
			}
		}
		best = min(best, time.Since(began)/runs)
	}
	return best
}

// perMember reports a benchmark over n members in X25519 operations a member:
// the multi-recipient KEM costs one (PROTOCOL.md §8).
func perMember(b *testing.B, n int, one time.Duration) {
	each := float64(b.Elapsed()) / float64(b.N) / float64(n)
	b.ReportMetric(each/float64(one), "x25519/member")
	b.ReportMetric(each, "ns/member")
}

var crowds = []int{2, 16, 64, 128, 1000}

func BenchmarkWrap(b *testing.B) {
	one := oneX25519(b)
	for _, n := range crowds {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			c, d := newCrowd(n), secretOf("d")
			r := c.core.OneTimeKey(d)
			for b.Loop() {
				if _, err := Wrap(d, r, c.h, c.to); err != nil {
					b.Fatal(err)
				}
			}
			perMember(b, n, one)
		})
	}
}

func BenchmarkUnwrap(b *testing.B) {
	one := oneX25519(b)
	for _, n := range crowds {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			c, d := newCrowd(n), secretOf("d")
			wraps, rpub := c.wrap(b, d)
			for b.Loop() {
				if _, err := Unwrap(wraps, n/2, c.keys[n/2], &c.core, rpub, c.h, c.to); err != nil {
					b.Fatal(err)
				}
			}
			perMember(b, n, one)
		})
	}
}

// BenchmarkMessage is a text of 100 bytes, without its signature: its content
// has 256.
func BenchmarkMessage(b *testing.B) {
	k, _ := NewKeys(secretOf("secret"), nil)
	content := make([]byte, 256)
	b.Run("seal", func(b *testing.B) {
		c := chainOf("bench")
		for b.Loop() {
			counter, key := c.Next()
			send(b, k, key, 0, counter, content)
		}
	})
	b.Run("open", func(b *testing.B) {
		c := chainOf("bench")
		_, key := c.Next()
		m := send(b, k, key, 0, 1, content)
		for b.Loop() {
			reader := chainOf("bench")
			_, counter, err := k.OpenHeader(m.room, m.epoch, m.guard, m.sealed, m.header)
			if err != nil {
				b.Fatal(err)
			}
			key, err := reader.Peek(counter)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := OpenMessage(key, m.room, m.epoch, m.guard, m.sealed); err != nil {
				b.Fatal(err)
			}
			reader.Use(counter)
		}
	})
	b.Run("skip to the limit", func(b *testing.B) {
		c := chainOf("bench")
		for b.Loop() {
			if _, err := c.Peek(1 + MaxSkip); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkABE is what a handshake's two halves cost: an encapsulation is one
// encryption, an opening one decryption and one encryption, whatever it finds
// (PROTOCOL.md §5). The plain ones are circl's alone, of the same policy, with
// the same labels. A decryption mostly checks points, so it hardly matters to it
// which branch it goes through, or whether any; one of no ciphertext is none.
func BenchmarkABE(b *testing.B) {
	dp, c := dayPolicy(b, testPolicy, testDay), testContext()
	made, err := Encapsulate(secretOf("seed"), dp, c)
	if err != nil {
		b.Fatal(err)
	}
	other := *c
	other.Serial++
	b.Run("encapsulate", func(b *testing.B) {
		for b.Loop() {
			if _, err := Encapsulate(secretOf("seed"), dp, c); err != nil {
				b.Fatal(err)
			}
		}
	})
	opens := func(name string, key *abe.Key, c *Context, enc []byte, ok bool) {
		b.Run("open/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Open(key, dp, c, enc); ok != (err == nil) {
					b.Fatal(err)
				}
			}
		})
	}
	opens("through C", issue(b, "C"), c, made.Bytes, true)
	opens("through A and B", issue(b, "A", "B"), c, made.Bytes, true)
	opens("of another", issue(b, "C"), &other, made.Bytes, false)
	opens("not satisfied", issue(b, "D"), c, made.Bytes, false)
	opens("no ciphertext", issue(b, "C"), c, nil, false)

	public, secret, err := tkn20.Setup(stream("bench"))
	if err != nil {
		b.Fatal(err)
	}
	var policy tkn20.Policy
	if err := policy.FromString("((a_A:1 and a_B:1) or a_C:1) and (((d512_40:1 or d64_324:1) or d8_2596:1) or d1_20770:1)"); err != nil {
		b.Fatal(err)
	}
	plain := plaintextOf(c, secretOf("seed"))
	ct, err := public.Encrypt(stream("coins"), policy, plain)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("circl/encrypt", func(b *testing.B) {
		for b.Loop() {
			if _, err := public.Encrypt(stream("coins"), policy, plain); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, labels := range map[string]map[string]string{
		"through C":       {"a_C": "1", "d8_2596": "1", "g": "0"},
		"through A and B": {"a_A": "1", "a_B": "1", "d8_2596": "1", "g": "0"},
	} {
		var attributes tkn20.Attributes
		attributes.FromMap(labels)
		key, err := secret.KeyGen(stream("key"), attributes)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("circl/decrypt and encrypt/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := key.Decrypt(ct); err != nil {
					b.Fatal(err)
				}
				if _, err := public.Encrypt(stream("coins"), policy, plain); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
