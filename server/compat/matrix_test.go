// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"context"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// bodies are what the calls with one are sent. One that has none here fails the test.
var bodies = map[string]string{
	"POST /v1/tokens":                    `{"scopes":["secrets:read:staging/db"],"ttl":"1m"}`,
	"PUT /v1/secrets/staging/db":         `{"value":"v"}`,
	"PATCH /v1/secrets/staging%2Fdb":     `{"value":"v"}`,
	"POST /v1/secrets":                   `{"path":"staging/new","value":"v"}`,
	"POST /v1/secrets/staging/db/rotate": `{"new_value":"v"}`,
	"POST /v1/secrets/import":            `{"namespace":"staging","content":"A=1\n"}`,
	"POST /v1/agents":                    `{"name":"bot","allowed_namespaces":["*"],"allowed_scopes":["read:secrets"]}`,
	"POST /v1/approvals/x/approve":       ` `,
	"POST /v1/approvals/x/deny":          `{"reason":"no"}`,
}

// documented are the calls of the package comment, but for that which is anybody's.
func documented(t *testing.T) (calls []string) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{ns}", "staging", "{key}", "db", "{path}", "staging%2Fdb", "{id or name}", "x", "{id}", "x", "page=&limit=", "page=1&limit=1")
	for _, row := range regexp.MustCompile(`(?m)^//\t(GET|POST|PUT|PATCH|DELETE) +(/v1/\S+(?: or name\})?)`).FindAllStringSubmatch(string(text), -1) {
		call := row[1] + " " + fill.Replace(row[2])
		if _, ok := bodies[call]; !ok && (row[1] == "POST" || row[1] == "PUT" || row[1] == "PATCH") {
			t.Errorf("%s has no body in this test", call)
		}
		if call != "GET /v1/health" {
			calls = append(calls, call)
		}
	}
	if len(calls) < 20 {
		t.Fatalf("the package comment has %q", calls)
	}
	return calls
}

// Every call with every credential that may not make it: nothing is granted, and one record says so.
func TestMatrix(t *testing.T) {
	ctx := context.Background()
	b := newBed(t, nil)
	all := vault.Grant{Agent: "worker", Scopes: scope.MustParse("secrets:*:*"), TTL: time.Hour}
	issue := func(change func(*vault.Grant)) string {
		g := all
		change(&g)
		s, err := b.op.Issue(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		return s.Token().Reveal()
	}
	b.key(t, vault.Key{Name: "dead", Operator: true})
	keys, err := b.op.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dead := slices.IndexFunc(keys, func(k vault.Key) bool { return k.Name == "dead" })
	if err := b.op.Revoke(ctx, keys[dead].ID, "a test"); err != nil {
		t.Fatal(err)
	}
	if err := b.op.Freeze(ctx, vault.Frozen{Kind: "agent", Value: "frozen"}, "a test"); err != nil {
		t.Fatal(err)
	}
	tellsAll := []string{"GET /v1/me", "GET /v1/namespaces", "GET /v1/approvals/agent/x"} // what a live bearer may see, be it nothing
	for _, c := range []struct {
		name   string
		bearer func() string
		but    []string
	}{
		{"none", func() string { return "" }, nil},
		{"malformed", func() string { return "ass_live_0123456789abcdef" }, nil},
		{"revoked operator", func() string { return b.bearers["dead"] }, []string{"GET /v1/approvals/agent/x"}}, // 404, and nothing looked at
		{"revoked", func() string {
			tok := issue(func(*vault.Grant) {})
			s := b.Session(vault.NewToken(tok), netip.Addr{})
			claims, err := s.Claims(ctx)
			if err == nil {
				err = s.Revoke(ctx, claims[0].ID, "a test")
			}
			if err != nil {
				t.Fatal(err)
			}
			return tok
		}, []string{"GET /v1/approvals/agent/x"}},
		{"used up", func() string {
			tok := issue(func(g *vault.Grant) { g.MaxUses = 1 })
			if _, err := b.Session(vault.NewToken(tok), netip.Addr{}).Get(ctx, vault.Request{Path: "flat"}); err != nil {
				t.Fatal(err)
			}
			return tok
		}, []string{"GET /v1/approvals/agent/x"}},
		{"wrong network", func() string {
			return issue(func(g *vault.Grant) { g.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
		}, nil},
		{"frozen", func() string { return issue(func(g *vault.Grant) { g.Agent = "frozen" }) }, tellsAll[:1:1]},
		{"wrong scope", func() string { return issue(func(g *vault.Grant) { g.Scopes = scope.MustParse("secrets:*:other/*") }) }, tellsAll},
		{"wrong action", func() string {
			return issue(func(g *vault.Grant) { g.Scopes = scope.MustParse("secrets:use:other/x") })
		}, tellsAll},
	} {
		for _, call := range documented(t) {
			if slices.Contains(c.but, call) {
				continue
			}
			b.bearers["who"] = c.bearer()
			method, place, _ := strings.Cut(call, " ")
			before := b.size(t)
			resp, text := b.send(t, "who", method, place, strings.TrimSpace(bodies[call]))
			records := b.since(t, before)
			if resp.StatusCode != 401 && resp.StatusCode != 403 && call != "GET /v1/approvals/agent/x" || strings.Contains(text, "canary") {
				t.Errorf("%s: %s: %d %s", c.name, call, resp.StatusCode, text)
			}
			if len(records) != 1 || !strings.Contains(records[0], "denied") {
				t.Errorf("%s: %s: records %q", c.name, call, records)
			}
		}
	}
}
