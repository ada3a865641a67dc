// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// TestCancelAtEachStep ends the context of a Get at each place where it can be: the caller has that error and no value, the
// log holds at most one record of it, and the next call works.
func TestCancelAtEachStep(t *testing.T) {
	for name, steps := range map[string]struct {
		arm     func(p *tap, cancel func(), gone chan struct{}) // gone is closed when the caller is
		records map[string]bool                                 // outcomes that the log may show
	}{
		"before":                {func(_ *tap, cancel func(), _ chan struct{}) { cancel() }, map[string]bool{"": true}},
		"while the row is read": {atSealed(nil), map[string]bool{"failed": true, "granted": true}},
		"by an error of Rows":   {atSealed(context.Canceled), map[string]bool{"failed": true}},
		"before the commit": {func(p *tap, cancel func(), gone chan struct{}) {
			p.atUpdate(func(next func() error) error { cancel(); <-gone; p.atUpdate(nil); return next() })
		}, map[string]bool{"granted": true}},
		"behind the commit": {func(p *tap, cancel func(), gone chan struct{}) {
			p.atUpdate(func(next func() error) error { err := next(); cancel(); <-gone; p.atUpdate(nil); return err })
		}, map[string]bool{"granted": true}},
		"and the commit fails": {func(p *tap, cancel func(), gone chan struct{}) {
			p.atUpdate(func(func() error) error { cancel(); <-gone; p.atUpdate(nil); return errDevice })
		}, map[string]bool{"": true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				v, _ := b.open()
				mustPut(t, v.Operator("keeper"), bedPath, "value")
				must(t, v.Close())
				v, p := b.open()
				op := v.Operator("keeper")
				s := mustIssue(t, op, reader(2))
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				gone := make(chan struct{})
				steps.arm(p, cancel, gone)
				it, err := s.Get(ctx, vault.Request{Path: bedPath})
				close(gone)
				if !errors.Is(err, context.Canceled) || it.Value.Reveal() != "" {
					t.Errorf("Get gave %q, %v", it.Value.Reveal(), err)
				}
				p.atRows(nil)
				synctest.Wait() // the committer writes the record although nobody waits for it
				records := logOf(t, v, audit.Filter{Op: "get"})
				outcome := ""
				if len(records) > 0 {
					outcome = string(records[0].Outcome)
				}
				if len(records) > 1 || !steps.records[outcome] {
					t.Errorf("records: %v", records)
				}
				uses := 0
				if outcome == "granted" {
					uses = 1 // a count that it took stays taken
				}
				wantUses(t, op, s, uses)
				wantValue(t, s, bedPath, "value", 1)
				verifies(t, v)
				must(t, v.Close())
			})
		})
	}
}

func atSealed(err error) func(*tap, func(), chan struct{}) {
	return func(p *tap, cancel func(), _ chan struct{}) {
		p.atRows(func(from string) error {
			if !strings.HasPrefix(from, "x:") {
				return nil
			}
			cancel()
			return err
		})
	}
}

// TestCloseUnderLoad: nothing hangs, nothing is left, and later calls say so. The bubble fails if a goroutine stays.
func TestCloseUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		v, _ := b.open(func(c *vault.Config) { c.Observers = []vault.Auditor{auditorFunc(accept)} })
		op := v.Operator("keeper")
		mustPut(t, op, bedPath, "value")
		s := mustIssue(t, op, reader(0))
		var wg sync.WaitGroup
		var mu sync.Mutex
		granted := 0
		for range 64 {
			wg.Go(func() {
				for {
					value, _, err := getPath(s, bedPath)
					if err != nil {
						if !errors.Is(err, vault.ErrClosed) || value != "" {
							t.Errorf("Get gave %q, %v", value, err)
						}
						return
					}
					mu.Lock()
					granted++
					more := granted
					mu.Unlock()
					if more == 500 {
						wg.Go(func() { must(t, v.Close()) })
						wg.Go(func() { must(t, v.Close()) })
					}
				}
			})
		}
		wg.Wait()
		must(t, v.Close())
		ctx := context.Background()
		if _, err := op.List(ctx, vault.Request{Path: "*"}); !errors.Is(err, vault.ErrClosed) {
			t.Errorf("List: %v", err)
		}
		if err := v.Log().Verify(ctx); !errors.Is(err, vault.ErrClosed) {
			t.Errorf("Verify: %v", err)
		}
		if _, err := s.Claims(ctx); !errors.Is(err, vault.ErrClosed) {
			t.Errorf("Claims: %v", err)
		}
		again, _ := b.open()
		if n := len(logOf(t, again, audit.Filter{Op: "get"})); n != granted {
			t.Errorf("%d records of %d grants", n, granted)
		}
		must(t, again.Close())
	})
}

func TestCloseInsideUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := newBed(t).open()
		op := v.Operator("keeper")
		mustPut(t, op, bedPath, "value")
		err := op.Use(context.Background(), vault.Request{Path: bedPath}, func(it vault.Item) error {
			must(t, v.Close()) // it does not wait for this function
			if it.Value.Reveal() != "value" {
				t.Error("the value is gone")
			}
			return nil
		})
		must(t, err)
	})
}

// fullQueue holds the committer in an Update and fills the queue behind it.
func fullQueue(t *testing.T, v *vault.Vault, p *tap) (release func()) {
	t.Helper()
	gate, entered := make(chan struct{}), make(chan struct{})
	p.atUpdate(func(next func() error) error {
		p.atUpdate(nil)
		close(entered)
		<-gate
		return next()
	})
	op := v.Operator("crowd")
	full := 0
	call := func() {
		if _, err := op.Keys(&goneContext{Context: context.Background()}); errors.Is(err, vault.ErrBusy) {
			full++
		}
	}
	call()
	<-entered
	for range 65537 {
		call()
	}
	if full != 1 {
		t.Errorf("%d calls of 65,537 were turned away", full)
	}
	return func() { close(gate) }
}

// goneContext belongs to a caller that gives up when it begins to wait.
type goneContext struct {
	context.Context
	asked atomic.Bool
}

var isClosed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (*goneContext) Done() <-chan struct{} { return isClosed }

func (c *goneContext) Err() error {
	if c.asked.Swap(true) {
		return context.Canceled
	}
	return nil
}

func TestQueueFull(t *testing.T) {
	ctx := context.Background()
	v, p := newBed(t).open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s, other := mustIssue(t, op, reader(0)), mustIssue(t, op, vault.Grant{Agent: "other", Scopes: reader(0).Scopes})
	release := fullQueue(t, v, p)
	wantRefused(t, s, bedPath, vault.ErrBusy)
	wantRefused(t, s, bedPath, vault.ErrNotRecorded)
	errRevoke := op.Revoke(ctx, linkOf(t, s), "")
	errFreeze := op.Freeze(ctx, vault.Frozen{Kind: "agent", Value: "other"}, "")
	if !errors.Is(errRevoke, vault.ErrBusy) || !errors.Is(errFreeze, vault.ErrBusy) {
		t.Errorf("Revoke: %v, Freeze: %v", errRevoke, errFreeze)
	}
	release()
	for { // until there is room again
		if _, _, err := getPath(op, bedPath); !errors.Is(err, vault.ErrBusy) {
			must(t, err)
			break
		}
		runtime.Gosched()
	}
	// What could not be made durable is refused in this process all the same.
	wantRefused(t, s, bedPath, vault.ErrDeadToken)
	wantRefused(t, other, bedPath, vault.ErrDenied)
	verifies(t, v)
}
