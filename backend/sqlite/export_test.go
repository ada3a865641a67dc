// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
)

// OpenFaulty opens a store whose steps fail as fail says.
func OpenFaulty(ctx context.Context, path string, fail func(step string) error) (*Store, error) {
	s, err := Open(ctx, path)
	if err == nil {
		s.fail = fail
	}
	return s, err
}

// Relax turns the sync of commits off, to measure the rest.
func (s *Store) Relax() error { return s.writer.run("PRAGMA synchronous=off") }

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
