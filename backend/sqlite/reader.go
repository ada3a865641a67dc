// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

const (
	headKey      = "head"
	sealedPrefix = "x:"
)

// reader is a connection that cannot write.
type reader struct {
	*conn
	rows, lines *stmt
}

func newReader(path string) (*reader, error) {
	c, err := dial(path, "query_only=on", "cache_size=-16384") // KiB: a vault that is opened reads its rows in the order of keys
	if err != nil {
		return nil, err
	}
	r := &reader{conn: c}
	r.rows, err = c.keep(`SELECT key, seq, data FROM rows WHERE key >= ?1
		UNION ALL SELECT 'head', seq, data FROM head WHERE ?1 <= 'head' ORDER BY key LIMIT ?2`)
	if err == nil {
		r.lines, err = c.keep("SELECT seq, line FROM log WHERE seq >= ? ORDER BY seq LIMIT ?")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return r, nil
}

// Rows implements vault.Store.
func (s *Store) Rows(ctx context.Context, from string, n int) (rows []vault.Row, err error) {
	err = s.read(ctx, n, func(r *reader) error {
		err := r.rows.query(func(v []driver.Value) error {
			row, err := rowOf(v)
			rows = append(rows, row)
			return err
		}, from, int64(n))
		if err == nil && len(rows) == 0 { // as at the end of a vault's opening: what it has read is not read again
			err = r.run("PRAGMA shrink_memory")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlite: rows of %s: %w", s.path, err)
	}
	return rows, nil
}

// Lines implements vault.Store. From a number that was dropped, or not written yet, it answers none.
func (s *Store) Lines(ctx context.Context, from int64, n int) (lines [][]byte, err error) {
	err = s.read(ctx, n, func(r *reader) error {
		return r.lines.query(func(v []driver.Value) error {
			seq, ok := v[0].(int64)
			switch {
			case ok && seq > from && len(lines) == 0:
				return errDropped
			case !ok || seq != from+int64(len(lines)):
				return fmt.Errorf("line %d is missing: %w", from+int64(len(lines)), vault.ErrTampered)
			}
			lines = append(lines, bytesOf(v[1]))
			return nil
		}, from, int64(n))
	})
	if err != nil {
		return nil, fmt.Errorf("sqlite: lines of %s: %w", s.path, err)
	}
	return lines, nil
}

// read lends f a reader. The context is looked at once, before: see conn.
func (s *Store) read(ctx context.Context, n int, f func(*reader) error) (err error) {
	if err := s.alive(ctx); err != nil {
		return err
	}
	if n <= 0 {
		return nil
	}
	var r *reader
	select {
	case r = <-s.idle:
	default: // all that are open are in use: each has a cache, so another is opened only now
		select {
		case r = <-s.idle:
		case <-s.unopened:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return vault.ErrClosed
		}
	}
	defer func() {
		if r == nil {
			s.unopened <- struct{}{}
			return
		}
		s.idle <- r
	}()
	if r == nil {
		if err = s.stillThere(); err != nil {
			return err
		}
		if r, err = newReader(s.path); err != nil {
			return explain(err)
		}
	}
	if err = f(r); errors.Is(err, errDropped) {
		return nil
	}
	return explain(err)
}

var errDropped = errors.New("the line is not stored any more")

// rowOf makes a row of the columns key, seq, data.
func rowOf(v []driver.Value) (vault.Row, error) {
	key, isText := v[0].(string)
	seq, isInt := v[1].(int64)
	if !isText || !isInt {
		return vault.Row{}, fmt.Errorf("row %q has columns of another type: %w", v[0], vault.ErrTampered)
	}
	return vault.Row{Key: key, Seq: seq, Data: bytesOf(v[2])}, nil
}

// bytesOf never answers nil: an empty value is not a missing one.
func bytesOf(v driver.Value) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case []byte:
		if v != nil {
			return v
		}
	}
	return []byte{}
}
