// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackRow is one exported method, called on attackPath by whoever it is.
type attackRow struct {
	op string            // as recorded; "": it leaves no record
	do func(o any) error // o has the method
	as func() scope.Set  // scopes of a token with every right but this one; nil: no scope is asked for
}

// attackMethods has a row for every exported method of Session and Operator. other is a link that the caller does not own.
func attackMethods(other func() string) map[string]attackRow {
	ctx := context.Background()
	req := vault.Request{Path: attackPath}
	but := func(scopes ...string) func() scope.Set {
		return func() scope.Set { return scope.MustParse(scopes...) }
	}
	onSession := func(op string, as func() scope.Set, f func(s door) error) attackRow {
		return attackRow{op: op, as: as, do: func(o any) error { return f(o.(door)) }}
	}
	onOperator := func(op string, f func(o *vault.Operator) error) attackRow {
		return attackRow{op: op, do: func(o any) error { return f(o.(*vault.Operator)) }}
	}
	g := vault.Grant{Agent: "researcher/x", Scopes: scope.MustParse("secrets:use:" + attackPath), TTL: time.Minute}
	p := "secrets:"
	return map[string]attackRow{
		"Put": onSession("put", but(p+"read:*", p+"delete:*"), func(s door) error {
			_, err := s.Put(ctx, vault.Item{Path: attackPath, Value: vault.NewSecret(attackValue)})
			return err
		}),
		"Get": onSession("get", but(p+"use:*", p+"write:*", p+"delete:*", p+"list:*"), func(s door) error { return attackGet(s, attackPath) }),
		"Use": onSession("use", but(p+"list:*", p+"write:*", p+"delete:*"), func(s door) error {
			called := false
			err := s.Use(ctx, req, func(vault.Item) error { called = true; return nil })
			if called != (err == nil) {
				return errors.New("the function ran although the use was refused")
			}
			return err
		}),
		"Delete":   onSession("delete", but(p+"read:*", p+"write:*"), func(s door) error { return s.Delete(ctx, req) }),
		"List":     onSession("list", but(p+"delete:*", p+"write:*"), func(s door) error { _, err := s.List(ctx, req); return err }),
		"Versions": onSession("versions", but(p+"delete:*", p+"write:*"), func(s door) error { _, err := s.Versions(ctx, req); return err }),
		"Issue": onSession("issue", nil, func(s door) error {
			child, err := s.Issue(ctx, g)
			if (child != nil) != (err == nil) {
				return errors.New("a session beside an error")
			}
			return err
		}),
		"Spawn": onSession("issue", nil, func(s door) error {
			return s.Spawn(ctx, g, func(context.Context, *vault.Session) error { return errors.New("it ran") })
		}),
		"Revoke": onSession("revoke", nil, func(s door) error { return s.Revoke(ctx, other(), "") }),
		"Claims": onSession("", nil, func(s door) error { _, err := s.Claims(ctx); return err }),
		"Token":  onSession("", nil, func(s door) error { _ = s.Token(); return nil }),

		"SetPolicy":  onOperator("policy", func(o *vault.Operator) error { return o.SetPolicy(ctx, attackPath, vault.Policy{}, "") }),
		"Freeze":     onOperator("freeze", func(o *vault.Operator) error { return o.Freeze(ctx, vault.Frozen{Kind: "user", Value: "u"}, "") }),
		"Thaw":       onOperator("thaw", func(o *vault.Operator) error { return o.Thaw(ctx, vault.Frozen{Kind: "user", Value: "u"}, "") }),
		"Freezes":    onOperator("freezes", func(o *vault.Operator) error { _, err := o.Freezes(ctx); return err }),
		"Whose":      onOperator("whose", func(o *vault.Operator) error { _, err := o.Whose(ctx, vault.NewSecret(attackValue)); return err }),
		"Tokens":     onOperator("tokens", func(o *vault.Operator) error { _, err := o.Tokens(ctx); return err }),
		"Log":        onOperator("log", func(o *vault.Operator) error { _, err := o.Log(ctx, ""); return err }),
		"Keys":       onOperator("keys", func(o *vault.Operator) error { _, err := o.Keys(ctx); return err }),
		"RotateKeys": onOperator("rotate", func(o *vault.Operator) error { return o.RotateKeys(ctx, vault.Rotation{}) }),
		"SetRoot":    onOperator("root", func(o *vault.Operator) error { return o.SetRoot(ctx, attackRoot(1), "") }),
		"ResetClock": onOperator("clock", func(o *vault.Operator) error {
			if err := o.ResetClock(ctx, ""); !errors.Is(err, vault.ErrConflict) { // an operator may, and there is nothing to undo
				return err
			}
			return nil
		}),
		"Destroy": onOperator("destroy", func(o *vault.Operator) error {
			return o.Destroy(ctx, vault.Request{Path: attackPath, Version: 1})
		}),
		"Backup": onOperator("backup", func(o *vault.Operator) error {
			var b bytes.Buffer
			err := o.Backup(ctx, &b, "")
			if (b.Len() > 0) != (err == nil) {
				return errors.New("a backup beside an error")
			}
			return err
		}),
		"Archive": onOperator("archive", func(o *vault.Operator) error {
			var w bytes.Buffer
			if err := o.Archive(ctx, time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), &w, ""); err != nil && w.Len() > 0 {
				return errors.New("an archive beside an error")
			} else {
				return err
			}
		}),
		"NewKey": onOperator("key", func(o *vault.Operator) error {
			k := vault.Key{Name: "k", Operator: true, Expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
			_, cred, err := o.NewKey(ctx, k, "")
			if (cred.Reveal() != "") != (err == nil) {
				return errors.New("a credential beside an error")
			}
			return err
		}),
	}
}

// attackCredential is a credential that grants nothing.
type attackCredential struct {
	name   string
	door   any
	cause  string
	alive  bool // it is a live token: refusals are plain ErrDenied
	claims error
}

func attackCredentials(a *attacked) []attackCredential {
	ctx := context.Background()
	local := netip.Addr{}
	session := func(text string) *vault.Session { return a.v.Session(vault.NewToken(text), local) }
	good := a.issue(vault.Grant{}).Token()
	agentKey, _ := a.newKey(vault.Key{})
	opKey, _ := a.newKey(vault.Key{Operator: true})
	deadKey, deadKeyID := a.newKey(vault.Key{})
	deadOp, deadOpID := a.newKey(vault.Key{Operator: true})
	homeOp, _ := a.newKey(vault.Key{Operator: true, Limits: vault.Grant{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	shortOp, _ := a.newKey(vault.Key{Operator: true, Expires: a.clock.now().Add(3 * time.Second)})
	orphan, err := a.v.Session(deadKey, local).Issue(ctx, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:*:production/search/*"), TTL: time.Hour})
	if err != nil {
		a.t.Fatal(err)
	}
	forged, _ := vault.DecodeTokenText(good.Reveal())
	forged[len(forged)-1] ^= 1
	expired := a.issue(vault.Grant{TTL: time.Second})
	revoked := a.issue(vault.Grant{})
	used := a.issue(vault.Grant{MaxUses: 1})
	networks := vault.Grant{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	home := a.issue(networks).Token()
	spawned := vault.Token{}
	claims, _ := revoked.Claims(ctx)
	err = errors.Join(
		revoked.Revoke(ctx, claims[0].ID, ""), attackGet(used, attackPath),
		a.op.Revoke(ctx, deadKeyID, ""), a.op.Revoke(ctx, deadOpID, ""),
		a.op.Spawn(ctx, vault.Grant{Agent: "r", Scopes: scope.MustParse("secrets:*:*")}, func(_ context.Context, s *vault.Session) error {
			spawned = s.Token()
			return attackGet(s, attackPath)
		}))
	if err != nil {
		a.t.Fatal(err)
	}
	a.clock.add(3 * time.Second)
	dead := vault.ErrDeadToken
	return []attackCredential{
		{"no token", session(""), "bad_token", false, dead},
		{"garbage", session("kw_tok_" + attackMark), "bad_token", false, dead},
		{"a password", session(attackMark), "bad_token", false, dead},
		{"forged", session(vault.EncodeTokenText(forged)), "bad_token", false, dead},
		{"of another vault", session(attack(a.t).issue(vault.Grant{}).Token().Reveal()), "bad_token", false, dead},
		{"expired", a.v.Session(expired.Token(), local), "expired", false, nil},
		{"expired, its own session", expired, "expired", false, nil},
		{"revoked", a.v.Session(revoked.Token(), local), "revoked", false, nil},
		{"revoked, its own session", revoked, "revoked", false, nil},
		{"used up", used, "used_up", false, nil},
		{"of an ended spawn", a.v.Session(spawned, local), "spawn_ended", false, nil},
		{"of a revoked key", orphan, "key_ended", false, nil},
		{"wrong network", a.v.Session(home, netip.MustParseAddr("11.0.0.1")), "network", false, dead},
		{"wrong network, mapped", a.v.Session(home, netip.MustParseAddr("::ffff:192.168.0.1")), "network", false, dead},
		{"no network", a.v.Session(home, local), "network", false, dead},
		{"revoked agent key", a.v.Session(deadKey, local), "key_ended", false, nil},
		{"agent key of another vault", session(func() string { k, _ := attack(a.t).newKey(vault.Key{}); return k.Reveal() }()), "bad_key", false, dead},
		{"agent key cut short", session(agentKey.Reveal()[:20]), "bad_key", false, dead},
		{"operator as a session", a.v.Session(opKey, local), "bad_key", false, dead},
		{"agent key as an operator", a.v.Remote(agentKey, local), "bad_key", false, dead},
		{"token as an operator", a.v.Remote(good, local), "bad_key", false, dead},
		{"nothing as an operator", a.v.Remote(vault.Token{}, local), "bad_key", false, dead},
		{"revoked operator", a.v.Remote(deadOp, local), "key_ended", false, nil},
		{"expired operator", a.v.Remote(shortOp, local), "key_ended", false, nil},
		{"operator from a wrong network", a.v.Remote(homeOp, netip.MustParseAddr("192.168.0.1")), "network", false, dead},
		{"an operator without a name", a.v.Operator(""), "invalid", false, vault.ErrInvalid},
		{"agent key", a.v.Session(agentKey, local), "not_for_this_credential", true, nil},
	}
}

func TestAttackMatrix(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	strangers, _ := a.issue(vault.Grant{}).Claims(ctx)
	rows := attackMethods(func() string { return strangers[0].ID })
	for _, typ := range []reflect.Type{reflect.TypeFor[*vault.Session](), reflect.TypeFor[*vault.Operator]()} {
		for i := range typ.NumMethod() {
			if _, ok := rows[typ.Method(i).Name]; !ok {
				t.Errorf("%s.%s has no row in this table", typ, typ.Method(i).Name)
			}
		}
	}
	var tries []try
	texts := map[string]string{} // of a method and family: the callers of all are told the same
	cell := func(c attackCredential, name string, want error, cause string) {
		row := rows[name]
		if _, has := reflect.TypeOf(c.door).MethodByName(name); !has {
			return
		}
		tries = append(tries, deny(c.name+", "+name, row.op, want, cause, func() error {
			err := row.do(c.door)
			if like := texts[name+want.Error()]; err != nil && cause != "widens" && cause != "invalid" && cause != "-" {
				if texts[name+want.Error()] = err.Error(); like != "" && like != err.Error() {
					t.Errorf("%s: refused with %q, others with %q: the caller learns why", c.name, err, like)
				}
			}
			return err
		}))
	}
	for _, c := range attackCredentials(a) {
		for name, row := range rows {
			want, cause := vault.ErrDeadToken, c.cause
			switch {
			case row.op == "" && (name == "Token" || c.claims == nil):
				continue
			case row.op == "":
				want, cause = c.claims, "-"
			case c.cause == "invalid":
				want = vault.ErrInvalid
			case c.alive && row.op == "issue":
				continue // TestAttackAgentKeys
			case c.alive:
				want = vault.ErrDenied
			}
			cell(c, name, want, cause)
		}
	}
	frozen := map[string]vault.Grant{"agent": {Agent: "cold"}, "run": {Run: "cold"}, "user": {User: "cold"}, "tenant": {Tenant: "cold"}}
	for kind, g := range frozen {
		s := a.issue(g)
		if err := a.op.Freeze(ctx, vault.Frozen{Kind: kind, Value: "cold"}, ""); err != nil {
			t.Fatal(err)
		}
		for name, row := range rows {
			if row.op == "revoke" {
				cell(attackCredential{name: "frozen " + kind, door: s}, name, vault.ErrDenied, "scope") // not its own link
			} else if row.op != "" {
				cell(attackCredential{name: "frozen " + kind, door: s}, name, vault.ErrDenied, "frozen")
			}
		}
	}
	elsewhere := scope.MustParse("secrets:*:production/mail/*", "secrets:*:staging/*", "secrets:*:production/search2/*", "secrets:*:production/search/key/*")
	for name, row := range rows {
		cause := map[string]string{"issue": "widens", "revoke": "scope"}[row.op]
		if row.as != nil {
			cell(attackCredential{name: "wrong verb", door: a.issue(vault.Grant{Scopes: row.as()})}, name, vault.ErrDenied, "scope")
			cause = "scope"
		}
		if cause != "" {
			cell(attackCredential{name: "wrong scope", door: a.issue(vault.Grant{Scopes: elsewhere})}, name, vault.ErrDenied, cause)
		}
	}
	tries = append(tries, allow("a good token", "get", getting(a.issue(vault.Grant{}), attackPath)))
	homely := a.issue(vault.Grant{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}).Token()
	for _, from := range []string{"10.255.255.255", "::ffff:10.0.0.1"} {
		tries = append(tries, allow("from home", "get", getting(a.v.Session(homely, netip.MustParseAddr(from)), attackPath)))
	}
	a.run(tries...)
	t.Logf("%d cells", len(tries))
}
