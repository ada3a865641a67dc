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
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const benchPath = "production/search/tavily-key"

var benchRequest = vault.Request{Path: benchPath, Reason: "search the web for what the user asked, second try of three"}

// BenchmarkGet measures a recorded, durable Get beside raw group commit of lines of the same size, in the same run: the two
// take turns, a slice of the calls each, and the reported ratio is the median over the turns.
func BenchmarkGet(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			v, s := benchVault(b, b.TempDir(), 0)
			raw := newRawCommits(b, filepath.Join(b.TempDir(), "raw.db"))
			defer raw.close()
			line := strings.Repeat("x", recordSize(b, v))
			takeTurns(b, callers, "raw", func() error { return raw.commit(line) }, func() error {
				_, err := s.Get(context.Background(), benchRequest)
				return err
			})
		})
	}
}

// BenchmarkCounted measures a Get under a token with a limit of uses beside one under a token without.
func BenchmarkCounted(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			_, plain := benchVault(b, b.TempDir(), 0)
			_, counted := benchVault(b, b.TempDir(), 1<<40)
			takeTurns(b, callers, "uncounted", func() error {
				_, err := plain.Get(context.Background(), benchRequest)
				return err
			}, func() error {
				_, err := counted.Get(context.Background(), benchRequest)
				return err
			})
		})
	}
}

func benchVault(b *testing.B, dir string, uses int) (*vault.Vault, *vault.Session) {
	b.Helper()
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "vault.db"))
	if err != nil {
		b.Fatal(err)
	}
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = v.Close() })
	op := v.Operator("bench")
	if _, err := op.Put(ctx, vault.Item{Path: benchPath, Value: vault.NewSecret(strings.Repeat("v", 64))}); err != nil {
		b.Fatal(err)
	}
	s, err := op.Issue(ctx, vault.Grant{
		Agent: "researcher", Run: "r7", Scopes: scope.MustParse("secrets:read:production/search/*"), TTL: time.Hour, MaxUses: uses,
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Get(ctx, benchRequest); err != nil {
		b.Fatal(err)
	}
	return v, s
}

// recordSize is the length of the record of the newest Get.
func recordSize(b *testing.B, v *vault.Vault) (n int) {
	for r, err := range v.Log().Records(context.Background(), audit.Filter{Op: "get"}) {
		if err != nil {
			b.Fatal(err)
		}
		line, err := r.MarshalJSON()
		if err != nil {
			b.Fatal(err)
		}
		n = len(line)
	}
	return n
}

// takeTurns runs b.N calls of each, in slices, with the given number of callers, and reports nanoseconds a call and the ratio
// of the rates: 1 is as fast as the baseline.
func takeTurns(b *testing.B, callers int, name string, baseline, measured func() error) {
	const turns = 10
	var base, own time.Duration
	var ratios []float64
	n := max(b.N/turns, callers)
	for range turns {
		x, y := timed(b, callers, n, baseline), timed(b, callers, n, measured)
		base, own = base+x, own+y
		ratios = append(ratios, float64(x)/float64(y))
	}
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(base.Nanoseconds())/float64(n*turns), name+"-ns")
	b.ReportMetric(float64(own.Nanoseconds())/float64(n*turns), "own-ns")
	b.ReportMetric((ratios[turns/2]+ratios[turns/2-1])/2, "rate/"+name)
}

func timed(b *testing.B, callers, n int, f func() error) time.Duration {
	var wg sync.WaitGroup
	start := time.Now()
	for i := range callers {
		wg.Go(func() {
			for j := i; j < n; j += callers {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}
