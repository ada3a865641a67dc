// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/backend/internal/rows"
	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

// Update implements vault.Store. When it returns nil the batch is on the disk: one write and one sync, or a whole new
// journal if the batch says Scrub or the old one is compacted. The mark is in the head file, which is synced by the first
// Update a second later or more, and at Close; the first mark of all by the next Update.
//
// A batch that takes more than 16 MiB of journal, or has more than 65,536 lines or rows, is vault.ErrInvalid and changes
// nothing.
func (s *Store) Update(ctx context.Context, since int64, fn func(changed []vault.Row) (vault.Batch, error)) error {
	var failed error // fn's, which is returned as it is
	err := s.update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		b, err := fn(changed)
		failed = err
		return b, err
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return s.explain("update", err)
	}
	return nil
}

func (s *Store) update(ctx context.Context, since int64, fn func(changed []vault.Row) (vault.Batch, error)) error {
	// 1. One writer at a time; Open has locked out other processes.
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave() // deferred, so that a panic of fn frees the turn too

	s.syncHead()
	if p := s.poisoned.Load(); p != nil {
		return *p
	}

	// 2. The journal is still the file that was opened, as this handle left it.
	if err := s.still(); err != nil {
		return err
	}

	// 3. What the caller missed, and what it makes of it.
	b, err := fn(s.changed(since))
	if err != nil || len(b.Lines) == 0 && len(b.Rows) == 0 {
		return err
	}
	if err := s.check(b); err != nil {
		return err
	}
	if err := s.head.Ready(b); err != nil {
		return err
	}
	if err := s.lock.Check(); err != nil { // the last moment before another writer could be overwritten
		return fmt.Errorf("%w: another process may have it open: close the store and open it again: %w", err, vault.ErrTampered)
	}

	// 4. The journal, then the head file: it may be behind the log, never ahead.
	if err := s.persist(b); err != nil {
		return err
	}
	return s.writeHead(b.Mark)
}

// persist makes b durable and applies it.
func (s *Store) persist(b vault.Batch) error {
	if !b.Scrub && !s.j.due() {
		return s.append(b)
	}
	err := s.rewrite(b)
	if err == nil || b.Scrub || s.poisoned.Load() != nil || errors.Is(err, vault.ErrTampered) || errors.Is(err, vault.ErrInvalid) {
		return err
	}
	s.j.wasted = 0 // there is no room, perhaps: try again when as much again is superseded
	return s.append(b)
}

// still refuses to go on when another file has come to stand under the name, or another program has written to it.
func (s *Store) still() error {
	if err := s.j.id.At(s.path); err != nil {
		return fmt.Errorf("%w: close the store and open it again: %w", err, vault.ErrTampered)
	}
	info, err := s.j.file.Stat()
	if err != nil {
		return err
	}
	if want := s.j.end + s.j.torn; info.Size() != want {
		return fmt.Errorf("the journal has %d bytes, and had %d: another program has written to it: %w", info.Size(), want, vault.ErrTampered)
	}
	return nil
}

// changed returns the rows that were written by line since or later. The one vault on this store has missed nothing
// (since is then the number of lines) but when it opens, so an index by Seq would cost at every commit and serve once.
func (s *Store) changed(since int64) []vault.Row {
	if since == s.size {
		return nil
	}
	return s.rows.Changed(since)
}

// check refuses a batch that is not the next, or that no Open would read.
func (s *Store) check(b vault.Batch) error {
	if err := rows.Check(s.size, b); err != nil {
		return err
	}
	if len(b.Rows) > journal.MaxParts || len(b.Lines) > journal.MaxParts {
		return errTooLong
	}
	total := 0
	for _, r := range b.Rows {
		if r.Seq > journal.MaxNumber {
			return fmt.Errorf("a row of line %d: %w", r.Seq, vault.ErrInvalid)
		}
		total += len(r.Data)
	}
	for _, l := range b.Lines {
		total += len(l)
	}
	if total > maxLine {
		return errTooLong
	}
	return nil
}

var errTooLong = fmt.Errorf("a batch of more than %d MiB, or %d lines or rows: commit it in parts: %w", maxLine>>20, journal.MaxParts, vault.ErrInvalid)

// apply takes a durable batch into memory. Its caller holds mu, or is alone.
func (s *Store) apply(b vault.Batch) {
	for _, r := range b.Rows {
		if old, ok := s.rows.Get(r.Key); ok {
			s.j.wasted += rowSize(old)
		}
		if r.Data == nil {
			s.j.wasted += rowSize(r)
		}
		s.rows.Write(r)
	}
	s.size += int64(len(b.Lines))
	if b.Keep > s.first {
		s.j.drop(s.first, b.Keep)
		s.first = b.Keep
	}
}
