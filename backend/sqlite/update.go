// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/backend/internal/rows"
	"github.com/keyward-go/keyward/vault"
)

// Update implements vault.Store. When it returns nil the batch is on the disk: SQLite has synced its log.
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
		return fmt.Errorf("sqlite: update %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) update(ctx context.Context, since int64, fn func(changed []vault.Row) (vault.Batch, error)) (err error) {
	// 1. One writer at a time: of this handle, then of all processes.
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s.finishCheckpoint()
	s.syncHead()
	if p := s.poisoned.Load(); p != nil {
		return *p
	}

	if err := s.stillThere(); err != nil {
		return err
	}

	// 2. SQLite's own lock, against foreign tools. Whatever goes wrong up to the commit is rolled back, a panic of fn
	// too.
	w := s.writer
	if err := s.begin(); err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			err = s.abandon(err)
		}
	}()

	// 3. What the caller missed.
	changed, err := w.changed(since)
	if err != nil {
		return explain(err)
	}
	b, err := fn(changed)
	if err != nil || len(b.Lines) == 0 && len(b.Rows) == 0 {
		return err
	}

	// 4. The batch, and the commit with its sync.
	if err := s.write(b); err != nil {
		return err
	}
	if err := s.commit(); err != nil {
		return err
	}
	open = false
	if err := s.step("answer", func() error { w.committed(b); return nil }); err != nil {
		w.known = false
		return fmt.Errorf("the answer was lost: %v", err)
	}

	// 5. The head file, which must never know more than the disk does.
	if err := s.writeHead(b.Mark); err != nil {
		return err
	}

	// 6. Afterwards: the log of SQLite is emptied now for Scrub, or in the background when it has grown.
	if b.Scrub {
		return s.scrub()
	}
	s.nudgeCheckpoint()
	return nil
}

func (s *Store) begin() error {
	err := s.step("begin", func() error { return s.writer.begin.exec() })
	if err == nil {
		err = s.writer.refresh()
	}
	if err != nil {
		s.writer.rollback.exec() // refresh may have failed; without a transaction this does nothing
		return explain(err)
	}
	return nil
}

func (s *Store) write(b vault.Batch) error {
	w := s.writer
	if err := rows.Check(w.size, b); err != nil {
		return err
	}
	if err := s.head.Ready(b); err != nil { // while nothing has changed yet
		return err
	}
	err := s.step("lines", func() error { return w.lines(b.First, b.Lines, b.Rows) })
	if err == nil && b.Keep > 0 {
		err = w.dropBelow(b.Keep, b.First+int64(len(b.Lines)))
	}
	if err == nil {
		err = s.step("rows", func() error { return w.rows(b.Rows) })
	}
	if syncFailed(err) { // a page that did not fit into memory, at the start of a new log
		s.poison(err)
	}
	return explain(err)
}

// commit commits. Of its errors only a full disk and a busy database say that nothing changed.
func (s *Store) commit() error {
	err := s.step("commit", func() error {
		return s.step("sync", func() error { return s.writer.commit.exec() })
	})
	if diskFailed(err) {
		s.poison(err)
		return fmt.Errorf("whether the batch is durable is not known: %v", err)
	}
	return explain(err)
}

// abandon rolls back, after err.
func (s *Store) abandon(err error) error {
	w := s.writer
	w.known = false
	if e := w.rollback.exec(); diskFailed(e) {
		s.poison(e)
		return errors.Join(err, e)
	}
	return err
}
