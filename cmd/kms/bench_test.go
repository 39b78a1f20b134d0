package main

import (
	"fmt"
	"io"
	"testing"

	"coterie/crypto/abe"
	"coterie/kms"
)

// BenchmarkTable prints the list of 10,000 keys: what kms list does after
// BenchmarkLedger of package kms.
//
//	go test ./cmd/kms -run xxx -bench Table
func BenchmarkTable(b *testing.B) {
	from, err := abe.ParseDay("2026-11-23")
	if err != nil {
		b.Fatal(err)
	}
	var issues []kms.Issue
	for i := range 10_000 {
		issues = append(issues, kms.Issue{
			Number: uint64(i + 1), Name: fmt.Sprint("Åse Ødegård ", i), Attributes: []string{`"5th year"`, "NTNU",
				"dept=Physics"},
			From: from, Expires: from + 90, Made: from.Start(),
		})
	}
	for b.Loop() {
		if err := printTable(io.Discard, issues, from+1); err != nil {
			b.Fatal(err)
		}
	}
}
