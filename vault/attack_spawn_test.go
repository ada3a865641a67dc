// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// TestAttackSpawn: a spawned token works while its function runs, here, and nowhere and never else.
func TestAttackSpawn(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	local := netip.Addr{}
	another := a.open(vault.Config{})
	parent := a.issue(vault.Grant{})
	sub := vault.Grant{Agent: "researcher/sub"}
	var sessions []*vault.Session
	all := func(cause string) (tries []try) {
		for _, s := range sessions {
			for name, s := range map[string]*vault.Session{"its session": s, "its bearer": a.v.Session(s.Token(), local)} {
				tries = append(tries, deny(name, "get", vault.ErrDeadToken, cause, getting(s, attackPath)),
					deny(name, "issue", vault.ErrDeadToken, cause, func() error { _, err := s.Issue(ctx, vault.Grant{Description: "more"}); return err }))
			}
			tries = append(tries, deny("in another process", "get", vault.ErrDeadToken, cause, getting(another.Session(s.Token(), local), attackPath)))
		}
		return append(tries, allow("the parent", "get", getting(parent, attackPath)))
	}
	within := func(s *vault.Session) {
		child, err := s.Issue(ctx, vault.Grant{Agent: "researcher/sub/a"})
		if err != nil {
			t.Fatal(err)
		}
		narrowed, err := child.Token().Narrow(vault.Grant{Description: "offline"})
		if err != nil {
			t.Fatal(err)
		}
		sessions = []*vault.Session{s, child, a.v.Session(narrowed, local), a.v.Session(attackExtend(s.Token(), attackNarrowing(map[byte]string{9: "by hand"})), local)}
		var tries []try
		for _, s := range sessions {
			tries = append(tries, allow("inside", "get", getting(s, attackPath)), allow("its bearer, inside", "get", getting(a.v.Session(s.Token(), local), attackPath)),
				deny("in another process, inside", "get", vault.ErrDeadToken, "spawn_ended", getting(another.Session(s.Token(), local), attackPath)))
		}
		a.run(tries...)
	}
	ended := func(n int) {
		t.Helper()
		if got := len(a.records(audit.Filter{Op: "revoke"}, 0)); got != n {
			t.Errorf("%d ends are recorded, want %d", got, n)
		}
	}

	t.Run("it returns", func(t *testing.T) {
		oops := errors.New("oops")
		err := parent.Spawn(ctx, sub, func(_ context.Context, s *vault.Session) error { within(s); return oops })
		if err != oops && !errors.Is(err, oops) {
			t.Errorf("the error of the function is %v", err)
		}
		a.run(all("spawn_ended")...)
		ended(1)
	})
	t.Run("it panics", func(t *testing.T) {
		func() {
			defer func() {
				if p := recover(); p != "boom" {
					t.Errorf("recovered %v", p)
				}
			}()
			_ = parent.Spawn(ctx, sub, func(_ context.Context, s *vault.Session) error { within(s); panic("boom") })
		}()
		a.run(all("spawn_ended")...)
		ended(2)
	})
	t.Run("its context ends first", func(t *testing.T) {
		own, cancel := context.WithCancel(ctx)
		err := parent.Spawn(own, sub, func(in context.Context, s *vault.Session) error {
			within(s)
			cancel()
			<-in.Done()
			for range a.v.Log().Follow(context.Background(), audit.Filter{Op: "revoke", Since: a.size() - 1}) {
				break // the end is recorded while the function runs
			}
			a.run(all("spawn_ended")...)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		ended(3)
	})
	t.Run("a spawn in a spawn", func(t *testing.T) {
		err := parent.Spawn(ctx, sub, func(ctx context.Context, s *vault.Session) error {
			return s.Spawn(ctx, vault.Grant{Agent: "researcher/sub/sub"}, func(_ context.Context, s *vault.Session) error {
				sessions = []*vault.Session{s}
				return attackGet(s, attackPath)
			})
		})
		if err != nil {
			t.Error(err)
		}
		a.run(all("spawn_ended")...)
		ended(5)
	})
	t.Run("the parent is revoked meanwhile", func(t *testing.T) {
		one := a.issue(vault.Grant{})
		err := one.Spawn(ctx, sub, func(_ context.Context, s *vault.Session) error {
			within(s)
			c, err := one.Claims(ctx)
			if err == nil {
				err = one.Revoke(ctx, c[0].ID, "")
			}
			tries := []try{allow("another", "get", getting(parent, attackPath))}
			for _, s := range sessions {
				tries = append(tries, deny("below", "get", vault.ErrDeadToken, "revoked", getting(s, attackPath)))
			}
			a.run(tries...)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("no function", func(t *testing.T) {
		if err := parent.Spawn(ctx, sub, nil); !errors.Is(err, vault.ErrInvalid) {
			t.Error(err)
		}
	})
}

// TestAttackSpawnLife: without a TTL a spawned token lasts as long as its parent, and an empty grant narrows nothing else.
func TestAttackSpawnLife(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	parent := a.issue(vault.Grant{TTL: time.Hour})
	cred, _ := a.newKey(vault.Key{Limits: vault.Grant{TTL: time.Hour, Scopes: scope.MustParse("secrets:*:*")}})
	key := a.v.Session(cred, netip.Addr{})
	grant := vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:*")}
	spawners := map[string]struct {
		by   door
		g    vault.Grant
		life time.Duration
	}{
		"from a token":                {parent, vault.Grant{Agent: "researcher/sub"}, time.Hour},
		"an empty grant from a token": {parent, vault.Grant{}, time.Hour},
		"from an operator":            {a.op, grant, 24 * time.Hour},
		"from an agent key":           {key, grant, time.Hour},
	}
	for name, c := range spawners {
		t.Run(name, func(t *testing.T) {
			start := a.clock.now()
			err := c.by.Spawn(ctx, c.g, func(_ context.Context, s *vault.Session) error {
				a.run(allow("inside", "get", getting(s, attackPath)))
				claims, err := s.Claims(ctx)
				end := start.Add(1000 * time.Hour)
				for _, l := range claims {
					if !l.Expires.IsZero() && l.Expires.Before(end) {
						end = l.Expires
					}
				}
				if end.Sub(start) > c.life {
					t.Errorf("a life of %v, want %v at most", end.Sub(start), c.life)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for name, ttl := range map[string]time.Duration{"negative": -1, "too short": 1, "too long": time.Hour + time.Second, "overflowing": 1 << 62} {
		err := parent.Spawn(ctx, vault.Grant{Agent: "researcher/sub", TTL: ttl}, func(context.Context, *vault.Session) error { t.Error("it ran"); return nil })
		if attackRefusal(err) == err {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.clock.add(time.Hour)
	err := parent.Spawn(ctx, vault.Grant{Agent: "researcher/sub"}, func(context.Context, *vault.Session) error { t.Error("it ran"); return nil })
	if !errors.Is(err, vault.ErrDeadToken) {
		t.Errorf("an expired parent: %v", err)
	}
}
