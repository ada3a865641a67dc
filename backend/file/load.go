// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

// openJournal opens the journal and takes in what it says.
func (s *Store) openJournal(ctx context.Context) (err error) {
	s.j = &segment{}
	if s.j.id, err = disk.Identify(s.path); err == nil {
		s.j.file, err = disk.Open(s.path, os.O_RDWR)
	}
	if err != nil {
		s.j = nil
		return err
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	return s.settle()
}

// settle makes durable what was read. A process that was killed may have left a line that it never synced, or a new file, or a
// rename of compaction, of which the folder was not synced.
func (s *Store) settle() error {
	err := s.step("settle journal", s.j.sync)
	if err == nil {
		err = s.step("settle folder", s.syncFolder)
	}
	return err
}

// load reads the whole journal.
func (s *Store) load(ctx context.Context) error {
	j := s.j
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	r := newReader(j.file, mark{}, info.Size(), readBuffer)
	body, err := r.next()
	if err == io.EOF || err == errTorn { // the header is made whole, or not at all
		return fmt.Errorf("the file is empty or has no whole header, so it is no journal of keyward: %w", vault.ErrTampered)
	}
	if err != nil {
		return err
	}
	if s.first, err = parseHeader(body); err != nil {
		return err
	}
	s.size, j.end, j.last = s.first, r.off, r.last
	var c journal.Commit
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		body, err := r.next()
		switch {
		case err == io.EOF:
			return nil
		case err == errTorn:
			j.torn = info.Size() - j.end
			j.dropped = j.torn
			return nil
		case err != nil:
			return err
		}
		if err := parse(&c, body); err != nil {
			return err
		}
		j.begin(s.size)
		j.end, j.last = r.off, r.last
		if err := s.take(&c); err != nil {
			return err
		}
	}
}

// take applies a commit that was read.
func (s *Store) take(c *journal.Commit) error {
	b := vault.Batch{Keep: c.Keep, Lines: make([][]byte, len(c.Lines))}
	for _, r := range c.Rows {
		row := vault.Row{Key: r.Key, Seq: r.Seq}
		if r.Data != nil {
			var err error
			if row.Data, err = bytesOf(r.Data); err != nil {
				return err
			}
		}
		b.Rows = append(b.Rows, row)
	}
	if c.Keep > s.size+int64(len(c.Lines)) {
		return errNotCommit
	}
	s.apply(b)
	return nil
}
