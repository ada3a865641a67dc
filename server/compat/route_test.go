// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/server/compat"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

func TestPaths(t *testing.T) {
	b := newBed(t, nil)
	const all = "secrets:*:*"
	b.check(t, []row{
		// Runs of slashes are one, and nothing is redirected.
		{all, "GET", "//v1/secrets/staging/db", "", 200, "canary-db", "get staging/db"},
		{all, "GET", "/v1//secrets///staging//db", "", 200, "canary-db", "get staging/db"},
		{all, "PUT", "//v1/secrets/staging//x", `{"value":"v"}`, 200, `"key":"x"`, "put staging/x"},
		// No second spelling of a path.
		{all, "GET", "/v1/secrets/staging/../production/search", "", 400, `"code":"VALIDATION_ERROR"`, "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/./db", "", 400, "", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/%2e%2e/production/search", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging%2F../db", "", 400, "", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging%2f../db", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging%2fdb", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging%252Fdb", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/%73taging/db", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/d%62", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging%2F%2Fdb/x", "", 400, "", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/db/", "", 400, "no empty segment", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging%2F/db", "", 400, "", "get denied invalid"},
		{all, "GET", "/v1/secrets/%2Fstaging/db", "", 400, "", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/d b", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/d%00b", "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", `/v1/secrets/staging\db/x`, "", 400, "no escape but %2F", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/*", "", 400, "", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging:db/x", "", 400, "", "get denied invalid"},
		{all, "DELETE", "/v1/secrets/staging/..", "", 400, "", "delete denied invalid"},
		{all, "PUT", "/v1/secrets/..%2Fx/y", `{"value":"v"}`, 400, "", "put denied invalid"},
		// A query that is the end of a path which nobody escaped.
		{all, "GET", "/v1/secrets/staging/db?x", "", 400, "the query", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/db?", "", 400, "the query", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/db?version=1&version=2", "", 400, "the query", "get denied invalid"},
		{all, "GET", "/v1/secrets/staging/db?version=01", "", 400, "version", "get denied invalid"},
		{all, "PUT", "/v1/secrets/staging/db?version=1", `{"value":"v"}`, 400, "the query", "get denied invalid"},
		{all, "DELETE", "/v1/secrets/staging/db?2", "", 400, "the query", "get denied invalid"},
		{all, "GET", "/v1/namespaces?namespace=x", "", 400, "the query", "get denied invalid"},
		// Places and methods.
		{all, "GET", "/v1/secrets/import", "", 200, `"items":[]`, "list import/*"},
		{all, "GET", "/v1/nothing", "", 404, `"code":"NOT_FOUND"`, "get denied invalid"},
		{all, "GET", "/v1/tokens", "", 405, "made with POST", "get denied invalid"},
		{all, "HEAD", "/v1/secrets/staging/db", "", 405, "", "get denied invalid"},
		{all, "POST", "/v1/secrets/staging/db", "{}", 405, "made with GET or PUT or PATCH or DELETE", "get denied invalid"},
		{all, "GET", "/v1/secrets", "", 400, "?namespace=", "get denied invalid"},
		{"nobody", "GET", "/v1/health", "", 200, `{"status":"ok","version":"1","service":"keyward"}`, ""},
		{"nobody", "GET", "/v1/nothing", "", 401, `"code":"UNAUTHORIZED"`, "get denied bad_token"},
	})
}

var slashes = regexp.MustCompile("/+")

// What is stored is what the URL names, runs of slashes being one and %2F one of them; all else is refused.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a/b", "a%2Fb/c", "a//b", "..", "%2e%2e", "a/%2F../b", "a/", "%2F", "a?b", "a%", "é", "a/rotate", "import"} {
		f.Add(s)
	}
	v := vaulttest.Open(f, map[string]string{"a/b": "canary"})
	h, err := compat.New(server.Config{Vault: v, Hosts: []string{"example.com"}, Rate: 1e9, Burst: 1e9})
	if err != nil {
		f.Fatal(err)
	}
	tok := vaulttest.Session(f, v, "worker", "secrets:*:*").Token().Reveal()
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI("/v1/secrets/" + path)
		if err != nil {
			return
		}
		r := httptest.NewRequest("PUT", "/", strings.NewReader(`{"value":"v"}`))
		r.URL = u
		r.Header.Set("Authorization", "Bearer "+tok)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		plain := strings.ReplaceAll(slashes.ReplaceAllString(u.EscapedPath(), "/"), "%2F", "/")
		plain = strings.TrimPrefix(plain, "/v1/secrets/")
		good := scope.CheckPath(plain) == nil && u.RawQuery == "" && !u.ForceQuery
		switch stored := strings.Contains(w.Body.String(), `"path":"`+plain+`"`); {
		case good && w.Code == 409 && strings.Contains(w.Body.String(), "case alone"): // of another that the vault has by now
		case good && (w.Code != 200 || !stored), !good && w.Code != 400:
			t.Errorf("%q, a path: %t: %d %s", path, good, w.Code, w.Body)
		}
	})
}
