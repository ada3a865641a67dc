// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const (
	millionRecords = 1_000_000
	millionTokens  = 100_000
)

// BenchmarkMillion opens and verifies a vault with 1,000,000 records and 100,000 deciding rows. Making it takes a minute.
func BenchmarkMillion(b *testing.B) {
	dir := b.TempDir()
	makeMillion(b, dir)
	b.Run("open", func(b *testing.B) {
		for range b.N {
			v := openVault(b, dir)
			b.StopTimer()
			_ = v.Close()
			b.StartTimer()
		}
	})
	v := openVault(b, dir)
	defer v.Close()
	b.Run("sha256", func(b *testing.B) {
		line := make([]byte, 330)
		for range b.N {
			for range millionRecords {
				sha256.Sum256(line)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		var most atomic.Uint64
		done := make(chan struct{})
		go watchHeap(&most, done)
		for range b.N {
			if err := v.Log().Verify(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		close(done)
		b.ReportMetric(float64(most.Load())/(1<<20), "MiB-heap")
	})
}

// watchHeap notes the largest heap until done.
func watchHeap(most *atomic.Uint64, done chan struct{}) {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
		}
	}
}

func openVault(b *testing.B, dir string) *vault.Vault {
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "vault.db"))
	if err != nil {
		b.Fatal(err)
	}
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func makeMillion(b *testing.B, dir string) {
	ctx := context.Background()
	v := openVault(b, dir)
	defer v.Close()
	op := v.Operator("bench")
	if _, err := op.Put(ctx, vault.Item{Path: benchPath, Value: vault.NewSecret("value")}); err != nil {
		b.Fatal(err)
	}
	grant := vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/search/*"), TTL: 20 * time.Hour, MaxUses: 1 << 30}
	var left atomic.Int64
	left.Store(millionTokens)
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				s, err := op.Issue(ctx, grant)
				for range millionRecords/millionTokens - 1 {
					if err == nil {
						_, err = s.Get(ctx, benchRequest)
					}
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	n := int64(0)
	for r, err := range v.Log().Records(ctx, audit.Filter{Since: millionRecords}) {
		if err != nil {
			b.Fatal(err)
		}
		n = r.Seq
	}
	if n < millionRecords {
		b.Fatalf("only %d records", n)
	}
}
