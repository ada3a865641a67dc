// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// scan walks the log, hashing, from head to head.
type scan struct {
	v     *core
	head  head // as it was last asked for
	fresh bool // that was by newScan
	tree  audit.Tree
	size  int64
}

// newScan stands where the log begins.
func (v *core) newScan(ctx context.Context) (*scan, error) {
	h, edge, err := v.begin(ctx)
	return &scan{v: v, head: h, fresh: true, tree: edge, size: h.first}, err
}

// next calls f with every line up to the head as it is now, then compares the hashes with it. It reports false if f did.
func (s *scan) next(ctx context.Context, f func(seq int64, line []byte) (bool, error)) (bool, error) {
	if !s.fresh {
		var err error
		if s.head, err = s.v.headToRead(ctx); err != nil {
			return false, err
		}
	}
	s.fresh = false
	h := s.head.log()
	page := readAhead(s.v.lines(ctx))
	for s.size < h.Size {
		lines, err := page(s.size, int(min(pageLines, h.Size-s.size)))
		if err != nil {
			return false, err
		}
		if len(lines) == 0 {
			return false, s.v.missing(ctx, s.size)
		}
		for _, line := range lines {
			goOn, err := f(s.size, line)
			if err != nil || !goOn {
				return false, err
			}
			s.tree.Append(line)
			s.size++
		}
	}
	if s.tree.Head() != h {
		return false, fmt.Errorf("%w: the lines of the log are not those of its head", ErrTampered)
	}
	return true, s.v.endsAt(ctx, h)
}

// endsAt refuses lines behind the head that no commit has put there.
func (v *core) endsAt(ctx context.Context, h audit.Head) error {
	lines, err := v.lines(ctx)(h.Size, 1)
	if err != nil || len(lines) == 0 {
		return err
	}
	now, err := v.newestHead(ctx)
	if err == nil && now.size == h.Size {
		err = fmt.Errorf("%w: the log goes on behind its head", ErrTampered)
	}
	return err
}

// wait returns when there is another line.
func (s *scan) wait(ctx context.Context) error {
	t := time.NewTicker(followPoll)
	defer t.Stop()
	for {
		lines, err := s.v.lines(ctx)(s.size, 1)
		if err != nil || len(lines) > 0 {
			return err
		}
		if longer, err := s.longer(ctx); err != nil || longer {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// longer reports whether the log goes on although its next line is not there: when another process has archived it already.
func (s *scan) longer(ctx context.Context) (longer bool, err error) {
	if err := s.v.enter(); err != nil {
		return false, err
	}
	defer s.v.leave()
	err = contain(func() error { // the store may be a user's own
		h, _, err := s.v.loadHead(ctx)
		longer = h.size > s.size
		return err
	})
	return longer, err
}

// lines pages through the log, as long as the vault is open.
func (v *core) lines(ctx context.Context) audit.Lines {
	return func(from int64, n int) (lines [][]byte, err error) {
		if err := v.enter(); err != nil {
			return nil, err
		}
		defer v.leave()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		size := v.size() // before the reading, which may see the end of a log that then grows
		lines, err = v.readLines(ctx, from, n)
		if err == nil && len(lines) == 0 && from < size {
			err = v.missing(ctx, from)
		}
		return lines, err
	}
}

// size is that of the log as this process knows it.
func (v *core) size() int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.state.head.size
}

// readLines contains a panic of the store, which may be a user's own.
func (v *core) readLines(ctx context.Context, from int64, n int) (lines [][]byte, err error) {
	err = contain(func() error {
		lines, err = v.store.Lines(ctx, from, n)
		return err
	})
	return lines, err
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
				q.err = contain(func() (err error) { // the store may be a user's own
					q.lines, err = lines(next, n)
					return err
				})
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
