// SPDX-License-Identifier: Apache-2.0

// Package sqlite keeps a vault in one SQLite file. It is the store to begin with: no server, several processes of one
// machine at once, and a log that anyone can read with the sqlite3 shell. It is not for several machines that share a
// vault.
//
// # What is promised
//
// When Update returns nil, the batch is on the disk: SQLite runs in WAL mode with synchronous=FULL (on macOS with
// fullfsync=1 too), and Open reads these settings back and refuses anything less. After a failed sync, or any error of the
// disk in a commit or a checkpoint, the handle refuses every later Update until it is closed and opened again; reads go
// on. A full disk is syscall.ENOSPC, changes nothing, and passes. Where SQLite only says that it cannot extend its shared
// memory, that is taken for a full disk too.
//
// Any number of processes and handles may have the file open. They take turns through a lock that is fair and waits 10
// seconds at most. A process that is stopped while it holds the lock makes the others answer vault.ErrBusy; one that dies
// gives it back.
//
// After the commit, and still under the lock, Update writes Batch.Mark, what the vault says of its newest head, into the head
// file; the next Update that comes a second later or more syncs it, and so does Close; the first mark of all is synced by the
// Update behind it. So the head file knows of all commits but the newest, and none that the disk does not hold: a vault that
// opens finds that SQLite's log was deleted after a crash, that the end of the records was cut off, or that an old copy of the
// database alone was put back. It does not find that both were put back together. A commit whose mark could not be written
// stands, but Update answers an error that leaves the outcome open, and nothing is released on it; the next Update goes on. A
// first mark of all that could not be written, and any that could not be synced, is a failed sync, as above.
//
// With Batch.Scrub, removed and replaced bytes are gone from the files when Update returns: SQLite overwrites them with
// zeros (secure_delete), and its log is copied into the database and cut to nothing. It cannot reach what a file system or
// a disk keeps of overwritten blocks, nor backups.
//
// # Files
//
// For Open(ctx, "agents.db"):
//
//	agents.db        the database
//	agents.db-wal    SQLite's log: commits that are not yet in the database. About 4 MiB
//	agents.db-shm    SQLite's shared memory
//	agents.db-head   the head file: 1,024 bytes, whose format package backend/internal/disk states
//	agents.db-lock   the side lock. Empty, never removed
//
// All are 0600, from the first instant. -wal and -shm go when the last handle is closed. The folder must exist, and not be
// writable by everyone. Network file systems and FUSE are refused: SQLite's shared memory does not reach other machines,
// and their locks and syncs cannot be trusted. A database with a second name (a hard link) is refused, since it would have
// two logs and two locks, and so is one that was replaced while it was open. Windows answers errors.ErrUnsupported.
//
// The head file is made first, so a crash never leaves a database without one. A database that is not empty and has none, and
// a head file with a mark whose database is gone or empty, is vault.ErrRollback: somebody deleted one or put the other back.
// Put both back as they were last, or restore from a backup with vault.Restore. Without a head file, or with one that cannot
// be read (vault.ErrTampered), vault.Open refuses; Open of this package does not, since vault.Restore without a backup may
// accept the database as it is. Its commit, the only one that such a handle makes, makes the head file anew.
//
// Never copy, move or delete the files of an open store, not even to read them: a copy of the database without its log is
// an old vault, and a program that opens and closes the database in the process that uses it drops SQLite's locks (POSIX
// locks end with any close), after which commits can be lost. To copy a vault, close it in every process first.
//
// # Format 1
//
// PRAGMA application_id is 0x6b777264 ("kwrd"), PRAGMA user_version the format. A file with another application_id,
// tables that differ, or a foreign index or trigger is refused, as is a newer format.
//
//	CREATE TABLE log (seq INTEGER PRIMARY KEY, line TEXT NOT NULL, wrote TEXT)
//	CREATE TABLE head (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, data NOT NULL)
//	CREATE TABLE rows (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, data NOT NULL)
//	CREATE TABLE dropped (id INTEGER PRIMARY KEY, next INTEGER NOT NULL)
//
// log holds the lines by number, and in wrote the keys of the rows that each wrote, a JSON array, without head and
// ciphertext; rows the rows, JSON as TEXT and ciphertext (keys that begin with "x:") as BLOB; head the
// row of the key "head", id 0; dropped the number of lines as it was when lines were last dropped, id 0, and the
// number below which wrote does not say all, id 1.
//
// # The sqlite3 shell
//
// While a store is open the shell may read: sqlite3 -readonly agents.db (3.38 or newer). The views audit, secrets,
// versions, tokens, keys and freezes show the JSON in columns:
//
//	SELECT time, agent, op, path, reason FROM audit WHERE outcome = 'denied' ORDER BY seq DESC LIMIT 20;
//
// tokens shows the links that are counted or revoked, freezes those in force, keys every agent key and remote operator.
//
// Keep no statement open: a reader that stays lets SQLite's log grow. Nothing may be written: a vault finds every change
// and refuses to go on.
package sqlite
