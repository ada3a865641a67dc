// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"slices"

	"github.com/keyward-go/keyward/vault"
)

type fn = func([]vault.Row) (vault.Batch, error)

// bent is a store with some of its methods replaced.
type bent struct {
	vault.Store
	rows   func(ctx context.Context, from string, n int) ([]vault.Row, error)
	lines  func(ctx context.Context, from int64, n int) ([][]byte, error)
	update func(ctx context.Context, since int64, f fn) error
	close  func() error
}

func (b bent) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	if b.rows != nil {
		return b.rows(ctx, from, n)
	}
	return b.Store.Rows(ctx, from, n)
}

func (b bent) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if b.lines != nil {
		return b.lines(ctx, from, n)
	}
	return b.Store.Lines(ctx, from, n)
}

func (b bent) Update(ctx context.Context, since int64, f func([]vault.Row) (vault.Batch, error)) error {
	if b.update != nil {
		return b.update(ctx, since, f)
	}
	return b.Store.Update(ctx, since, f)
}

func (b bent) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.Store.Close()
}

// bend makes a broken store of a good one. What it keeps is shared by the handles of one trial.
type bend = func(s vault.Store) vault.Store

// onBatch bends what is committed.
func onBatch(change func(s vault.Store, b *vault.Batch)) func() bend {
	return func() bend {
		return func(s vault.Store) vault.Store {
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
					b, err := f(rows)
					b.Rows, b.Lines = slices.Clone(b.Rows), slices.Clone(b.Lines)
					change(s, &b)
					return b, err
				})
			}}
		}
	}
}

// onRows bends the batch's rows one by one; false leaves the row out.
func onRows(change func(s vault.Store, r *vault.Row) bool) func() bend {
	return onBatch(func(s vault.Store, b *vault.Batch) {
		b.Rows = slices.DeleteFunc(b.Rows, func(r vault.Row) bool { return !change(s, &r) })
	})
}

// onChanged bends what is passed.
func onChanged(change func(s vault.Store, since int64, rows []vault.Row) []vault.Row) func() bend {
	return func() bend {
		return func(s vault.Store) vault.Store {
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) { return f(change(s, since, rows)) })
			}}
		}
	}
}

// onUpdate, onPage and onLines replace a method.
func onUpdate(update func(s vault.Store, ctx context.Context, since int64, f fn) error) func() bend {
	return func() bend {
		return func(s vault.Store) vault.Store {
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error { return update(s, ctx, since, f) }}
		}
	}
}

func onPage(rows func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error)) func() bend {
	return func() bend {
		return func(s vault.Store) vault.Store {
			return bent{Store: s, rows: func(ctx context.Context, from string, n int) ([]vault.Row, error) { return rows(s, ctx, from, n) }}
		}
	}
}

func onLines(lines func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error)) func() bend {
	return func() bend {
		return func(s vault.Store) vault.Store {
			return bent{Store: s, lines: func(ctx context.Context, from int64, n int) ([][]byte, error) { return lines(s, ctx, from, n) }}
		}
	}
}
