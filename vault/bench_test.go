// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const benchPath = "production/search/tavily-key"

// BenchmarkGetMemory measures a whole Get on the memory store: decided twice, decrypted, recorded, hashed into the log and
// bound to the head. The baseline is what cannot be saved: opening 64 bytes of AES-256-GCM.
func BenchmarkGetMemory(b *testing.B) {
	b.Run("baseline=aes-gcm-open", benchOpen)
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := benchSession(b)
			b.ReportAllocs()
			share(b, callers, func() error {
				_, err := s.Get(context.Background(), vault.Request{Path: benchPath, Reason: "search the web for the user"})
				return err
			})
		})
	}
}

func benchOpen(b *testing.B) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		b.Fatal(err)
	}
	sealed := gcm.Seal(nil, nil, make([]byte, 64), []byte(benchPath))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gcm.Open(nil, nil, sealed, []byte(benchPath)); err != nil {
			b.Fatal(err)
		}
	}
}

func benchSession(b *testing.B) *vault.Session {
	ctx := context.Background()
	v, err := vault.Open(ctx, vault.Config{Store: memory.New(), Root: kms.KeyFile(filepath.Join(b.TempDir(), "root.key"))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = v.Close() })
	op := v.Operator("bench")
	if _, err := op.Put(ctx, vault.Item{Path: benchPath, Value: vault.NewSecret(strings.Repeat("v", 64))}); err != nil {
		b.Fatal(err)
	}
	s, err := op.Issue(ctx, vault.Grant{
		Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/search/*"), TTL: time.Hour,
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// share runs b.N calls of f, divided among goroutines.
func share(b *testing.B, callers int, f func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}
