package kms_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
)

// An authority makes a domain, issues a key, and reads in its ledger what it issued.
func Example() {
	folder, err := os.MkdirTemp("", "kms")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	today := abe.DayOf(now)

	files := kms.At(filepath.Join(folder, "NTNU"))
	prepared, err := kms.Prepare(rand.Reader, files)
	if err != nil {
		log.Fatal(err)
	}
	// Without a passphrase the master key lies in clear: for examples alone.
	if _, err := prepared.Write(rand.Reader, kms.Protection{}, 0, now); err != nil {
		log.Fatal(err)
	}

	locked, err := kms.Read(files)
	if err != nil {
		log.Fatal(err)
	}
	authority, err := locked.Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	attributes, err := abe.ParseAttributes([]string{"NTNU", "5th year"})
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(folder, "kari.key")
	_, err = authority.Issue(rand.Reader, kms.Request{
		Name: "Kari", Attributes: attributes, From: today, Expires: today + 180, Path: path,
	}, now)
	if err != nil {
		log.Fatal(err)
	}

	key, err := keyfile.LoadKey(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Domain().Name(), key.Attributes(), "until", key.Expires())
	record, err := authority.Record()
	if err != nil {
		log.Fatal(err)
	}
	for _, issue := range record.Issues {
		fmt.Println(issue.Number, issue.Name, issue.Attributes)
	}
	// Output:
	// NTNU ["5th year" NTNU] until 2027-05-22
	// 1 Kari ["5th year" NTNU]
}
