// SPDX-License-Identifier: Apache-2.0

package kill

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// hasty is the seeded bug: a store that answers when it knows what to commit, and commits a moment later. Within a process
// nobody can tell: what follows waits for the commit.
type hasty struct {
	vault.Store
	mu sync.Mutex // held until the commit
}

func (s *hasty) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	s.mu.Lock()
	decided := make(chan error, 2)
	go func() {
		defer s.mu.Unlock()
		decided <- s.Store.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
			b, err := fn(changed)
			b = clone(b)
			decided <- err
			time.Sleep(2 * time.Millisecond)
			return b, err
		})
	}()
	return <-decided
}

func (s *hasty) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Rows(ctx, from, n)
}

// clone copies a batch, which its owner uses again once it has an answer.
func clone(b vault.Batch) vault.Batch {
	b.Lines, b.Rows, b.Mark = slices.Clone(b.Lines), slices.Clone(b.Rows), bytes.Clone(b.Mark)
	for i := range b.Lines {
		b.Lines[i] = bytes.Clone(b.Lines[i])
	}
	for i := range b.Rows {
		b.Rows[i].Data = bytes.Clone(b.Rows[i].Data) // nil stays nil
	}
	return b
}
