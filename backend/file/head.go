// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"fmt"
	"time"
)

const (
	headSuffix    = "-head"
	headSyncAfter = time.Second // an Update that finds a mark so old syncs it
)

// Mark returns the newest mark in the head file, nil if none was ever written. It takes no lock.
//
// If the head file of a journal that is not empty was missing at Open, it answers vault.ErrRollback, and vault.ErrTampered
// if it could not be read. Then Update answers the same to every batch that commits something, until one says Renew.
func (s *Store) Mark(ctx context.Context) ([]byte, error) {
	err := s.alive(ctx)
	if err == nil {
		var m []byte
		if m, err = s.head.Mark(); err == nil {
			return m, nil
		}
	}
	return nil, s.explain("mark of", err)
}

// writeHead follows a commit, so its errors are none of those that say that nothing changed, ENOSPC included.
func (s *Store) writeHead(mark []byte) error {
	if len(mark) == 0 {
		return nil
	}
	err := s.step("head")
	if err == nil {
		err = s.head.Write(mark)
	}
	if err != nil {
		return fmt.Errorf("the batch is durable, its mark is not written: %v", err)
	}
	return nil
}

// syncHead makes the marks of earlier commits durable.
func (s *Store) syncHead() {
	if s.poisoned.Load() != nil || !s.head.Due(headSyncAfter) {
		return
	}
	err := s.step("sync head")
	if err == nil {
		err = s.head.Sync()
	}
	if err != nil {
		s.poison(fmt.Errorf("sync of the head file: %v", err))
	}
}
