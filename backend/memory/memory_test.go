// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/backend/backendtest"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

func TestStore(t *testing.T) {
	opened := make(map[string]bool)
	backendtest.Run(t, func(dir string) (vault.Store, error) {
		if opened[dir] {
			return nil, fmt.Errorf("memory ends with its handle: %w", errors.ErrUnsupported)
		}
		opened[dir] = true
		return memory.New(), nil
	})
}

// The ten seconds of ErrBusy pass at once in a bubble, so this store checks them always.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		defer s.Close()
		err := s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
			end := make(chan error)
			begin := time.Now()
			go func() { end <- s.Update(t.Context(), 0, nil) }()
			err := <-end
			if took := time.Since(begin); !errors.Is(err, vault.ErrBusy) || took != 10*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
			return vault.Batch{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Writers are served in the order of arrival.
func TestOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		defer s.Close()
		var order []int
		err := s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
			for i := range 20 {
				go s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
					order = append(order, i)
					return vault.Batch{}, nil
				})
				synctest.Wait() // it stands in line
			}
			return vault.Batch{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(order) != 20 || !slices.IsSorted(order) {
			t.Error(order)
		}
	})
}

// Keys come and go at random, and are read now and then: the index must say what a sort would.
func TestIndex(t *testing.T) {
	ctx, s, rnd := t.Context(), memory.New(), rand.New(rand.NewPCG(1, 2))
	model := make(map[string]bool)
	for step := range 20_000 {
		key := fmt.Sprint(rnd.IntN(300))
		r := vault.Row{Key: key, Data: []byte("1")}
		model[key] = true
		if rnd.IntN(2) == 0 {
			r.Data = nil
			delete(model, key)
		}
		commit(t, ctx, s, vault.Batch{Rows: []vault.Row{r}})
		if step%(1+step/10) != 0 { // often, then seldom
			continue
		}
		rows, err := s.Rows(ctx, "", len(model)+1)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, r := range rows {
			got = append(got, r.Key)
		}
		for k := range model {
			want = append(want, k)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: %d keys, want %d", step, len(got), len(want))
		}
	}
}

// A commit costs its copies: one buffer for the lines and one for each row.
func TestAllocations(t *testing.T) {
	ctx, s := context.Background(), memory.New()
	b := vault.Batch{Lines: [][]byte{make([]byte, 400)}, Rows: []vault.Row{{Key: "t/1", Data: make([]byte, 120)}}}
	fn := func([]vault.Row) (vault.Batch, error) { return b, nil }
	n := testing.AllocsPerRun(2000, func() {
		if err := s.Update(ctx, b.First, fn); err != nil {
			t.Fatal(err)
		}
		b.First++
	})
	if n > 3 {
		t.Errorf("%v allocations an Update, want 3 at most", n)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, bench := range []struct {
		name  string
		fresh bool
	}{{"same key", false}, {"new key", true}} {
		b.Run(bench.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			s := memory.New()
			keys := make([]string, 100_000) // made here, so that only the store is measured
			for i := range keys {
				keys[i] = fmt.Sprintf("t/%08d", i)
			}
			batch := vault.Batch{Lines: [][]byte{make([]byte, 400)}, Rows: []vault.Row{{Key: "t", Data: make([]byte, 120)}}}
			fn := func([]vault.Row) (vault.Batch, error) { return batch, nil }
			b.ReportAllocs()
			for b.Loop() {
				if bench.fresh {
					batch.Rows[0].Key = keys[batch.First%int64(len(keys))]
				}
				batch.Rows[0].Seq = batch.First
				if err := s.Update(ctx, batch.First, fn); err != nil {
					b.Fatal(err)
				}
				batch.First++
				if batch.First%100_000 == 0 {
					batch.Keep = batch.First - 1000 // bounded memory
				}
			}
		})
	}
}

func commit(t *testing.T, ctx context.Context, s *memory.Store, b vault.Batch) {
	t.Helper()
	if err := s.Update(ctx, 0, func([]vault.Row) (vault.Batch, error) { return b, nil }); err != nil {
		t.Fatal(err)
	}
}
