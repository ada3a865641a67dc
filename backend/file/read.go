// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/internal/journal"
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
	j, end := s.j, s.j.end
	n = int(min(int64(n), s.size-from))
	p := &page{j: j, after: find(j.marks, from)}
	if last := s.page; last != nil && last.j == j && last.first <= from && from <= last.after.first {
		p, s.page = last, nil
	}
	j.readers.RLock() // under mu, so that compaction has not let the file go yet
	s.mu.Unlock()
	defer j.readers.RUnlock()

	r := newReader(j.file, p.after, end, min(readBuffer, markEvery+n*512))
	for {
		if lines, err = p.gather(lines, from, n); err != nil || len(lines) == n {
			break
		}
		if err = ctx.Err(); err == nil {
			err = p.advance(r)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.j == j {
		s.page = p
	}
	return lines, nil
}

// page is the commit with which an answer of Lines ended. The next often begins in it, or behind it: a commit of many
// lines is then read once, not once for each page.
type page struct {
	j     *segment
	first int64 // number of the first line of the commit
	c     journal.Commit
	after mark // behind it
}

// gather appends copies of the lines of the commit from number from on, until there are n.
func (p *page) gather(lines [][]byte, from int64, n int) ([][]byte, error) {
	skip := max(0, from-p.first)
	for _, d := range p.c.Lines[min(skip, int64(len(p.c.Lines))):] {
		if len(lines) == n {
			break
		}
		line, err := bytesOf(d)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// advance reads the next commit.
func (p *page) advance(r *reader) error {
	text, err := r.next()
	if err == nil {
		err = parse(&p.c, text)
	}
	if err == io.EOF || err == errTorn {
		err = fmt.Errorf("line %d is not in the journal any more: %w", p.after.first, vault.ErrTampered)
	}
	p.first = p.after.first
	p.after = mark{p.first + int64(len(p.c.Lines)), r.off, r.last}
	return err
}
