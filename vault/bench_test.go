// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const benchPath = "production/search/tavily-key"

func benchSession(b *testing.B, s vault.Store, uses int) *vault.Session {
	ctx := context.Background()
	v, err := vault.Open(ctx, vault.Config{Store: s, Root: kms.KeyFile(filepath.Join(b.TempDir(), "root.key"))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = v.Close() })
	op := v.Operator("bench")
	if _, err := op.Put(ctx, vault.Item{Path: benchPath, Value: vault.NewSecret("a value of sixty-four bytes, as long as most API keys of vendors.")}); err != nil {
		b.Fatal(err)
	}
	session, err := op.Issue(ctx, vault.Grant{
		Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/search/*"), TTL: time.Hour, MaxUses: uses,
	})
	if err != nil {
		b.Fatal(err)
	}
	return session
}

func get(b *testing.B, s *vault.Session) {
	it, err := s.Get(context.Background(), vault.Request{Path: benchPath, Reason: "search the web for the user"})
	if err != nil {
		b.Error(err)
	}
	_ = it
}

func BenchmarkGetMemory(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(callersName(callers), func(b *testing.B) {
			s := benchSession(b, memory.New(), 0)
			b.ReportAllocs()
			run(b, callers, func() { get(b, s) })
		})
	}
}
