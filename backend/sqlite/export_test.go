// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"

	lib "modernc.org/sqlite/lib"
)

// OpenFaulty opens a store whose steps fail as fail says, a sync of SQLite as SQLite tells of it.
func OpenFaulty(ctx context.Context, path string, fail func(step string) error) (*Store, error) {
	s, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	s.fail = func(step string) error {
		err := fail(step)
		if err != nil && (step == "sync" || step == "sync checkpoint") {
			err = failedSync{err}
		}
		return err
	}
	return s, nil
}

type failedSync struct{ error }

func (f failedSync) Unwrap() error { return f.error }
func (f failedSync) Code() int     { return lib.SQLITE_IOERR_FSYNC }

// Relax turns the sync of commits off, to measure the rest.
func (s *Store) Relax() error { return s.writer.run("PRAGMA synchronous=off") }

// WaitCheckpoint waits for the checkpoint that runs in the background.
func (s *Store) WaitCheckpoint() { s.check.running.Wait() }

// LimitPages makes SQLite say that the disk is full beyond n pages.
func (s *Store) LimitPages(n int) error {
	return s.writer.run(fmt.Sprint("PRAGMA max_page_count=", n))
}

// MakeLocked makes a vault of the file while another connection has SQLite's lock.
func (s *Store) MakeLocked() error {
	c, err := dial(s.path, "busy_timeout=0")
	if err != nil {
		return err
	}
	defer c.Close()
	if err := s.writer.begin.exec(); err != nil {
		return err
	}
	defer s.writer.rollback.exec()
	return c.initialise()
}

// Readers is how many connections for reading are open and idle.
func (s *Store) Readers() int { return len(s.idle) }
