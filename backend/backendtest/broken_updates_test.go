// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/keyward-go/keyward/vault"
)

var brokenUpdates = []broken{
	{"changed/since", "rows above since only", onChanged(func(s vault.Store, since int64, rows []vault.Row) []vault.Row {
		return slices.DeleteFunc(rows, func(r vault.Row) bool { return r.Seq == since })
	})},
	{"changed/since", "passes an older row", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return s.Update(ctx, since-1, f)
	})},
	{"changed/since", "passes all", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return s.Update(ctx, 0, f)
	})},
	{"changed/since", "passes none", onChanged(func(vault.Store, int64, []vault.Row) []vault.Row { return nil })},
	{"changed/replaced", "passes each write", func() bend {
		var written []vault.Row
		return func(s vault.Store) vault.Store {
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				return s.Update(ctx, since, func([]vault.Row) (vault.Batch, error) {
					b, err := f(slices.DeleteFunc(slices.Clone(written), func(r vault.Row) bool { return r.Seq < since }))
					written = append(written, b.Rows...)
					return b, err
				})
			}}
		}
	}},
	{"changed/sealed", "passes them", onChanged(func(s vault.Store, since int64, rows []vault.Row) []vault.Row {
		all, _ := s.Rows(context.Background(), "x:", 1)
		return append(rows, all...)
	})},
	{"changed/sealed", "ignores case", onChanged(func(s vault.Store, _ int64, rows []vault.Row) []vault.Row {
		return slices.DeleteFunc(rows, func(r vault.Row) bool { return strings.HasPrefix(r.Key, "X:") })
	})},
	{"changed/removed", "passes an empty row", func() bend {
		var gone []vault.Row
		return func(s vault.Store) vault.Store {
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
					for _, r := range gone {
						if r.Seq >= since {
							rows = append(rows, r)
						}
					}
					b, err := f(rows)
					gone = append(gone, slices.DeleteFunc(slices.Clone(b.Rows), func(r vault.Row) bool { return r.Data != nil })...)
					return b, err
				})
			}}
		}
	}},
	{"changed/restored", "refuses them", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
			b, err := f(rows)
			for _, r := range b.Rows {
				if r.Data != nil && err == nil && (r.Seq < b.First || len(b.Lines) == 0) {
					err = errors.New("a row of another line")
				}
			}
			return b, err
		})
	})},
	{"changed/restored", "counts them to the batch", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
			b, err := f(rows)
			b.Rows = slices.Clone(b.Rows)
			for i := range b.Rows {
				b.Rows[i].Seq = max(b.Rows[i].Seq, b.First)
			}
			return b, err
		})
	})},

	{"update/error", "commits all the same", onError(func(b vault.Batch, err error) (vault.Batch, error, bool) { return b, nil, true })},
	{"update/error", "keeps half", onError(func(b vault.Batch, err error) (vault.Batch, error, bool) {
		b.Rows = nil
		return b, nil, true
	})},
	{"update/error", "tells nothing", onError(func(b vault.Batch, err error) (vault.Batch, error, bool) { return vault.Batch{}, nil, false })},
	{"update/error", "tells another", onError(func(b vault.Batch, err error) (vault.Batch, error, bool) {
		return b, fmt.Errorf("update: %v", err), false
	})},
	{"update/panic", "keeps the lock", func() bend {
		turn := make(chan struct{}, 1)
		return onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			err := s.Update(ctx, since, f)
			<-turn
			return err
		})()
	}},
	{"update/panic", "swallows it", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) (err error) {
		defer func() {
			if recover() != nil {
				err = errors.New("panic")
			}
		}()
		return s.Update(ctx, since, f)
	})},
	{"update/once", "tries again", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		err := s.Update(ctx, since, f)
		if err != nil {
			err = s.Update(ctx, since, f)
		}
		return err
	})},
	{"update/empty", "commits Keep", func() bend {
		return onBatch(func(s vault.Store, b *vault.Batch) {
			if len(b.Lines)+len(b.Rows) == 0 && b.Keep > 0 {
				b.Rows = []vault.Row{{Key: "no such row"}}
			}
		})()
	}},
	{"update/empty", "commits a line", onBatch(func(s vault.Store, b *vault.Batch) {
		if len(b.Lines)+len(b.Rows) == 0 && b.First == 2 {
			b.Lines = lines("")
		}
	})},
	{"update/empty", "looks at First", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
			b, err := f(rows)
			if page, _ := s.Lines(ctx, b.First, 1); err == nil && len(page) > 0 {
				err = errors.New("line was written")
			}
			return b, err
		})
	})},
	{"update/first", "ignores it", onBatch(func(s vault.Store, b *vault.Batch) {
		all, _ := s.Lines(context.Background(), 0, 1<<20)
		b.First = int64(len(all))
	})},
	{"update/first", "takes a gap", onBatch(func(s vault.Store, b *vault.Batch) {
		all, _ := s.Lines(context.Background(), 0, 1<<20)
		b.First = min(b.First, int64(len(all)))
	})},
	{"update/first", "rows go by it", onBatch(func(s vault.Store, b *vault.Batch) {
		if len(b.Lines) == 0 {
			b.First = 2
		}
	})},
	{"update/scrub", "drops what it scrubs", onBatch(func(s vault.Store, b *vault.Batch) {
		if b.Scrub {
			b.Rows = slices.DeleteFunc(b.Rows, func(r vault.Row) bool { return r.Data != nil })
		}
	})},
	{"update/scrub", "no room for the mark", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
			b, err := f(rows)
			if len(b.Mark) > 400 {
				err = errors.New("mark is too long")
			}
			return b, err
		})
	})},
	{"handles/first", "ignores it", onBatch(func(s vault.Store, b *vault.Batch) {
		if string(slices.Concat(b.Lines...)) == "other 0" {
			b.First = 1
		}
	})},
}

// onError bends what follows an error of fn: what is committed, and whether the error is still told.
func onError(change func(vault.Batch, error) (vault.Batch, error, bool)) func() bend {
	return func() bend {
		var mu sync.Mutex
		return onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
			mu.Lock()
			defer mu.Unlock()
			var cause error
			tell := false
			err := s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
				b, err := f(rows)
				if err != nil {
					cause = err
					b, err, tell = change(b, err)
				}
				return b, err
			})
			if err == nil && tell {
				return cause
			}
			return err
		})()
	}
}
