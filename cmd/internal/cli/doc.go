// Package cli is how both commands speak: errors with a code, a hint and an exit
// status, passphrases, and text from elsewhere made harmless.
//
// What a person reads in trouble goes to standard error as
//
//	error: kari.key can be read by others (mode 0644)
//	hint: chmod 600 kari.key
//
// in lower case, without a full stop; the hint is the one next thing to type.
// The exit status is 0 if it is done, 1 if it failed and 2 if the command was
// used wrongly, which includes what cobra reports itself: an unknown command or
// flag, a missing argument.
//
// A command returns errors as they are. Report calls Describe, which knows the
// errors of coterie/crypto/abe, coterie/kms/keyfile and the operating system and
// has one text for each of them.
package cli
