// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/backend/internal/rows"
	"github.com/keyward-go/keyward/vault"
)

// patience is how long Update waits for its turn before it answers vault.ErrBusy.
const patience = 10 * time.Second

// Store is a vault.Store in one journal. Its zero value is not usable: call Open. It is safe for concurrent use.
type Store struct {
	path string
	lock *disk.Lock // held from Open to Close
	head *disk.HeadFile

	turn     chan struct{} // full while an Update runs; a channel hands over in the order of arrival
	done     chan struct{} // closed by Close
	once     sync.Once
	poisoned atomic.Pointer[error]
	buf      []byte                  // of the holder of turn
	fail     func(step string) error // tests break steps with it; nil otherwise

	// mu is held for moments only, so that Rows and Lines answer while an Update runs. What it guards is changed by the
	// holder of turn alone, who may therefore read it without.
	mu     sync.Mutex
	closed bool
	rows   rows.Set
	j      *segment
	first  int64 // lowest line kept
	size   int64 // number of lines, dropped ones included
	page   *page // where the last answer of Lines ended, nil if one is being made
}

var _ vault.Store = (*Store)(nil)

// Close waits for the Update and the reads that run, makes the Updates that wait answer vault.ErrClosed, syncs the head
// file, and lets another process have the store.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		close(s.done)
		s.turn <- struct{}{} // for good
		s.mu.Lock()
		s.closed = true
		s.rows, s.page = rows.Set{}, nil
		s.mu.Unlock()
		var errs []error
		if s.head != nil {
			errs = append(errs, s.head.Close())
		}
		if s.j != nil {
			errs = append(errs, s.j.close())
		}
		err = errors.Join(append(errs, s.lock.Close())...)
	})
	return err
}

// enter waits for the turn to write.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		return nil, vault.ErrClosed
	case <-limit.C:
		return nil, vault.ErrBusy
	}
	if err := s.alive(ctx); err != nil { // both may have been ready
		<-s.turn
		return nil, err
	}
	return func() { <-s.turn }, nil
}

// alive is the error of a closed store or an ended context.
func (s *Store) alive(ctx context.Context) error {
	select {
	case <-s.done:
		return vault.ErrClosed
	default:
		return ctx.Err()
	}
}

// poison refuses every later Update, and returns cause as an error that says nothing of what has changed.
func (s *Store) poison(cause error) error {
	err := fmt.Errorf("a write to disk failed before (%v): close the store and open it again", cause)
	s.poisoned.CompareAndSwap(nil, &err)
	return fmt.Errorf("whether the batch is durable is not known: %v", cause)
}

// step does what can go wrong, or fails as a test asks for.
func (s *Store) step(name string, do func() error) error {
	if s.fail != nil {
		if err := s.fail(name); err != nil {
			return err
		}
	}
	return do()
}

func (s *Store) explain(what string, err error) error {
	return fmt.Errorf("file: %s %s: %w", what, s.path, err)
}
