// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

type issued struct {
	Token     string    `json:"token"`
	Value     string    `json:"value"`
	TokenID   string    `json:"token_id"`
	ExpiresAt time.Time `json:"expires_at"`
	Scopes    []string  `json:"scopes"`
	AgentID   string    `json:"agent_id"`
}

func TestTokens(t *testing.T) {
	b := newBed(t, nil)
	b.key(t, vault.Key{Name: "short", Limits: vault.Grant{Agent: "short", TTL: time.Minute, Scopes: scope.MustParse("secrets:read:staging/*", "secrets:write:staging/x")}})
	for _, c := range []struct {
		who, body, scopes, agent string
		life                     time.Duration
	}{
		{"researcher", `{"scopes":["secrets:read:production/search/tavily"],"ttl":"1h"}`, "secrets:read:production/search/tavily", "researcher", time.Hour},
		{"researcher", `{"scopes":["secrets:read:production/*","secrets:write:production/x"],"ttl":"15m","max_uses":2,"ip_allowlist":["127.0.0.1","10.0.0.0/8"]}`, "secrets:read:production/* secrets:write:production/x", "researcher", 15 * time.Minute},
		{"researcher", `{"scopes":["secrets:read:production/*"],"ttl":900}`, "secrets:read:production/*", "researcher", 15 * time.Minute},
		{"researcher", `{"scopes":["secrets:read:production/*"],"ttl":"1d"}`, "secrets:read:production/*", "researcher", 0},
		{"researcher", `{"scope":"secrets:read:production/*","ttl_seconds":1800,"description":"to search","allowed_ips":["127.0.0.1"]}`, "secrets:read:production/*", "researcher", 30 * time.Minute},
		{"researcher", `{"scopes":["secrets:read:production/*"]}`, "secrets:read:production/*", "researcher", time.Hour},
		{"researcher", `{"scopes":["namespaces:read"],"ttl":"30s"}`, "secrets:list:production/*", "researcher", 30 * time.Second},
		{"researcher", `{"scopes":["read:secrets","write:secrets"],"ttl":"30s"}`, "secrets:read:production/* secrets:write:production/*", "researcher", 30 * time.Second},
		{"short", `{"scopes":["import:secrets"],"ttl":"30s"}`, "secrets:write:staging/x", "short", 30 * time.Second},
		{"short", `{"scopes":["namespaces:read"],"ttl":"1m"}`, "secrets:list:staging/* secrets:list:staging/x", "short", time.Minute},
		{"alice", `{"scopes":["rotate:secrets"],"ttl":3600}`, "secrets:write:*", "alice", time.Hour},
		// A token narrows itself, and lives no longer than it does.
		{"secrets:read:production/*", `{"scopes":["secrets:read:production/search/tavily"],"ttl":"1h"}`, "secrets:read:production/search/tavily", "worker", 0},
		{"secrets:read:production/*", `{"scopes":["secrets:read:production/search/tavily"],"ttl":"5m"}`, "secrets:read:production/search/tavily", "worker", 5 * time.Minute},
		{"secrets:use:production/* secrets:read:staging/*", `{"scopes":["namespaces:read"],"ttl":"5m"}`, "secrets:list:production/* secrets:list:staging/*", "worker", 5 * time.Minute},
	} {
		if strings.Contains(c.body, `"1d"`) {
			if resp, text := b.send(t, c.who, "POST", "/v1/tokens", c.body); resp.StatusCode != 403 || !strings.Contains(text, "ttl_seconds: at most") {
				t.Errorf("a day, of a key that ends in an hour: %d %s", resp.StatusCode, text)
			}
			continue
		}
		var got issued
		before := time.Now().Truncate(time.Second)
		b.ask(t, c.who, "POST", "/v1/tokens", c.body, &got)
		life := got.ExpiresAt.Sub(before)
		if strings.Join(got.Scopes, " ") != c.scopes || got.AgentID != c.agent || got.Token == "" || got.Value != got.Token || got.TokenID == "" ||
			c.life != 0 && (life < c.life || life > c.life+10*time.Second) || life > time.Hour+10*time.Second {
			t.Errorf("%s %s: %+v, lives %s", c.who, c.body, got, life)
		}
	}
	const worker = "secrets:read:production/*"
	b.check(t, []row{
		{"researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:staging/*"],"ttl":"1m"}`, 403, `"code":"SCOPE_DENIED"`, "issue denied widens"},
		{"short", "POST", "/v1/tokens", `{"scopes":["secrets:read:staging/*"],"ttl":"1h"}`, 403, `ttl_seconds: at most 1m0s`, "issue denied widens"},
		{"short", "POST", "/v1/tokens", `{"scopes":["secrets:delete:staging/*"],"ttl":"1m"}`, 403, `"code":"SCOPE_DENIED"`, "issue denied widens"},
		{worker, "POST", "/v1/tokens", `{"scopes":["write:secrets"],"ttl":"1m"}`, 403, `secrets:write:`, "issue denied widens"},
		{worker, "POST", "/v1/tokens", `{"scopes":["secrets:read:*"],"ttl":"1m"}`, 403, `"code":"SCOPE_DENIED"`, "issue denied widens"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["manage:agents"],"ttl":"1m"}`, 400, `credential of an operator`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["*"],"ttl":"1m"}`, 400, `"code":"VALIDATION_ERROR"`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":[],"ttl":"1m"}`, 400, `"code":"VALIDATION_ERROR"`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/**"],"ttl":"1m"}`, 400, `"code":"VALIDATION_ERROR"`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/a/../b"],"ttl":"1m"}`, 400, `"code":"VALIDATION_ERROR"`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/*"],"scope":"secrets:read:production/x"}`, 400, `one of the two`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/*"],"ip_allowlist":["here"]}`, 400, `ip_allowlist`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/*"],"max_uses":null}`, 400, `spelled as documented`, "get denied not_for_this_credential"},
		{"researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/*"],"agent":"boss"}`, 400, `unknown key`, "get denied not_for_this_credential"},
		{"stranger", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/*"]}`, 401, `"code":"UNAUTHORIZED"`, "get denied bad_token"},
	})
}

func TestTTL(t *testing.T) {
	b := newBed(t, nil)
	for _, ttl := range []string{`""`, `"h"`, `"1"`, `"1h30m"`, `"1w"`, `"-1h"`, `"+1h"`, `" 1h"`, `"1.5h"`, `0`, `-1`, `1.5`, `1e3`, `null`, `true`, `[]`, `"9999999999999d"`, `99999999999999999999`, `"106752d"`} {
		resp, text := b.send(t, "alice", "POST", "/v1/tokens", `{"scopes":["secrets:read:*"],"ttl":`+ttl+`}`)
		if resp.StatusCode != 400 || !strings.Contains(text, "VALIDATION_ERROR") {
			t.Errorf("ttl %s: %d %s", ttl, resp.StatusCode, text)
		}
	}
}

// What a token was given as, it can do, as often as it may.
func TestUses(t *testing.T) {
	b := newBed(t, nil)
	var got issued
	b.ask(t, "researcher", "POST", "/v1/tokens", `{"scopes":["secrets:read:production/search/tavily"],"ttl":"1h","max_uses":1}`, &got)
	b.bearers["once"] = got.Token
	b.check(t, []row{
		{"once", "GET", "/v1/secrets/production/search/tavily", "", 200, "canary-tavily", "get production/search/tavily"},
		{"once", "GET", "/v1/secrets/production/search/tavily", "", 401, `"code":"UNAUTHORIZED"`, "get production/search/tavily denied used_up"},
	})
	for r, err := range b.Log().Records(context.Background(), audit.Filter{Op: "get", Agent: "researcher"}) {
		if err != nil || r.Token != got.TokenID {
			t.Errorf("%v %v", r, err)
		}
	}
}

func TestRate(t *testing.T) {
	b := newBed(t, func(c *server.Config) { c.Rate, c.Burst = 0.001, 1 })
	b.send(t, "alice", "GET", "/v1/approvals", "")
	resp, text := b.send(t, "alice", "GET", "/v1/approvals", "")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1000" || !strings.Contains(text, `"code":"RATE_LIMITED"`) || !strings.Contains(text, `"detail":"too many`) {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
}
