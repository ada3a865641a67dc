// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// TestAnchorCovers: when a call has returned, and when a value is lent, the anchor holds a head that covers its record.
func TestAnchorCovers(t *testing.T) {
	ctx := t.Context()
	b, a := newBed(t), newFakeAnchor(t)
	v, _ := b.open(a.use)
	a.holds(t, b.store, "Open")
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	a.holds(t, b.store, "Put")
	s := mustIssue(t, op, reader(5))
	a.holds(t, b.store, "Issue")
	wantValue(t, s, bedPath, "value", 1)
	a.holds(t, b.store, "Get")
	must(t, op.Use(ctx, vault.Request{Path: bedPath}, func(vault.Item) error {
		a.holds(t, b.store, "in Use")
		return nil
	}))
	wantRefused(t, s, "production/none", vault.ErrNotFound)
	a.holds(t, b.store, "a refusal")
	must(t, op.Revoke(ctx, linkOf(t, s), "stolen"))
	a.holds(t, b.store, "Revoke")
	swaps := a.swaps
	verifies(t, v)
	must(t, v.Close())
	if a.holds(t, b.store, "Close"); a.swaps != swaps || a.lost != 0 {
		t.Errorf("%d swaps where nothing was recorded, %d lost", a.swaps-swaps, a.lost)
	}
	again, _ := b.open(a.use)
	wantRefused(t, at(again, s), bedPath, vault.ErrDeadToken)
}

// TestAnchorRollback: everything here is put back to a time before a revocation.
func TestAnchorRollback(t *testing.T) {
	b, a := newBed(t), newFakeAnchor(t)
	v, _ := b.open(a.use)
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(0))
	wantValue(t, s, bedPath, "value", 1)
	old := dumpOf(t, b.store)
	must(t, op.Revoke(t.Context(), linkOf(t, s), "stolen"))
	must(t, v.Close())

	put := old.store(t)
	held := a.held()
	if _, err := vault.Open(t.Context(), vault.Config{Store: &tap{Store: put}, Root: b.root, Anchor: a}); !errors.Is(err, vault.ErrRollback) {
		t.Errorf("opened with %v", err)
	}
	if a.held() != held || !dumpOf(t, put).equal(old) {
		t.Error("the refused Open wrote something")
	}
	control, err := vault.Open(t.Context(), vault.Config{Store: put, Root: b.root})
	must(t, err)
	if value, _, err := getPath(at(control, s), bedPath); err != nil || value != "value" {
		t.Errorf("control: %v", err)
	}
	t.Log("control: without an anchor the vault that was put back opens, and the revoked token reads again")
	must(t, control.Close())
}

// TestAnchorAtOpen: what an anchor may hold, of which vault it knows what.
func TestAnchorAtOpen(t *testing.T) {
	ctx := t.Context()
	b := newBed(t)
	v, _ := b.open()
	for range 5 {
		mustPut(t, v.Operator("keeper"), bedPath, "value")
	}
	must(t, v.Close())
	d := dumpOf(t, b.store)
	at := func(n int) audit.Head { return headOfLines(d.lines[:n]) }
	foreign, _ := newBed(t).open()
	mustPut(t, foreign.Operator("keeper"), bedPath, "value")
	other := headOfHead(t, foreign)
	last := at(len(d.lines))
	wrong := func(h audit.Head) audit.Head { h.Root[31]++; return h }
	for name, c := range map[string]struct {
		held audit.Head
		want error
	}{
		"new":                          {audit.Head{}, nil},
		"up to date":                   {last, nil},
		"behind":                       {at(2), nil},
		"at the first record":          {at(1), nil},
		"ahead":                        {audit.Head{Size: last.Size + 1, Root: last.Root}, vault.ErrRollback},
		"far ahead":                    {audit.Head{Size: 1 << 62, Root: last.Root}, vault.ErrRollback},
		"another root":                 {wrong(last), vault.ErrRollback},
		"another root behind":          {wrong(at(3)), vault.ErrRollback},
		"another vault's":              {other, vault.ErrRollback},
		"a size that never was":        {audit.Head{Size: 3, Root: last.Root}, vault.ErrRollback},
		"a size below zero":            {audit.Head{Size: -1}, vault.ErrRollback},
		"no records, a root":           {audit.Head{Root: last.Root}, vault.ErrRollback},
		"the head of an empty history": {at(0), vault.ErrRollback},
	} {
		t.Run(name, func(t *testing.T) {
			a, store := newFakeAnchor(t), d.store(t)
			a.set(c.held)
			v, err := vault.Open(ctx, vault.Config{Store: &tap{Store: store}, Root: b.root, Anchor: a})
			if !errors.Is(err, c.want) {
				t.Errorf("Open: %v, want %v", err, c.want)
			}
			if !dumpOf(t, store).equal(d) {
				t.Error("Open wrote something")
			}
			if c.want != nil {
				if a.held() != c.held {
					t.Error("the anchor was moved")
				}
				return
			}
			a.holds(t, store, "Open")
			must(t, v.Close())
		})
	}
	for name, held := range map[string]audit.Head{"this vault": last, "another": other, "nonsense": {Size: -1}} {
		a, store := newFakeAnchor(t), memory.New()
		a.set(held)
		if _, err := vault.Open(ctx, vault.Config{Store: &tap{Store: store}, Root: b.root, Anchor: a}); !errors.Is(err, vault.ErrRollback) {
			t.Errorf("an empty store, the anchor knows %s: %v", name, err)
		}
		wantEmpty(t, store)
		if a.held() != held {
			t.Error("the anchor was moved")
		}
	}
}

func headOfHead(t testing.TB, v *vault.Vault) audit.Head {
	t.Helper()
	c, err := v.Log().Checkpoint(context.Background())
	must(t, err)
	h, err := audit.ParseCheckpoint(c, v.Log().Key())
	must(t, err)
	return h
}

// anchorFaults are the ways in which a call of an anchor fails without having done anything.
func anchorFaults() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"error":      func(context.Context) error { return errDevice },
		"panic":      func(context.Context) error { panic("anchor") },
		"nil panic":  func(context.Context) error { panic(error(nil)) },
		"hang":       func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"deaf, slow": func(context.Context) error { time.Sleep(7 * time.Second); return errDevice },
		"goexit":     func(context.Context) error { runtime.Goexit(); return nil },
		"rollback":   func(context.Context) error { return fmt.Errorf("says the anchor: %w", vault.ErrRollback) },
	}
}

// TestAnchorFails: an anchor that does not answer releases nothing; when it does again, the next call works.
func TestAnchorFails(t *testing.T) {
	for name, fault := range anchorFaults() {
		for _, call := range []string{"Advance", "Load"} {
			t.Run(call+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx := context.Background()
					b, a := newBed(t), newFakeAnchor(t)
					v, _ := b.open(a.use)
					op := v.Operator("keeper")
					mustPut(t, op, bedPath, "value")
					s := mustIssue(t, op, reader(10))
					fail := func() {
						a.onceAdvance(func(ctx context.Context, next func() error) error {
							if call == "Advance" {
								return fault(ctx)
							}
							return vault.ErrConflict
						})
						if call == "Load" {
							a.atLoad(func(ctx context.Context, _ func() (audit.Head, error)) (audit.Head, error) {
								a.atLoad(nil)
								return audit.Head{Size: 1 << 40}, fault(ctx)
							})
						}
					}
					held := a.held()
					fail()
					start := time.Now()
					wantRefused(t, s, bedPath, vault.ErrNotRecorded)
					if took := time.Since(start); took > 5100*time.Millisecond {
						t.Errorf("it took %s", took)
					}
					if a.held() != held {
						t.Error("the anchor was moved")
					}
					time.Sleep(10 * time.Second) // of the bubble
					wantValue(t, s, bedPath, "value", 1)
					a.holds(t, b.store, "recovered")
					wantUses(t, op, s, 2) // the count of what was withheld stands
					fail()
					if child, err := op.Issue(ctx, reader(0)); !errors.Is(err, vault.ErrNotRecorded) || child != nil {
						t.Errorf("Issue gave %v, %v", child, err)
					}
					time.Sleep(10 * time.Second)
					fail()
					err := op.Use(ctx, vault.Request{Path: bedPath}, func(vault.Item) error { t.Error("lent"); return nil })
					if !errors.Is(err, vault.ErrNotRecorded) {
						t.Errorf("Use: %v", err)
					}
					time.Sleep(10 * time.Second)
					verifies(t, v)
					fail()
					must(t, v.Close())
				})
			})
		}
	}
}

// TestAnchorFailsAtOpen: no vault without its anchor, and nothing is written.
func TestAnchorFailsAtOpen(t *testing.T) {
	for name, fault := range anchorFaults() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithTimeout(context.Background(), time.Second)
				defer end()
				store, a := memory.New(), newFakeAnchor(t)
				a.atLoad(func(ctx context.Context, _ func() (audit.Head, error)) (audit.Head, error) {
					return audit.Head{}, fault(ctx)
				})
				if _, err := vault.Open(ctx, vault.Config{Store: &tap{Store: store}, Root: seededRoot(t, 1), Anchor: a}); err == nil {
					t.Error("it was opened")
				}
				wantEmpty(t, store)
				time.Sleep(10 * time.Second)
			})
		})
	}
}

// TestAnchorLostReply: the swap was done and the answer is an error, or comes too late, or the swap itself does. The next
// call works, and no rollback is seen.
func TestAnchorLostReply(t *testing.T) {
	for name, f := range map[string]func(context.Context, func() error) error{
		"done, answered an error":  func(_ context.Context, next func() error) error { return errors.Join(next(), errDevice) },
		"done, answered late":      func(_ context.Context, next func() error) error { defer time.Sleep(7 * time.Second); return next() },
		"done late, answered late": func(_ context.Context, next func() error) error { time.Sleep(7 * time.Second); return next() },
		"done after the answer": func(_ context.Context, next func() error) error {
			time.AfterFunc(time.Second, func() { _ = next() })
			return errDevice
		},
		"done, panicked":            func(_ context.Context, next func() error) error { _ = next(); panic("anchor") },
		"done, says it was not":     func(_ context.Context, next func() error) error { return errors.Join(next(), vault.ErrConflict) },
		"not done, says it was":     func(_ context.Context, next func() error) error { return vault.ErrConflict },
		"done, ended its goroutine": func(_ context.Context, next func() error) error { _ = next(); runtime.Goexit(); return nil },
	} {
		for _, pause := range []time.Duration{0, 10 * time.Second} {
			t.Run(fmt.Sprint(name, ", pause ", pause), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, a := newBed(t), newFakeAnchor(t)
					v, _ := b.open(a.use)
					op := v.Operator("keeper")
					mustPut(t, op, bedPath, "value")
					a.onceAdvance(f)
					value, _, err := getPath(op, bedPath)
					if (err == nil) != (value == "value") || errors.Is(err, vault.ErrRollback) || err != nil && !errors.Is(err, vault.ErrNotRecorded) {
						t.Errorf("Get gave %q, %v", value, err)
					}
					time.Sleep(pause)
					for range 3 {
						wantValue(t, op, bedPath, "value", 1)
						a.holds(t, b.store, "the next call")
					}
					time.Sleep(10 * time.Second)
					wantValue(t, op, bedPath, "value", 1)
					a.holds(t, b.store, "the last call")
					verifies(t, v)
					must(t, v.Close())
				})
			})
		}
	}
}

// TestAnchorBehindAuditors: what an auditor refuses does not move the anchor. The next batch carries it.
func TestAnchorBehindAuditors(t *testing.T) {
	for name, f := range sinkFaults() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, a, bad := newBed(t), newFakeAnchor(t), &sink{}
				v, _ := b.open(a.use, func(c *vault.Config) { c.Auditors = []vault.Auditor{bad} })
				op := v.Operator("keeper")
				mustPut(t, op, bedPath, "value")
				held := a.held()
				bad.once(f)
				wantRefused(t, op, bedPath, vault.ErrNotRecorded)
				if a.held() != held {
					t.Error("the anchor was moved")
				}
				time.Sleep(10 * time.Second)
				if a.held() != held {
					t.Error("the anchor was moved")
				}
				bad.once(func(context.Context, []audit.Record) error {
					if a.held() != held {
						t.Error("the anchor was moved before the auditor was asked")
					}
					return nil
				})
				wantValue(t, op, bedPath, "value", 1)
				a.holds(t, b.store, "accepted")
				must(t, v.Close())
			})
		})
	}
}

// TestAnchorForgets: an anchor that was itself put back, or is new, is told again. That is not the log's fault.
func TestAnchorForgets(t *testing.T) {
	b, a := newBed(t), newFakeAnchor(t)
	v, _ := b.open(a.use)
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	old := a.held()
	for range 3 {
		wantValue(t, op, bedPath, "value", 1)
	}
	for _, h := range []audit.Head{old, {}} {
		a.set(h)
		wantValue(t, op, bedPath, "value", 1)
		a.holds(t, b.store, "told again")
	}
}

// TestAnchorClose: Close under load, with an anchor that works, fails or hangs, answers every caller and leaves nothing running.
func TestAnchorClose(t *testing.T) {
	faults := anchorFaults()
	faults["none"] = nil
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, a := newBed(t), newFakeAnchor(t)
				v, _ := b.open(a.use)
				op := v.Operator("keeper")
				mustPut(t, op, bedPath, "value")
				if fault != nil {
					var n atomic.Int64
					a.atAdvance(func(ctx context.Context, next func() error) error {
						if n.Add(1) > 20 {
							return fault(ctx)
						}
						return next()
					})
				}
				var wg sync.WaitGroup
				for range 16 {
					wg.Go(func() {
						for {
							value, _, err := getPath(op, bedPath)
							if errors.Is(err, vault.ErrClosed) {
								return
							}
							if (err == nil) != (value == "value") || err != nil && !errors.Is(err, vault.ErrNotRecorded) {
								t.Errorf("Get gave %q, %v", value, err)
							}
							time.Sleep(time.Millisecond) // of the bubble
						}
					})
				}
				time.Sleep(100 * time.Millisecond)
				must(t, v.Close())
				wg.Wait()
				if fault == nil {
					a.holds(t, b.store, "closed")
				}
				time.Sleep(10 * time.Second)
			})
		})
	}
}
