// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keyward-go/keyward/vault"
)

var brokenWaits = []broken{
	{"ctx/before", "Update ignores it", onUpdate(deaf)},
	{"ctx/before", "Rows ignores it", onPage(func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error) {
		return s.Rows(context.WithoutCancel(ctx), from, n)
	})},
	{"ctx/waiting", "ignores it", onUpdate(deaf)},
	{"ctx/waiting", "looks before only", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return deaf(s, ctx, since, f)
	})},
	{"ctx/commit", "stops", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
			b, err := f(rows)
			return b, errors.Join(err, ctx.Err())
		})
	})},
	{"ctx/commit", "tells afterwards", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return errors.Join(s.Update(ctx, since, f), ctx.Err())
	})},
	{"wait/readers", "locks them out", func() bend {
		turn := make(chan struct{}, 1)
		return func(s vault.Store) vault.Store {
			return bent{Store: s,
				update: func(ctx context.Context, since int64, f fn) error {
					turn <- struct{}{}
					defer func() { <-turn }()
					return s.Update(ctx, since, f)
				},
				lines: func(ctx context.Context, from int64, n int) ([][]byte, error) {
					select {
					case turn <- struct{}{}:
						defer func() { <-turn }()
						return s.Lines(ctx, from, n)
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}}
		}
	}},
	{"wait/fair", "whoever is quick", greedy},
	{"handles/fair", "whoever is quick", greedy},
	{"wait/linear", "no lock", unlocked},
	{"handles/linear", "no lock", unlocked},
	{"wait/linear", "shows half", func() bend {
		return func(s vault.Store) vault.Store {
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				var rows []vault.Row
				err := s.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
					b, err := f(changed)
					rows, b.Rows = b.Rows, nil
					return b, err
				})
				if err != nil {
					return err
				}
				return s.Update(ctx, since, func([]vault.Row) (vault.Batch, error) { return vault.Batch{First: rows[0].Seq + 1, Rows: rows}, nil })
			}}
		}
	}},
	{"wait/linear", "loses a line", onBatch(func(s vault.Store, b *vault.Batch) {
		if b.First == 100 {
			b.Lines = lines("lost")
		}
	})},
}

// deaf waits without the caller's context.
func deaf(s vault.Store, ctx context.Context, since int64, f fn) error {
	return s.Update(context.WithoutCancel(ctx), since, f)
}

// greedy is a lock that is asked for again and again, as SQLite does: whoever just had it finds it free, others do not.
func greedy() bend {
	var turn sync.Mutex
	return onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		for !turn.TryLock() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			time.Sleep(20 * time.Millisecond)
		}
		defer turn.Unlock()
		return s.Update(ctx, since, f)
	})()
}

// unlocked calls fn before it takes the lock.
func unlocked() bend {
	return onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		var seen []vault.Row
		err := s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
			seen = rows
			return vault.Batch{}, nil
		})
		if err != nil {
			return err
		}
		b, err := f(seen)
		if err != nil {
			return err
		}
		return update(ctx, s, since, b)
	})()
}
