// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// TestStaleDeletedElsewhere: a value that another process has deleted is not found. It is not tampering, although its row is
// gone while this process still holds the row that names it.
func TestStaleDeletedElsewhere(t *testing.T) {
	ctx := context.Background()
	t.Run("before the call", func(t *testing.T) {
		p := newPair(t, reader(0))
		mustPut(t, p.op, bedPath, "two")
		_ = p.a.Log().Verify(ctx) // a knows of version 2 and has not read it
		must(t, p.op.Delete(ctx, vault.Request{Path: bedPath}))
		wantRefused(t, p.s, bedPath, vault.ErrNotFound)
		wantLast(t, p.a, audit.Filter{Op: "get", Agent: "researcher"}, audit.Denied, "not_found")
	})
	t.Run("while it is read", func(t *testing.T) {
		p := newPair(t, reader(0))
		mustPut(t, p.op, bedPath, "two")
		_ = p.a.Log().Verify(ctx)
		p.tap.atRows(func(from string) error {
			if strings.HasPrefix(from, "x:") {
				p.tap.atRows(nil)
				must(t, p.op.Delete(ctx, vault.Request{Path: bedPath}))
			}
			return nil
		})
		wantRefused(t, p.s, bedPath, vault.ErrNotFound)
		wantLast(t, p.a, audit.Filter{Op: "get", Agent: "researcher"}, audit.Denied, "not_found")
	})
	t.Run("the newest of two", func(t *testing.T) {
		p := newPair(t, reader(0))
		mustPut(t, p.op, bedPath, "two")
		_ = p.a.Log().Verify(ctx)
		must(t, p.op.Delete(ctx, vault.Request{Path: bedPath, Version: 2}))
		mustPut(t, p.op, bedPath, "three")
		wantValue(t, p.s, bedPath, "three", 3)
	})
	t.Run("control", func(t *testing.T) { // the row is gone and nobody deleted it
		p := newPair(t, reader(0))
		mustPut(t, p.op, bedPath, "two")
		d := dumpOf(t, p.tap.Store)
		p.tap.Store = d.with("x:"+bedPath+":2", 0, nil).store(t)
		_ = p.a.Log().Verify(ctx)
		wantRefused(t, p.s, bedPath, vault.ErrTampered)
		wantLast(t, p.a, audit.Filter{Op: "get", Agent: "researcher"}, audit.Failed, "tampered")
	})
}

// TestStaleAnswers: what lists answers with the state at its record, not with what this process happened to know.
func TestStaleAnswers(t *testing.T) {
	ctx := context.Background()
	p := newPair(t, reader(0))
	first := p.a.Operator("first")
	mustPut(t, p.op, "production/new", "new")
	if items, err := p.s.List(ctx, vault.Request{Path: "*"}); err != nil || len(items) != 2 {
		t.Errorf("List after another process's Put: %d items, %v", len(items), err)
	}
	mustPut(t, p.op, bedPath, "two")
	if items, err := p.s.Versions(ctx, vault.Request{Path: bedPath}); err != nil || len(items) != 2 {
		t.Errorf("Versions after another process's Put: %d items, %v", len(items), err)
	}
	mustPut(t, p.op, bedPath, "leaked")
	if items, err := first.Whose(ctx, vault.NewSecret("leaked")); err != nil || len(items) != 1 {
		t.Errorf("Whose after another process's Put: %d items, %v", len(items), err)
	}
	_, _, err := p.op.NewKey(ctx, vault.Key{Name: "k", Expires: time.Now().Add(time.Hour), Limits: vault.Grant{Scopes: scope.MustParse("secrets:read:*")}}, "")
	must(t, err)
	if keys, err := first.Keys(ctx); err != nil || len(keys) != 1 {
		t.Errorf("Keys after another process's NewKey: %d, %v", len(keys), err)
	}
	must(t, p.op.Revoke(ctx, linkOf(t, p.s), ""))
	states, err := first.Tokens(ctx)
	if err != nil || len(states) != 1 || !states[0].Revoked {
		t.Errorf("Tokens after another process's Revoke: %+v, %v", states, err)
	}
}

// TestStaleListFrozen: a freeze hides a path from a token's List in every process.
func TestStaleListFrozen(t *testing.T) {
	ctx := context.Background()
	p := newPair(t, reader(0))
	must(t, p.op.Freeze(ctx, vault.Frozen{Kind: "path", Value: bedPath}, ""))
	if items, err := p.s.List(ctx, vault.Request{Path: "*"}); err != nil || len(items) != 0 {
		t.Errorf("List after another process's Freeze of its one path: %d items, %v", len(items), err)
	}
}

// TestStaleNewKey: a credential works in every process at once, and ends in every process at once.
func TestStaleNewKey(t *testing.T) {
	ctx := context.Background()
	p := newPair(t, reader(0))
	_, cred, err := p.op.NewKey(ctx, vault.Key{Name: "remote", Operator: true, Expires: time.Now().Add(time.Hour)}, "")
	must(t, err)
	remote := p.a.Remote(cred, noAddr)
	wantValue(t, remote, bedPath, "one", 1)
	keys, err := p.op.Keys(ctx)
	must(t, err)
	must(t, p.op.Revoke(ctx, keys[0].ID, ""))
	wantRefused(t, remote, bedPath, vault.ErrDeadToken)
	if _, err := remote.Keys(ctx); !errors.Is(err, vault.ErrDeadToken) {
		t.Errorf("Keys by an operator who was revoked: %v", err)
	}
}

// TestStaleGrants: what was refused on old rows is not refused any more.
func TestStaleGrants(t *testing.T) {
	ctx := context.Background()
	p := newPair(t, reader(0))
	const other = "production/search/other"
	p.tap.onceBefore(func() { mustPut(t, p.op, other, "new") })
	wantValue(t, p.s, other, "new", 1)
	must(t, p.op.SetPolicy(ctx, bedPath, vault.Policy{Tier: vault.Critical}, ""))
	wantRefused(t, p.s, bedPath, vault.ErrDenied)
	p.tap.onceBefore(func() { must(t, p.op.SetPolicy(ctx, bedPath, vault.Policy{}, "")) })
	wantValue(t, p.s, bedPath, "one", 1)
	must(t, p.op.Freeze(ctx, vault.Frozen{Kind: "path", Value: bedPath}, ""))
	wantRefused(t, p.s, bedPath, vault.ErrDenied)
	p.tap.onceBefore(func() { must(t, p.op.Thaw(ctx, vault.Frozen{Kind: "path", Value: bedPath}, "")) })
	wantValue(t, p.s, bedPath, "one", 1)
	// A policy that changes and still allows.
	p.tap.onceBefore(func() { must(t, p.op.SetPolicy(ctx, bedPath, vault.Policy{Type: "api_key"}, "")) })
	it, err := p.s.Get(ctx, vault.Request{Path: bedPath})
	if err != nil || it.Policy.Type != "api_key" {
		t.Errorf("Get gave policy %+v, %v", it.Policy, err)
	}
}

// TestStaleWrites: a put and a delete that were decided on old rows.
func TestStaleWrites(t *testing.T) {
	ctx := context.Background()
	g := reader(0)
	g.Scopes = scope.MustParse("secrets:*:*")
	p := newPair(t, g)
	p.tap.onceBefore(func() { mustPut(t, p.op, bedPath, "two") })
	if n := mustPut(t, p.s, bedPath, "three"); n != 3 {
		t.Errorf("version %d", n)
	}
	wantValue(t, p.op, bedPath, "three", 3)
	p.tap.onceBefore(func() { mustPut(t, p.op, bedPath, "four") })
	if _, err := p.s.Put(ctx, vault.Item{Path: bedPath, Version: 4, Value: vault.NewSecret("mine")}); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("check-and-set on an old number: %v", err)
	}
	p.tap.onceBefore(func() { mustPut(t, p.op, bedPath, "five") })
	must(t, p.s.Delete(ctx, vault.Request{Path: bedPath}))
	wantRefused(t, p.s, bedPath, vault.ErrNotFound)
	p.tap.onceBefore(func() {
		must(t, p.op.Delete(ctx, vault.Request{Path: bedPath, Version: mustPut(t, p.op, bedPath, "six")}))
	})
	if err := p.s.Delete(ctx, vault.Request{Path: bedPath}); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("Delete of what is gone: %v", err)
	}
	p.tap.onceBefore(func() { mustPut(t, p.op, "Production/search/key2", "x") })
	if _, err := p.s.Put(ctx, vault.Item{Path: "production/search/key2", Value: vault.NewSecret("y")}); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("a path that differs by case alone: %v", err)
	}
	verifies(t, p.a)
}
