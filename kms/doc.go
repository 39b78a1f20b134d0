// Package kms is the authority of a domain: it makes the domain, issues
// attribute keys and keeps a record of every one. It does no terminal I/O and
// reads no clock; cmd/kms does.
//
// A domain is three files, and one more once a key was revoked:
//
//	NAME.domain   public parameters (abe.Domain, PROTOCOL.md §3)
//	NAME.master   the master key (abe.MasterKey), in an age file for a passphrase
//	NAME.ledger   what was issued, encrypted under a key of the master key
//	NAME.notice   the newest notice of keys that are good no more, if there is one
//
// # The ledger
//
// A ledger is lines of text, each ended by "\n". The first is
//
//	coterie-ledger 1 ID                         ID: the domain's id, 64 hex digits
//
// and every other is base64 (RFC 4648 §4, no padding) of nonce || sealed, where
//
//	nonce    24 random bytes
//	sealed = XChaCha20-Poly1305(key, nonce, entry, "coterie/1 ledger line" || ID || line)
//	key    = HKDF-SHA256(secret: the bytes of abe.MasterKey.MarshalBinary, no salt,
//	                     info: "coterie/1 ledger", 32 bytes)
//	line   = the line's number in the file, from 1, 8 bytes
//
// Numbers are big endian, ID is its 32 bytes. An entry is
//
//	prev     32 bytes: the hash of the entry before; for the first
//	         SHA-256("coterie/1 ledger start" || ID)
//	record   3-byte length, then
//	           kind   1 byte
//	           time   8 bytes, seconds since 1970
//	           body   by kind:
//	             1 created   generation(4) limit(4)        the first entry, and only that
//	             2 issued    number(8) generation(4) from(4) expires(4) file(32) renews(8) check(1)
//	                         3-byte length, then each attribute's text with a 2-byte length
//	             3 void      number(8) reason(1)           that key was never written: reason 1
//	             4 torn      number(8), 3-byte length, the bytes of a line that was cut short
//	             5 raised    generation(4)                 that of all keys to come
//	             6 marked    number(8) end(1), reason with a 2-byte length
//	             8 revoked   number(8) notice(4) count(1) serials(8 each), ascending
//	             7 copied    all entries before are in a backup that was read back
//	person   1 byte, then
//	           0  nobody (all kinds but 2)
//	           1  salt(32), name and recipient with 2-byte lengths
//	           2  commitment(32): name and recipient were erased
//
// number counts issued keys and torn lines from 1 without a gap; from and
// expires are days since 1970-01-01; file is the SHA-256 of the key file as it
// was written. limit is how many days a key may last, 0 for the tool's own limit;
// renews is the number of the key that this one takes over from, or 0; check says
// what was known of the request: 0 there was none, 1 its six words were compared,
// 2 they were not. An entry of kind 8 has the number and all
// serials of the notice that was made for the sake of a key; NAME.notice can be
// made from it at any time. A key that is marked with end 1 is not to be renewed, with 0
// it is again. The number of a torn line without bytes is one that a lost ledger
// may have used. The hash of an entry is
//
//	commitment = SHA-256("coterie/1 ledger person" || salt || name || recipient)
//	hash       = SHA-256("coterie/1 ledger entry" || prev || record || 0, or 1 and commitment)
//
// with name, recipient and record length-prefixed as above. So a person can be
// erased from an entry later (form 2) with all hashes staying as they are, and
// the salt, which goes with them, keeps anybody from trying names.
//
// What this gives: without the master key nobody reads an entry or makes one; a
// line that is changed, moved, repeated, left out or taken from another ledger
// is an error that names it. What it cannot give: a ledger replaced by an older
// copy of itself looks like that older copy. And it shows how many entries there
// are and about how long each is.
//
// # Issuing
//
// Under an exclusive lock on the ledger (so two runs never give one number):
//
//  1. reserve a place for the key file: a hidden temporary file beside it
//  2. append the entry and sync it
//  3. fill the temporary file, sync it, and link it to its name
//
// Nothing is ever issued unrecorded. If 3 fails, the number is declared void. If
// that fails, too, or the machine dies between 1 and 3, the temporary file stays,
// and the next run for the same file or folder finds it: a complete one that the
// ledger knows gets its name, any other is removed and its number declared void.
//
// Many keys are made by several workers at once, and recorded and written one
// after another, in the order of their numbers.
//
// If the machine dies during 2, the last line of the ledger has no end. Its key
// was never written. Reading reports it; the next writing moves its bytes into
// an entry of kind 4 that uses up the number, and says so.
//
// Nothing is written while the clock is behind the last entry: dates would be
// wrong, and what was issued today would not be known as that.
package kms
