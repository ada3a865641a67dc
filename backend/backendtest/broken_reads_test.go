// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keyward-go/keyward/vault"
)

var brokenReads = []broken{
	{"rows/order", "ignores case", onPage(func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error) {
		all, err := s.Rows(ctx, "", 1<<20)
		slices.SortStableFunc(all, func(a, b vault.Row) int { return strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key)) })
		all = slices.DeleteFunc(all, func(r vault.Row) bool { return r.Key < from })
		return all[:min(n, len(all))], err
	})},
	{"rows/pages", "begins after from", onPage(func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error) {
		return s.Rows(ctx, from+"\x00", n)
	})},
	{"rows/pages", "one row too many", onPage(func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error) {
		return s.Rows(ctx, from, min(n, 1<<20)+1)
	})},
	{"rows/pages", "pages of its own size", onPage(func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error) {
		return s.Rows(ctx, from, min(n, 2))
	})},
	{"rows/pages", "makes room for n", onPage(func(s vault.Store, ctx context.Context, from string, n int) ([]vault.Row, error) {
		page, err := s.Rows(ctx, from, n)
		return append(make([]vault.Row, 0, n), page...), err
	})},
	{"rows/replace", "keeps the old row", onRows(func(s vault.Store, r *vault.Row) bool {
		old, _ := s.Rows(context.Background(), r.Key, 1)
		return len(old) == 0 || old[0].Key != r.Key
	})},
	{"rows/remove", "does not", onRows(func(s vault.Store, r *vault.Row) bool { return r.Data != nil })},
	{"rows/last", "the first stands", onBatch(func(s vault.Store, b *vault.Batch) { slices.Reverse(b.Rows) })},
	{"rows/big", "cuts", onBatch(func(s vault.Store, b *vault.Batch) {
		for i, r := range b.Rows {
			b.Rows[i].Data = r.Data[:min(len(r.Data), 1<<20)]
		}
	})},
	{"rows/big", "cuts keys", onBatch(func(s vault.Store, b *vault.Batch) {
		for i, r := range b.Rows {
			b.Rows[i].Key = r.Key[:min(len(r.Key), 255)]
		}
	})},
	{"rows/keys", "mends them", onKeys(func(key string) string {
		key = strings.ToValidUTF8(strings.ReplaceAll(key, "\x00", "?"), "?")
		return cmp.Or(key[:min(len(key), 1024)], "?")
	})},
	{"rows/keys", "leaves them out", onRows(func(s vault.Store, r *vault.Row) bool {
		return r.Key != "" && len(r.Key) <= 1024 && !strings.ContainsRune(r.Key, 0) && utf8.ValidString(r.Key)
	})},
	{"rows/keys", "any bytes", onKeys(func(key string) string { return strings.ToValidUTF8(key, "?") })},
	{"rows/keys", "one that it removes may be any", onRows(func(s vault.Store, r *vault.Row) bool {
		return r.Data != nil || r.Key == "b" || r.Key == "x:b"
	})},
	{"rows/alone", "forgets them", onBatch(func(s vault.Store, b *vault.Batch) {
		if len(b.Lines) == 0 {
			b.Rows = nil
		}
	})},

	{"lines/bytes", "trims", onEachLine(func(l []byte) []byte { return bytes.TrimRight(l, "\r") })},
	{"lines/bytes", "ends at NUL", onEachLine(func(l []byte) []byte { l, _, _ = bytes.Cut(l, []byte{0}); return l })},
	{"lines/bytes", "ASCII only", onEachLine(func(l []byte) []byte { return bytes.ReplaceAll(l, []byte("\u00e9"), []byte("?")) })},
	{"lines/bytes", "cuts", onEachLine(func(l []byte) []byte { return l[:min(len(l), 16<<10-1)] })},
	{"lines/numbers", "turns the batch", onBatch(func(s vault.Store, b *vault.Batch) { slices.Reverse(b.Lines) })},
	{"lines/numbers", "counts from 1", onLines(func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error) {
		return s.Lines(ctx, max(0, from-1), n)
	})},
	{"lines/pages", "one line too many", onLines(func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error) {
		return s.Lines(ctx, from, min(n, 1<<20)+1)
	})},
	{"lines/pages", "adds from and n", onLines(func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error) {
		if from+int64(n) < from {
			return nil, nil
		}
		return s.Lines(ctx, from, n)
	})},
	{"lines/many", "takes a thousand", onBatch(func(s vault.Store, b *vault.Batch) { b.Lines = b.Lines[:min(len(b.Lines), 1000)] })},

	{"keep/drops", "does not", onBatch(func(s vault.Store, b *vault.Batch) { b.Keep = 0 })},
	{"keep/drops", "answers the next line", onLines(func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error) {
		for ; from < 8; from++ {
			if page, err := s.Lines(ctx, from, n); err != nil || len(page) > 0 {
				return page, err
			}
		}
		return nil, nil
	})},
	{"keep/none", "begins again", reuses},
	{"keep/beyond", "drops what there is", onBatch(func(s vault.Store, b *vault.Batch) {
		b.Keep = min(b.Keep, b.First+int64(len(b.Lines)))
	})},
	{"keep/beyond", "drops none", onBatch(func(s vault.Store, b *vault.Batch) {
		if b.Keep > b.First+int64(len(b.Lines)) {
			b.Keep = 0
		}
	})},
	{"keep/beyond", "below zero too", onBatch(func(s vault.Store, b *vault.Batch) { b.Keep = max(b.Keep, 0) })},
	{"keep/beyond", "another error", onUpdate(func(s vault.Store, ctx context.Context, since int64, f fn) error {
		err := s.Update(ctx, since, f)
		if errors.Is(err, vault.ErrConflict) {
			err = errors.New("Keep is beyond the log")
		}
		return err
	})},
	{"reopen/keep", "begins again", reuses},

	{"copies/in", "keeps the caller's lines", func() bend {
		var mine [][]byte
		return func(s vault.Store) vault.Store {
			b := onBatch(func(_ vault.Store, b *vault.Batch) { mine = append(mine, b.Lines...) })()(s).(bent)
			b.lines = func(ctx context.Context, from int64, n int) ([][]byte, error) {
				var page [][]byte
				for _, l := range mine[min(int(from), len(mine)):] {
					page = append(page, bytes.Clone(l))
				}
				return page, nil
			}
			return b
		}
	}},
	{"copies/out", "gives out its lines", func() bend {
		var mine [][]byte
		return func(s vault.Store) vault.Store {
			return bent{Store: s, lines: func(ctx context.Context, from int64, n int) (_ [][]byte, err error) {
				if mine == nil {
					mine, err = s.Lines(ctx, from, n)
				}
				return slices.Clone(mine), err
			}}
		}
	}},
	{"copies/out", "passes its rows", func() bend {
		mine := make(map[string]vault.Row)
		return onChanged(func(s vault.Store, _ int64, rows []vault.Row) []vault.Row {
			for i, r := range rows {
				if _, ok := mine[r.Key]; !ok {
					mine[r.Key] = r
				}
				rows[i] = mine[r.Key]
			}
			return rows
		})()
	}},
	{"copies/apart", "one buffer for a page", onLines(func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error) {
		page, err := s.Lines(ctx, from, n)
		buf := slices.Concat(page...)
		for i, l := range page {
			page[i], buf = buf[:len(l)], buf[len(l):]
		}
		return page, err
	})},
	{"copies/last", "one buffer for all pages", func() bend {
		buf := make([]byte, 1<<10)
		return onLines(func(s vault.Store, ctx context.Context, from int64, n int) ([][]byte, error) {
			page, err := s.Lines(ctx, from, n)
			rest := buf
			for i, l := range page {
				page[i] = append(rest[:0], l...)
				rest = rest[len(l):]
			}
			return page, err
		})()
	}},
}

// reuses takes number 0 again.
var reuses = onBatch(func(s vault.Store, b *vault.Batch) {
	if b.First == 0 && len(b.Lines) > 0 && string(b.Lines[0]) == "again" {
		b.Lines, b.Rows = nil, nil
	}
})

func onEachLine(change func([]byte) []byte) func() bend {
	return onBatch(func(s vault.Store, b *vault.Batch) {
		for i, l := range b.Lines {
			b.Lines[i] = change(l)
		}
	})
}

// onKeys bends the keys of the batch's rows.
func onKeys(change func(key string) string) func() bend {
	return onBatch(func(_ vault.Store, b *vault.Batch) {
		for i, r := range b.Rows {
			b.Rows[i].Key = change(r.Key)
		}
	})
}
