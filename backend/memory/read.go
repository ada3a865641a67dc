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
// row that from names.
func (s *Store) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, vault.ErrClosed
	}
	return s.rows.Page(from, n), nil
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
