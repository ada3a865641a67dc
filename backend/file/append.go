// SPDX-License-Identifier: Apache-2.0

package file

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/keyward-go/keyward/vault"
)

const keepBuffer = 1 << 20 // a buffer that grew beyond it is let go

// append writes b behind the last line and syncs.
//
// The write goes to the offset where the last checked line ends, not to whatever end the file has (O_APPEND): what a
// failed write left there can never come to stand between two commits. One process writes, so appending atomically has
// nothing to add.
func (s *Store) append(b vault.Batch) error {
	j := s.j
	c := commitOf(b)
	c.Dropped = j.dropped
	line, last := j.last.Seal(c.AppendTo(s.buf[:0]))
	if s.buf = line[:0]; cap(line) > keepBuffer {
		s.buf = nil
	}
	if len(line) > maxLine {
		return errTooLong
	}
	if j.torn > 0 {
		if err := s.cut(); err != nil {
			return s.poison(err) // what stands behind the last commit is not known any more
		}
		j.torn = 0
	}
	err := s.step("write", func() error {
		_, err := j.file.WriteAt(line, j.end)
		return err
	})
	if err != nil {
		return s.takeBack(err)
	}
	if err = s.step("sync", j.sync); err != nil {
		// What the kernel could not write it may have marked as written. Cut off, it cannot be taken for a commit by
		// the next Open, whose first write dirties the page anew. It is not a promise that nothing changed.
		return s.poison(errors.Join(err, s.cut()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.begin(s.size)
	j.end += int64(len(line))
	j.last, j.dropped = last, 0
	s.apply(b)
	return nil
}

// takeBack cuts the file to its last commit after a failed write. If the disk is full, and that succeeds, nothing has
// changed and the next Update may try again.
func (s *Store) takeBack(err error) error {
	cut := s.cut()
	if cut == nil && full(err) {
		return fmt.Errorf("%w (%v)", syscall.ENOSPC, err)
	}
	return s.poison(errors.Join(err, cut))
}

func (s *Store) cut() error {
	return s.step("cut", func() error { return s.j.file.Truncate(s.j.end) })
}

// full reports whether err says that there is no room: on the disk, in a quota, or below a limit on the size of files.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
