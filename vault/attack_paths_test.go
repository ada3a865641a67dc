// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackMark stands in every malformed input and may stand in no record and no error.
const attackMark = "hunter2"

var attackSegments = []string{
	"", ".", "..", "...", strings.Repeat(".", 64), strings.Repeat("a", 65), "*", "**", "a*", "?", "[a]", "{a}", "~", "%", "%2e", "%2e%2e",
	"%252e", "%2f", "%2F", "%5c", "%00", "..%2f..", "%c0%ae%c0%ae", "\\", "..\\", "a\\b", "..;", "..;a=b", "a:b", "a,b", " ", " a", "a ", "\t",
	"a\n", "\r\n", "\x00", "a\x00", "..\x00", "\x1b[0m", "\x7f", "'", "\"", "`", "$(a)", "#", "&", "<", "=", "@", "!", "+", "|",
	"\u2024\u2024", "\u2026", "\uff0e\uff0e", "a\u2215b", "a\uff0fb", "a\u2044b", "\uff3c", "\u212aey", "l\u0131st", "\u0130", "pa\u017fs",
	"\ufb01le", "\u00e9", "e\u0301", "\uff41", "\u0430", "\U0001d41a", "\u202e", "a\u202eb", "\u2066a\u2069", "\u200b", "\u200d", "\u2060",
	"\ufeff", "\u00ad", "\ufe0f", "\u00a0", "\u2028", "\u0085", "\ufffd", "\xc0\xae", "\xc0\xae\xc0\xae", "\xe0\x80\xae", "\xc0\xaf",
	"\xf0\x80\x80\xaf", "\xc0\x80", "\xff", "\x80", "a\xe2\x82", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80",
}

// attackSpellings are none of them a path; those that end in a star may be patterns.
func attackSpellings() []string {
	out := []string{
		"", "/", "//", " ", ".", "..", "../" + attackMark, attackMark + "/", "/" + attackMark, attackMark + "//x", "./" + attackMark,
		strings.Repeat("a/", 16) + attackMark, strings.Repeat("abcdefgh/", 66) + attackMark, strings.Repeat("a", 600) + attackMark,
		strings.Repeat("../", 10) + attackMark, strings.Repeat("x/", 1<<15) + attackMark, "https://" + attackMark, "secrets:read:" + attackMark,
	}
	whole := "a/B_c/d.e/" + attackMark
	for i := range len(whole) + 1 {
		for _, bad := range []string{"*", "%", ":", ",", ";", " ", "\n", "\x00", "\\", "+", "~", "?", "\u2215", "\uff0f", "\u212a", "\u0131", "\u202e", "\u200b", "\u0301", "\xc0\xae", "\xff", "%2f", "%2e", "//", "/./", "/../"} {
			out = append(out, whole[:i]+bad+whole[i:])
		}
	}
	base := []string{"production", "search", "b-c", attackMark}
	for i := range len(base) + 1 {
		for _, bad := range attackSegments {
			out = append(out, strings.Join(slices.Insert(slices.Clone(base), i, bad), "/"))
			if i < len(base)-1 {
				other := slices.Clone(base)
				other[i] = bad
				out = append(out, strings.Join(other, "/"))
			}
		}
	}
	return out
}

// attackOnPaths are the operations that take a path; pattern: or a pattern.
var attackOnPaths = []struct {
	op      string
	pattern bool
	do      func(o *vault.Operator, s door, path string) error // s is the token's, or the operator's own
}{
	{"get", false, func(_ *vault.Operator, s door, path string) error { return attackGet(s, path) }},
	{"use", false, func(_ *vault.Operator, s door, path string) error {
		return s.Use(context.Background(), vault.Request{Path: path}, func(vault.Item) error { return nil })
	}},
	{"put", false, func(_ *vault.Operator, s door, path string) error {
		_, err := s.Put(context.Background(), vault.Item{Path: path, Value: vault.NewSecret(attackValue)})
		return err
	}},
	{"delete", false, func(_ *vault.Operator, s door, path string) error {
		return s.Delete(context.Background(), vault.Request{Path: path})
	}},
	{"versions", false, func(_ *vault.Operator, s door, path string) error {
		_, err := s.Versions(context.Background(), vault.Request{Path: path})
		return err
	}},
	{"list", true, func(_ *vault.Operator, s door, path string) error {
		_, err := s.List(context.Background(), vault.Request{Path: path})
		return err
	}},
	{"policy", false, func(o *vault.Operator, _ door, path string) error {
		return o.SetPolicy(context.Background(), path, vault.Policy{}, "")
	}},
	{"freeze", true, func(o *vault.Operator, _ door, path string) error {
		return o.Freeze(context.Background(), vault.Frozen{Kind: "path", Value: path}, "")
	}},
	{"thaw", true, func(o *vault.Operator, _ door, path string) error {
		return o.Thaw(context.Background(), vault.Frozen{Kind: "path", Value: path}, "")
	}},
}

func TestAttackPaths(t *testing.T) {
	spellings := attackSpellings()
	if testing.Short() {
		spellings = spellings[:100]
	}
	for _, c := range attackOnPaths {
		t.Run(c.op, func(t *testing.T) {
			t.Parallel()
			a := attack(t)
			s := a.issue(vault.Grant{})
			var tries []try
			for i, path := range spellings {
				if c.pattern && scope.CheckPattern(path) == nil {
					continue
				}
				by := door(a.op)
				if i%2 == 1 {
					by = s
				}
				tries = append(tries, deny(path, c.op, vault.ErrInvalid, "invalid", func() error { return c.do(a.op, by, path) }))
			}
			tries = append(tries, allow("a path", "versions", func() error {
				_, err := s.Versions(context.Background(), vault.Request{Path: attackPath})
				return err
			}))
			first := a.size()
			a.run(tries...)
			for _, r := range a.records(audit.Filter{Since: first}, 0) {
				if line := r.String(); r.Outcome == audit.Denied && (r.Path != "" || r.Target != "" || strings.Contains(line, attackMark) || len(line) > 400) {
					t.Errorf("the record shows what is malformed: %.400s", line)
				}
			}
			t.Logf("%d cases", len(tries))
		})
	}
}

// TestAttackOneSpelling: a spelling that differs in case, or in a dot, is another path, in scope and in freeze.
func TestAttackOneSpelling(t *testing.T) {
	a := attack(t)
	s := a.issue(vault.Grant{Scopes: scope.MustParse("secrets:read:"+attackPath, "secrets:write:*")})
	tries := []try{allow("the path itself", "get", getting(s, attackPath))}
	for _, p := range []string{
		"Production/search/key", "PRODUCTION/SEARCH/KEY", "production/search/Key", "production/search/ke", "production/search/key.",
		"production/search/.key", "production/search/key/x", "production/search", "production/search/key-", "production2/search/key",
	} {
		tries = append(tries, deny(p, "get", vault.ErrDenied, "scope", getting(s, p)))
	}
	for _, p := range []string{"Production/search/key", "PRODUCTION/SEARCH/KEY", "production/search/keY"} {
		for who, by := range map[string]door{"token": s, "operator": a.op} {
			tries = append(tries, deny("case twin by "+who, "put", vault.ErrConflict, "case", func() error {
				_, err := by.Put(context.Background(), vault.Item{Path: p})
				return err
			}))
		}
		tries = append(tries, deny("case twin", "policy", vault.ErrConflict, "case", func() error {
			return a.op.SetPolicy(context.Background(), p, vault.Policy{}, "")
		}))
	}
	a.run(tries...)
}

// TestAttackNames puts what is not a name wherever a name goes.
func TestAttackNames(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	every := scope.MustParse("secrets:*:*")
	issue := func(g vault.Grant) error {
		g.Scopes, g.TTL = every, 60e9
		_, err := a.op.Issue(ctx, g)
		return err
	}
	key := func(name string, l vault.Grant) error {
		l.Scopes = every
		_, _, err := a.op.NewKey(ctx, vault.Key{Name: name, Limits: l, Expires: a.clock.now().Add(36e11)}, "")
		return err
	}
	freeze := func(kind, value string) error { return a.op.Freeze(ctx, vault.Frozen{Kind: kind, Value: value}, "") }
	slots := []struct {
		what, op string
		do       func(name string) error
		agent    bool // names joined by slashes are one
	}{
		{"agent", "issue", func(n string) error { return issue(vault.Grant{Agent: n}) }, true},
		{"run", "issue", func(n string) error { return issue(vault.Grant{Agent: "a", Run: n}) }, false},
		{"user", "issue", func(n string) error { return issue(vault.Grant{Agent: "a", User: n}) }, false},
		{"tenant", "issue", func(n string) error { return issue(vault.Grant{Agent: "a", Tenant: n}) }, false},
		{"operator", "get", func(n string) error { return attackGet(a.v.Operator(n), attackPath) }, false},
		{"key", "key", func(n string) error { return key(n, vault.Grant{}) }, false},
		{"agent of a key", "key", func(n string) error { return key("k", vault.Grant{Agent: n}) }, true},
		{"user of a key", "key", func(n string) error { return key("k", vault.Grant{User: n}) }, false},
		{"frozen agent", "freeze", func(n string) error { return freeze("agent", n) }, true},
		{"frozen user", "freeze", func(n string) error { return freeze("user", n) }, false},
		{"frozen run", "freeze", func(n string) error { return freeze("run", n) }, false},
		{"frozen tenant", "freeze", func(n string) error { return freeze("tenant", n) }, false},
		{"kind of a freeze", "freeze", func(n string) error { return freeze(n, "x") }, false},
	}
	var tries []try
	for _, s := range slots {
		names := []string{strings.Repeat("n", 65), "a.b", attackMark + "/", "/" + attackMark, attackMark + "//x", attackMark + "/../x", attackMark + "/./x", strings.Repeat("n/", 64) + "n"}
		for _, bad := range attackSegments {
			if bad != "" {
				names = append(names, attackMark+bad+attackMark, bad+attackMark, attackMark+bad)
			}
		}
		for _, n := range names {
			tries = append(tries, deny(s.what+" "+n, s.op, vault.ErrInvalid, "invalid", func() error { return s.do(n) }))
		}
		if !s.agent && s.what != "kind of a freeze" {
			tries = append(tries, deny(s.what+" with a slash", s.op, vault.ErrInvalid, "invalid", func() error { return s.do("a/b") }))
		}
		for _, n := range []string{"A-z_09", strings.Repeat("n", 64)} {
			if s.what != "kind of a freeze" {
				tries = append(tries, allow(s.what, s.op, func() error { return s.do(n) }))
			}
		}
	}
	for _, s := range slots {
		if s.what == "operator" || s.what == "key" || s.what == "frozen user" || s.what == "frozen agent" {
			tries = append(tries, deny("no "+s.what, s.op, vault.ErrInvalid, "invalid", func() error { return s.do("") }))
		}
	}
	first := a.size()
	a.run(tries...)
	for _, r := range a.records(audit.Filter{Since: first, Outcome: audit.Denied}, 0) {
		if strings.Contains(r.String(), attackMark) {
			t.Errorf("the record shows what is not a name: %.300s", r)
		}
	}
	if s := a.v.Session(vault.Token{}, netip.Addr{}); attackGet(s, attackPath) == nil {
		t.Error("no token at all is enough")
	}
	t.Logf("%d cases", len(tries))
}
