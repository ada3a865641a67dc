// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackLink is the id of a session's last link.
func attackLink(t *testing.T, s *vault.Session) string {
	t.Helper()
	c, err := s.Claims(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c[len(c)-1].ID
}

// TestAttackExpiry: at exactly its expiry a token is dead, and with it all below. Nothing revives it.
func TestAttackExpiry(t *testing.T) {
	a := attack(t)
	long := a.issue(vault.Grant{TTL: 2 * time.Hour})
	s := a.issue(vault.Grant{TTL: time.Minute})
	child, err := s.Issue(t.Context(), vault.Grant{TTL: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	a.clock.add(18 * time.Second)
	a.run(allow("a second before", "get", getting(child, attackPath)), deny("the child's second", "get", vault.ErrDeadToken, "expired", getting(child, attackPath)), allow("the parent", "get", getting(s, attackPath)))
	a.clock.add(37 * time.Second)
	a.run(allow("a second before", "get", getting(s, attackPath)))
	tries := []try{allow("one that lives longer", "get", getting(long, attackPath))}
	other := a.open(vault.Config{})
	for i := range 5 {
		for _, s := range []*vault.Session{s, child, a.v.Session(s.Token(), netip.Addr{}), other.Session(s.Token(), netip.Addr{})} {
			tries = append(tries, deny(fmt.Sprint("dead, ", i), "get", vault.ErrDeadToken, "expired", getting(s, attackPath)),
				deny("dead", "issue", vault.ErrDeadToken, "expired", func() error { _, err := s.Issue(context.Background(), vault.Grant{Description: "renewed"}); return err }),
				deny("dead", "revoke", vault.ErrDeadToken, "expired", func() error { return s.Revoke(context.Background(), attackLink(t, s), "") }))
		}
	}
	a.run(tries...)
	// A wall clock set back revives nothing: up to two minutes it is made up for, beyond that nothing is granted.
	a.clock.add(-70 * time.Second)
	a.run(deny("set back by a minute", "get", vault.ErrDeadToken, "expired", getting(s, attackPath)), allow("set back", "get", getting(long, attackPath)))
	a.clock.add(-10 * 365 * 24 * time.Hour)
	for _, v := range []*vault.Vault{a.v, other, a.open(vault.Config{})} {
		if err := attackGet(v.Session(s.Token(), netip.Addr{}), attackPath); err == nil || !strings.Contains(err.Error(), "not valid") {
			t.Errorf("set back by 10 years: %v", err)
		}
		if err := attackGet(v.Session(long.Token(), netip.Addr{}), attackPath); err == nil || !strings.Contains(err.Error(), "clock") {
			t.Errorf("set back by 10 years, a live token: %v", err)
		}
		if err := attackGet(v.Operator("o"), attackPath); err == nil || !strings.Contains(err.Error(), "clock") {
			t.Errorf("set back by 10 years, an operator: %v", err)
		}
	}
}

// attackTree is a token with children and grandchildren.
type attackTree struct{ root, left, right, leaf, beside *vault.Session }

func (a *attacked) tree() (tr attackTree) {
	a.t.Helper()
	narrow := func(s *vault.Session, d string) *vault.Session {
		child, err := s.Issue(context.Background(), vault.Grant{Description: d})
		if err != nil {
			a.t.Fatal(err)
		}
		return child
	}
	tr.root, tr.beside = a.issue(vault.Grant{}), a.issue(vault.Grant{})
	tr.left, tr.right = narrow(tr.root, "left"), narrow(tr.root, "right")
	tr.leaf = narrow(tr.left, "leaf")
	return tr
}

// TestAttackRevoke: revocation of any link ends what is below it and nothing beside, at once, in every process.
func TestAttackRevoke(t *testing.T) {
	ctx := context.Background()
	local := netip.Addr{}
	for _, c := range []struct {
		name      string
		who, what func(tr attackTree) *vault.Session // who nil: an operator
		dead      string                             // of root, left, right, leaf
		denied    bool
	}{
		{"an operator the root", nil, func(tr attackTree) *vault.Session { return tr.root }, "root left right leaf", false},
		{"an operator the left", nil, func(tr attackTree) *vault.Session { return tr.left }, "left leaf", false},
		{"an operator the leaf", nil, func(tr attackTree) *vault.Session { return tr.leaf }, "leaf", false},
		{"the root itself", func(tr attackTree) *vault.Session { return tr.root }, func(tr attackTree) *vault.Session { return tr.root }, "root left right leaf", false},
		{"the root its leaf", func(tr attackTree) *vault.Session { return tr.root }, func(tr attackTree) *vault.Session { return tr.leaf }, "leaf", false},
		{"the left its leaf", func(tr attackTree) *vault.Session { return tr.left }, func(tr attackTree) *vault.Session { return tr.leaf }, "leaf", false},
		{"the leaf itself", func(tr attackTree) *vault.Session { return tr.leaf }, func(tr attackTree) *vault.Session { return tr.leaf }, "leaf", false},
		{"the left its sister", func(tr attackTree) *vault.Session { return tr.left }, func(tr attackTree) *vault.Session { return tr.right }, "", true},
		{"the left its parent", func(tr attackTree) *vault.Session { return tr.left }, func(tr attackTree) *vault.Session { return tr.root }, "", true},
		{"the leaf its parent", func(tr attackTree) *vault.Session { return tr.leaf }, func(tr attackTree) *vault.Session { return tr.left }, "", true},
		{"the root a stranger", func(tr attackTree) *vault.Session { return tr.root }, func(tr attackTree) *vault.Session { return tr.beside }, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := attack(t)
			other := a.open(vault.Config{})
			tr := a.tree()
			named := map[string]*vault.Session{"root": tr.root, "left": tr.left, "right": tr.right, "leaf": tr.leaf}
			for _, s := range named { // so that every process has seen it alive
				if err := attackGet(other.Session(s.Token(), local), attackPath); err != nil {
					t.Fatal(err)
				}
			}
			id, by := attackLink(t, c.what(tr)), door(a.op)
			if c.who != nil {
				by = c.who(tr)
			}
			revoke := func() error { return by.Revoke(ctx, id, "leaked") }
			tries := []try{allow(c.name, "revoke", revoke), allow("beside", "get", getting(tr.beside, attackPath))}
			if c.denied {
				tries[0] = deny(c.name, "revoke", vault.ErrDenied, "scope", revoke)
			}
			for name, s := range named {
				for _, s := range []*vault.Session{other.Session(s.Token(), local), s, a.v.Session(s.Token(), local)} {
					if strings.Contains(c.dead, name) {
						tries = append(tries, deny(name, "get", vault.ErrDeadToken, "revoked", getting(s, attackPath)))
					} else {
						tries = append(tries, allow(name, "get", getting(s, attackPath)))
					}
				}
			}
			a.run(tries...)
			late := a.open(vault.Config{})
			for name, s := range named {
				if err := attackGet(late.Session(s.Token(), local), attackPath); (err != nil) != strings.Contains(c.dead, name) {
					t.Errorf("%s in a process that begins now: %v", name, err)
				}
			}
		})
	}
}

// TestAttackRevokeIDs: what is not the id of a link or key is refused, and not recorded.
func TestAttackRevokeIDs(t *testing.T) {
	a := attack(t)
	s := a.issue(vault.Grant{})
	own := attackLink(t, s)
	tries := []try{allow("its own", "revoke", func() error { return a.op.Revoke(context.Background(), own, "") })}
	for _, id := range []string{
		"", ".", "..", own + ".", "." + own, own + "..", own + "/", own[1:], own + "0", strings.ToUpper(own[:31] + "a"), own + "." + attackMark, attackMark, "key:", "key:" + attackMark, "key:" + own[1:],
		"KEY:" + own, "key:key:" + own, own + "\n", own + "\x00", "*", own + ".*", "t:" + own, strings.Repeat(own+".", 8) + own, strings.Repeat(own+".", 1000) + own, "\u202e" + own,
	} {
		tries = append(tries, deny(id, "revoke", vault.ErrInvalid, "invalid", func() error { return a.op.Revoke(context.Background(), id, "") }))
	}
	first := a.size()
	a.run(tries...)
	for _, r := range a.records(audit.Filter{Since: first, Outcome: audit.Denied}, 0) {
		if r.Target != "" || strings.Contains(r.String(), attackMark) {
			t.Errorf("recorded: %.200s", r)
		}
	}
}

// TestAttackFreeze: a freeze stops what it names and what is below, at any link, in every process, until it is thawed.
func TestAttackFreeze(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		kind, value string
		stopped     []vault.Grant
		free        []vault.Grant
	}{
		{"agent", "researcher", []vault.Grant{{Agent: "researcher"}, {Agent: "researcher/x"}}, []vault.Grant{{Agent: "researcher2"}, {Agent: "Researcher"}, {Agent: "x/researcher"}, {Agent: "w", User: "researcher"}}},
		{"agent", "researcher/x", []vault.Grant{{Agent: "researcher/x"}, {Agent: "researcher/x/y"}}, []vault.Grant{{Agent: "researcher"}, {Agent: "researcher/x2"}}},
		{"user", "u1", []vault.Grant{{User: "u1"}, {User: "u1", Run: "r"}}, []vault.Grant{{User: "u12"}, {User: "U1"}, {Run: "u1"}, {Tenant: "u1"}, {Agent: "u1"}, {}}},
		{"run", "r1", []vault.Grant{{Run: "r1"}}, []vault.Grant{{Run: "r2"}, {User: "r1"}, {}}},
		{"tenant", "t1", []vault.Grant{{Tenant: "t1"}}, []vault.Grant{{Tenant: "t2"}, {}}},
		{"path", attackPath, []vault.Grant{{}}, nil},
		{"path", "production/search/*", []vault.Grant{{}}, nil},
		{"path", "*", []vault.Grant{{}}, nil},
		{"path", "production/search", nil, []vault.Grant{{}}},
		{"path", "production/search/key/*", nil, []vault.Grant{{}}},
		{"path", "Production/search/*", nil, []vault.Grant{{}}},
	} {
		t.Run(c.kind+" "+c.value, func(t *testing.T) {
			a := attack(t)
			other := a.open(vault.Config{})
			what := vault.Frozen{Kind: c.kind, Value: c.value}
			var frozen, thawed []try
			use := func(list []vault.Grant, stopped bool) {
				for _, g := range list {
					s := a.issue(g)
					child, err := s.Issue(ctx, vault.Grant{Description: "child"})
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range []*vault.Session{s, child, other.Session(child.Token(), netip.Addr{})} {
						reads := allow("free", "get", getting(s, attackPath))
						thawed = append(thawed, reads)
						if stopped {
							reads = deny("frozen", "get", vault.ErrDenied, "frozen", getting(s, attackPath))
						}
						frozen = append(frozen, reads)
					}
					frozen = append(frozen, allow("a frozen token may revoke", "revoke", func() error { return s.Revoke(ctx, attackLink(t, child)+".00000000000000000000000000000000", "") }))
				}
			}
			use(c.stopped, true)
			use(c.free, false)
			a.run(thawed...)
			listed := func(o *vault.Operator, want ...vault.Frozen) try {
				return allow("listed", "freezes", func() error {
					got, err := o.Freezes(ctx)
					if err == nil && !slices.Equal(got, want) {
						err = fmt.Errorf("frozen: %v, want %v", got, want)
					}
					return err
				})
			}
			a.run(listed(a.op), allow("freeze", "freeze", func() error { return a.op.Freeze(ctx, what, "incident") }), listed(a.op, what), listed(other.Operator("o"), what))
			frozen = append(frozen, allow("an operator is not stopped", "get", getting(a.op, attackPath)), allow("nor its put", "put", func() error {
				_, err := a.op.Put(ctx, vault.Item{Path: attackPath, Value: vault.NewSecret(attackValue)})
				return err
			}))
			if c.kind == "path" && len(c.stopped) > 0 {
				for i := range frozen {
					if strings.Contains(frozen[i].name, "operator") || strings.Contains(frozen[i].name, "put") {
						frozen[i].cause = "override:frozen"
					}
				}
				list, err := a.issue(vault.Grant{}).List(ctx, vault.Request{Path: "*"})
				for _, it := range list {
					if it.Path == attackPath {
						t.Errorf("what is frozen is listed: %v, %v", it, err)
					}
				}
			}
			a.run(frozen...)
			for _, g := range c.stopped {
				if c.kind == "agent" {
					cred, _ := a.newKey(vault.Key{})
					a.run(allow("an operator", "get", getting(a.op, attackPath)), deny("an agent key for it", "issue", vault.ErrDenied, "frozen", func() error {
						_, err := a.v.Session(cred, netip.Addr{}).Issue(ctx, vault.Grant{Agent: g.Agent, TTL: time.Hour, Scopes: scope.MustParse("secrets:read:" + attackPath)})
						return err
					}))
				}
			}
			a.run(
				deny("another freeze", "thaw", vault.ErrNotFound, "not_frozen", func() error { return a.op.Thaw(ctx, vault.Frozen{Kind: "user", Value: "nobody"}, "") }),
				allow("thaw", "thaw", func() error { return other.Operator("o").Thaw(ctx, what, "over") }),
				deny("twice", "thaw", vault.ErrNotFound, "not_frozen", func() error { return a.op.Thaw(ctx, what, "") }),
				listed(a.op), listed(other.Operator("o")),
			)
			a.run(thawed...)
		})
	}
}

// attackFullDisk is a store whose disk is full while the switch is on.
type attackFullDisk struct {
	vault.Store
	full *bool
}

func (s attackFullDisk) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	if *s.full {
		return syscall.ENOSPC
	}
	return s.Store.Update(ctx, since, fn)
}

// TestAttackFreezeOnAFullDisk: a freeze that cannot be recorded holds in this process, until a later one is thawed.
func TestAttackFreezeOnAFullDisk(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	full := false
	v, err := vault.Open(ctx, vault.Config{Store: attackFullDisk{unclosed{a.store}, &full}, Root: attackRoot(1), Now: a.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	s := v.Session(a.issue(vault.Grant{User: "u1"}).Token(), netip.Addr{})
	what := vault.Frozen{Kind: "user", Value: "u1"}
	full = true
	if err := v.Operator("o").Freeze(ctx, what, ""); err == nil {
		t.Fatal("frozen on a full disk")
	}
	full = false
	a.run(deny("frozen here", "get", vault.ErrDenied, "frozen", getting(s, attackPath)), allow("not elsewhere", "get", getting(a.v.Session(s.Token(), netip.Addr{}), attackPath)))
	a.run(allow("again", "freeze", func() error { return v.Operator("o").Freeze(ctx, what, "") }), allow("thaw", "thaw", func() error { return v.Operator("o").Thaw(ctx, what, "") }))
	t.Run("thawed is thawed", func(t *testing.T) {
		if err := attackGet(s, attackPath); err != nil {
			t.Errorf("after a thaw that was granted: %v", err)
		}
	})
}
