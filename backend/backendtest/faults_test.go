// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// steps is a store whose commit has steps that can fail.
type steps struct {
	vault.Store
	fail     func(step string) error
	poisoned bool
	early    bool
	bend     flaw
}

// flaw is what a broken one does at a step that fails. The zero flaw does nothing wrong.
type flaw struct {
	half      string // commits the lines without the rows, and answers the error
	whole     string // commits, and answers the error
	swallow   string // answers nil
	goesOn    bool   // after a failed fsync
	passes    bool   // says ENOSPC of an fsync
	later     bool   // says ENOSPC of what follows an fsync
	deafReads bool   // after a failed fsync
	silent    bool   // reports no step
	stuck     string // refuses all that follows
	early     bool   // writes the mark before the commit
}

func (s *steps) Update(ctx context.Context, since int64, f func([]vault.Row) (vault.Batch, error)) error {
	if s.poisoned && s.bend.later {
		return fmt.Errorf("an fsync failed: %w", syscall.ENOSPC)
	}
	if s.poisoned && !s.bend.goesOn {
		return errors.New("an fsync failed: open the store anew")
	}
	var told error
	err := s.Store.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
		b, err := f(rows)
		if err != nil || len(b.Lines)+len(b.Rows) == 0 || s.bend.silent {
			return b, err
		}
		for _, step := range []string{"begin", "rows", "lines", "write"} {
			err := s.fail(step)
			if err == nil {
				continue
			}
			s.early = s.bend.early
			switch step {
			case s.bend.half:
				b.Rows, told = nil, err
			case s.bend.whole:
				told = err
			case s.bend.swallow:
				return vault.Batch{}, nil
			case s.bend.stuck:
				s.poisoned = true
				return b, err
			default:
				return b, fmt.Errorf("%s: %w", step, err)
			}
			return b, nil
		}
		return b, nil
	})
	if err != nil || s.bend.silent || told != nil {
		return errors.Join(err, told)
	}
	for _, step := range []string{"sync", "answer"} {
		if err := s.fail(step); err != nil {
			s.poisoned = s.poisoned || step == "sync"
			if s.bend.passes {
				return err
			}
			return fmt.Errorf("%s: %v", step, err) // not wrapped: it may be ENOSPC, and something has changed
		}
	}
	return nil
}

func (s *steps) Mark(ctx context.Context) ([]byte, error) {
	if s.early {
		return []byte("mark"), nil
	}
	return s.Store.(marker).Mark(ctx)
}

func (s *steps) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if s.poisoned && s.bend.deafReads {
		return nil, errors.New("an fsync failed: open the store anew")
	}
	return s.Store.Lines(ctx, from, n)
}

func openSteps(bend flaw) func(dir string, fail func(step string) error) (vault.Store, error) {
	disks := newDisks()
	return func(dir string, fail func(step string) error) (vault.Store, error) {
		s, err := disks.open(dir)
		return &steps{Store: s, fail: fail, bend: bend}, err
	}
}

func TestRunFaults(t *testing.T) { RunFaults(t, openSteps(flaw{})) }

func TestBrokenStoresFailOnFaults(t *testing.T) {
	for name, c := range map[string]struct {
		bend flaw
		plan plan
	}{
		"keeps half":                {flaw{half: "rows"}, plan{"rows", 1, syscall.EIO, false}},
		"full disk, but committed":  {flaw{whole: "write"}, plan{"write", 3, syscall.ENOSPC, false}},
		"full disk, half committed": {flaw{half: "lines"}, plan{"lines", 2, syscall.ENOSPC, true}},
		"swallows the error":        {flaw{swallow: "lines"}, plan{"lines", 2, syscall.EIO, false}},
		"stuck afterwards":          {flaw{stuck: "begin"}, plan{"begin", 0, syscall.EIO, false}},
		"full disk, then refuses":   {flaw{stuck: "write"}, plan{"write", 3, syscall.ENOSPC, false}},
		"fsync, full disk":          {flaw{passes: true}, plan{"sync", 4, syscall.ENOSPC, false}},
		"full disk after fsync":     {flaw{later: true}, plan{"sync", 4, syscall.ENOSPC, false}},
		"goes on after fsync":       {flaw{goesOn: true}, plan{"sync", 4, syscall.EIO, false}},
		"mark before the commit":    {flaw{early: true}, plan{"write", 3, syscall.EIO, false}},
		"no reads after fsync":      {flaw{deafReads: true}, plan{"sync", 4, syscall.EIO, true}},
	} {
		t.Run(name, func(t *testing.T) {
			f := faults{open: openSteps(c.bend), patience: 500 * time.Millisecond}
			err := f.try(c.plan, t.TempDir())
			if err == nil {
				t.Fatal("the broken store passes")
			}
			t.Log(err)
		})
	}
	if _, err := (faults{open: openSteps(flaw{silent: true}), patience: time.Second}).steps(t.TempDir()); err == nil {
		t.Error("a store that reports no step passes")
	}
}
