// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/vault"
)

// Rows returns a page of rows, as vault.Store says, from memory. The first call after a new key costs time in proportion
// to the number of rows, unless it asks for the one row that from names.
func (s *Store) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	if err := s.alive(ctx); err != nil {
		return nil, s.explain("rows of", err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, s.explain("rows of", vault.ErrClosed)
	}
	page := s.rows.Page(from, n)
	s.mu.Unlock()
	for i := range page {
		page[i].Data = bytes.Clone(page[i].Data)
	}
	return page, nil
}

// Lines returns a page of the log, as vault.Store says, from the journal, whose checksums it checks again: bytes that
// have changed since Open are vault.ErrTampered. To find the first line it reads 16 KiB or one commit more than it returns.
func (s *Store) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	lines, err := s.lines(ctx, from, n)
	if err != nil {
		return nil, s.explain("lines of", err)
	}
	return lines, nil
}

func (s *Store) lines(ctx context.Context, from int64, n int) (lines [][]byte, err error) {
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, vault.ErrClosed
	}
	if n <= 0 || from < s.first || from >= s.size {
		s.mu.Unlock()
		return nil, nil
	}
	j, end, size, m := s.j, s.j.end, s.size, find(s.j.marks, from)
	j.readers.RLock() // under mu, so that compaction has not let the file go yet
	s.mu.Unlock()
	defer j.readers.RUnlock()

	n = int(min(int64(n), size-from))
	r := newReader(j.file, m, end, min(readBuffer, markEvery+n*512))
	next := m.first
	var c commit
	for len(lines) < n {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		body, err := r.next()
		if err == nil {
			err = c.parse(body)
		}
		if err == io.EOF || err == errTorn {
			err = fmt.Errorf("line %d is not in the journal any more: %w", next, vault.ErrTampered)
		}
		if err != nil {
			return nil, err
		}
		for _, d := range c.lines {
			if next >= from && len(lines) < n {
				line, err := d.bytes()
				if err != nil {
					return nil, err
				}
				lines = append(lines, line)
			}
			next++
		}
	}
	return lines, nil
}
