// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"slices"

	"github.com/keyward-go/keyward/backend/internal/rows"
	"github.com/keyward-go/keyward/vault"
)

// Update calls fn alone and stores the batch that fn returns, as vault.Store says. Two of its steps have nothing to do
// here: Scrub, since there are no files (replaced bytes are left to the garbage collector and not overwritten), and
// Mark, since there is no head file. A batch whose First is not the number of lines, or whose Keep is beyond its own lines, is
// refused with vault.ErrConflict; one with a key that vault.Row does not allow, with vault.ErrInvalid.
func (s *Store) Update(ctx context.Context, since int64, fn func(changed []vault.Row) (vault.Batch, error)) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer func() { <-s.turn }() // deferred, so that a panic of fn frees the turn too
	batch, err := fn(s.changed(since))
	if err != nil {
		return err
	}
	return s.commit(batch)
}

// changed returns the rows that were written by line since or later. It looks at every row: the one vault on this store
// has missed nothing (since is then the number of lines) but when it opens, so an index by Seq would cost at every
// commit and serve once.
func (s *Store) changed(since int64) []vault.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	if since == s.size() {
		return nil
	}
	return s.rows.Changed(since)
}

// size is the number of lines, dropped ones included.
func (s *Store) size() int64 { return s.first + int64(len(s.lines)) }

// commit stores b. All checks come before the first change.
func (s *Store) commit(b vault.Batch) error {
	if len(b.Lines) == 0 && len(b.Rows) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := rows.Check(s.size(), b); err != nil {
		return err
	}
	s.append(b.Lines)
	for _, r := range b.Rows {
		s.rows.Write(r)
	}
	if drop := b.Keep - s.first; drop > 0 {
		s.lines = slices.Clone(s.lines[drop:]) // a new array: the old one would hold on to what is dropped
		s.first = b.Keep
	}
	return nil
}

// append copies the lines of a batch into one buffer.
func (s *Store) append(lines [][]byte) {
	total := 0
	for _, l := range lines {
		total += len(l)
	}
	buf := make([]byte, 0, total)
	for _, l := range lines {
		start := len(buf)
		buf = append(buf, l...)
		s.lines = append(s.lines, buf[start:len(buf):len(buf)])
	}
}
