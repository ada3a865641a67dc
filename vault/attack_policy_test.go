// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

func (a *attacked) putting(s door, it vault.Item) func() error {
	if it.Value.Reveal() == "" {
		it.Value = vault.NewSecret(attackValue)
	}
	return func() error { _, err := s.Put(context.Background(), it); return err }
}

// TestAttackPolicy: a put can only tighten, and no token gives a path its hosts.
func TestAttackPolicy(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	s := a.issue(vault.Grant{})
	end := a.clock.now().Add(20 * time.Hour)
	full := vault.Policy{
		Type: "api_key", Tier: vault.Standard, Hosts: []string{"a.example.com", "GET b.example.com/v1", "http://localhost"}, Networks: attackNets("127.0.0.0/8", "10.0.0.0/8"),
		Placement: "header:X-Key", Expires: end,
	}
	set := func(path string, p vault.Policy) try {
		return allow(path, "policy", func() error { return a.op.SetPolicy(ctx, path, p, "") })
	}
	var tries []try
	for who, by := range map[string]door{"token": s, "operator": a.op} {
		path := "policy/" + who
		tries = append(tries, set(path, full), allow("the first version", "put", a.putting(by, vault.Item{Path: path})))
		for name, p := range map[string]vault.Policy{
			"another type": {Type: "custom"}, "another placement": {Placement: "bearer"}, "a later end": {Expires: end.Add(time.Second)}, "a host more": {Hosts: []string{"a.example.com", "c.example.com"}},
			"a host with fewer words": {Hosts: []string{"b.example.com/v1"}}, "a host with a longer prefix": {Hosts: []string{"a.example.com/v1"}}, "a host with another port": {Hosts: []string{"a.example.com:8443"}},
			"a wider network": {Networks: attackNets("10.0.0.0/7")}, "a network inside": {Networks: attackNets("10.1.0.0/16")}, "all networks": {Networks: attackNets("0.0.0.0/0")},
		} {
			tries = append(tries, deny(name+" by "+who, "put", vault.ErrDenied, "policy", a.putting(by, vault.Item{Path: path, Policy: p})))
		}
		for name, p := range map[string]vault.Policy{
			"an unknown type": {Type: "x"}, "an unknown tier": {Tier: "none"}, "half a second": {Expires: end.Add(-500 * time.Millisecond)}, "before 1970": {Expires: time.Unix(-5, 0)}, "year 10000": {Expires: time.Unix(253402300800, 0)},
		} {
			tries = append(tries, deny(name+" by "+who, "put", vault.ErrInvalid, "invalid", a.putting(by, vault.Item{Path: path, Policy: p})))
		}
		for name, p := range map[string]vault.Policy{
			"nothing": {}, "the same": full, "fewer hosts": {Hosts: full.Hosts[:2]}, "an earlier end": {Expires: end.Add(-time.Hour)}, "fewer networks": {Networks: full.Networks[:1]}, "its tier": {Tier: vault.Standard},
		} {
			tries = append(tries, set(path, full), allow(name+" by "+who, "put", a.putting(by, vault.Item{Path: path, Policy: p})))
		}
		tries = append(tries, set(path, full), allow("fewer hosts", "put", a.putting(by, vault.Item{Path: path, Policy: vault.Policy{Hosts: full.Hosts[:1]}})),
			deny("the hosts back", "put", vault.ErrDenied, "policy", a.putting(by, vault.Item{Path: path, Policy: vault.Policy{Hosts: full.Hosts[:2]}})))
	}
	tries = append(tries,
		deny("hosts on a new path by a token", "put", vault.ErrDenied, "policy", a.putting(s, vault.Item{Path: "policy/new", Policy: vault.Policy{Hosts: []string{"evil.example.com"}}})),
		deny("hosts on a path without", "put", vault.ErrDenied, "policy", a.putting(s, vault.Item{Path: attackPath, Policy: vault.Policy{Hosts: []string{"evil.example.com"}}})),
		deny("networks on a path without", "put", vault.ErrDenied, "policy", a.putting(a.op, vault.Item{Path: attackPath, Policy: vault.Policy{Networks: attackNets("127.0.0.0/8")}})),
		allow("hosts on a new path by an operator", "put", a.putting(a.op, vault.Item{Path: "policy/new", Policy: vault.Policy{Hosts: []string{"a.example.com"}}})),
		allow("the rest by a token", "put", a.putting(s, vault.Item{Path: "policy/new2", Policy: vault.Policy{Type: "custom", Tier: vault.Standard, Placement: "bearer", Expires: end}})),
		allow("all deleted", "delete", func() error { return a.op.Delete(ctx, vault.Request{Path: "policy/new"}) }),
		deny("hosts on a path that is made again", "put", vault.ErrDenied, "policy", a.putting(s, vault.Item{Path: "policy/new", Policy: vault.Policy{Hosts: []string{"evil.example.com"}}})),
		allow("made again", "put", a.putting(s, vault.Item{Path: "policy/new"})),
		deny("and still fenced", "use", vault.ErrDenied, "host", func() error {
			return s.Use(ctx, vault.Request{Path: "policy/new", URL: "https://evil.example.com"}, func(vault.Item) error { return nil })
		}),
	)
	a.run(tries...)
	t.Logf("%d cases", len(tries))
}

// TestAttackTiers: above the standard tier, and past its expiry, a path refuses tokens, and records what an operator does.
func TestAttackTiers(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	s := a.issue(vault.Grant{})
	ops := func(by door, path string) map[string]func() error {
		return map[string]func() error{
			"get": getting(by, path), "put": a.putting(by, vault.Item{Path: path}),
			"use":    func() error { return by.Use(ctx, vault.Request{Path: path}, func(vault.Item) error { return nil }) },
			"delete": func() error { return by.Delete(ctx, vault.Request{Path: path, Version: 1}) },
		}
	}
	end := a.clock.now().Add(40 * time.Second)
	policies := []struct {
		path, cause string
		p           vault.Policy
	}{
		{"tier/sensitive", "tier", vault.Policy{Tier: vault.Sensitive}}, {"tier/critical", "tier", vault.Policy{Tier: vault.Critical}}, {"tier/expired", "secret_expired", vault.Policy{Expires: end}},
		{"tier/standard", "", vault.Policy{Tier: vault.Standard}},
	}
	var tries []try
	for _, c := range policies {
		tries = append(tries, allow(c.path, "put", a.putting(a.op, vault.Item{Path: c.path, Policy: c.p})), allow(c.path, "put", a.putting(a.op, vault.Item{Path: c.path})))
	}
	a.run(tries...)
	a.clock.add(end.Sub(a.clock.now()) - 2*time.Second)
	a.run(allow("a second before its end", "get", getting(s, "tier/expired")), deny("at its end", "get", vault.ErrDenied, "secret_expired", getting(s, "tier/expired")))
	tries = nil
	for _, c := range policies {
		for op, do := range ops(s, c.path) {
			if c.cause == "" {
				tries = append(tries, allow(c.path, op, do))
			} else {
				tries = append(tries, deny(c.path, op, vault.ErrDenied, c.cause, do))
			}
		}
		for op, do := range ops(a.op, c.path) {
			if c.cause != "" { // an override
				tries = append(tries, try{c.path + " by an operator", op, do, nil, "override:" + c.cause})
			}
		}
	}
	tries = append(tries,
		deny("a token lowers the tier", "put", vault.ErrDenied, "tier", a.putting(s, vault.Item{Path: "tier/sensitive", Policy: vault.Policy{Tier: vault.Standard}})),
		deny("an operator lowers the tier by a put", "put", vault.ErrDenied, "policy", a.putting(a.op, vault.Item{Path: "tier/critical", Policy: vault.Policy{Tier: vault.Sensitive}})),
		allow("a token raises the tier", "put", a.putting(s, vault.Item{Path: "tier/standard", Policy: vault.Policy{Tier: vault.Critical}})),
		deny("and is then refused", "get", vault.ErrDenied, "tier", getting(s, "tier/standard")),
		allow("an operator lowers it", "policy", func() error { return a.op.SetPolicy(ctx, "tier/standard", vault.Policy{}, "") }),
		allow("and the token is let in", "get", getting(s, "tier/standard")),
	)
	a.run(tries...)
}

// TestAttackVersions: numbers are not used again, check-and-set holds between processes, what is deleted is gone.
func TestAttackVersions(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	s, other := a.issue(vault.Grant{}), a.open(vault.Config{}).Operator("o")
	put := func(by door, n int) func() error { return a.putting(by, vault.Item{Path: "v/x", Version: n}) }
	at := func(n int) func() error {
		return func() error { _, err := s.Get(ctx, vault.Request{Path: "v/x", Version: n}); return err }
	}
	del := func(n int) func() error {
		return func() error { return s.Delete(ctx, vault.Request{Path: "v/x", Version: n}) }
	}
	conflict := func(name string, by door, n int) try {
		return deny(name, "put", vault.ErrConflict, "version", put(by, n))
	}
	none := func(name, op string, do func() error) try {
		return deny(name, op, vault.ErrNotFound, "not_found", do)
	}
	a.run(
		none("nothing there", "get", at(0)), none("nothing there", "delete", del(0)), none("nothing there", "versions", func() error { _, err := s.Versions(ctx, vault.Request{Path: "v/x"}); return err }),
		conflict("the second first", s, 2), deny("a negative number", "put", vault.ErrInvalid, "invalid", put(s, -1)), conflict("a large number", s, 1<<62),
		allow("the first", "put", put(s, 1)), conflict("the first again", other, 1), conflict("the third", other, 3), allow("the second elsewhere", "put", put(other, 2)),
		conflict("the second here", s, 2), allow("the third", "put", put(s, 0)),
		none("the fourth", "get", at(4)), none("number 1<<62", "get", at(1<<62)), deny("number -1", "get", vault.ErrInvalid, "invalid", at(-1)), deny("number -1", "delete", vault.ErrInvalid, "invalid", del(-1)),
		allow("the second is deleted", "delete", del(2)), none("and gone", "get", at(2)), none("once", "delete", del(2)), allow("the first stays", "get", at(1)), allow("the newest", "get", at(0)),
		allow("the newest is deleted", "delete", del(3)), none("the newest does not fall back", "get", at(0)), conflict("its number is not used again", s, 3), conflict("nor the one before", s, 2),
		allow("the rest is deleted", "delete", del(0)), none("all gone", "get", at(1)), none("all gone", "delete", del(0)), conflict("numbers begin again", s, 1), allow("the fourth", "put", put(s, 4)), allow("the fourth", "get", at(0)),
	)
	items, err := s.Versions(ctx, vault.Request{Path: "v/x"})
	if err != nil || len(items) != 1 || items[0].Version != 4 || items[0].Value.Reveal() != "" {
		t.Errorf("versions: %+v, %v", items, err)
	}
	whose := func(value string) (versions []int) {
		items, err := a.op.Whose(ctx, vault.NewSecret(value))
		if err != nil {
			t.Error(err)
		}
		for _, it := range items {
			if it.Value.Reveal() != "" {
				t.Errorf("Whose gives the value of %s", it.Path)
			}
			if it.Path == "v/x" {
				versions = append(versions, it.Version)
			}
		}
		return versions
	}
	if got := whose(attackValue); !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Errorf("the leaked value was that of versions %d", got)
	}
	if got := whose(attackValue + " "); got != nil {
		t.Errorf("another value was that of versions %d", got)
	}
	a.run(
		deny("a value over 1 MiB", "put", vault.ErrInvalid, "invalid", a.putting(s, vault.Item{Path: "v/y", Value: vault.NewSecret(string(make([]byte, 1<<20+1)))})),
		allow("a value of 1 MiB", "put", a.putting(s, vault.Item{Path: "v/y", Value: vault.NewSecret(string(make([]byte, 1<<20)))})),
		deny("Whose over 1 MiB", "whose", vault.ErrInvalid, "invalid", func() error { _, err := a.op.Whose(ctx, vault.NewSecret(string(make([]byte, 1<<20+1)))); return err }),
	)
}
