// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

func TestReadOrList(t *testing.T) {
	b := newBed(t, nil)
	const below, exact, wide = "secrets:read:production/search/*", "secrets:read:production/search", "secrets:read:*"
	b.check(t, []row{
		// What the SDK asks: a scope for what it wants, and a path with slashes.
		{exact, "GET", "/v1/secrets/production/search", "", 200, `"value":"canary-search"`, "get production/search"},
		{below, "GET", "/v1/secrets/production/search", "", 200, `"namespace":"production/search","items":[{"id":"production/search/serp"`, "list production/search/*"},
		{below, "GET", "/v1/secrets/production/search/tavily", "", 200, `"value":"canary-tavily"`, "get production/search/tavily"},
		{"secrets:read:empty/x/*", "GET", "/v1/secrets/empty/x", "", 200, `"items":[]`, "list empty/x/*"},
		// A wide token means the secret, if there is one.
		{wide, "GET", "/v1/secrets/production/search", "", 200, `"value":"canary-search"`, "get production/search"},
		{wide, "GET", "/v1/secrets/production/search/deep", "", 200, `"key":"er"`, "get production/search/deep denied not_found; list production/search/deep/*"},
		{wide, "GET", "/v1/secrets/production/none", "", 404, `"code":"SECRET_NOT_FOUND"`, "get production/none denied not_found; list production/none/*"},
		{"alice", "GET", "/v1/secrets/production/search", "", 200, `"value":"canary-search"`, "get production/search"},
		// What the CLI and the MCP server ask: a namespace in one segment.
		{wide, "GET", "/v1/secrets/production%2Fsearch", "", 200, `"items":[{"id":"production/search/serp"`, "list production/search/*"},
		{below, "GET", "/v1/secrets/production%2Fsearch", "", 200, `"key":"tavily"`, "list production/search/*"},
		{"alice", "GET", "/v1/secrets/production%2Fsearch", "", 200, `"key":"tavily"`, "list production/search/*"},
		{wide, "GET", "/v1/secrets/production%2Fsearch/serp", "", 200, `"value":"canary-serp"`, "get production/search/serp"},
		{"secrets:list:production/*", "GET", "/v1/secrets/production%2Fsearch", "", 200, `"key":"tavily"`, "list production/search/*"},
		{"secrets:use:production/*", "GET", "/v1/secrets/production%2Fsearch", "", 200, `"key":"tavily"`, "list production/search/*"},
		// What the documentation has: of the older one where the token is for just that path, or there is a version.
		{exact, "GET", "/v1/secrets/production%2Fsearch", "", 200, `"path":"production/search"`, "get production/search"},
		{"secrets:read:flat", "GET", "/v1/secrets/flat", "", 200, `"value":"canary-flat"`, "get flat"},
		{wide, "GET", "/v1/secrets/production%2Fsearch?version=1", "", 200, `"value":"canary-search"`, "get production/search"},
		{wide, "GET", "/v1/secrets/production%2Fsearch?version=2", "", 404, `"code":"SECRET_NOT_FOUND"`, "get production/search denied not_found"},
		{below, "GET", "/v1/secrets?namespace=production/search", "", 200, `"key":"tavily"`, "list production/search/*"},
		// A list has no value, and no namespace but its own.
		{wide, "GET", "/v1/secrets/production", "", 200, `{"namespace":"production","items":[{"id":"production/search","path":"production/search","namespace":"production","key":"search","version":1`, "list production/*"},
		// Outside of the scope.
		{below, "GET", "/v1/secrets/staging/db", "", 403, `"code":"SCOPE_DENIED"`, "get staging/db denied scope"},
		{"secrets:use:*", "GET", "/v1/secrets/staging/db", "", 403, `"code":"SCOPE_DENIED"`, "get staging/db denied scope"},
		{below, "GET", "/v1/secrets/staging", "", 403, `"code":"SCOPE_DENIED"`, "list staging/* denied scope"},
		{"researcher", "GET", "/v1/secrets/production/search/tavily", "", 403, `"code":"SCOPE_DENIED"`, "get production/search/tavily denied not_for_this_credential"},
		{"stranger", "GET", "/v1/secrets/staging/db", "", 401, `"code":"UNAUTHORIZED"`, "get denied bad_token"},
		{"nobody", "GET", "/v1/secrets/staging/db", "", 401, `"code":"UNAUTHORIZED"`, "get denied bad_token"},
	})
}

func TestWrite(t *testing.T) {
	b := newBed(t, nil)
	const writer = "secrets:write:production/*"
	sdk := func(value, kind, tier, metadata string) string {
		return `{"value":"` + value + `","secret_type":"` + kind + `","access_tier":"` + tier + `","metadata":` + metadata + `}`
	}
	if err := b.op.SetPolicy(context.Background(), "production/ssh", vault.Policy{Type: "ssh_key"}, "a test"); err != nil {
		t.Fatal(err)
	}
	b.check(t, []row{
		{writer, "PUT", "/v1/secrets/production/x/new", sdk("v1", "custom", "standard", "null"), 200, `"version":1,"secret_type":"custom","type":"custom","access_tier":"standard"`, "put production/x/new"},
		{writer, "PUT", "/v1/secrets/production%2Fx/new", `{"value":"v2","secret_type":"custom","access_tier":"standard"}`, 200, `"version":2`, "put production/x/new"},
		{writer, "PUT", "/v1/secrets/production/x/new", sdk("v3", "custom", "standard", `{"owner":"ops"}`), 200, `"metadata":{"owner":"ops"}`, "put production/x/new"},
		{"alice", "GET", "/v1/secrets/production/x/new", "", 200, `"value":"v3","version":3`, "get production/x/new"},
		// The clients' defaults pass; a policy is otherwise only tightened.
		{writer, "PUT", "/v1/secrets/production/ssh", sdk("v", "custom", "standard", "null"), 200, `"version":1`, "put production/ssh"},
		{writer, "PUT", "/v1/secrets/production/ssh", sdk("v", "ssh_key", "standard", "null"), 200, `"version":2`, "put production/ssh"},
		{writer, "PUT", "/v1/secrets/production/ssh", sdk("v", "api_key", "standard", "null"), 403, `type differs`, "put production/ssh denied policy"},
		{writer, "PUT", "/v1/secrets/production/ssh", sdk("v", "custom", "critical", "null"), 200, `"version":3`, "put production/ssh"},
		{writer, "PUT", "/v1/secrets/production/ssh", sdk("v", "custom", "standard", "null"), 403, `the tier of the path needs an approval`, "put production/ssh denied tier"},
		{"secrets:read:*", "GET", "/v1/secrets/production/ssh", "", 403, `the tier of the path needs an approval`, "get production/ssh denied tier"},
		{"alice", "GET", "/v1/secrets/production/ssh", "", 200, `"access_tier":"critical"`, "get production/ssh override:tier"},
		// Refused before the vault is asked.
		{writer, "PUT", "/v1/secrets/production/x", `{"value":"v","value":"w"}`, 400, `"code":"VALIDATION_ERROR"`, "get denied invalid"},
		{writer, "PUT", "/v1/secrets/production/x", `{"value":"v","Secret_Type":"custom"}`, 400, `unknown key`, "get denied invalid"},
		{writer, "PUT", "/v1/secrets/production/x", `{"secret_type":"custom"}`, 400, `value is missing`, "get denied invalid"},
		{writer, "PUT", "/v1/secrets/production/x", sdk("v", "custom", "standard", `{"n":1}`), 400, `every value is a string`, "get denied invalid"},
		{writer, "PUT", "/v1/secrets/production/x", sdk("v", "payment", "standard", "null"), 400, `type is`, "put denied invalid"},
		// Rotation.
		{writer, "POST", "/v1/secrets/production/x/new/rotate", `{"new_value":"v4"}`, 200, `"version":4`, "put production/x/new"},
		{writer, "POST", "/v1/secrets/production%2Fx/new/rotate", ``, 400, `keyward makes no values`, "get denied invalid"},
		{writer, "POST", "/v1/secrets/production%2Fx/new/rotate", `{}`, 400, `keyward makes no values`, "get denied invalid"},
		// The older documentation.
		{writer, "POST", "/v1/secrets", `{"path":"production/g1","value":"v","type":"api_key","tier":"standard","description":"d","tags":{"team":"a"}}`, 201, `"description":"d","created_at":`, "put production/g1"},
		{writer, "POST", "/v1/secrets", `{"path":"production/g1","value":"v"}`, 409, `"code":"CONFLICT"`, "put production/g1 denied version"},
		{writer, "PATCH", "/v1/secrets/production%2Fg1", `{"value":"w"}`, 200, `"version":2`, "put production/g1"},
		{writer, "PATCH", "/v1/secrets/production%2Fg1", `{"value":"w","grace_period_seconds":900}`, 400, `leave it out`, "get denied invalid"},
		// Deletion.
		{"secrets:delete:production/*", "DELETE", "/v1/secrets/production/g1", "", 204, "", "delete production/g1"},
		{"secrets:delete:production/*", "DELETE", "/v1/secrets/production/g1", "", 404, `"code":"SECRET_NOT_FOUND"`, "delete production/g1 denied not_found"},
		{writer, "DELETE", "/v1/secrets/production/x/new", "", 403, `"code":"SCOPE_DENIED"`, "delete production/x/new denied scope"},
		{writer, "PUT", "/v1/secrets/staging/x", sdk("v", "custom", "standard", "null"), 403, `"code":"SCOPE_DENIED"`, "put staging/x denied scope"},
	})
}

func TestImport(t *testing.T) {
	b := newBed(t, nil)
	const writer = "secrets:write:production/*"
	b.check(t, []row{
		{writer, "POST", "/v1/secrets/import", `{"namespace":"production/env","content":"# c\nexport A=1\nB='x y' # c\n","secret_type":"custom","access_tier":"standard","metadata":null}`, 200,
			`{"namespace":"production/env","imported":["A","B"],"imported_count":2,"skipped":0,"keys":["A","B"]}`, "put production/env/A; put production/env/B"},
		{"alice", "GET", "/v1/secrets/production%2Fenv/B", "", 200, `"value":"x y"`, "get production/env/B"},
		{writer, "POST", "/v1/secrets/import", `{"namespace":"production/env","content":"A=1\nC=\"secret-part\n"}`, 400, `line 2, C`, "get denied invalid"},
		{writer, "POST", "/v1/secrets/import", `{"namespace":"production/../x","content":"A=1\n"}`, 400, `nothing was imported`, "get denied invalid"},
		{writer, "POST", "/v1/secrets/import", `{"namespace":"staging","content":"A=1\n"}`, 403, `the 0 keys before it were stored`, "put staging/A denied scope"},
	})
	_, text := b.send(t, writer, "POST", "/v1/secrets/import", `{"namespace":"production/env","content":"C=\"secret-part\n"}`)
	if strings.Contains(text, "secret-part") {
		t.Errorf("the error quotes the file: %s", text)
	}
}

// What is outside of a token's scope answers alike, byte for byte, before and after everything is deleted.
func TestNoOracle(t *testing.T) {
	b := newBed(t, nil)
	ask := func() (answers []string) {
		for _, who := range []string{"secrets:read:other/*", "secrets:*:other/x", "secrets:use:*", "secrets:write:*", "secrets:list:other/*", "researcher", "stranger", "nobody"} {
			for _, c := range []string{
				"GET /v1/secrets/staging/db", "GET /v1/secrets/production/search", "GET /v1/secrets/production%2Fsearch/tavily",
				"GET /v1/secrets/staging%2Fdb?version=1", "DELETE /v1/secrets/staging/db", "GET /v1/secrets/flat?version=1",
			} {
				method, place, _ := strings.Cut(c, " ")
				resp, text := b.send(t, who, method, place, "")
				if resp.StatusCode != 401 && resp.StatusCode != 403 {
					t.Errorf("%s: %s: %d %s", who, c, resp.StatusCode, text)
				}
				resp.Header.Del("Date")
				resp.Header.Del("Keyward-Request-Id")
				answers = append(answers, fmt.Sprintln(who, c, resp.Status, resp.Header, text))
			}
		}
		return answers
	}
	// A list, and what falls back to one, shows what the token may list.
	const some = "secrets:read:production/search/deep/*"
	for _, place := range []string{"/v1/secrets/production%2Fsearch", "/v1/secrets?namespace=production/search", "/v1/secrets/production", "/v1/namespaces"} {
		if _, text := b.send(t, some, "GET", place, ""); strings.Contains(text, "tavily") || strings.Contains(text, `"key":"search"`) || strings.Contains(text, "staging") {
			t.Errorf("%s shows what the token may not see: %s", place, text)
		}
	}
	before := ask()
	for path := range values {
		if err := b.op.Delete(context.Background(), vault.Request{Path: path}); err != nil {
			t.Fatal(err)
		}
	}
	for i, after := range ask() {
		if after != before[i] {
			t.Errorf("there:   %safter:   %s", before[i], after)
		}
	}
}
