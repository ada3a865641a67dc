// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
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
	h, err := s.v.loadHead(ctx)
	return h.size > s.size, err
}
