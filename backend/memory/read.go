// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"bytes"
	"context"
	"slices"

	"github.com/keyward-go/keyward/vault"
)

// Rows returns a page of rows in the byte order of their keys, as vault.Store says; a page is shorter than n only at
// the end. The first call after a new key costs time in proportion to the number of rows, unless it asks for the one
// row that from names, which is always quick.
func (s *Store) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, vault.ErrClosed
	}
	if e, ok := s.rows[from]; ok && n == 1 {
		return []vault.Row{e.row(from)}, nil
	}
	keys := s.index.keys(s.rows)
	start, _ := slices.BinarySearch(keys, from)
	keys = keys[start:]
	keys = keys[:max(0, min(n, len(keys)))]
	page := make([]vault.Row, len(keys))
	for i, key := range keys {
		page[i] = s.rows[key].row(key)
	}
	return page, nil
}

func (e *entry) row(key string) vault.Row {
	return vault.Row{Key: key, Seq: e.seq, Data: append(make([]byte, 0, len(e.data)), e.data...)} // never nil
}

// Lines returns a page of the log, as vault.Store says; a page is shorter than n only at the end. It is empty if line
// from was dropped or is not written yet.
func (s *Store) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, vault.ErrClosed
	}
	var page [][]byte
	if at := from - s.first; from >= s.first && at < int64(len(s.lines)) {
		page = s.lines[at:]
		page = slices.Clone(page[:max(0, min(n, len(page)))])
	}
	s.mu.Unlock()
	for i := range page {
		page[i] = bytes.Clone(page[i])
	}
	return page, nil
}

// index is the keys of the rows in order. It is brought up to date by the reader who needs it, so that a commit with a
// new key costs one append.
type index struct {
	sorted  []string
	added   []string // since then, in any order
	removed int      // since then
}

// keys returns the keys of rows in order.
func (x *index) keys(rows map[string]*entry) []string {
	if len(x.added) == 0 && x.removed == 0 {
		return x.sorted
	}
	slices.Sort(x.added)
	merged := make([]string, 0, len(rows))
	old, added := x.sorted, x.added
	for len(old) > 0 || len(added) > 0 {
		var key string
		if len(added) == 0 || len(old) > 0 && old[0] <= added[0] {
			key, old = old[0], old[1:]
		} else {
			key, added = added[0], added[1:]
		}
		_, there := rows[key]
		again := len(merged) > 0 && merged[len(merged)-1] == key // removed and written anew
		if there && !again {
			merged = append(merged, key)
		}
	}
	*x = index{sorted: merged}
	return merged
}
