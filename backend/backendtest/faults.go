// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// RunFaults breaks a commit at each of its steps and checks that the batch is then there as a whole or not at all.
//
// The stores that open returns call fail at every step of a commit that can go wrong, and where it answers an error they
// go on as if the step had failed with it. Which steps there are is the store's to say: "begin", "rows", "lines",
// "commit", "sync" are usual; one may also lie behind the commit, for an answer that is lost. A step whose name begins
// with "sync" is an fsync: once it failed, the store must refuse every Update until it is opened anew. One whose name
// begins with "write" is a write to a file: the store may then do the same. ENOSPC says that nothing changed and that it
// passes, so no Update of a store that refuses answers it. A step that fails must make Update fail. fail may be called from
// any goroutine.
//
// Each step fails once, and for good until the trouble is over, with EIO and with ENOSPC: a test of each step, so keep
// them few. A store that keeps nothing beyond Close answers the second open of a dir with errors.ErrUnsupported.
func RunFaults(t *testing.T, open func(dir string, fail func(step string) error) (vault.Store, error)) {
	f := faults{open: open, patience: patience}
	steps, err := f.steps(t.TempDir())
	if err != nil {
		t.Fatalf("a commit without a fault: %v", err)
	}
	for _, p := range plans(steps) {
		t.Run(p.String(), func(t *testing.T) { report(t, faultWhy, f.try(p, t.TempDir())) })
	}
}

const faultWhy = "a failed commit leaves all of the batch or nothing, says so, and the next Update shows which"

// faults runs plans.
type faults struct {
	open     func(dir string, fail func(step string) error) (vault.Store, error)
	patience time.Duration
}

// plan is one fault.
type plan struct {
	step  string
	index int // of the calls of fail within one commit
	err   syscall.Errno
	again bool // the calls that follow fail as well, until heal
}

func (p plan) String() string {
	name := map[syscall.Errno]string{syscall.EIO: "EIO", syscall.ENOSPC: "ENOSPC"}[p.err]
	if p.again {
		name += " for good"
	}
	return fmt.Sprintf("%d %s %s", p.index, p.step, name)
}

func plans(steps []string) (all []plan) {
	for i, step := range steps {
		for _, err := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			all = append(all, plan{step, i, err, false}, plan{step, i, err, true})
		}
	}
	return all
}

// fault is the hook that a store calls. It answers nil until armed.
type fault struct {
	mu    sync.Mutex
	armed bool
	plan  plan
	seen  []string // steps since armed
}

func (f *fault) fail(step string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return nil
	}
	i := len(f.seen)
	f.seen = append(f.seen, step)
	if i == f.plan.index || f.plan.again && i > f.plan.index {
		return f.plan.err
	}
	return nil
}

func (f *fault) arm(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.seen = on, nil
}

// steps is what the store reports in a commit without a fault.
func (f faults) steps(dir string) (steps []string, err error) {
	hook := &fault{plan: plan{index: -1}}
	err = f.run(hook, dir, func(t *trial) error {
		if _, err := t.start(); err != nil {
			return err
		}
		hook.arm(true)
		if err := t.commit(full(2)); err != nil {
			return err
		}
		hook.mu.Lock()
		steps = hook.seen
		hook.mu.Unlock()
		hook.arm(false)
		if len(steps) == 0 {
			return errors.New("the store never called fail")
		}
		return nil
	})
	return steps, err
}

// run runs one trial of a store that calls hook.
func (f faults) run(hook *fault, dir string, check func(*trial) error) error {
	s := suite{patience: f.patience, open: func(dir string) (vault.Store, error) { return f.open(dir, hook.fail) }}
	return s.try(testCase{run: check}, dir)
}

// try runs one plan.
func (f faults) try(p plan, dir string) error {
	hook := &fault{plan: p}
	return f.run(hook, dir, func(t *trial) error {
		if _, err := t.start(); err != nil {
			return err
		}
		hook.arm(true)
		err := update(t.ctx, t, 2, full(2))
		if p.again && update(t.ctx, t, 2, full(2)) == nil { // or refused, if the first was written after all
			return fmt.Errorf("a second Update answered nil although %s failed again", p.step)
		}
		hook.arm(false)
		if err == nil {
			return fmt.Errorf("Update answered nil although %s failed", p.step)
		}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, vault.ErrBusy) {
			return fmt.Errorf("Update waits after a failed %s: %w", p.step, err)
		}
		nothing := errors.Is(err, syscall.ENOSPC)
		refuses := strings.HasPrefix(p.step, "sync")
		if strings.HasPrefix(p.step, "write") {
			refuses = update(t.ctx, t, 0, vault.Batch{}) != nil
		}
		if refuses {
			if nothing {
				return fmt.Errorf("Update answers %w, which passes, and then refuses", err)
			}
			if err := t.refusesAll(); err != nil {
				return err
			}
			_ = t.Close() // it may tell of the fsync once more
			if err := t.reopen(); err != nil {
				return err
			}
		}
		if e := t.settled(nothing); e != nil {
			return fmt.Errorf("after %q: %w", err, e)
		}
		return nil
	})
}

// refusesAll checks a store whose fsync failed.
func (t *trial) refusesAll() error {
	for _, b := range []vault.Batch{full(2), {}, full(4)} {
		if err := update(t.ctx, t, 0, b); err == nil {
			return errors.New("Update was taken after a failed fsync: what the kernel dropped then is never written")
		} else if errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("after a failed fsync Update answers %w, which passes", err)
		}
	}
	if _, _, err := t.all(t, 0); err != nil {
		return fmt.Errorf("after a failed fsync Rows and Lines still answer: %w", err)
	}
	return nil
}

// settled checks that the store shows start's state or that of full, that it goes on from there, and that it shows the
// same when opened anew. If nothing is set it must be start's.
func (t *trial) settled(nothing bool) error {
	changed, err := t.changed(t, 0) // the next Update decides what is open
	if err != nil {
		return err
	}
	before := func() error {
		return errors.Join(sameSet(changed, at(0, row("a", "1"), row("b", "1"))),
			t.holds(t, 0, lines("0", "1"), row("a", "1"), row("b", "1"), row("x:b", "1")))
	}
	after := func() error {
		return errors.Join(sameSet(changed, at(2, row("a", "2"), row("c", "2"))),
			t.holds(t, 1, lines("1", "2", "3"), at(2, row("a", "2"), row("c", "2"))...))
	}
	none, all := before(), after()
	switch {
	case none != nil && nothing:
		return fmt.Errorf("ENOSPC means that nothing changed: %w", none)
	case none != nil && all != nil:
		return fmt.Errorf("neither all of the batch (%w) nor none of it (%w)", all, none)
	case none != nil:
		before, t.size = after, 4
	}
	if none == nil {
		if err := unlessSkip(t.shows(t, nil)); err != nil {
			return fmt.Errorf("the mark of a commit that failed: %w", err)
		}
	}
	if err := t.put(lines("next")); err != nil {
		return fmt.Errorf("the commit that follows: %w", err)
	}
	if err := t.reopen(); err != nil {
		return unlessSkip(err)
	}
	got, err := t.Lines(t.ctx, t.size-2, 10)
	if err != nil {
		return err
	}
	if want := lines("1", "next"); none == nil {
		return sameLines(got, want)
	}
	return sameLines(got, lines("3", "next"))
}

// unlessSkip is for checks that come last: what was checked before them stands.
func unlessSkip(err error) error {
	var s skip
	if errors.As(err, &s) {
		return nil
	}
	return err
}
