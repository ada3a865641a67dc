// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"
	"errors"

	"github.com/keyward-go/keyward/vault"
)

// bentMark is a store whose Mark is replaced, or that bends the marks it is given.
type bentMark struct {
	bent
	mark func(ctx context.Context) ([]byte, error)
}

func (b bentMark) Mark(ctx context.Context) ([]byte, error) {
	if b.mark != nil {
		return b.mark(ctx)
	}
	return b.Store.(marker).Mark(ctx)
}

// onMark replaces Mark.
func onMark(mark func(good marker, ctx context.Context) ([]byte, error)) func() bend {
	return func() bend {
		return func(s vault.Store) vault.Store {
			return bentMark{bent{Store: s}, func(ctx context.Context) ([]byte, error) { return mark(s.(marker), ctx) }}
		}
	}
}

// ownMarks keeps a mark of its own: note is told of each batch and how its commit ended, and may change the mark.
func ownMarks(note func(b vault.Batch, err error, mark *[]byte), shared bool) func() bend {
	return func() bend {
		all := new([]byte)
		return func(s vault.Store) vault.Store {
			mark := all
			if !shared {
				mark = new([]byte)
			}
			return bentMark{
				bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
					var b vault.Batch
					err := s.Update(ctx, since, func(rows []vault.Row) (out vault.Batch, err error) {
						b, err = f(rows)
						return b, err
					})
					note(b, err, mark)
					return err
				}},
				func(ctx context.Context) ([]byte, error) {
					if _, err := s.(marker).Mark(ctx); err != nil {
						return nil, err
					}
					return bytes.Clone(*mark), nil
				},
			}
		}
	}
}

func committed(b vault.Batch, err error) bool {
	return err == nil && len(b.Mark) > 0 && len(b.Lines)+len(b.Rows) > 0
}

var brokenMarks = []broken{
	{"mark/newest", "always the first", ownMarks(func(b vault.Batch, err error, mark *[]byte) {
		if committed(b, err) && *mark == nil {
			*mark = bytes.Clone(b.Mark)
		}
	}, true)},
	{"mark/newest", "cut at 256", ownMarks(func(b vault.Batch, err error, mark *[]byte) {
		if committed(b, err) {
			*mark = bytes.Clone(b.Mark[:min(256, len(b.Mark))])
		}
	}, true)},
	{"mark/newest", "forgotten by a batch without one", ownMarks(func(b vault.Batch, err error, mark *[]byte) {
		if err == nil && len(b.Lines)+len(b.Rows) > 0 {
			*mark = bytes.Clone(b.Mark)
		}
	}, true)},
	{"mark/newest", "keeps the slice it is given", ownMarks(func(b vault.Batch, err error, mark *[]byte) {
		if committed(b, err) {
			*mark = b.Mark
		}
	}, true)},
	{"mark/newest", "an empty one in a new store", onMark(func(good marker, ctx context.Context) ([]byte, error) {
		mark, err := good.Mark(ctx)
		return append([]byte{}, mark...), err
	})},
	{"mark/newest", "gives out what it keeps", func() bend {
		var kept []byte
		return func(s vault.Store) vault.Store {
			return bentMark{bent{Store: s}, func(ctx context.Context) ([]byte, error) {
				mark, err := s.(marker).Mark(ctx)
				if len(mark) != len(kept) {
					kept = mark
				}
				return kept, err
			}}
		}
	}},
	{"mark/newest", "none at all", onMark(func(marker, context.Context) ([]byte, error) { return nil, errors.New("not built") })},
	{"mark/reopen", "kept in memory", ownMarks(func(b vault.Batch, err error, mark *[]byte) {
		if committed(b, err) {
			*mark = bytes.Clone(b.Mark)
		}
	}, false)},
	{"mark/reopen", "answers after Close", onMark(func(good marker, ctx context.Context) ([]byte, error) {
		mark, err := good.Mark(ctx)
		if errors.Is(err, vault.ErrClosed) {
			err = nil
		}
		return mark, err
	})},
	{"mark/failed", "written before the commit", ownMarks(func(b vault.Batch, _ error, mark *[]byte) {
		if len(b.Mark) > 0 && len(b.Mark) <= 440 {
			*mark = bytes.Clone(b.Mark)
		}
	}, true)},
	{"mark/failed", "written for a batch of nothing", ownMarks(func(b vault.Batch, err error, mark *[]byte) {
		if err == nil && len(b.Mark) > 0 {
			*mark = bytes.Clone(b.Mark)
		}
	}, true)},
	{"mark/failed", "takes one too long", func() bend {
		return func(s vault.Store) vault.Store {
			return bentMark{bent: bent{Store: s, update: func(ctx context.Context, since int64, f fn) error {
				return s.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
					b, err := f(rows)
					b.Mark = b.Mark[:min(440, len(b.Mark))]
					return b, err
				})
			}}}
		}
	}},
	{"mark/handles", "each knows its own", ownMarks(func(b vault.Batch, err error, mark *[]byte) {
		if committed(b, err) {
			*mark = bytes.Clone(b.Mark)
		}
	}, false)},
}
