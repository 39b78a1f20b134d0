// Package abe is Coterie's attribute-based encryption: who may open something
// is said by a policy over attributes, and a key opens it if its attributes
// satisfy the policy on the day in question.
//
// It wraps circl's tkn20 (CP-ABE, IND-CCA2, BLS12-381) and adds what tkn20
// leaves to its user:
//
//   - a policy language for people (lexer.go, parser.go, policy.go, explain.go)
//     with exact errors, thresholds and integer comparisons (expand.go), and
//     limits that are checked before anything is expanded (limits.go);
//   - an injective encoding of names into tkn20's labels (label.go);
//   - days of validity as blocks of days (day.go);
//   - a compiler whose result is checked to mean what was meant (compile.go);
//   - a check of every byte of a ciphertext that is known beforehand, so that
//     tkn20 sees no odd ciphertext (skeleton.go, daypolicy.go);
//   - openings that take the same time whatever opens (dummy.go, work.go);
//   - notices of keys that are good no more, and policies without them (notice.go);
//   - files for keys, domains and master keys that cannot lie about
//     themselves (file.go, key.go, domain.go, master.go).
//
// The sequence:
//
//	authority   Setup -> MasterKey -> Issue(Grant) -> Key
//	everybody   ParsePolicy -> Policy; Domain.ForDay(policy, day) -> DayPolicy
//	sender      DayPolicy.Encrypt(coins, plaintext) -> ciphertext
//	receiver    DayPolicy.Decrypt(key, ciphertext, size) -> plaintext
//
// A ciphertext is opened by a key that satisfies "policy and valid on that
// day". PROTOCOL.md §2 has the language and the labels, §3 days, files and
// ciphertexts, to the byte.
//
// What it does not do: no I/O, no goroutine, no clock; randomness comes from
// the caller. It gives no forward secrecy and does not hide the policy, which
// stands in the clear in every ciphertext. There is no associated data: bind a
// context by putting it into the plaintext. And it does not protect the opener
// from a sender who crafts a ciphertext that opens through some branches of the
// policy only: whoever lets the sender see whether an opening succeeded must
// encrypt again from the sender's coins and compare first, as crypto/ake does.
//
// Everything here may be used from several goroutines at once.
package abe
