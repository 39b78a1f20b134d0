// Package keyfile puts keys, master keys and domains on disk and takes them off
// again. What is inside the files is the business of coterie/crypto/abe
// (PROTOCOL.md §3); here is what surrounds it.
//
// Writing never overwrites and is atomic: the bytes go to a temporary file in
// the same folder, are synced, and get their name by a link, which fails if the
// name is taken. Where a file system has no links, the file is created
// exclusively instead. A secret file has mode 0600 from its first moment.
//
// Reading a secret file insists that it is a regular file, that it belongs to
// the reader, that nobody else can read or write it, and that not everybody can
// replace it through its folder. A looser file is an error and not a remark: it
// may have been read already, and only its owner can know.
//
// A key comes in two shapes. Plain, it is the bytes of abe.Key.MarshalBinary.
// Sealed, it is those bytes in an age file (age-encryption.org/v1, binary or
// armored) for the X25519 or hybrid recipient of its owner, with a label in the
// header that says for whom and of which domain it is. A sealed key is secret to
// nobody but its owner's identity, so its mode is not looked at.
//
// Errors name files and kinds of files, never bytes out of them.
package keyfile
