// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// flow is a whole life of a vault, with everything that it says taken down.
type flow struct {
	t     *testing.T
	texts map[string]string
	slog  *slog.Logger
	n     int
}

func (f *flow) note(what string, things ...any) {
	for _, x := range things {
		f.n++
		f.texts[fmt.Sprintf("%s %d", what, f.n)] = fmt.Sprintf("%v %+v %#v %s %q %x", x, x, x, x, x, x)
		f.slog.Info(what, "x", x)
	}
}

func (f *flow) fails(what string, err error) {
	f.t.Helper()
	if err == nil {
		f.t.Errorf("%s did not fail", what)
		return
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		f.note(what, e)
	}
}

// run puts, gets, uses, fails and misuses. The canaries are values, tokens and keys; in free text there are none.
func (f *flow) run(v *vault.Vault, value, second *canary) (secret []*canary) {
	t, ctx := f.t, context.Background()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, value.text())
	mustPut(t, op, bedPath, second.text())
	g := reader(20)
	g.Scopes = scope.MustParse("secrets:*:production/*")
	s := mustIssue(t, op, g)
	narrow, err := s.Token().Narrow(vault.Grant{MaxUses: 5})
	must(t, err)
	_, agentKey, err := op.NewKey(ctx, vault.Key{Name: "worker", Expires: inAnHour(), Limits: vault.Grant{Scopes: g.Scopes}}, "")
	must(t, err)
	_, opKey, err := op.NewKey(ctx, vault.Key{Name: "remote", Operator: true, Expires: inAnHour()}, "")
	must(t, err)
	secret = append(secret, tokenCanary("token", s.Token()), tokenCanary("narrowed token", narrow), tokenCanary("agent key", agentKey), tokenCanary("operator key", opKey))
	byAgent := mustIssue(t, v.Session(agentKey, noAddr), vault.Grant{Agent: "a", TTL: time.Minute, Scopes: scope.MustParse("secrets:read:production/*")})
	secret = append(secret, tokenCanary("token of an agent key", byAgent.Token()))
	for _, who := range []getter{op, s, v.Session(narrow, noAddr), byAgent, v.Remote(opKey, noAddr)} {
		it, err := who.Get(ctx, vault.Request{Path: bedPath, Version: 1, Reason: "a reason"})
		must(t, err)
		f.note("item", it, &it, it.Value)
	}
	use := func(fn func(vault.Item) error) error { return s.Use(ctx, vault.Request{Path: bedPath}, fn) }
	must(t, use(func(it vault.Item) error { f.note("lent", it); return nil }))
	f.fails("Use whose function fails", use(func(it vault.Item) error { return fmt.Errorf("upstream said no to %v", it.Value) }))
	func() {
		defer func() { f.note("panic in Use", recover()) }()
		_ = use(func(it vault.Item) error { panic(it) })
	}()
	func() {
		var kept vault.Item
		must(t, use(func(it vault.Item) error { kept = it; return nil }))
		defer func() { f.note("late reveal", recover()) }()
		_ = kept.Value.Reveal()
		t.Error("a lent value was read later")
	}()
	var all []string
	for _, c := range append([]*canary{value, second}, secret...) {
		all = append(all, c.text(), c.core+"\x00", "production/"+c.text(), strings.Repeat(c.text(), 40))
	}
	for _, tok := range []vault.Token{s.Token(), agentKey, opKey} {
		all = append(all, tok.Reveal()+"!", "production/ "+tok.Reveal(), tok.Reveal()[:len(tok.Reveal())-1]+"\n")
	}
	for _, text := range all {
		f.misuse(v, op, s, text)
	}
	states, err := op.Tokens(ctx)
	must(t, err)
	keys, err := op.Keys(ctx)
	must(t, err)
	whose, err := op.Whose(ctx, vault.NewSecret(value.text()))
	must(t, err)
	if len(whose) != 1 {
		t.Errorf("Whose found %d", len(whose))
	}
	versions, err := s.Versions(ctx, vault.Request{Path: bedPath})
	must(t, err)
	f.note("answers", states, keys, whose, versions)
	must(t, op.Delete(ctx, vault.Request{Path: bedPath, Version: 1}))
	must(t, s.Revoke(ctx, linkOf(t, s), "end"))
	_, _, err = getPath(s, bedPath)
	f.fails("Get with a dead token", err)
	for _, r := range logOf(t, v, audit.Filter{}) {
		f.note("record", r)
	}
	text, err := exportOf(v)
	must(t, err)
	f.texts["export"] = text
	backup := backupOf(t, v)
	f.texts["backup"] = string(unsealed(t, backup))
	for i, b := range takeApart(t, backup).body {
		for _, r := range b.Rows {
			f.texts[fmt.Sprintf("row %s of the backup, line %d", r.Key, i)] = string(r.Data)
		}
	}
	f.note("config", vault.Config{Root: kms.Passphrase(vault.NewSecret(value.text()))})
	return secret
}

// misuse puts a secret text into every argument where it does not belong.
func (f *flow) misuse(v *vault.Vault, op *vault.Operator, s *vault.Session, text string) {
	ctx := context.Background()
	for name, who := range map[string]*vault.Session{"token": s, "stranger": v.Session(vault.NewToken(text), noAddr), "no operator": v.Session(vault.NewToken("kw_op_"+text), noAddr)} {
		_, err := who.Get(ctx, vault.Request{Path: text})
		f.fails(name+" Get", err)
		_, err = who.Put(ctx, vault.Item{Path: text, Value: vault.NewSecret("x")})
		f.fails(name+" Put", err)
		_, err = who.List(ctx, vault.Request{Path: text})
		f.fails(name+" List", err)
		f.fails(name+" Delete", who.Delete(ctx, vault.Request{Path: text}))
		f.fails(name+" Use", who.Use(ctx, vault.Request{Path: bedPath, URL: text}, func(vault.Item) error { return nil }))
		f.fails(name+" Use URL", who.Use(ctx, vault.Request{Path: bedPath, URL: "https://api.example.com/bot" + text + "/send?key=" + text}, func(vault.Item) error { return nil }))
		f.fails(name+" Use user", who.Use(ctx, vault.Request{Path: bedPath, URL: "https://" + text + "@api.example.com/"}, func(vault.Item) error { return nil }))
		f.fails(name+" Use method", who.Use(ctx, vault.Request{Path: bedPath, Method: text, URL: "https://api.example.com/"}, func(vault.Item) error { return nil }))
		f.fails(name+" Revoke", who.Revoke(ctx, text, ""))
		_, err = who.Issue(ctx, vault.Grant{Agent: text, Run: text, User: text, Tenant: text, TTL: time.Hour})
		f.fails(name+" Issue", err)
	}
	host := strings.TrimPrefix(text, "production/") // or it would be a host with a path
	for i, p := range []vault.Policy{{Type: text}, {Tier: vault.Tier(text)}, {Hosts: []string{host}}, {Placement: text}, {Hosts: []string{"GET " + host}}} {
		f.fails(fmt.Sprint("policy ", i), op.SetPolicy(ctx, bedPath, p, ""))
		_, err := s.Put(ctx, vault.Item{Path: bedPath, Value: vault.NewSecret("x"), Policy: p})
		f.fails(fmt.Sprint("put policy ", i), err)
	}
	f.fails("freeze kind", op.Freeze(ctx, vault.Frozen{Kind: text, Value: "x"}, ""))
	for _, kind := range []string{"path", "agent", "run", "user", "tenant"} {
		f.fails("freeze "+kind, op.Freeze(ctx, vault.Frozen{Kind: kind, Value: text}, ""))
		f.fails("thaw "+kind, op.Thaw(ctx, vault.Frozen{Kind: kind, Value: text}, ""))
	}
	_, err := v.Operator(text).List(ctx, vault.Request{Path: "*"})
	f.fails("operator", err)
	_, _, err = op.NewKey(ctx, vault.Key{Name: text, ID: text, Expires: inAnHour(), Limits: vault.Grant{Scopes: scope.MustParse("secrets:read:*")}}, "")
	f.fails("key", err)
	_, err = v.Remote(vault.NewToken(text), noAddr).Keys(ctx)
	f.fails("remote", err)
	_, err = vault.NewToken(text).Narrow(vault.Grant{MaxUses: 1})
	f.fails("narrow", err)
	_, err = scope.Parse("secrets:read:" + text)
	f.fails("scope", err)
	var into vault.Secret
	f.fails("decode", into.UnmarshalJSON([]byte(text)))
}

func TestCanary(t *testing.T) {
	for _, backend := range []string{"memory", "sqlite"} {
		t.Run(backend, func(t *testing.T) {
			ctx := context.Background()
			dir, keys := t.TempDir(), t.TempDir()
			keyFile := filepath.Join(keys, "root.key")
			var store vault.Store = memory.New()
			if backend == "sqlite" {
				var err error
				store, err = sqlite.Open(ctx, filepath.Join(dir, "agents.db"))
				must(t, err)
			}
			v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(keyFile)})
			must(t, err)
			var logged bytes.Buffer
			f := &flow{t: t, texts: map[string]string{}, slog: slog.New(slog.NewJSONHandler(&logged, nil))}
			value, second := newCanary("value"), newCanary("second value")
			found := append(f.run(v, value, second), value, second)
			key, err := os.ReadFile(keyFile)
			must(t, err)
			found = append(found, canaryOf("root key", longestWord(string(key))))
			f.texts["slog"] = logged.String()
			d := dumpOf(t, store)
			for _, r := range d.rows {
				f.texts["row "+r.Key] = r.Key + string(r.Data)
			}
			f.texts["lines"] = string(bytes.Join(d.lines, []byte("\n")))
			f.files(dir, "open ")
			f.slog = slog.New(slog.DiscardHandler)
			must(t, v.Close())
			f.note("doors", v.Operator("keeper"), v.Session(vault.NewToken(value.text()), noAddr)) // reflection takes no locks: when all is quiet
			f.files(dir, "closed ")
			if backend == "sqlite" && f.texts["open agents.db-wal"] == "" {
				t.Error("there was no -wal to look into")
			}
			for where, text := range f.texts {
				for _, c := range found {
					if form := c.in(text); form != "" {
						t.Errorf("%s stands in %q, %s", c.name, where, form)
					}
				}
			}
			if len(f.texts) < 1000 {
				t.Errorf("only %d texts were searched", len(f.texts))
			}
			t.Logf("%d texts for %d canaries", len(f.texts), len(found))
			// The control: the same search finds each canary in a file that has it in the clear, or encoded.
			for i, c := range found {
				must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("scratch", i)), fmt.Appendf(nil, "x%sx", c.core), 0o600))
			}
			f.files(dir, "scratch ")
			for i, c := range found {
				if c.in(f.texts[fmt.Sprint("scratch scratch", i)]) == "" {
					t.Errorf("%s was not found in a file", c.name)
				}
				for name, form := range c.forms {
					if c.in("…"+form+"…") == "" {
						t.Errorf("%s was not found as %s", c.name, name)
					}
				}
			}
		})
	}
}

// files reads every file of a folder. The sqlite vault must not be used afterwards: closing a file drops its locks (F9).
func (f *flow) files(dir, prefix string) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		f.texts[prefix+filepath.Base(path)] = string(b)
		return err
	})
	if err != nil {
		f.t.Error(err)
	}
}

func longestWord(s string) (longest string) {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \n\t:=", r) }) {
		if len(w) > len(longest) {
			longest = w
		}
	}
	return longest
}
