// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"

	"github.com/keyward-go/keyward/vault"
)

var brokenLives = []broken{
	{"reopen/stands", "loses the rows", onReopen(bent{rows: func(context.Context, string, int) ([]vault.Row, error) { return nil, nil }})},
	{"reopen/stands", "loses the lines", onReopen(bent{lines: func(context.Context, int64, int) ([][]byte, error) { return nil, nil }})},
	{"reopen/stands", "loses the last line", onReopen(bent{}, func(s vault.Store) bent {
		return onLines(func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error) {
			return s.Lines(ctx, from, min(n, max(0, 4-int(from))))
		})()(s).(bent)
	})},
	{"reopen/stands", "passes nothing", onReopen(bent{}, func(s vault.Store) bent {
		return onChanged(func(vault.Store, int64, []vault.Row) []vault.Row { return nil })()(s).(bent)
	})},
	{"reopen/empty", "a first line of its own", func() bend {
		return func(s vault.Store) vault.Store {
			_ = update(context.Background(), s, 0, vault.Batch{Lines: lines("format 1")})
			return s
		}
	}},
	{"reopen/durable", "writes at Close", func() bend {
		opens := 0
		return func(s vault.Store) vault.Store {
			if opens++; opens > 1 {
				return bent{Store: s, rows: func(context.Context, string, int) ([]vault.Row, error) { return nil, nil }}
			}
			return s
		}
	}},

	{"handles/flow", "each knows its own", func() bend {
		return func(s vault.Store) vault.Store {
			own := make(map[string]bool)
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
					var mine []vault.Row
					for _, r := range rows {
						if own[r.Key] {
							mine = append(mine, r)
						}
					}
					b, err := f(mine)
					for _, r := range b.Rows {
						own[r.Key] = true
					}
					return b, err
				})
			}}
		}
	}},
	{"handles/close", "frees every lock", func() bend {
		turn, free := make(chan struct{}, 1), false
		return func(s vault.Store) vault.Store {
			return bent{Store: s,
				close: func() error { free = true; return s.Close() },
				update: func(ctx context.Context, since int64, f fn) error {
					if free { // as POSIX does: any close of the file in this process drops its locks
						_, err := f(nil)
						return err
					}
					turn <- struct{}{}
					defer func() { <-turn }()
					return s.Update(ctx, since, f)
				}}
		}
	}},
	{"handles/close", "closes the others too", func() bend {
		var all []vault.Store
		return func(s vault.Store) vault.Store {
			all = append(all, s)
			return bent{Store: s, close: func() error {
				for _, s := range all {
					_ = s.Close()
				}
				return nil
			}}
		}
	}},

	{"close/twice", "not the second time", func() bend {
		return func(s vault.Store) vault.Store {
			closed := false
			return bent{Store: s, close: func() error {
				if closed {
					return vault.ErrClosed
				}
				closed = true
				return s.Close()
			}}
		}
	}},
	{"close/twice", "still answers", func() bend {
		return func(s vault.Store) vault.Store { return bent{Store: s, close: func() error { return nil }} }
	}},
	{"close/twice", "another error", onPage(func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error) {
		page, err := s.Rows(ctx, from, n)
		if err != nil {
			err = errors.New("file already closed")
		}
		return page, err
	})},
	{"close/twice", "runs fn", func() bend {
		return func(s vault.Store) vault.Store {
			return bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				b, err := f(nil)
				if err != nil {
					return err
				}
				return update(ctx, s, since, b)
			}}
		}
	}},
	{"close/amidst", "forgets who waits", func() bend {
		turn, closed := make(chan struct{}, 1), make(chan struct{})
		return func(s vault.Store) vault.Store {
			return bent{Store: s,
				close: func() error {
					select {
					case <-closed:
					default:
						close(closed)
					}
					return s.Close()
				},
				update: func(ctx context.Context, since int64, f fn) error {
					turn <- struct{}{}
					err := s.Update(ctx, since, f)
					select {
					case <-closed: // the turn is never given back
					default:
						<-turn
					}
					return err
				}}
		}
	}},
	{"close/amidst", "another error", func() bend {
		return onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
			err := s.Update(ctx, since, f)
			if errors.Is(err, vault.ErrClosed) {
				err = errors.New("use of closed file")
			}
			return err
		})()
	}},
}

// onReopen bends the handles of a dir from the second on.
func onReopen(b bent, make ...func(vault.Store) bent) func() bend {
	return func() bend {
		opens := 0
		return func(s vault.Store) vault.Store {
			opens++
			if opens == 1 {
				return s
			}
			for _, m := range make {
				b := m(s)
				return b
			}
			b := b
			b.Store = s
			return b
		}
	}
}
