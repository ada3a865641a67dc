// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// pair is two vaults on one store, as two processes are. What b does between the early decision of a and its commit is
// what a cache that is filled too early would miss.
type pair struct {
	a, b  *vault.Vault
	tap   *tap // of a
	op    *vault.Operator
	s     *vault.Session // in a
	clock *atomic.Int64
}

func newPair(t *testing.T, g vault.Grant) *pair {
	t.Helper()
	bed := newBed(t)
	p := &pair{clock: new(atomic.Int64)}
	start := time.Now()
	now := func(c *vault.Config) {
		c.Now = func() time.Time { return start.Add(time.Duration(p.clock.Load())) }
	}
	p.a, p.tap = bed.open(now)
	p.b, _ = bed.open(now)
	p.op = p.b.Operator("other")
	mustPut(t, p.op, bedPath, "one")
	p.s = at(p.a, mustIssue(t, p.op, g))
	if _, err := p.s.Claims(context.Background()); err != nil {
		t.Fatal(err)
	}
	// a knows the secret, and has it in its cache or not.
	if _, err := p.a.Operator("first").Get(context.Background(), vault.Request{Path: bedPath}); err != nil {
		t.Fatal(err)
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStaleRefused(t *testing.T) {
	ctx := context.Background()
	cases := []struct {
		name  string
		do    func(t *testing.T, p *pair)
		want  error
		cause string
	}{
		{"revoked", func(t *testing.T, p *pair) { must(t, p.op.Revoke(ctx, linkOf(t, p.s), "")) }, vault.ErrDeadToken, "revoked"},
		{"revoked by itself", func(t *testing.T, p *pair) { must(t, at(p.b, p.s).Revoke(ctx, linkOf(t, p.s), "")) }, vault.ErrDeadToken, "revoked"},
		{"path frozen", func(t *testing.T, p *pair) {
			must(t, p.op.Freeze(ctx, vault.Frozen{Kind: "path", Value: "production/*"}, ""))
		}, vault.ErrDenied, "frozen"},
		{"agent frozen", func(t *testing.T, p *pair) {
			must(t, p.op.Freeze(ctx, vault.Frozen{Kind: "agent", Value: "researcher"}, ""))
		}, vault.ErrDenied, "frozen"},
		{"expired", func(_ *testing.T, p *pair) { p.clock.Store(int64(time.Hour)) }, vault.ErrDeadToken, "expired"},
		{"used up", func(t *testing.T, p *pair) {
			for range 3 {
				wantValue(t, at(p.b, p.s), bedPath, "one", 1)
			}
		}, vault.ErrDeadToken, "used_up"},
		{"policy: tier", func(t *testing.T, p *pair) {
			must(t, p.op.SetPolicy(ctx, bedPath, vault.Policy{Tier: vault.Critical}, ""))
		}, vault.ErrDenied, "tier"},
		{"policy: expired", func(t *testing.T, p *pair) {
			must(t, p.op.SetPolicy(ctx, bedPath, vault.Policy{Expires: time.Unix(1, 0)}, ""))
		}, vault.ErrDenied, "secret_expired"},
		{"deleted", func(t *testing.T, p *pair) { must(t, p.op.Delete(ctx, vault.Request{Path: bedPath})) }, vault.ErrNotFound, "not_found"},
	}
	for _, c := range cases {
		for _, how := range []string{"Get", "Use"} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				p := newPair(t, reader(3))
				f := audit.Filter{Token: linkOf(t, p.s), Op: strings.ToLower(how)}
				ran := false
				p.tap.onceBefore(func() { ran = true; c.do(t, p) })
				var err error
				if how == "Get" {
					var it vault.Item
					it, err = p.s.Get(ctx, vault.Request{Path: bedPath})
					if it.Value.Reveal() != "" {
						t.Error("a value was released")
					}
				} else {
					err = p.s.Use(ctx, vault.Request{Path: bedPath}, func(vault.Item) error { t.Error("a value was lent"); return nil })
				}
				if !ran || !errors.Is(err, c.want) {
					t.Errorf("%v, want %v (race ran: %v)", err, c.want, ran)
				}
				wantLast(t, p.a, f, audit.Denied, c.cause)
				wantLast(t, p.b, f, audit.Denied, c.cause)
				verifies(t, p.a)
			})
		}
	}
}

// TestStaleReplaced: the value that is returned is that of the number that is returned, whatever happened in between.
func TestStaleReplaced(t *testing.T) {
	ctx := context.Background()
	for _, where := range []string{"before the commit", "while the value is read"} {
		t.Run(where, func(t *testing.T) {
			p := newPair(t, reader(3))
			if where == "before the commit" {
				p.tap.onceBefore(func() { mustPut(t, p.op, bedPath, "two") })
			} else {
				mustPut(t, p.op, bedPath, "not in the cache of a")
				_ = p.a.Log().Verify(ctx) // a learns of it
				p.tap.atRows(func(from string) error {
					if strings.HasPrefix(from, "x:") {
						p.tap.atRows(nil)
						mustPut(t, p.op, bedPath, "two")
					}
					return nil
				})
			}
			value, n, err := getPath(p.s, bedPath)
			if want := map[int]string{2: "two", 3: "two"}[n]; err != nil || value != want {
				t.Errorf("Get gave %q as version %d, %v", value, n, err)
			}
			// A version that is asked for by number is not replaced.
			p.tap.onceBefore(func() { mustPut(t, p.op, bedPath, "four") })
			it, err := p.s.Get(ctx, vault.Request{Path: bedPath, Version: 1})
			if err != nil || it.Value.Reveal() != "one" || it.Version != 1 {
				t.Errorf("Get of version 1 gave %q, %d, %v", it.Value.Reveal(), it.Version, err)
			}
			verifies(t, p.a)
		})
	}
}

// TestStaleUnsettled: a path that changes before each of ten commits is a conflict, and the record says so.
func TestStaleUnsettled(t *testing.T) {
	for _, changes := range []int{1, 9, 10, 17} {
		p := newPair(t, reader(5))
		n := 0
		p.tap.atUpdate(func(next func() error) error {
			if n < changes {
				n++
				mustPut(t, p.op, bedPath, fmt.Sprint("again ", n))
			}
			return next()
		})
		value, version, err := getPath(p.s, bedPath)
		p.tap.atUpdate(nil)
		if changes < 10 {
			if err != nil || value != fmt.Sprint("again ", changes) || version != changes+1 {
				t.Errorf("after %d changes: %q, %d, %v", changes, value, version, err)
			}
			continue
		}
		if !errors.Is(err, vault.ErrConflict) || value != "" || n != 10 {
			t.Errorf("after %d changes, %d of them seen: %q, %v", changes, n, value, err)
		}
		wantLast(t, p.a, audit.Filter{Op: "get", Agent: "researcher"}, audit.Denied, "unsettled")
		if got := len(logOf(t, p.a, audit.Filter{Op: "get", Agent: "researcher"})); got != 1 {
			t.Errorf("%d records of one Get", got)
		}
		wantUses(t, p.op, p.s, 0)
	}
}

func wantUses(t testing.TB, op *vault.Operator, s *vault.Session, want int) {
	t.Helper()
	states, err := op.Tokens(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	id := linkOf(t, s)
	for _, state := range states {
		if state.Link.ID == id {
			if state.Uses != want {
				t.Errorf("%d uses of %s, want %d", state.Uses, id, want)
			}
			return
		}
	}
	t.Errorf("no token %s", id)
}

// TestStaleLastUse: two vaults race for the last use, in both orders; no replay of what the other counted counts twice.
func TestStaleLastUse(t *testing.T) {
	p := newPair(t, reader(6))
	other := at(p.b, p.s)
	for i := range 3 { // each use of a has one of b before its commit
		p.tap.onceBefore(func() { wantValue(t, other, bedPath, "one", 1) })
		if i < 2 {
			wantValue(t, p.s, bedPath, "one", 1)
		}
	}
	// Five are gone; the hook of the third round makes b take the sixth.
	wantUsesOf(t, p, 4)
	p.tap.onceBefore(func() { wantValue(t, other, bedPath, "one", 1); wantValue(t, other, bedPath, "one", 1) })
	wantRefused(t, p.s, bedPath, vault.ErrDeadToken)
	wantLast(t, p.a, audit.Filter{Op: "get", Agent: "researcher"}, audit.Denied, "used_up")
	wantUsesOf(t, p, 6)
	if n := len(logOf(t, p.a, audit.Filter{Op: "get", Agent: "researcher", Outcome: audit.Granted})); n != 6 {
		t.Errorf("%d grants recorded", n)
	}
	verifies(t, p.b)
}

func wantUsesOf(t *testing.T, p *pair, want int) {
	t.Helper()
	p.tap.atUpdate(nil)
	wantUses(t, p.op, p.s, want)
	wantUses(t, p.a.Operator("first"), p.s, want)
}

// TestStaleHookControl: the same harness finds a door that decides early and commits what it decided.
func TestStaleHookControl(t *testing.T) {
	var mu sync.Mutex
	revoked := false
	door := func(beforeCommit func()) bool { // decides, then commits without deciding again
		mu.Lock()
		granted := !revoked
		mu.Unlock()
		beforeCommit()
		return granted
	}
	if !door(func() { mu.Lock(); revoked = true; mu.Unlock() }) {
		t.Error("the seeded bug was not found")
	}
}
