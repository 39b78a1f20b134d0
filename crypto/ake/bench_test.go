package ake

import (
	"fmt"
	"testing"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"

	"coterie/crypto/abe"
)

//	go test -run '^$' -bench . ./crypto/ake

// BenchmarkAttributes is K_abe in a room of 1,000: as it is made, and by the
// standard library's HMAC, which the tests compare it with.
func BenchmarkAttributes(b *testing.B) {
	sid := hashOf("sid")
	var members []Member
	for i := range 1000 {
		members = append(members, Member{Identity: hashOf(fmt.Sprint("peer ", i)),
			Term: Term{secretOf(fmt.Sprint("term ", i))}})
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Attributes(sid, members)
		}
	})
	b.Run("by crypto/hmac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			attributesByThePage(sid, members)
		}
	})
}

// BenchmarkMessage is a text of 100 bytes, without its signature: its content
// has 256.
func BenchmarkMessage(b *testing.B) {
	k := NewKeys(secretOf("secret"), nil)
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
			_, counter, err := k.OpenHeader(m.room, m.epoch, m.step, m.guard, m.sealed, m.header)
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
	if err := policy.FromString("((a_A:1 and a_B:1) or a_C:1) and " +
		"(((d512_40:1 or d64_324:1) or d8_2596:1) or d1_20770:1)"); err != nil {
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
