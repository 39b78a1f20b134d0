// Package store keeps what one peer knows of one room on disk: its key in that
// room, the epochs and their messages, and small values by name.
//
// # Files
//
//	ROOMID.db       the database: which logs there are, and the small values
//	ROOMID.N.log    a log: what was appended, in order; the last one is written to
//	ROOMID.N.idx    the index of a log that is closed
//	ROOMID.files/   pieces of files (Pieces)
//	ROOMID.key      the data key (DataKey)
//	ROOMID.lock     locked while a process has the room open; has its pid
//	ROOMID….new     unfinished; the next process removes them
//
// All have mode 0600; a looser one is an error. Everything but the lock is
// written by this package alone, and none of it is ever overwritten because it
// cannot be read: a file that is foreign, damaged or of another key is an error,
// and stays as it is. An index alone is made anew: all that it has is in the log.
//
// # Saving
//
// Append makes one write to the last log and does not wait for the disk; that is done a
// second later, and on Close. How much of it is on the disk the database says, from time to
// time and on Close: what is missing of that is damage, and not what a crash left. At 8 MiB
// the log is closed: its index is written, and the database, which says that another log is
// the last one now. No byte of a log changes then.
//
// So the death of this process, at any point, takes nothing that was appended. A
// power cut may take what was appended in the last second; what survives is a
// beginning of it. That is safe, because nothing here is what safety rests on:
// epoch secrets, working keys and ephemeral keys never touch the disk, so a
// process that starts anew has new ones, and no key or counter can be used again
// by forgetting how far it was used. And others hold what was lost: whoever was
// sent a message gives it back when logs are compared.
//
// # Opening
//
// Open reads the database, the indexes of closed logs and the last log. An index has of each
// entry its number, epoch, author, counter and time, and of a message its Note: about a tenth of
// the log. From them comes an index in memory. What a message says is read when somebody asks.
//
// # Forgetting
//
// Where entries are to go, what is left of their logs is written into a new one, record by record,
// and the database then names that one: before, nothing has changed, and after, the old files are
// not ours any more, and are removed, if need be by the next process. Forget does so at once with
// all logs in which an epoch was. For messages that a RestEntry replaced, and for small values, it
// is done when an eighth of all is such, so the files stay near what they must hold. Small logs
// next to each other are made one.
//
// # Layout
//
// Numbers are big endian, but for varints. From the data key, with the room's id as salt and
// HKDF-SHA256, comes the key that seals. A sealed value is
//
//	nonce (24, random) || XChaCha20-Poly1305(plain, associated data: place || room (32) || generation (32) || key)
//
// place is the kind of file, generation is drawn when the database is made, key is the value's own
// in that place. So nothing passes for another, and nothing is taken from another room or store.
//
//	database   magic, tag of the room, key check, generation, SHA-256 of these; sealed: see state.encode
//	log        records: u32 length || u64 number || u32 left of its batch || u32 CRC-32C of these || sealed entry
//	index      sealed: see encodeIndex; key: the log's N
//
// entry u8 kind || epoch (32) || u32 author || u64 counter || u64 time || u8 length, name || u8 length, note
// || u32 length, data
//
// Entries are numbered from 1 in the order in which they were appended. Which of them a closed log
// has, and how long each is, the index says; the database has each index's SHA-256. So a record
// that was changed, moved, or is of another file does not open where it should be, a log that is missing or
// cut short is noticed when the room is opened, and what was removed does not come back.
//
// # What the files show
//
// Without the data key: which of the rooms they know it is, if any; how many
// entries there are, in which order they came and how long each is;
// which of them were removed; roughly when, since what is written together lies
// together and files have times; the pid that has it open. Not epochs, authors,
// counters, names, times, texts. docs/THREATS.md has the rest.
//
// Not noticed: a whole set of files replaced by an older copy of itself, and, after a process
// that was killed, a last log of which the end, a quarter of a megabyte at most, was cut off.
// Not noticed before it is read: a record of a closed log that was changed. What else is in
// that log opens all the same.
package store
