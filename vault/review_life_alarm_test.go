// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// behindRead is a store that calls f when a reader has seen the end of the log, before it says so.
type behindRead struct {
	vault.Store
	f atomic.Pointer[func()]
}

func (s *behindRead) Close() error { return nil }

func (s *behindRead) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	lines, err := s.Store.Lines(ctx, from, n)
	if f := s.f.Load(); len(lines) == 0 && f != nil {
		if s.f.CompareAndSwap(f, nil) {
			(*f)()
		}
	}
	return lines, err
}

// readings are all that read the log to its end.
func readings(v *vault.Vault) map[string]func(context.Context) error {
	log := v.Log()
	return map[string]func(context.Context) error{
		"Records": func(ctx context.Context) error {
			for _, err := range log.Records(ctx, audit.Filter{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"Follow": func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second) // of the bubble
			defer cancel()
			for _, err := range log.Follow(ctx, audit.Filter{}) {
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
			}
			return nil
		},
		"Export": func(ctx context.Context) error { return log.Export(ctx, io.Discard) },
		"Verify": func(ctx context.Context) error { return log.Verify(ctx) },
	}
}

// TestLogGrowsBehindReader: a record that is written after a reader has seen the end of the log is no sign of tampering.
func TestLogGrowsBehindReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // Follow waits for a while
		b := newBed(t)
		s := &behindRead{Store: b.store}
		v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: b.root})
		must(t, err)
		defer v.Close()
		op := v.Operator("keeper")
		mustPut(t, op, bedPath, "value")
		for name, read := range readings(v) {
			grow := func() { wantValue(t, op, bedPath, "value", 1) }
			s.f.Store(&grow)
			if err := read(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			synctest.Wait() // what reads ahead may be the one that has seen the end
		}
	})
}

// TestLogOfProcessThatCannotFollow: a process that is not let in by the store, or has a root that does not open the new
// keyring, cannot say that the log was tampered with because another process has archived records.
func TestLogOfProcessThatCannotFollow(t *testing.T) {
	for name, stop := range map[string]func(t *testing.T, other *vault.Operator, p *tap){
		"busy": func(_ *testing.T, _ *vault.Operator, p *tap) {
			p.atUpdate(func(func() error) error { return vault.ErrBusy })
		},
		"another root": func(t *testing.T, other *vault.Operator, _ *tap) {
			must(t, other.SetRoot(t.Context(), attackRoot(2), "moved"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := aged(t, 4)
				p := &tap{Store: a.store}
				v, err := vault.Open(t.Context(), vault.Config{Store: p, Root: attackRoot(1), Now: a.clock.now})
				must(t, err)
				defer v.Close()
				stop(t, a.op, p)
				a.archiveDays(2)
				for name, read := range readings(v) {
					if err := read(t.Context()); err == nil || errors.Is(err, vault.ErrTampered) {
						t.Errorf("%s: %v", name, err)
					}
				}
				p.atUpdate(nil)
			})
		})
	}
}

// TestAnchorArchivedMeanwhile: an anchor that moved on, and a log that was archived up to there, between two looks of a
// process, is no rollback.
func TestAnchorArchivedMeanwhile(t *testing.T) {
	for _, when := range []string{"running", "opening"} {
		t.Run(when, func(t *testing.T) {
			anchor := newFakeAnchor(t)
			a := attackWith(t, vault.Config{Anchor: anchor})
			other := a.v
			if when == "running" {
				other = a.open(vault.Config{Anchor: anchor})
			}
			must(t, attackGet(a.op, attackPath))
			anchor.atLoad(func(_ context.Context, next func() (audit.Head, error)) (audit.Head, error) {
				anchor.atLoad(nil)
				h, err := next()
				for range 5 {
					a.clock.add(time.Hour)
					must(t, attackGet(a.op, attackPath))
				}
				must(t, a.op.Archive(context.Background(), a.clock.now(), io.Discard, "old"))
				return h, err
			})
			if when == "opening" {
				other = a.open(vault.Config{Anchor: anchor})
			}
			for range 3 {
				if err := attackGet(other.Operator("admin"), attackPath); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestAnchorForkWithCut: the row that says where the log begins is bound to nothing by itself, so it excuses nothing: a fork
// whose row names a cut behind what the anchor holds is found all the same.
func TestAnchorForkWithCut(t *testing.T) {
	anchor := newFakeAnchor(t)
	a := attackWith(t, vault.Config{Anchor: anchor})
	for range 10 {
		a.clock.add(time.Hour)
		must(t, attackGet(a.op, attackPath))
	}
	must(t, a.op.Archive(context.Background(), a.clock.now().Add(-5*time.Hour), io.Discard, "old"))
	fork := &attacked{t: t, store: dumpOfCut(t, a.store, a.first()), clock: a.clock}
	must(t, attackGet(a.op, attackPath))
	v := fork.open(vault.Config{}) // it goes on without the anchor
	for range 10 {
		must(t, attackGet(v.Operator("admin"), attackPath))
	}
	var tree audit.Tree
	for range anchor.held().Size + 1 {
		tree.Append([]byte("{}"))
	}
	text, _ := tree.MarshalText()
	forked := logOf(t, v, audit.Filter{})
	must(t, fork.store.Update(t.Context(), 1<<30, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{First: forked[len(forked)-1].Seq + 1, Rows: []vault.Row{{Key: "cut", Seq: 0, Data: []byte(`{"edge":"` + string(text) + `"}`)}}}, nil
	}))
	_, err := vault.Open(t.Context(), vault.Config{Store: unclosed{fork.store}, Root: attackRoot(1), Now: a.clock.now, Anchor: anchor})
	if !errors.Is(err, vault.ErrRollback) && !errors.Is(err, vault.ErrTampered) {
		t.Errorf("opened a fork: %v", err)
	}
	must(t, attackGet(a.op, attackPath))
}

// dumpOfCut is a copy of a store whose log was archived.
func dumpOfCut(t testing.TB, s *memory.Store, first int64) *memory.Store {
	t.Helper()
	rows, err := s.Rows(t.Context(), "", 1<<20)
	must(t, err)
	lines, err := s.Lines(t.Context(), first, 1<<20)
	must(t, err)
	all := append(slices.Repeat([][]byte{[]byte("{}")}, int(first)), lines...)
	out := memory.New()
	must(t, out.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{Lines: all, Rows: rows, Keep: first}, nil
	}))
	return out
}
