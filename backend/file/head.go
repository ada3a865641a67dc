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

// syncHead makes the marks of earlier commits durable, and the first of all with its own.
func (s *Store) syncHead() error {
	if s.poisoned.Load() != nil || !s.head.Due(headSyncAfter) {
		return nil
	}
	err := s.step("sync head")
	if err == nil {
		err = s.head.Sync()
	}
	if err == nil {
		return nil
	}
	s.poison(fmt.Errorf("sync of the head file: %v", err))
	return fmt.Errorf("the batch is durable, its mark may not be: %v", err)
}
