// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/audit"
)

const (
	pageRows  = 2000
	pageLines = 1000
)

// readRows is the one way to Store.Rows. The store may be a user's own: its panic is an error, and it gives what was asked for.
func readRows(ctx context.Context, s Store, from string, n int) (rows []Row, err error) {
	err = contain(func() error {
		rows, err = s.Rows(ctx, from, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	good := len(rows) <= n
	for i, r := range rows {
		good = good && r.Key >= from && (i == 0 || r.Key > rows[i-1].Key)
	}
	if !good {
		return nil, fmt.Errorf("%w: the store gives rows that are too many, or not in the order of their keys", ErrTampered)
	}
	return rows, nil
}

// readRow is the row of one key; a row without a key if there is none.
func readRow(ctx context.Context, s Store, key string) (Row, error) {
	rows, err := readRows(ctx, s, key, 1)
	if err != nil || len(rows) == 0 || rows[0].Key != key {
		return Row{}, err
	}
	return rows[0], nil
}

// readLines is the one way to Store.Lines.
func readLines(ctx context.Context, s Store, from int64, n int) (lines [][]byte, err error) {
	err = contain(func() error {
		lines, err = s.Lines(ctx, from, n)
		return err
	})
	if err == nil && len(lines) > n {
		err = fmt.Errorf("%w: the store gives more lines than were asked for", ErrTampered)
	}
	if err != nil {
		return nil, err
	}
	return lines, nil
}

// reading runs f as long as the vault is open: what reads for long does not hold up Close for longer than a page.
func (v *core) reading(ctx context.Context, f func() error) error {
	if err := v.enter(); err != nil {
		return err
	}
	defer v.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

// pages calls f with the rows from one key up to another, read n at a time. A page is read while the one before is used.
func (v *core) pages(ctx context.Context, from, to string, n int, f func(Row) error) error {
	type page struct {
		rows []Row
		err  error
	}
	read := func(from string) <-chan page {
		c := make(chan page, 1)
		go func() {
			var p page
			p.err = v.reading(ctx, func() (err error) {
				p.rows, err = readRows(ctx, v.store, from, n)
				return err
			})
			c <- p
		}()
		return c
	}
	for next := read(from); next != nil; {
		p := <-next
		if p.err != nil {
			return p.err
		}
		next = nil
		if last := len(p.rows) - 1; last == n-1 && p.rows[last].Key < to {
			next = read(p.rows[last].Key + "\x00")
		}
		for _, r := range p.rows {
			if r.Key >= to {
				return nil
			}
			if err := f(r); err != nil {
				if next != nil {
					<-next // the store is not closed under a read
				}
				return err
			}
		}
	}
	return nil
}

// lines pages through the log.
func (v *core) lines(ctx context.Context) audit.Lines {
	return func(from int64, n int) (lines [][]byte, err error) {
		err = v.reading(ctx, func() error {
			size := v.size() // before the reading, which may see the end of a log that then grows
			lines, err = readLines(ctx, v.store, from, n)
			if err == nil && len(lines) == 0 && from < size {
				err = v.missing(ctx, from)
			}
			return err
		})
		return lines, err
	}
}

// size is that of the log as this process knows it.
func (v *core) size() int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.state.head.size
}

// readAhead reads a page while the one before is used. It is for one reader that goes through the log in order.
func readAhead(lines audit.Lines) audit.Lines {
	type page struct {
		from  int64
		lines [][]byte
		err   error
	}
	var ahead chan page
	return func(from int64, n int) ([][]byte, error) {
		var p page
		if ahead != nil {
			p = <-ahead
		}
		if ahead == nil || p.from != from {
			p = page{from: from}
			p.lines, p.err = lines(from, n)
		}
		p.lines = p.lines[:min(n, len(p.lines))]
		ahead = nil
		if p.err == nil && len(p.lines) > 0 {
			next, c := from+int64(len(p.lines)), make(chan page, 1)
			ahead = c
			go func() {
				q := page{from: next}
				q.lines, q.err = lines(next, n)
				c <- q
			}()
		}
		return p.lines, p.err
	}
}

// headToRead is the head up to which the log is read: the newest, or, where this process cannot get at that (the store is
// busy, the keys are under another root), the last that it knows.
func (v *core) headToRead(ctx context.Context) (head, error) {
	h, err := v.newestHead(ctx)
	if h.size == 0 || errors.Is(err, ErrTampered) || ctx.Err() != nil {
		return head{}, errors.Join(err, ctx.Err())
	}
	return h, nil
}

// newestHead takes in what other processes have committed and returns the head, and with it why it may not be the newest.
func (v *core) newestHead(ctx context.Context) (head, error) {
	if err := v.enter(); err != nil {
		return head{}, err
	}
	defer v.leave()
	err := v.update(ctx, v.newBatch())
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.state.head, err
}

// rowsSince returns the rows of line since and later as one update of the store shows them, and the head that they lead to.
func (v *core) rowsSince(ctx context.Context, since int64) (rows []Row, h head, err error) {
	b := v.newBatch()
	b.reread = since
	if err := v.reading(ctx, func() error { return v.update(ctx, b) }); err != nil {
		return nil, h, err
	}
	for _, r := range b.changed {
		if r.Seq >= since || r.Key == headKey {
			rows = append(rows, r)
		}
	}
	return rows, b.head, nil
}
