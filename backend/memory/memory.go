// SPDX-License-Identifier: Apache-2.0

// Package memory is a vault.Store that lives in this process and ends with it: for unit tests and short-lived programs.
// It is as strict as the stores that last (package backendtest runs on it), and a commit costs well under a microsecond.
//
// Nothing is written to disk, so nothing survives Close, and one Store cannot be shared with another process. "Durable"
// means here: in this process's memory. What it holds is what every store holds: sealed values, and paths and records in
// the clear.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/keyward-go/keyward/backend/internal/rows"
	"github.com/keyward-go/keyward/vault"
)

// patience is how long Update waits for its turn before it answers vault.ErrBusy.
const patience = 10 * time.Second

// Store is a vault.Store in memory. Make one with New. It is safe for concurrent use and copies whatever goes in or
// comes out. It sets no limit on size: rows and lines stay until they are removed, dropped by Keep, or the Store is
// closed.
type Store struct {
	turn chan struct{} // full while an Update runs; a channel hands over in the order of arrival
	done chan struct{} // closed by Close
	once sync.Once

	// mu is held for moments only, so that Rows and Lines answer while an Update runs. A slice that lies in lines is
	// never written again: readers take its header under mu and copy afterwards.
	mu     sync.Mutex
	closed bool
	rows   rows.Set
	lines  [][]byte
	first  int64 // number of lines[0]: what Keep has dropped
}

var _ vault.Store = (*Store)(nil)

// New returns an empty Store.
func New() *Store {
	return &Store{
		turn: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
}

// Close empties the Store. It waits for an Update that runs; those that wait for their turn answer vault.ErrClosed, as
// does every later call. It always returns nil.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.done)
		s.turn <- struct{}{} // never given back
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
		s.rows, s.lines = rows.Set{}, nil
	})
	return nil
}

// acquire waits for the turn to write. Whoever came first is served first: a release passes the turn straight to the
// longest waiter, so a newcomer cannot slip in between.
func (s *Store) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		return s.admit()
	case <-s.done:
		return vault.ErrClosed
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s.turn <- struct{}{}:
		return s.admit()
	case <-s.done:
		return vault.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return vault.ErrBusy
	}
}

// admit gives the turn back if Close began meanwhile: a select with two ready cases picks either.
func (s *Store) admit() error {
	select {
	case <-s.done:
		<-s.turn
		return vault.ErrClosed
	default:
		return nil
	}
}
