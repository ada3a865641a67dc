// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// fork is one vault and a copy of it, both running and with one anchor, behind taps.
type fork struct {
	a             *fakeAnchor
	s             *vault.Session
	first, second *vault.Vault
	behind        *countLines // the store of the second
	stores        [2]vault.Store
}

func newFork(t testing.TB) *fork {
	t.Helper()
	b, a := newBed(t), newFakeAnchor(t)
	v, _ := b.open(a.use)
	mustPut(t, v.Operator("keeper"), bedPath, "value")
	s := mustIssue(t, v.Operator("keeper"), reader(0))
	copied := dumpOf(t, b.store).store(t)
	q := &countLines{tap: &tap{Store: copied}}
	w, err := vault.Open(context.Background(), vault.Config{Store: q, Root: b.root, Anchor: a})
	must(t, err)
	t.Cleanup(func() { _ = w.Close() })
	return &fork{a, s, v, w, q, [2]vault.Store{b.store, copied}}
}

// TestAnchorFork: of a vault and its copy exactly one goes on, whichever is first and however far it is.
func TestAnchorFork(t *testing.T) {
	for _, lead := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(lead, " ahead"), func(t *testing.T) {
			f := newFork(t)
			for range lead {
				wantValue(t, at(f.first, f.s), bedPath, "value", 1)
			}
			f.a.holds(t, f.stores[0], "the first")
			wantForked(t, f)
		})
	}
}

// wantForked checks that the second vault of a fork refuses for good, and that the first goes on.
func wantForked(t *testing.T, f *fork) {
	t.Helper()
	wantRefused(t, at(f.second, f.s), bedPath, vault.ErrNotRecorded)
	stopped := dumpOf(t, f.stores[1])
	for range 3 {
		held := f.a.held()
		wantRefused(t, at(f.second, f.s), bedPath, vault.ErrNotRecorded)
		wantRefused(t, at(f.second, f.s), bedPath, vault.ErrRollback)
		wantRefused(t, f.second.Operator("keeper"), bedPath, vault.ErrRollback)
		if err := f.second.Operator("keeper").Revoke(t.Context(), linkOf(t, f.s), ""); !errors.Is(err, vault.ErrNotRecorded) {
			t.Errorf("Revoke: %v", err)
		}
		if f.a.held() != held {
			t.Error("it moved the anchor")
		}
		wantValue(t, at(f.first, f.s), bedPath, "value", 1)
		f.a.holds(t, f.stores[0], "the first")
	}
	if !dumpOf(t, f.stores[1]).equal(stopped) {
		t.Error("the fork was written on")
	}
	verifies(t, f.second)
	must(t, f.second.Close())
	if _, err := vault.Open(t.Context(), vault.Config{Store: &tap{Store: f.stores[1]}, Root: seededRoot(t, 1), Anchor: f.a}); !errors.Is(err, vault.ErrRollback) {
		t.Errorf("opened again with %v", err)
	}
}

// TestAnchorForkBusy: a fork stays one while the store or the anchor fails as it is being found out. Nothing is released on
// a head that has not been compared with the log.
func TestAnchorForkBusy(t *testing.T) {
	for name, break1 := range map[string]func(*fork){
		"the store is busy": func(f *fork) {
			var n atomic.Int64
			f.behind.atUpdate(func(next func() error) error {
				if n.Add(1) == 2 { // the first is the commit
					return vault.ErrBusy
				}
				return next()
			})
		},
		"the log cannot be read": func(f *fork) {
			f.a.atAdvance(func(context.Context, func() error) error { return errDevice })
			for range 2 { // their records stand, so that the fork is longer than what the anchor holds
				wantRefused(f.a.t, at(f.second, f.s), bedPath, vault.ErrNotRecorded)
			}
			f.a.atAdvance(nil)
			f.behind.broken.Store(true)
		},
		"the anchor fails behind Load": func(f *fork) {
			f.a.atLoad(func(_ context.Context, next func() (audit.Head, error)) (audit.Head, error) {
				f.a.atLoad(nil)
				h, _ := next()
				return h, errDevice
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFork(t)
			wantValue(t, at(f.first, f.s), bedPath, "value", 1)
			break1(f)
			held := f.a.held()
			if value, _, err := getPath(at(f.second, f.s), bedPath); !errors.Is(err, vault.ErrNotRecorded) || errors.Is(err, vault.ErrRollback) || value != "" {
				t.Errorf("Get gave %q, %v", value, err)
			}
			if f.a.held() != held {
				t.Error("it moved the anchor")
			}
			wantForked(t, f)
		})
	}
}

// TestAnchorRunsAhead: a batch that was committed before one of another process, and is released after it, leaves the anchor
// where that one has moved it.
func TestAnchorRunsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := newBed(t), newFakeAnchor(t)
		v, _ := b.open(a.use)
		other, _ := b.open(a.use)
		op := v.Operator("keeper")
		mustPut(t, op, bedPath, "value")
		s := mustIssue(t, op, reader(0))
		wantValue(t, at(other, s), bedPath, "value", 1)
		wantValue(t, s, bedPath, "value", 1)
		wantValue(t, at(other, s), bedPath, "value", 1)
		gate := make(chan struct{})
		a.onceAdvance(func(_ context.Context, next func() error) error { <-gate; return next() })
		results := make(chan error)
		for range 2 { // one is with the anchor, one is committed and waits
			go func() {
				_, _, err := getPath(s, bedPath)
				results <- err
			}()
			synctest.Wait()
		}
		must(t, other.Operator("keeper").Revoke(t.Context(), linkOf(t, s), "stolen"))
		close(gate)
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		a.holds(t, b.store, "all have answered")
		must(t, v.Close())
		must(t, other.Close())
	})
}

func patient(c *vault.Config) { c.AuditTimeout = time.Minute }

// TestAnchorMany: processes on one store that move one anchor under load take each other for no fork.
func TestAnchorMany(t *testing.T) {
	for _, n := range []int{2, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b, a := newBed(t), newFakeAnchor(t)
			var vaults []*vault.Vault
			for range n {
				v, _ := b.open(a.use, patient)
				vaults = append(vaults, v)
			}
			mustPut(t, vaults[0].Operator("keeper"), bedPath, "value")
			s := mustIssue(t, vaults[0].Operator("keeper"), reader(0))
			var wg sync.WaitGroup
			for _, v := range vaults {
				for range 4 {
					wg.Go(func() {
						for range 25 {
							wantValue(t, at(v, s), bedPath, "value", 1)
							if h := a.held(); h.Size < 3 {
								t.Error("the anchor does not move")
							}
						}
					})
				}
			}
			wg.Wait()
			a.holds(t, b.store, "all have answered")
			t.Logf("%d records, %d swaps, %d lost", a.held().Size, a.swaps, a.lost)
			for _, v := range vaults {
				verifies(t, v)
				must(t, v.Close())
			}
		})
	}
}

// countLines is a store that counts the lines it gives out, or fails once.
type countLines struct {
	*tap
	lines  atomic.Int64
	broken atomic.Bool
}

func (s *countLines) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if s.broken.Swap(false) {
		return nil, errDevice
	}
	lines, err := s.tap.Lines(ctx, from, n)
	s.lines.Add(int64(len(lines)))
	return lines, err
}

// TestAnchorLongLog: a lost swap costs what has come since, also where the log grows past a power of two: else a log of
// millions could not be compared in AuditTimeout, for no batch any more.
func TestAnchorLongLog(t *testing.T) {
	b, a := newBed(t), newFakeAnchor(t)
	other, _ := b.open(a.use)
	op := other.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	for range 1000 - headOf(t, b.store).Size {
		wantValue(t, op, bedPath, "value", 1)
	}
	s := &countLines{tap: &tap{Store: b.store}}
	v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: b.root, Anchor: a})
	must(t, err)
	for range 1023 - headOf(t, b.store).Size {
		wantValue(t, op, bedPath, "value", 1)
	}
	s.lines.Store(0)
	wantValue(t, v.Operator("keeper"), bedPath, "value", 1)
	if n := s.lines.Load(); a.lost == 0 || n > 50 {
		t.Errorf("%d lines were read for a swap that was lost 24 records behind, %d were lost", n, a.lost)
	}
	must(t, v.Close())
}
