// Package store keeps what one peer knows of one room on disk: its key in that
// room, the epochs and their messages, and small values by name.
//
// # Files
//
//	ROOMID.db            the database: one bbolt file
//	ROOMID.tail1, .tail2 what was appended and is not in the database yet
//	ROOMID.key           the data key (DataKey)
//	ROOMID.lock          locked while a process has the room open; has its pid
//	ROOMID.db.new, ROOMID.key.new   unfinished; the next process removes them
//
// All have mode 0600; a looser one is an error. Everything but the lock is
// written by this package alone, and none of it is ever overwritten because it
// cannot be read: a file that is foreign, damaged or of another key is an error,
// and stays as it is.
//
// # Saving
//
// A durable write of bbolt waits for the disk twice, which is too slow for the
// way of a message. So Append makes one write to a tail and does not wait; a
// second later, or at 1 MiB, or on Close, what is in the tail goes into the
// database in one durable write, and the tail is emptied. Tails are written in
// turns, so that appending goes on meanwhile. Open reads what they hold.
//
// So the death of this process, at any point, takes nothing that was appended. A
// power cut may take what was appended in the last second; what survives is a
// beginning of it. That is safe, because nothing here is what safety rests on:
// epoch secrets, working keys and ephemeral keys never touch the disk, so a
// process that starts anew has new ones, and no key or counter can be used again
// by forgetting how far it was used. And others hold what was lost: whoever was
// sent a message gives it back when logs are compared.
//
// # Layout
//
// Numbers are big endian. From the data key, with the room's id as salt and
// HKDF-SHA256, come a key that seals, one for names and one for the set hash. A
// sealed value is
//
//	nonce (24, random) || XChaCha20-Poly1305(plain, associated data: place || room (32) || generation (32) || key)
//
// place is the bucket or the tail, generation is drawn when the database is made,
// key is the value's own in that place. Nothing can be moved within a file or
// taken from another.
//
//	bucket "about"    "about": magic, tag of the room, key check, generation, SHA-256 of these
//	                  "state": sealed: u64 folded || set (32)
//	bucket "entries"  u64 number: sealed entry
//	bucket "metas"    first 16 bytes of HMAC(name): sealed u64 number || entry
//	tail              records: u32 length || u64 number of the first entry || u32 CRC-32C of these || sealed entries
//
// entry u8 kind || epoch (32) || u32 author || u64 counter || u64 time || u8 length, name || u32 length, data
//
// A RestEntry takes the place of an author's messages up to its counter: the fold that
// puts it into the database takes them out, in one write.
//
// Entries are numbered from 1 in the order in which they were appended. folded is
// the number of the first one that is not in the database, so that no crash
// between folding and emptying a tail stores anything twice. set is the exclusive
// or of a keyed hash of each number (and name) that is in the database, so that a
// record taken out, or an old one put back, shows when the file is opened.
//
// Open checks the structure of every page before bbolt maps the file
// (checkPages), and opens every record, from which it builds an index in memory.
// That is why epochs, authors and counters need not be on disk in clear.
//
// # What the files show
//
// Without the data key: which of the rooms they know it is, if any; how many
// entries and metas there are, in which order they came and how long each is;
// which of them were removed; roughly when, since what is written together lies
// together and files have times; the pid that has it open. Not epochs, authors,
// counters, names, times, texts. docs/THREATS.md has the rest.
//
// Not noticed: a whole set of files replaced by an older copy of itself, and a
// tail that was cut short. Not erased: what was forgotten stays, sealed, in pages
// that are free until something else is written there. The file does not shrink: what is
// free in it is used again, so that it stays near the most that it ever had to hold.
package store
