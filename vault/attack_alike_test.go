// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// TestAttackTokens: what an operator sees is what works.
func TestAttackTokens(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	local := netip.Addr{}
	grant := vault.Grant{Agent: "r", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour}
	alive := a.issue(vault.Grant{TTL: 2 * time.Hour})
	cred, keyID := a.newKey(vault.Key{Limits: vault.Grant{Scopes: grant.Scopes}})
	short, _ := a.newKey(vault.Key{Expires: a.clock.now().Add(10 * time.Minute), Limits: vault.Grant{Scopes: grant.Scopes}})
	issue := func(s *vault.Session, g vault.Grant) *vault.Session {
		child, err := s.Issue(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		return child
	}
	ofKey := issue(a.v.Session(cred, local), grant)
	tenMinutes := grant
	tenMinutes.TTL = 10 * time.Minute
	ofShort := issue(a.v.Session(short, local), tenMinutes)
	revoked := a.issue(vault.Grant{})
	below := issue(revoked, vault.Grant{Description: "below"})
	var spawned *vault.Session
	if err := a.op.Spawn(ctx, grant, func(_ context.Context, s *vault.Session) error { spawned = s; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{keyID, attackLink(t, revoked)} {
		if err := a.op.Revoke(ctx, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	a.clock.add(10 * time.Minute)
	states, err := a.op.Tokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{} // as one that works
	for _, s := range states {
		shown[s.Link.ID] = !s.Revoked
	}
	for name, s := range map[string]*vault.Session{"alive": alive, "of a revoked key": ofKey, "of an expired key": ofShort, "revoked": revoked, "below one that is revoked": below, "of an ended spawn": spawned} {
		t.Run(name, func(t *testing.T) {
			c, err := s.Claims(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if works := attackGet(s, attackPath) == nil; works != shown[c[len(c)-1].ID] {
				t.Errorf("it works: %v; Tokens shows it as alive: %v", works, shown[c[len(c)-1].ID])
			}
		})
	}
}

// TestAttackKeyAlike: every process reads the same limits of a key.
func TestAttackKeyAlike(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	k := vault.Key{Name: "k", Expires: a.clock.now().Add(time.Hour), Limits: vault.Grant{TTL: 1500 * time.Millisecond, Scopes: scope.MustParse("secrets:*:*")}}
	if _, _, err := a.op.NewKey(ctx, k, ""); err != nil {
		return // refusing it is fine
	}
	here, err1 := a.op.Keys(ctx)
	there, err2 := a.open(vault.Config{}).Operator("o").Keys(ctx)
	if err1 != nil || err2 != nil || len(here) != 1 || len(there) != 1 {
		t.Fatal(err1, err2)
	}
	if h, r := here[0].Limits.TTL, there[0].Limits.TTL; h != r {
		t.Errorf("TTL is %v here, %v in another process", h, r)
	}
}

// TestAttackKeyAliases: a slice that the caller keeps does not widen a key after it was made.
func TestAttackKeyAliases(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	networks := attackNets("10.0.0.0/8")
	cred, _ := a.newKey(vault.Key{Limits: vault.Grant{Networks: networks}})
	issue := func(from string) func() error {
		return func() error {
			_, err := a.v.Session(cred, netip.MustParseAddr(from)).Issue(ctx, vault.Grant{Agent: "a", TTL: time.Minute, Scopes: scope.MustParse("secrets:read:" + attackPath)})
			return err
		}
	}
	for _, c := range []struct {
		name  string
		spoil func()
	}{
		{"nothing", func() {}},
		{"the slice that NewKey was given", func() { networks[0] = netip.MustParsePrefix("0.0.0.0/0") }},
		{"the slice that Keys answered", func() {
			keys, err := a.op.Keys(ctx)
			if err != nil {
				t.Fatal(err)
			}
			keys[0].Limits.Networks[0] = netip.MustParsePrefix("0.0.0.0/0")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := *a
			a.t = t
			c.spoil()
			a.run(allow("from home", "issue", issue("10.1.2.3")), deny("from elsewhere", "issue", vault.ErrDeadToken, "network", issue("8.8.8.8")))
		})
		networks[0] = netip.MustParsePrefix("10.0.0.0/8")
	}
}

// TestAttackAliases: slices and maps that a caller keeps change nothing in the vault.
func TestAttackAliases(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	hosts, networks, meta := []string{"a.example.com"}, attackNets("10.0.0.0/8"), map[string]string{"k": "v"}
	if _, err := a.op.Put(ctx, vault.Item{Path: "alias/x", Value: vault.NewSecret(attackValue), Policy: vault.Policy{Hosts: hosts, Networks: networks}, Metadata: meta}); err != nil {
		t.Fatal(err)
	}
	spoil := func() {
		hosts[0], networks[0], meta["k"] = "evil.example.com", netip.MustParsePrefix("0.0.0.0/0"), "changed"
	}
	check := func(when string) {
		t.Helper()
		it, err := a.op.Get(ctx, vault.Request{Path: "alias/x"})
		if err != nil || it.Policy.Hosts[0] != "a.example.com" || it.Policy.Networks[0].Bits() != 8 || it.Metadata["k"] != "v" {
			t.Errorf("%s: %+v, %v", when, it, err)
		}
		hosts, networks, meta = it.Policy.Hosts, it.Policy.Networks, it.Metadata
	}
	spoil()
	check("what Put was given")
	spoil()
	check("what Get answered")
	g := vault.Grant{Networks: attackNets("10.0.0.0/8")}
	s := a.issue(g)
	g.Networks[0] = netip.MustParsePrefix("0.0.0.0/0")
	home := a.v.Session(s.Token(), attackHome)
	c, err := home.Claims(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c[0].Grant.Networks[0], c[0].Grant.Scopes = netip.MustParsePrefix("0.0.0.0/0"), scope.Set{}
	a.run(allow("from home", "get", getting(home, attackPath)), deny("from elsewhere", "get", vault.ErrDeadToken, "network", getting(a.v.Session(s.Token(), netip.MustParseAddr("8.8.8.8")), attackPath)))
	if c, err = home.Claims(ctx); err != nil || c[0].Grant.Networks[0].Bits() != 8 {
		t.Errorf("what Claims answered is the session's own: %v", err)
	}
}
