// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/server"
)

func TestAgents(t *testing.T) {
	b := newBed(t, nil)
	var made struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		APIKey string `json:"api_key"`
	}
	b.ask(t, "alice", "POST", "/v1/agents", `{"name":"bot","description":"d","allowed_namespaces":["production/search","staging/*"],"allowed_scopes":["read:secrets","secrets:delete:staging/db"]}`, &made)
	b.bearers["bot"] = made.APIKey
	_, text := b.send(t, "alice", "GET", "/v1/agents", "")
	if made.Name != "bot" || !strings.HasPrefix(made.APIKey, "kw_agent_") || strings.Contains(text, made.APIKey[9:]) || len(made.ID) != 32 ||
		!strings.Contains(text, `"allowed_scopes":["secrets:delete:staging/db","secrets:read:production/search/*","secrets:read:staging/*"],"active":true`) {
		t.Errorf("%+v %s", made, text)
	}
	var tok issued
	b.ask(t, "bot", "POST", "/v1/tokens", `{"scopes":["read:secrets"],"ttl":"1h"}`, &tok)
	b.bearers["bot's token"] = tok.Token
	agent := func(namespaces, scopes string) string {
		return `{"name":"bot2","allowed_namespaces":` + namespaces + `,"allowed_scopes":` + scopes + `}`
	}
	b.check(t, []row{
		{"bot's token", "GET", "/v1/secrets/staging/db", "", 200, "canary-db", "get staging/db"},
		{"alice", "POST", "/v1/agents", agent(`["production"]`, `["manage:agents"]`), 400, "credential of an operator", "get denied invalid"},
		{"alice", "POST", "/v1/agents", agent(`["production"]`, `["secrets:read:staging/*"]`), 400, "in none of allowed_namespaces", "get denied invalid"},
		{"alice", "POST", "/v1/agents", agent(`["pro duction"]`, `["read:secrets"]`), 400, "allowed_namespaces", "get denied invalid"},
		{"alice", "POST", "/v1/agents", agent(`[]`, `["read:secrets"]`), 400, "at least one", "get denied invalid"},
		{"alice", "POST", "/v1/agents", `{"name":"b t","allowed_namespaces":["*"],"allowed_scopes":["read:secrets"]}`, 400, "its name", "key denied invalid"},
		{"alice", "POST", "/v1/agents", agent(`["*"]`, `["read:secrets","write:secrets"]`), 201, `"allowed_scopes":["secrets:read:*","secrets:write:*"]`, "key"},
		{"bot", "POST", "/v1/agents", agent(`["*"]`, `["read:secrets"]`), 401, "of the kind that may ask for it", "key denied bad_key"},
		{"bot's token", "GET", "/v1/agents", "", 401, "of the kind that may ask for it", "keys denied bad_key"},
		{"bot", "DELETE", "/v1/agents/bot2", "", 401, "of the kind that may ask for it", "keys denied bad_key"},
		{"alice", "DELETE", "/v1/agents/nobody", "", 404, `"code":"NOT_FOUND"`, "keys; get denied invalid"},
		{"alice", "DELETE", "/v1/agents/alice", "", 404, `"code":"NOT_FOUND"`, "keys; get denied invalid"},
		{"alice", "DELETE", "/v1/agents/bot2", "", 204, "", "keys; revoke"},
		{"alice", "DELETE", "/v1/agents/" + made.ID, "", 204, "", "keys; revoke"},
		{"bot", "POST", "/v1/tokens", `{"scopes":["read:secrets"],"ttl":"1h"}`, 401, `"code":"UNAUTHORIZED"`, "issue denied key_ended"},
		{"bot's token", "GET", "/v1/secrets/staging/db", "", 401, `"code":"UNAUTHORIZED"`, "get staging/db denied key_ended"},
		{"bot", "GET", "/v1/me", "", 401, `"code":"UNAUTHORIZED"`, "list * denied key_ended"},
	})
}

func TestMe(t *testing.T) {
	b := newBed(t, nil)
	b.check(t, []row{
		{"alice", "GET", "/v1/me", "", 200, `"email":"alice","name":"alice","plan":"keyward","subscription_status":"active","secret_count":6,"agent_count":1`, "list *; keys"},
		{"secrets:list:production/*", "GET", "/v1/me", "", 200, `"name":"worker","plan":"keyward","subscription_status":"active","secret_count":4,"agent_count":null`, "list *"},
		{"secrets:write:production/*", "GET", "/v1/me", "", 200, `"secret_count":null`, "list * denied scope"},
		{"researcher", "GET", "/v1/me", "", 200, `"name":"researcher","plan":"keyward","subscription_status":"active","secret_count":null`, "list * denied not_for_this_credential"},
		{"stranger", "GET", "/v1/me", "", 401, `"code":"UNAUTHORIZED"`, "get denied bad_token"},
		{"secrets:read:production/*", "GET", "/v1/namespaces", "", 200, `{"namespaces":["production","production/search","production/search/deep"],"items":[{"namespace":"production","secret_count":1},{"namespace":"production/search","secret_count":2}`, "list *"},
	})
}

func TestApprovals(t *testing.T) {
	b := newBed(t, nil)
	b.check(t, []row{
		{"alice", "GET", "/v1/approvals?status=pending", "", 200, `{"items":[],"total":0}`, "keys"},
		{"alice", "POST", "/v1/approvals/x/approve", "", 404, "there is no such approval", "keys; get denied invalid"},
		{"alice", "POST", "/v1/approvals/x/deny", `{"reason":"no"}`, 404, "there is no such approval", "keys; get denied invalid"},
		{"researcher", "GET", "/v1/approvals/agent/x", "", 404, `"detail":"there is no such approval`, "get denied not_for_this_credential"},
		{"researcher", "GET", "/v1/approvals", "", 401, `of the kind that may ask for it`, "keys denied bad_key"},
		{"stranger", "GET", "/v1/approvals/agent/x", "", 401, `"code":"UNAUTHORIZED"`, "get denied bad_token"},
	})
}

func TestAudit(t *testing.T) {
	b := newBed(t, nil)
	b.send(t, "secrets:*:production/*", "GET", "/v1/secrets/production/search/tavily", "")
	b.send(t, "secrets:*:production/*", "PUT", "/v1/secrets/production/x", `{"value":"v"}`)
	b.send(t, "secrets:*:production/*", "PUT", "/v1/secrets/production/x", `{"value":"v"}`)
	b.send(t, "secrets:*:production/*", "DELETE", "/v1/secrets/production/x", "")
	b.send(t, "secrets:*:production/*", "GET", "/v1/secrets/staging/db", "")
	b.send(t, "secrets:*:production/*", "PUT", "/v1/secrets/staging/db", `{"value":"v"}`)
	b.send(t, "stranger", "GET", "/v1/secrets/staging/db", "")
	type page struct {
		Events []struct {
			ID           string         `json:"id"`
			EventType    string         `json:"event_type"`
			Event        string         `json:"event"`
			ActorID      string         `json:"actor_id"`
			ActorType    string         `json:"actor_type"`
			ResourceType string         `json:"resource_type"`
			ResourceID   *string        `json:"resource_id"`
			Metadata     map[string]any `json:"metadata"`
			IPAddress    *string        `json:"ip_address"`
			CreatedAt    string         `json:"created_at"`
		} `json:"events"`
		Total int `json:"total"`
		Page  int `json:"page"`
		Limit int `json:"limit"`
	}
	var got page
	b.ask(t, "alice", "GET", "/v1/audit?page=1&limit=100", "", &got)
	var lines []string
	for _, e := range got.Events {
		line := e.EventType + " " + e.ActorType + " " + e.ActorID + " " + e.ResourceType
		if e.ResourceID != nil && e.ResourceType == "secret" {
			line += " " + *e.ResourceID
		}
		if e.Event != e.EventType || e.CreatedAt == "" || e.Metadata["outcome"] == "" {
			t.Errorf("%+v", e)
		}
		lines = append(lines, line)
	}
	want := []string{
		"audit.read user alice vault",
		"secret.read.denied unknown  vault",
		"secret.write.denied agent worker secret staging/db",
		"secret.read.denied agent worker secret staging/db",
		"secret.deleted agent worker secret production/x",
		"secret.updated agent worker secret production/x",
		"secret.created agent worker secret production/x",
		"secret.read agent worker secret production/search/tavily",
		"token.issued user test token",
		"agent.created user test agent",
	}
	if len(lines) < len(want) || strings.Join(lines[:len(want)], "\n") != strings.Join(want, "\n") || len(lines) != got.Total || lines[len(lines)-1] != "vault.create unknown  vault" {
		t.Errorf("%d of %d:\n%s", len(lines), got.Total, strings.Join(lines, "\n"))
	}
	// Pages join without a gap, as far as nothing was recorded between: each page is an event, so one has to step over it.
	var ids []string
	for n := 1; ; n++ {
		var p page
		b.ask(t, "alice", "GET", "/v1/audit?limit=4&page="+strconv.Itoa(n), "", &p)
		if len(p.Events) == 0 {
			break
		}
		for _, e := range p.Events {
			if len(ids) == 0 || less(e.ID, ids[len(ids)-1]) {
				ids = append(ids, e.ID)
			}
		}
	}
	if len(ids) == 0 || ids[len(ids)-1] != "0" || len(ids) != atoi(ids[0])+1 {
		t.Errorf("pages have %v", ids)
	}
	b.check(t, []row{
		{"alice", "GET", "/v1/audit?limit=101", "", 400, "at most 100", "get denied invalid"},
		{"alice", "GET", "/v1/audit?page=0", "", 400, "numbers from 1", "get denied invalid"},
		{"alice", "GET", "/v1/audit?agent=x", "", 400, "takes page and limit", "get denied invalid"},
		{"alice", "GET", "/v1/audit?page=1000000000&limit=100", "", 200, `"events":[]`, "log"},
		{"secrets:*:*", "GET", "/v1/audit", "", 401, "of the kind that may ask for it", "log denied bad_key"},
	})
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func less(a, b string) bool { return atoi(a) < atoi(b) }

func TestHostsAndOrigins(t *testing.T) {
	b := newBed(t, func(c *server.Config) { c.Hosts = []string{"vault.example"} })
	before := b.size(t)
	resp, text := b.send(t, "alice", "GET", "/v1/agents", "")
	if records := strings.Join(b.since(t, before), "; "); resp.StatusCode != http.StatusForbidden || records != "get denied invalid" || !strings.Contains(text, `"detail":"this server does not serve`) {
		t.Errorf("%d %s %s", resp.StatusCode, text, records)
	}
}
