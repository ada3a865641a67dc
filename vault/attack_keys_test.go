// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// TestAttackAgentKeys: an agent key can only issue, and only inside its limits, and what it issued ends with it.
func TestAttackAgentKeys(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	limits := vault.Grant{
		Agent: "researcher", User: "u1", Tenant: "t1", TTL: time.Hour, MaxUses: 5,
		Scopes: scope.MustParse("secrets:read:production/search/*"), Networks: attackNets("10.0.0.0/8"),
	}
	cred, id := a.newKey(vault.Key{Limits: limits})
	s := a.v.Session(cred, attackHome)
	mine := scope.MustParse("secrets:read:" + attackPath)
	issue := func(change func(g *vault.Grant)) func() error {
		return func() error {
			g := vault.Grant{Agent: "researcher/x", Scopes: mine, TTL: time.Hour}
			change(&g)
			_, err := s.Issue(ctx, g)
			return err
		}
	}
	wide := func(name string, change func(g *vault.Grant)) try {
		return deny(name, "issue", vault.ErrDenied, "widens", issue(change))
	}
	bad := func(name string, change func(g *vault.Grant)) try {
		return deny(name, "issue", vault.ErrInvalid, "invalid", issue(change))
	}
	a.run(
		allow("below its agent", "issue", issue(func(*vault.Grant) {})),
		allow("its agent", "issue", issue(func(g *vault.Grant) { g.Agent = "researcher" })),
		allow("its agent if none is named", "issue", issue(func(g *vault.Grant) { g.Agent = "" })),
		allow("its user", "issue", issue(func(g *vault.Grant) { g.User = "u1" })),
		allow("its uses", "issue", issue(func(g *vault.Grant) { g.MaxUses = 5 })),
		allow("a run of its own", "issue", issue(func(g *vault.Grant) { g.Run = "r" })),
		allow("inside its networks", "issue", issue(func(g *vault.Grant) { g.Networks = attackNets("10.1.0.0/16") })),
		wide("another agent", func(g *vault.Grant) { g.Agent = "writer" }),
		wide("an agent beside", func(g *vault.Grant) { g.Agent = "researcher2" }),
		wide("an agent above", func(g *vault.Grant) { g.Agent = "x/researcher" }),
		wide("an agent in another case", func(g *vault.Grant) { g.Agent = "Researcher" }),
		bad("an agent with dots", func(g *vault.Grant) { g.Agent = "researcher/../writer" }),
		wide("another user", func(g *vault.Grant) { g.User = "u2" }),
		wide("another tenant", func(g *vault.Grant) { g.Tenant = "t2" }),
		wide("a longer life", func(g *vault.Grant) { g.TTL = time.Hour + time.Second }),
		wide("more uses", func(g *vault.Grant) { g.MaxUses = 6 }),
		wide("another path", func(g *vault.Grant) { g.Scopes = scope.MustParse("secrets:read:*") }),
		wide("another verb", func(g *vault.Grant) { g.Scopes = scope.MustParse("secrets:*:" + attackPath) }),
		wide("a wider network", func(g *vault.Grant) { g.Networks = attackNets("10.0.0.0/7") }),
		bad("no scope", func(g *vault.Grant) { g.Scopes = scope.Set{} }),
		bad("no life", func(g *vault.Grant) { g.TTL = 0 }),
		bad("a negative life", func(g *vault.Grant) { g.TTL = -1 }),
		deny("from elsewhere", "issue", vault.ErrDeadToken, "network", func() error {
			_, err := a.v.Session(cred, netip.MustParseAddr("192.168.1.1")).Issue(ctx, vault.Grant{Agent: "researcher", Scopes: mine, TTL: time.Hour})
			return err
		}),
		deny("to read", "get", vault.ErrDenied, "not_for_this_credential", getting(s, attackPath)),
		deny("to revoke itself", "revoke", vault.ErrDenied, "not_for_this_credential", func() error { return s.Revoke(ctx, id, "") }),
	)

	child, err := s.Issue(ctx, vault.Grant{Scopes: mine, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Issue(ctx, vault.Grant{Scopes: mine, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	tries := []try{
		deny("its token from elsewhere", "get", vault.ErrDeadToken, "network", getting(a.v.Session(child.Token(), netip.MustParseAddr("11.0.0.1")), attackPath)),
		deny("its token outside the key's scope", "get", vault.ErrDenied, "scope", getting(child, attackOther)),
		deny("its token on the key", "revoke", vault.ErrDenied, "scope", func() error { return child.Revoke(ctx, id, "") }),
		deny("its token on a sister", "revoke", vault.ErrDenied, "scope", func() error {
			c, _ := other.Claims(ctx)
			return child.Revoke(ctx, c[1].ID, "")
		}),
	}
	for i := range 5 {
		tries = append(tries, allow("one of five uses", "get", getting([]*vault.Session{child, other}[i%2], attackPath)))
	}
	tries = append(tries, deny("the sixth of all its tokens", "get", vault.ErrDeadToken, "used_up", getting(other, attackPath)))
	a.run(tries...)
}

// TestAttackKeyEnds: a key ends by revocation and at its very expiry, and all below it.
func TestAttackKeyEnds(t *testing.T) {
	for _, end := range []string{"revoked", "expired"} {
		a := attack(t)
		ctx := context.Background()
		grant := vault.Grant{Agent: "r", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour}
		beside := a.issue(vault.Grant{})
		cred, id := a.newKey(vault.Key{Expires: a.clock.now().Add(time.Hour + 10*time.Second), Limits: vault.Grant{Scopes: grant.Scopes}})
		opCred, opID := a.newKey(vault.Key{Operator: true, Name: "remote", Expires: a.clock.now().Add(time.Hour + 10*time.Second)})
		s, remote := a.v.Session(cred, attackHome), a.v.Remote(opCred, attackHome)
		a.run(
			allow("the operator reads", "get", getting(remote, attackPath)),
			allow("and sets a policy", "policy", func() error { return remote.SetPolicy(ctx, attackOther, vault.Policy{}, "") }),
			allow("and asks for keys", "keys", func() error { _, err := remote.Keys(ctx); return err }),
		)
		if r := a.records(audit.Filter{Op: "get"}, -1)[0]; r.Operator != "remote" || r.Token != opID || r.Addr != attackHome.String() {
			t.Errorf("the operator is recorded as %s", r)
		}
		one, err1 := s.Issue(ctx, grant)
		two, err2 := one.Issue(ctx, vault.Grant{Description: "below"})
		three, err3 := remote.Issue(ctx, grant)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		below := []*vault.Session{one, two, three, a.v.Session(one.Token(), attackHome), a.v.Session(three.Token(), attackHome)}
		for _, b := range below {
			a.run(allow("below a key", "get", getting(b, attackPath)))
		}
		if end == "revoked" {
			a.run(
				allow("the key", "revoke", func() error { return a.op.Revoke(ctx, id, "") }), allow("the operator", "revoke", func() error { return a.op.Revoke(ctx, opID, "") }),
				deny("a key that is none", "revoke", vault.ErrNotFound, "no_key", func() error { return a.op.Revoke(ctx, "key:00000000000000000000000000000000", "") }),
			)
		} else {
			for i, cut := range []bool{true, false} { // just before, and at the expiry
				until := time.Hour
				if err := attackGet(one, attackPath); (err == nil) != cut {
					t.Errorf("%d: %v", i, err)
				}
				a.clock.add(until)
				if !cut {
					break
				}
			}
		}
		tries := []try{
			allow("beside", "get", getting(beside, attackPath)),
			deny("the key", "issue", vault.ErrDeadToken, "key_ended", func() error { _, err := s.Issue(ctx, grant); return err }),
			deny("the operator", "get", vault.ErrDeadToken, "key_ended", getting(remote, attackPath)),
			deny("the operator again", "revoke", vault.ErrDeadToken, "key_ended", func() error { return remote.Revoke(ctx, opID, "") }),
		}
		for _, b := range below {
			tries = append(tries, deny("below", "get", vault.ErrDeadToken, "key_ended", getting(b, attackPath)),
				deny("below", "issue", vault.ErrDeadToken, "key_ended", func() error { _, err := b.Issue(ctx, vault.Grant{Description: "more"}); return err }))
		}
		a.run(tries...)
	}
}

// TestAttackMaxTTL: the longest life holds at issue and, in a vault with a shorter one, at use.
func TestAttackMaxTTL(t *testing.T) {
	a := attack(t)
	strict := a.open(vault.Config{MaxTTL: time.Hour})
	tok := a.issue(vault.Grant{TTL: 24 * time.Hour}).Token()
	child, err := a.v.Session(tok, netip.Addr{}).Issue(t.Context(), vault.Grant{TTL: 23 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	here, there := a.v.Session(tok, netip.Addr{}), strict.Session(tok, netip.Addr{})
	below := strict.Session(child.Token(), netip.Addr{})
	a.clock.add(time.Hour - 4*time.Second)
	a.run(allow("a second before", "get", getting(there, attackPath)), allow("a second before", "get", getting(below, attackPath)))
	a.clock.add(time.Second)
	a.run(
		deny("at the end", "get", vault.ErrDeadToken, "expired", getting(there, attackPath)), deny("at the end", "get", vault.ErrDeadToken, "expired", getting(below, attackPath)),
		allow("where life is longer", "get", getting(here, attackPath)),
		deny("too long", "issue", vault.ErrDenied, "widens", func() error {
			_, err := strict.Operator("o").Issue(context.Background(), vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:*:*"), TTL: time.Hour + time.Second})
			return err
		}),
	)
}
