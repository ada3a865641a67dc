// SPDX-License-Identifier: Apache-2.0

// Package file keeps a vault in one text file: a journal to which each commit appends one line. Choose it for a vault of
// one process that people want to read, grep, diff and keep small, or where SQLite is not wanted. Choose backend/sqlite
// where several processes share the vault (here the second is refused), where the log grows to millions of records (Open
// reads the whole journal, about 1 s for 200 MB, and now and then a commit copies it), or where sealed values add up to
// more than memory should hold: all rows are in memory here. The log is not; it takes 2 bytes of memory for each KiB.
//
// # What is promised
//
// When Update returns nil, the batch is on the disk: one write and one fdatasync (on macOS F_FULLFSYNC). After a failed
// sync, or any error of the disk in a write, the handle refuses every later Update until it is closed and opened again;
// reads go on. A full disk is syscall.ENOSPC, changes nothing, and passes. A commit whose mark could not be written stands, but
// Update answers an error that leaves the outcome open; if that was the first mark of all, it is as after a failed sync. Open
// syncs the journal and the folder once it has read them, so a store shows nothing that is not on the disk.
//
// When more than half of the journal is superseded rows, and more than 8 MiB, the next commit compacts it: it writes all
// that stands to a new file, with itself as the last line, and renames that over the journal. The commit takes as long as
// the copy, about 1 s for 100 MB; other Updates wait, reads go on. Every commit of a vault replaces its head row, about
// 1 KB beside a record of 400 bytes, so that happens each time the journal has grown to twice what stands in it, and each
// byte that is written is copied about once. If there is no room for the copy, the commit is appended as usual and the
// next attempt is made when as much again is superseded.
//
// A batch with Scrub is committed in the same way, whatever is superseded: removed and replaced bytes are in no file when
// Update returns. It cannot reach what a file system or a disk keeps of freed blocks, nor backups.
//
// # Files
//
// For Open(ctx, "agents.journal"):
//
//	agents.journal       the journal
//	agents.journal-head  the mark of the newest commit, by which a journal that was cut or put back is found
//	agents.journal-lock  the lock, held while the store is open. Empty, never removed
//	agents.journal-new   while a commit compacts; what a crash leaves of it is removed by the next Open
//
// All are 0600, from the first instant. To copy a vault, close it and copy the journal and the head file together. If the
// head file is lost or cannot be read vault.Open refuses; Open of this package does not, since vault.Restore without a
// backup may accept the journal as it is. Its commit, the only one that such a handle makes, makes the head file anew.
//
// # Format 1
//
// The journal is UTF-8 text. Each line is JSON, a space, a checksum, and a newline; at most 16 MiB. The checksum is 16 hex
// digits, the first 8 bytes of SHA-256 over the checksum of the line before (none before the first line) and the JSON. So
// lines that are damaged, swapped, doubled, added or missing are found. It guards against accidents: who may write the
// file can make checksums, and is found by the vault, whose MACs cover all rows and lines.
//
// The first line is the header. It says the format, and the number of the first line of the log that is kept:
//
//	{"keyward":"journal","format":1,"first":0} 76333ecf7db6178c
//
// Every other line is a commit, with these fields in this order, without blanks between them:
//
//	"keep"     a number above 0: lines of the log below it are dropped. Left out if it drops none
//	"dropped"  the length of an incomplete last line, in bytes, that stood here. Left out if there was none
//	"rows"     rows written or removed, in order: {"key":…,"seq":…,"data":…} or, removed, {"key":…}
//	"lines"    lines appended to the log
//
// A line of the log, and the data of a row, is a JSON object as it is, byte for byte, if it is one without control
// characters; everything else is a string of base64 (standard, padded). So records, and all rows but the keyring and
// sealed values, can be read. Numbers are decimal, at most 18 digits, and without a sign. A key is a JSON string; if it
// has only printable ASCII without quote and backslash, it is not escaped. Lines of the log have no numbers: they follow
// one another from the header's "first". A journal of two commits, the second of which replaces one row and removes
// another:
//
//	{"keyward":"journal","format":1,"first":0} 76333ecf7db6178c
//	{"rows":[{"key":"t:9f","seq":0,"data":{"uses":1}},{"key":"x:a/b:1","seq":0,"data":"AAEC"}],"lines":[{"seq":0,"op":"put"}]} d9503a85011143a0
//	{"rows":[{"key":"t:9f","seq":1,"data":{"uses":2}},{"key":"x:a/b:1"}],"lines":[{"seq":1,"op":"get"}]} 7a3bd5d00579fdeb
//
// After compaction rows stand where they were written last, and removals are gone:
//
//	{"keyward":"journal","format":1,"first":0} 76333ecf7db6178c
//	{"rows":[],"lines":[{"seq":0,"op":"put"}]} 5041c6e39bad2cdb
//	{"rows":[{"key":"t:9f","seq":1,"data":{"uses":2}}],"lines":[{"seq":1,"op":"get"}]} b5f4a1172a8e8865
//
// A last line that has no newline, or whose checksum does not fit, is what a crash leaves of a commit that nobody was
// told of: Open leaves it out, and the next commit is written in its place and says so in "dropped". Anything else that
// does not read as above is vault.ErrTampered, and a newer format errors.ErrUnsupported. A later release of keyward reads
// format 1.
//
// # With a shell
//
// Reading needs no lock and disturbs nothing. Records with grep, as JSON with jq, and a checksum by hand:
//
//	grep -o '{"seq":[^}]*"path":"production/search/tavily-key"[^}]*}' agents.journal
//	sed 's/ [0-9a-f]*$//' agents.journal | jq -c '.lines[]? | select(.outcome == "denied")'
//	printf '%s%s' 76333ecf7db6178c '{"rows":[…],"lines":[…]}' | sha256sum | cut -c 1-16
//
// Nothing may be written: a vault finds every change and refuses to go on.
package file
