// SPDX-License-Identifier: Apache-2.0

package front_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// Each grant has a rate of its own, which all that is narrowed from it shares; so has each key, beside the grants that it issued;
// callers without a credential share that of their network.
func TestLimits(t *testing.T) {
	v, ctx := vaulttest.Open(t, nil), context.Background()
	f, err := front.New(front.Config{Vault: v, Rate: 0.001, Burst: 2})
	if err != nil {
		t.Fatal(err)
	}
	g := vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour}
	_, key, err := v.Operator("test").NewKey(ctx, vault.Key{Name: "k", Limits: g, Expires: time.Now().Add(time.Hour).Truncate(time.Second)}, "")
	if err != nil {
		t.Fatal(err)
	}
	issue := func(by interface {
		Issue(context.Context, vault.Grant) (*vault.Session, error)
	}) *vault.Session {
		t.Helper()
		s, err := by.Issue(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	agent := f.Caller(httptest.NewRequest("POST", "http://localhost/", nil), key.Reveal())
	first, second, plain := issue(agent.Session), issue(agent.Session), issue(v.Operator("test"))
	g.Agent = "" // as the token has it
	child := issue(first)
	for _, c := range []struct {
		name, bearer, from string
		admitted           bool
	}{
		{"a grant of a key", first.Token().Reveal(), "", true},
		{"what was narrowed from it", child.Token().Reveal(), "", true},
		{"both together are at the end", first.Token().Reveal(), "", false},
		{"and from elsewhere", child.Token().Reveal(), "10.0.0.1:1", false},
		{"another grant of the key", second.Token().Reveal(), "", true},
		{"the key", key.Reveal(), "", true},
		{"a grant of an operator", plain.Token().Reveal(), "", true},
		{"a stranger", "kw_tok_x", "192.0.2.1:1", true},
		{"a stranger beside", "kw_tok_y", "192.0.2.9:1", true},
		{"a third of that network", "kw_op_z", "192.0.2.77:1", false},
		{"a stranger of another", "kw_tok_x", "198.51.100.1:1", true},
		{"IPv6", "kw_tok_x", "[2001:db8::1]:1", true},
		{"IPv6 beside", "kw_tok_x", "[2001:db8::2]:1", true},
		{"IPv6, a third of that network", "kw_tok_x", "[2001:db8::3]:1", false},
		{"the grant from there", plain.Token().Reveal(), "[2001:db8::3]:1", true},
	} {
		r := httptest.NewRequest("POST", "http://localhost/", nil)
		if c.from != "" {
			r.RemoteAddr = c.from
		}
		_, no := f.Admit(httptest.NewRecorder(), r, c.bearer)
		if (no == nil) != c.admitted || no != nil && (no.Status != 429 || no.RetryAfter < 1) {
			t.Errorf("%s: %+v", c.name, no)
		}
	}
}
