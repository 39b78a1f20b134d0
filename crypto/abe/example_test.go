package abe_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"coterie/crypto/abe"
)

// An authority makes a domain and a key. Who knows the domain encrypts to a policy for a day; who
// has a key that satisfies it and is valid on that day opens it.
func Example() {
	authority, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		log.Fatal(err)
	}
	today := abe.DayOf(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	issue := func(serial uint64, attributes ...string) *abe.Key {
		parsed, err := abe.ParseAttributes(attributes)
		if err != nil {
			log.Fatal(err)
		}
		key, err := authority.Issue(rand.Reader, abe.Grant{
			Serial: serial, Attributes: parsed, From: today, Expires: today + 180,
		})
		if err != nil {
			log.Fatal(err)
		}
		return key
	}
	kari, guest := issue(1, "NTNU", "5th year"), issue(2, "NTNU")

	policy, err := abe.ParsePolicy(`("NTNU" and "5th year") or "Professor"`)
	if err != nil {
		log.Fatal(err)
	}
	door, err := authority.Domain().ForDay(policy, today)
	if err != nil {
		log.Fatal(err)
	}
	const plaintext = "the exam is on Monday"
	ciphertext, err := door.Encrypt(rand.Reader, []byte(plaintext))
	if err != nil {
		log.Fatal(err)
	}
	opened, err := door.Decrypt(kari, ciphertext, len(plaintext))
	fmt.Printf("kari: %s, %v\n", opened, err)
	_, err = door.Decrypt(guest, ciphertext, len(plaintext))
	fmt.Println("guest:", err)
	// Output:
	// kari: the exam is on Monday, <nil>
	// guest: abe: the key does not open the ciphertext
}

// What is wrong with a policy is said with the place.
func ExampleParsePolicy() {
	policy, err := abe.ParsePolicy(`2 of (NTNU, year >= 4, "teaching assistant")`)
	fmt.Println(policy, err)
	_, err = abe.ParsePolicy(`NTNU and (Professor or admin`)
	fmt.Println(err)
	// Output:
	// 2 of ("NTNU", year >= 4, "teaching assistant") <nil>
	// policy: expected "and", "or" or ")", found the end
}

// Explain says whether attributes satisfy a policy, and if not, what is missing.
func ExamplePolicy_Explain() {
	policy, err := abe.ParsePolicy(`(NTNU and "5th year") or Professor`)
	if err != nil {
		log.Fatal(err)
	}
	for _, held := range [][]string{{"Professor"}, {"NTNU"}} {
		attributes, err := abe.ParseAttributes(held)
		if err != nil {
			log.Fatal(err)
		}
		e := policy.Explain(attributes, 0)
		fmt.Println(held, e.Satisfied)
		if e.Satisfied {
			fmt.Println("  gets in by", e.Through)
		}
		for _, m := range e.Missing {
			fmt.Println("  would get in with", m.Attribute)
		}
	}
	// Output:
	// [Professor] true
	//   gets in by "Professor"
	// [NTNU] false
	//   would get in with "5th year"
	//   would get in with "Professor"
}
