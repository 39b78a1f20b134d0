package abe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
)

// Side by side with tkn20 alone on the same text and labels: what this package
// adds should not be seen.
//
//	go test -run '^$' -bench . -benchtime 10x ./crypto/abe

var benchSizes = []int{1, 4, 10, 50}

// conjunction is the "and" of n attributes, and a grant of them on testDay.
func conjunction(b *testing.B, n int) (*Policy, Grant) {
	b.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("attribute%02d", i)
	}
	return policy(b, strings.Join(names, " and ")), Grant{Attributes: attributes(b, names...), From: testFrom,
		Expires: testExpires}
}

// benchCases runs both sides for each size, with the day and without.
func benchCases(b *testing.B, run func(b *testing.B, p *DayPolicy, g Grant, plain bool)) {
	d := authority().Domain()
	for _, n := range benchSizes {
		p, g := conjunction(b, n)
		for _, withDay := range []bool{false, true} {
			dp, err := d.ForDay(p, testDay)
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("leaves=%d+day", n)
			if !withDay {
				name = fmt.Sprintf("leaves=%d", n)
				c := newCircuit(p.tree)
				if dp.tkn, err = c.compile(); err != nil {
					b.Fatal(err)
				}
				dp.header = headerSkeleton(c)
			}
			b.Run(name+"/coterie", func(b *testing.B) { run(b, dp, g, false) })
			b.Run(name+"/circl", func(b *testing.B) { run(b, dp, g, true) })
		}
	}
}

func BenchmarkEncrypt(b *testing.B) {
	message := make([]byte, encapsulationPlaintext)
	benchCases(b, func(b *testing.B, p *DayPolicy, _ Grant, plain bool) {
		coins := stream("coins")
		for b.Loop() {
			var c []byte
			var err error
			if plain {
				c, err = p.domain.public.Encrypt(coins, p.tkn, message)
			} else {
				c, err = p.Encrypt(coins, message)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(c)), "bytes")
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	message := make([]byte, encapsulationPlaintext)
	benchCases(b, func(b *testing.B, p *DayPolicy, g Grant, plain bool) {
		k, err := authority().Issue(stream("key"), g)
		if err != nil {
			b.Fatal(err)
		}
		c := encrypt(b, p, "coins", message)
		for b.Loop() {
			if plain {
				_, err = k.secret.Decrypt(c)
			} else {
				_, err = p.Decrypt(k, c, len(message))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIssue has spans of one label and of 90 days.
func BenchmarkIssue(b *testing.B) {
	m := authority()
	for _, n := range benchSizes {
		_, g := conjunction(b, n)
		for _, days := range []Day{8, 90} {
			g.Expires = g.From + days
			labels := g.labels()
			name := fmt.Sprintf("attributes=%d,days=%d,labels=%d", n, days, len(labels))
			b.Run(name+"/coterie", func(b *testing.B) {
				rand := stream("key")
				for b.Loop() {
					k, err := m.Issue(rand, g)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := k.MarshalBinary(); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(name+"/circl", func(b *testing.B) {
				rand := stream("key")
				for b.Loop() {
					var as tkn20.Attributes
					as.FromMap(labels)
					k, err := m.secret.KeyGen(rand, as)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := k.MarshalBinary(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParsePolicy(b *testing.B) {
	for b.Loop() {
		if _, err := ParsePolicy(`("NTNU" and "5th year") or "Professor" or age >= 18`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForDay(b *testing.B) {
	d := authority().Domain()
	p := policy(b, `("NTNU" and "5th year") or "Professor" or age >= 18`)
	for b.Loop() {
		if _, err := d.ForDay(p, testDay); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	p := forDay(b, `("NTNU" and "5th year") or "Professor" or age >= 18`, testDay)
	c := encrypt(b, p, "coins", make([]byte, encapsulationPlaintext))
	for b.Loop() {
		if err := p.Check(c, encapsulationPlaintext); err != nil {
			b.Fatal(err)
		}
	}
}
