// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// countingStore counts the commits and the rows that they write.
type countingStore struct {
	vault.Store
	commits, rows atomic.Int64
}

func (s *countingStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	return s.Store.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		b, err := fn(changed)
		s.commits.Add(1)
		s.rows.Add(int64(len(b.Rows)))
		return b, err
	})
}

// measure is how many commits and rows f causes.
func (s *countingStore) measure(f func()) (commits, rows int64) {
	c, r := s.commits.Load(), s.rows.Load()
	f()
	return s.commits.Load() - c, s.rows.Load() - r
}

func countingVault(t *testing.T) (*countingStore, *vault.Operator) {
	t.Helper()
	store := &countingStore{Store: memory.New()}
	v, err := vault.Open(t.Context(), vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(t.TempDir(), "root.key"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	op := v.Operator("numbers")
	if _, err := op.Put(t.Context(), vault.Item{Path: benchPath, Value: vault.NewSecret("value")}); err != nil {
		t.Fatal(err)
	}
	return store, op
}

// Revoke is one commit that writes one row and the head, whatever hangs below the link; and everything below is dead.
func TestRevokeIsOneCommit(t *testing.T) {
	const children = 2000
	store, op := countingVault(t)
	grant := vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour}
	parent, err := op.Issue(t.Context(), grant)
	if err != nil {
		t.Fatal(err)
	}
	var sessions []*vault.Session
	for i := range children {
		child, err := parent.Issue(t.Context(), vault.Grant{Agent: fmt.Sprintf("a/c%d", i), MaxUses: 5})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := child.Get(t.Context(), vault.Request{Path: benchPath}); err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, child)
	}
	claims, err := parent.Claims(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	commits, rows := store.measure(func() { err = op.Revoke(t.Context(), claims[0].ID, "test") })
	if err != nil || commits != 1 || rows != 2 {
		t.Errorf("Revoke: %v, %d commits, %d rows; want 1 commit of 2 rows", err, commits, rows)
	}
	t.Logf("%d commit, %d tokens below", commits, len(sessions))
	for _, s := range sessions[:20] { // more in a second would be counted, not recorded; refused all the same
		if _, err := s.Get(t.Context(), vault.Request{Path: benchPath}); !errors.Is(err, vault.ErrDeadToken) {
			t.Fatalf("a child lives: %v", err)
		}
	}
}

// A counted token costs one more row of the same commit, and no commit of its own.
func TestCountedTokenNoExtraCommit(t *testing.T) {
	store, op := countingVault(t)
	for _, c := range []struct{ uses, rows int }{{0, 1}, {10, 2}} {
		s, err := op.Issue(t.Context(), vault.Grant{
			Agent: "a", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour, MaxUses: c.uses,
		})
		if err != nil {
			t.Fatal(err)
		}
		commits, rows := store.measure(func() { _, err = s.Get(t.Context(), vault.Request{Path: benchPath}) })
		if err != nil || commits != 1 || rows != int64(c.rows) {
			t.Errorf("MaxUses %d: %v, %d commits, %d rows; want 1 commit of %d rows", c.uses, err, commits, rows, c.rows)
		}
	}
}

// Get on the memory store stays within its budget of allocations, committer and store included.
func TestGetAllocations(t *testing.T) {
	_, op := countingVault(t)
	s, err := op.Issue(t.Context(), vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	got := testing.AllocsPerRun(2000, func() {
		if _, err := s.Get(ctx, vault.Request{Path: benchPath, Reason: "search"}); err != nil {
			t.Error(err)
		}
	})
	if got > 12 {
		t.Errorf("Get allocates %.0f times, want at most 12", got)
	}
}
