// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	lib "modernc.org/sqlite/lib"

	"github.com/keyward-go/keyward/vault"
)

// code is SQLite's extended result code of err, 0 if there is none.
func code(err error) int {
	var e interface{ Code() int }
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// explain gives err the meaning that vault.Store has for it. It is not for what may have changed something: see commit.
func explain(err error) error {
	if code(err) == lib.SQLITE_IOERR_SHMSIZE { // its shared memory cannot grow; SQLite does not say why, but that needs room
		return fmt.Errorf("%w (%v)", syscall.ENOSPC, err)
	}
	switch code(err) & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fmt.Errorf("%w (%v)", vault.ErrBusy, err)
	case lib.SQLITE_FULL:
		return fmt.Errorf("%w (%v)", syscall.ENOSPC, err)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_FORMAT, lib.SQLITE_SCHEMA,
		lib.SQLITE_ERROR: // "SQL logic error": our statements are constant, so it is the file that is not as we made it
		return fmt.Errorf("%w (%v)", vault.ErrTampered, err)
	}
	return err
}

// syncFailed reports whether err is the failure of a sync. The kernel may have dropped the pages and may answer the next
// sync with success, so nothing can be trusted after it.
func syncFailed(err error) bool {
	c := code(err)
	return c == lib.SQLITE_IOERR_FSYNC || c == lib.SQLITE_IOERR_DIR_FSYNC
}

// diskFailed reports whether err is any error of input or output. From a COMMIT or a checkpoint it counts as a failed
// sync: what has reached the disk is not known.
func diskFailed(err error) bool { return code(err)&0xff == lib.SQLITE_IOERR }

// poison refuses every later Update. The cause is not wrapped: an ENOSPC would say that it passes.
func (s *Store) poison(cause error) {
	err := fmt.Errorf("a write to disk failed before (%v): close the store and open it again", cause)
	s.poisoned.CompareAndSwap(nil, &err)
}
