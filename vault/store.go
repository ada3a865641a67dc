// SPDX-License-Identifier: Apache-2.0

package vault

import "context"

// Store is where a vault lives: rows by key, and an append-only log of lines, changed together. It knows nothing of
// secrets, tokens or records; it sees ciphertext only. Package backendtest checks an implementation against every
// sentence here.
//
// A store is safe for concurrent use. Slices are never shared: it keeps no slice that it is given and gives out no slice
// that it keeps.
type Store interface {
	// Rows returns at most n rows in the byte order of their keys, beginning with the first key >= from. It is a page,
	// not a snapshot: nothing is held between calls. A page is shorter than n only at the end; n may be any size, and 0
	// gives none. Rows and Lines answer the error of ctx once it has ended, and they answer while an Update runs.
	Rows(ctx context.Context, from string, n int) ([]Row, error)

	// Lines returns at most n lines of the log beginning with number from, byte for byte. Lines are numbered from 0. There
	// are none if line from was dropped or is not written yet.
	Lines(ctx context.Context, from int64, n int) ([][]byte, error)

	// Update locks out every other writer, of every process, and calls fn at most once, with the rows whose Seq is
	// since or higher, in no particular order. Rows whose key begins with "x:" are never passed, nor are removed ones.
	// Then it makes the Batch that fn returned durable as a whole, before it returns nil. fn does not call the store. If fn
	// panics nothing changes, the lock is freed and the panic goes on.
	//
	// An error of fn is returned as it is (errors.Is finds it). That error, ErrBusy, ErrClosed, ErrConflict (the First of
	// the batch is wrong), an error of ctx, and syscall.ENOSPC of a write mean that nothing changed. Any other error
	// leaves the outcome open; the next Update shows it: so an ENOSPC of fsync, or of a write that was not taken back, is
	// not returned as one. After a failed fsync the store refuses every later Update; Rows and Lines still answer.
	//
	// ctx bounds the wait for the lock, not the commit; the wait is fair and ends with ErrBusy after at most 10 s.
	// A store that serves one process only may pass no rows if since is its number of lines.
	// A Batch without lines and rows commits nothing, whatever else it says.
	Update(ctx context.Context, since int64, fn func(changed []Row) (Batch, error)) error

	// Close releases everything. Later calls answer ErrClosed; a second Close is nil. An Update that waits ends with ErrClosed;
	// one that runs ends as it does. Other handles are not affected.
	Close() error
}

// Row is one stored row.
type Row struct {
	Key  string // 1 to 1,024 bytes of UTF-8 without NUL
	Seq  int64  // number of the line that wrote it. In a Batch with Lines that of one of them or of an earlier one, without Lines any
	Data []byte // JSON text, or ciphertext for keys that begin with "x:"; not empty. Nil in a Batch removes the row
}

// Batch is what one Update commits: all of it or nothing.
type Batch struct {
	First int64    // number of the first of Lines; the store refuses any batch unless it is its number of lines, dropped ones included
	Lines [][]byte // appended to the log; without a newline
	Rows  []Row    // in order: written over rows of the same key, or removed where Data is nil, if they are there
	Keep  int64    // lines below it are dropped; their numbers are not reused. Zero drops none
	Scrub bool     // leave no removed or replaced bytes in live files on return
	Mark  []byte   // at most 440 bytes for a head file; a store without one ignores it
	Renew bool     // of Restore without a backup: a head file that was lost when the store was opened is made anew, for Mark
}

// RootKey seals the keyring. It is asked by Open and Restore, by RotateKeys, SetRoot and ResetClock, and where another process
// has called one of them: never on the path of a read. Its methods are those of tink.AEADWithContext. It answers with ErrWrongKey, ErrTampered, ErrNoKey or ErrKMSUnavailable, and returns promptly
// when ctx ends. Package kms has implementations.
type RootKey interface {
	EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error)
	DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error)
}
