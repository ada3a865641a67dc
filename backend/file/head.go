// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"fmt"
)

const headSuffix = "-head"

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

// writeHead follows a commit, so its errors are none of those that say that nothing changed, ENOSPC included. The next
// Update goes on, and writes its own mark; but if it was the first mark of all, nothing more is committed: a head file without
// one means that there was no second commit.
func (s *Store) writeHead(mark []byte) error {
	if len(mark) == 0 {
		return nil
	}
	err := s.step("write head", func() error { return s.head.Write(mark) })
	if err == nil {
		return nil
	}
	err = fmt.Errorf("the batch is durable, its mark is not written: %v", err)
	if !s.head.HasMark() {
		s.poison(err)
	}
	return err
}

// syncHead makes the marks of earlier commits durable.
func (s *Store) syncHead() {
	if s.poisoned.Load() != nil || !s.head.Due() {
		return
	}
	if err := s.step("sync head", s.head.Sync); err != nil {
		s.poison(err)
	}
}
