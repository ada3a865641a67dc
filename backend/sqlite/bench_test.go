// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// BenchmarkAgainstRaw puts lines of 350 B through Update, alone and with the head row of 1.2 KB that every commit of a
// vault writes, beside raw group commit in the same run. The ratios are medians of short rounds that alternate; absolute
// rates are the disk's. Run it with -benchtime 1x.
func BenchmarkAgainstRaw(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			dir := b.TempDir()
			raw := newRawCommits(b, filepath.Join(dir, "raw.db"))
			defer raw.close()
			bare, closeBare := storeCommits(b, filepath.Join(dir, "bare.db"), false)
			defer closeBare()
			head, closeHead := storeCommits(b, filepath.Join(dir, "head.db"), true)
			defer closeHead()
			var bareRatio, headRatio, rawRate []float64
			for b.Loop() {
				for range 15 {
					r := rate(b, callers, raw.commit)
					bareRatio = append(bareRatio, rate(b, callers, bare)/r)
					headRatio = append(headRatio, rate(b, callers, head)/r)
					rawRate = append(rawRate, r)
				}
			}
			b.ReportMetric(median(rawRate), "raw/s")
			b.ReportMetric(median(bareRatio), "lines/raw")
			b.ReportMetric(median(headRatio), "lines+head/raw")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkCPU is one batch without the sync: what Update costs beside the disk.
func BenchmarkCPU(b *testing.B) {
	line := strings.Repeat("l", 350)
	for _, n := range []int{1, 8, 46} {
		lines := slices.Repeat([]string{line}, n)
		b.Run(fmt.Sprintf("raw/batch=%d", n), func(b *testing.B) {
			w := openRaw(b, filepath.Join(b.TempDir(), "raw.db"), "off")
			defer w.close()
			for b.Loop() {
				if err := w.commit(lines); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("store/batch=%d", n), func(b *testing.B) {
			s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if err := s.Relax(); err != nil {
				b.Fatal(err)
			}
			commit := appender(s, true)
			for b.Loop() {
				if err := commit(lines); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAlternate is two handles that commit in turn beside 100,000 rows, each asking for what it missed.
func BenchmarkAlternate(b *testing.B) {
	path := filepath.Join(b.TempDir(), "vault.db")
	var stores [2]*sqlite.Store
	for i := range stores {
		s, err := sqlite.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		if err := s.Relax(); err != nil {
			b.Fatal(err)
		}
		stores[i] = s
	}
	var rows []vault.Row
	for i := range 100_000 {
		rows = append(rows, vault.Row{Key: fmt.Sprintf("t:%d", i*7919%100_003), Data: []byte(`{"uses":1}` + strings.Repeat(" ", 200))})
	}
	size := int64(1)
	err := stores[0].Update(b.Context(), 0, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{Lines: [][]byte{[]byte("{}")}, Rows: rows}, nil
	})
	for i := 0; b.Loop() && err == nil; i++ {
		err = stores[i%2].Update(b.Context(), size-1, func(changed []vault.Row) (vault.Batch, error) {
			if i > 0 && len(changed) != 2 {
				return vault.Batch{}, fmt.Errorf("%d rows changed, want 2", len(changed))
			}
			return vault.Batch{First: size, Lines: [][]byte{[]byte("{}")}, Rows: []vault.Row{
				{Key: fmt.Sprintf("t:%d", i%100_003), Seq: size, Data: []byte(`{"uses":2}` + strings.Repeat(" ", 200))},
				{Key: "head", Seq: size, Data: []byte("{}")}}}, nil
		})
		size++
	}
	if err != nil {
		b.Fatal(err)
	}
}

// storeCommits is rawCommits over a Store.
func storeCommits(b *testing.B, path string, withHead bool) (commit func(string) error, done func()) {
	s, err := sqlite.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	r := &rawCommits{ops: make(chan rawOp, 1024)}
	r.stop.Go(func() { groupCommit(r.ops, appender(s, withHead)) })
	return r.commit, func() { r.close(); s.Close() }
}

// appender commits lines at the end of the log, with a head row whose length varies, as its numbers do.
func appender(s *sqlite.Store, withHead bool) func(lines []string) error {
	head := []byte(`{"` + strings.Repeat("h", 1200) + `":1}`)
	var size int64
	var b vault.Batch
	return func(lines []string) error {
		b.First, b.Lines, b.Rows = size, b.Lines[:0], b.Rows[:0]
		for _, l := range lines {
			b.Lines = append(b.Lines, []byte(l))
		}
		size += int64(len(lines))
		if withHead {
			b.Rows = append(b.Rows, vault.Row{Key: "head", Seq: size - 1, Data: head[size%3:]})
		}
		return s.Update(context.Background(), b.First, func([]vault.Row) (vault.Batch, error) { return b, nil })
	}
}

// rate is operations a second of so many callers, over a tenth of a second.
func rate(b *testing.B, callers int, commit func(string) error) float64 {
	line := strings.Repeat("l", 350)
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(start) < 100*time.Millisecond {
				if err := commit(line); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
