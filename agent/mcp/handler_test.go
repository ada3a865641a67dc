// SPDX-License-Identifier: Apache-2.0

package mcp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// Clients of every version of the protocol: allowed, denied, the same tools for all.
func TestVersions(t *testing.T) {
	v := open(t)
	url := upstream(t, v, other)
	s := handler(t, v, mcp.Config{})
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			seen := new(wire)
			researcher := dialHTTP(t, s.URL, version, vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*"), seen)
			if got := researcher.InitializeResult().ProtocolVersion; got != version {
				t.Errorf("speaks %s", got)
			}
			quiet := new(wire)
			writer := dialHTTP(t, s.URL, version, vaulttest.Session(t, v, "writer", "secrets:use:production/publishing/*"), quiet)
			for _, c := range []*sdk.ClientSession{researcher, writer} {
				list, err := c.ListTools(t.Context(), nil)
				if err != nil || len(list.Tools) != 3 || list.Tools[0].Name != "get_secret" || list.Tools[1].Name != "http_request" || list.Tools[2].Name != "list_secrets" {
					t.Fatalf("tools: %+v, %v", list, err)
				}
				if version == "2026-07-28" && list.CacheScope != "private" {
					t.Errorf("cache scope %q", list.CacheScope)
				}
			}
			if got, isError := ask(t, researcher, "get_secret", args{"path": search}); got != canary || isError {
				t.Errorf("%q, %v", got, isError)
			}
			for _, c := range []struct {
				client     *sdk.ClientSession
				tool, path string
			}{{researcher, "get_secret", other}, {writer, "get_secret", other}, {writer, "http_request", search}} {
				if got, isError := ask(t, c.client, c.tool, args{"path": c.path, "url": url}); !isError && c.tool == "http_request" || !strings.HasPrefix(got, "Refused") && !strings.HasPrefix(got, "Malformed") {
					t.Errorf("%s %s: %q, %v", c.tool, c.path, got, isError)
				}
			}
			if got, isError := ask(t, writer, "http_request", args{"path": other, "url": url + "/post"}); isError || !strings.Contains(got, "you sent Bearer [redacted]") {
				t.Errorf("%q, %v", got, isError)
			}
			quiet.holds(t, canary, secondary)
			seen.holds(t, secondary)
			for _, w := range []*wire{seen, quiet} {
				for line := range strings.Lines(w.String()) {
					if strings.HasPrefix(line, "200 OK") && (!strings.Contains(line, "Cache-Control:[no-store]") || !strings.Contains(line, "application/json")) {
						t.Errorf("an answer: %s", line)
					}
				}
				if strings.Contains(w.String(), "kw_tok_") && !strings.Contains(w.String(), "kw_tok_…") {
					t.Error("an answer holds a token")
				}
			}
		})
	}
}

// raw sends one request as it is.
func raw(t testing.TB, url, body string, change func(*http.Request)) (status int, header http.Header, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(answer)
}

func get(path string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_secret","arguments":{"path":%q}}}`, path)
}

// Whose session an id names says nothing: each request acts with the token that it carries.
func TestAgentsCannotCross(t *testing.T) {
	v := open(t)
	s := handler(t, v, mcp.Config{})
	tokens := map[string]string{
		"researcher": vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*").Token().Reveal(),
		"writer":     vaulttest.Session(t, v, "writer", "secrets:read:production/publishing/*").Token().Reveal(),
	}
	mine := map[string]string{"researcher": search, "writer": other}
	value := map[string]string{search: canary, other: secondary}
	var ids []string
	for _, name := range []string{"researcher", "writer"} {
		_, h, _ := raw(t, s.URL, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
			func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tokens[name]) })
		if id := h.Get("Mcp-Session-Id"); id != "" {
			ids = append(ids, id)
		}
	}
	ids = append(ids, "", "1", "researcher", "writer")
	var wg sync.WaitGroup
	for name, token := range tokens {
		for _, id := range ids {
			wg.Go(func() {
				for path := range value {
					status, _, text := raw(t, s.URL, get(path), func(r *http.Request) {
						r.Header.Set("Authorization", "bearer "+token)
						r.Header.Set("Mcp-Session-Id", id)
					})
					if status != 200 || strings.Contains(text, value[path]) != (path == mine[name]) || strings.Contains(text, "Refused") == (path == mine[name]) {
						t.Errorf("%s asks for %s: %d %s", name, path, status, text)
					}
				}
			})
		}
	}
	wg.Wait()
	if status, _, text := raw(t, s.URL, get(search), func(r *http.Request) { r.Header.Set("Mcp-Session-Id", ids[0]) }); status != 401 || strings.Contains(text, canary) {
		t.Errorf("a session without a token: %d %s", status, text)
	}
}

// unauthorized is the one answer to whoever has no live token.
const unauthorized = `{"error":{"code":"unauthorized","message":"this wants a live credential of this vault, of the kind that may ask for it: Authorization: Bearer kw_…"}}` + "\n"

// What is turned away before anything is read, and how it is recorded.
func TestTurnedAway(t *testing.T) {
	v := open(t)
	s := handler(t, v, mcp.Config{Origins: []string{"https://console.example.com"}})
	token := vaulttest.Session(t, v, "researcher", "secrets:read:*").Token().Reveal()
	foreign := vaulttest.Session(t, vaulttest.Open(t, nil), "researcher", "secrets:read:*").Token().Reveal()
	_, key, err := v.Operator("test").NewKey(t.Context(), vault.Key{Name: "service", Expires: time.Now().Add(time.Hour).Truncate(time.Second), Limits: vault.Grant{
		Agent: "researcher", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Minute,
	}}, "a test")
	_, operator, err2 := v.Operator("test").NewKey(t.Context(), vault.Key{Name: "alice", Operator: true, Expires: time.Now().Add(time.Hour).Truncate(time.Second)}, "a test")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set(name, value)
		}
	}
	host := func(name string) func(*http.Request) {
		return func(r *http.Request) { set("X", "x")(r); r.Host = name }
	}
	changed := "A"
	if token[40] == 'A' {
		changed = "B"
	}
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"the token", set("X", "x"), 200},
		{"loopback by name", host("localhost:99"), 200},
		{"loopback in capitals", host("LOCALHOST"), 200},
		{"IPv6 loopback", host("[::1]:99"), 200},
		{"trusted origin", set("Origin", "https://console.example.com"), 200},
		{"a program with fetch metadata", set("Sec-Fetch-Site", "none"), 200},

		{"rebound host", host("evil.example:80"), 403},
		{"rebound host that looks local", host("localhost.evil.example"), 403},
		{"trailing dot", host("localhost."), 403},
		{"another loopback", host("127.0.0.2"), 403},
		{"foreign origin", set("Origin", "https://evil.example"), 403},
		{"origin that looks trusted", set("Origin", "https://console.example.com.evil.example"), 403},
		{"trusted name, other scheme", set("Origin", "http://console.example.com"), 403},
		{"null origin", set("Origin", "null"), 403},
		{"cross-site", set("Sec-Fetch-Site", "cross-site"), 403},
		{"same-site", set("Sec-Fetch-Site", "same-site"), 403},
		{"foreign origin, GET", func(r *http.Request) { set("Origin", "https://evil.example")(r); r.Method = "GET" }, 403},
		{"foreign origin, OPTIONS", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example"); r.Method = "OPTIONS" }, 403},
		{"rebound host without a token", func(r *http.Request) { r.Host = "evil.example" }, 403},

		{"no token", nil, 401},
		{"empty bearer", set("Authorization", "Bearer "), 401},
		{"only the scheme", set("Authorization", "Bearer"), 401},
		{"another scheme", set("Authorization", "Basic "+token), 401},
		{"no scheme", set("Authorization", token), 401},
		{"two tokens", set("Authorization", "Bearer "+token+" "+token), 401},
		{"two headers", func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token} }, 401},
		{"cut token", set("Authorization", "Bearer "+token[:len(token)-1]), 401},
		{"changed token", set("Authorization", "Bearer "+token[:40]+changed+token[41:]), 401},
		{"another vault's", set("Authorization", "Bearer "+foreign), 401},
		{"an agent key", set("Authorization", "Bearer "+key.Reveal()), 401},
		{"an operator's", set("Authorization", "Bearer "+operator.Reveal()), 401},
		{"long token", set("Authorization", "Bearer kw_tok_"+strings.Repeat("A", 100<<10)), 401},
		{"token in the query", func(r *http.Request) { r.URL.RawQuery = "access_token=" + token }, 401},
		{"GET without a token", func(r *http.Request) { r.Method = "GET" }, 401},

		{"GET", func(r *http.Request) { set("X", "x")(r); r.Method = "GET" }, 405},
		{"DELETE", func(r *http.Request) { set("Mcp-Session-Id", "1")(r); r.Method = "DELETE" }, 405},
		{"OPTIONS", func(r *http.Request) { set("X", "x")(r); r.Method = "OPTIONS" }, 405},
		{"text", set("Content-Type", "text/plain"), 415},
		{"form", set("Content-Type", "application/x-www-form-urlencoded"), 415},
		{"no type", func(r *http.Request) { set("X", "x")(r); r.Header.Del("Content-Type") }, 415},
		{"old version", set("Mcp-Protocol-Version", "2023-01-01"), 400},
		{"2 MiB", func(r *http.Request) {
			set("X", "x")(r)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(get(strings.Repeat("a", 2<<20)))), -1
		}, 413},
		{"5 MiB", func(r *http.Request) {
			set("X", "x")(r)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(get(strings.Repeat("a", 5<<20)))), -1
		}, 413},
	} {
		before := len(records(t, v, audit.Filter{Outcome: audit.Denied}))
		status, h, text := raw(t, s.URL, get(search), c.change)
		if status != c.status || strings.Contains(text, canary) != (c.status == 200) {
			t.Errorf("%s: %d %s", c.name, status, text)
		}
		if h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", c.name, h.Get("Cache-Control"))
		}
		challenge := h.Get("Www-Authenticate")
		if (challenge != "") != (c.status == 401) || c.status == 401 && (!strings.HasPrefix(challenge, `Bearer realm="keyward"`) || text != unauthorized) {
			t.Errorf("%s: %q, %q", c.name, challenge, text)
		}
		n := len(records(t, v, audit.Filter{Outcome: audit.Denied})) - before
		if want := c.status == 401 || c.status == 403; n > 1 || n == 1 != want {
			t.Errorf("%s: %d refusals are recorded", c.name, n)
		}
		if n == 1 {
			if r := last(t, v); r.Op != "get" || r.Path != "" || r.Addr != "127.0.0.1" {
				t.Errorf("%s: recorded as %+v", c.name, r)
			}
		}
		if strings.Contains(text, "kw_tok_A") || strings.Contains(text, token) {
			t.Errorf("%s: the answer holds a token", c.name)
		}
	}
}

func TestConfig(t *testing.T) {
	v := open(t)
	for name, cfg := range map[string]mcp.Config{
		"no session":  {},
		"host port":   {Vault: v, Hosts: []string{"vault.example.com:443"}},
		"host URL":    {Vault: v, Hosts: []string{"https://vault.example.com"}},
		"host star":   {Vault: v, Hosts: []string{"*"}},
		"host case":   {Vault: v, Hosts: []string{"Vault.example.com"}},
		"empty host":  {Vault: v, Hosts: []string{""}},
		"origin path": {Vault: v, Origins: []string{"https://example.com/x"}},
		"tool":        {Vault: v, Tools: []string{"get_secret_researcher"}},
	} {
		if _, err := mcp.NewHandler(cfg); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := handler(t, v, mcp.Config{Hosts: []string{"vault.example.com"}, Tools: []string{"list_secrets"}})
	auth := "Bearer " + vaulttest.Session(t, v, "researcher", "secrets:read:*").Token().Reveal()
	for name, want := range map[string]int{"vault.example.com": 200, "vault.example.com:8443": 200, "localhost": 403, "127.0.0.1": 403} {
		status, _, text := raw(t, s.URL, get(search), func(r *http.Request) { r.Host = name; r.Header.Set("Authorization", auth) })
		if status != want || strings.Contains(text, canary) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

// A token that has died is a 401, whatever is asked with it, and each time recorded once.
func TestDeadTokens(t *testing.T) {
	const hello = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`
	v := open(t)
	s := handler(t, v, mcp.Config{})
	op := v.Operator("test")
	issue := func(g vault.Grant) (auth, id string) {
		g.Agent, g.Scopes = "researcher", scope.MustParse("secrets:read:*")
		if g.TTL == 0 {
			g.TTL = time.Hour
		}
		session, err := op.Issue(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := session.Claims(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + session.Token().Reveal(), claims[0].ID
	}
	ask := func(name, auth, body string, want int, cause string) {
		t.Helper()
		before := len(records(t, v, audit.Filter{Outcome: audit.Denied}))
		status, h, text := raw(t, s.URL, body, func(r *http.Request) { r.Header.Set("Authorization", auth) })
		if status != want || want == 401 && (h.Get("Www-Authenticate") != `Bearer realm="keyward", error="invalid_token"` || strings.Contains(text, "jsonrpc")) {
			t.Errorf("%s: %d %s", name, status, text)
		}
		n := len(records(t, v, audit.Filter{Outcome: audit.Denied})) - before
		if r := last(t, v); n != map[bool]int{true: 1, false: 0}[want == 401] || n == 1 && (r.Cause != cause || r.Token == "") {
			t.Errorf("%s: %d refusals are recorded, the last as %+v", name, n, r)
		}
	}

	auth, id := issue(vault.Grant{})
	ask("alive", auth, get(search), 200, "")
	if err := op.Revoke(t.Context(), id, "a test"); err != nil {
		t.Fatal(err)
	}
	ask("revoked, found by a call", auth, get(search), 401, "revoked")
	ask("revoked, and known", auth, hello, 401, "revoked")
	ask("revoked, and known", auth, get(search), 401, "revoked")

	auth, id = issue(vault.Grant{})
	if err := op.Revoke(t.Context(), id, "a test"); err != nil {
		t.Fatal(err)
	}
	ask("revoked before its first request", auth, hello, 401, "revoked")

	auth, _ = issue(vault.Grant{MaxUses: 1})
	ask("one use", auth, get(search), 200, "")
	ask("used up", auth, get(search), 401, "used_up")
	ask("used up", auth, hello, 401, "used_up")

	// What a live token may not do, and a freeze, are no 401.
	auth, _ = issue(vault.Grant{Run: "r1"})
	if err := op.Freeze(t.Context(), vault.Frozen{Kind: "run", Value: "r1"}, "a test"); err != nil {
		t.Fatal(err)
	}
	status, _, text := raw(t, s.URL, get(search), func(r *http.Request) { r.Header.Set("Authorization", auth) })
	if status != 200 || !strings.Contains(text, `"isError":true`) {
		t.Errorf("frozen: %d %s", status, text)
	}
}

// The rate of a token holds over requests, and so does what it has touched: what was revealed in one request is masked in the
// next.
func TestOverRequests(t *testing.T) {
	v := open(t)
	url := upstream(t, v, other)
	s := handler(t, v, mcp.Config{Options: []agent.Option{agent.WithRate(0.001, 3)}})
	auth := "Bearer " + vaulttest.Session(t, v, "researcher", "secrets:read:*").Token().Reveal()
	call := func(body string) string {
		_, _, text := raw(t, s.URL, body, func(r *http.Request) { r.Header.Set("Authorization", auth) })
		return text
	}
	if text := call(get(search)); !strings.Contains(text, canary) {
		t.Fatal(text)
	}
	call(strings.Replace(get(search), `"path"`, `"reason":"I have `+canary+`","path"`, 1))
	if r := last(t, v); r.Reason != "I have [redacted]" {
		t.Errorf("recorded as %q", r.Reason)
	}
	echo := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"http_request","arguments":{"path":%q,"url":"%s/x"}}}`, other, url)
	if text := call(echo); strings.Contains(text, secondary) || !strings.Contains(text, "[redacted]") {
		t.Error(text)
	}
	if text := call(get(search)); !strings.Contains(text, "Not now") || !strings.Contains(text, `"isError":true`) {
		t.Error(text)
	}
}

// A panic in the store is the failure of one request; the server goes on.
func TestPanicOverHTTP(t *testing.T) {
	broken := false
	v := openWith(t, bent{memory.New(), func() bool { return broken }})
	s := handler(t, v, mcp.Config{})
	auth := "Bearer " + vaulttest.Session(t, v, "researcher", "secrets:read:*").Token().Reveal()
	new := "Bearer " + vaulttest.Session(t, v, "researcher", "secrets:read:*").Token().Reveal()
	call := func(auth string) (int, string) {
		status, _, text := raw(t, s.URL, get(search), func(r *http.Request) { r.Header.Set("Authorization", auth) })
		return status, text
	}
	if status, text := call(auth); status != 200 || !strings.Contains(text, canary) {
		t.Fatalf("%d %s", status, text)
	}
	broken = true
	if status, text := call(auth); status != 200 || !strings.Contains(text, `"isError":true`) || strings.Contains(text, canary) {
		t.Errorf("%d %s", status, text)
	}
	if status, text := call(new); status != 503 || strings.Contains(text, canary) {
		t.Errorf("a new token: %d %s", status, text)
	}
	if status, _, _ := raw(t, s.URL, get(search), nil); status != 401 {
		t.Errorf("no token: %d", status)
	}
}

// serve sends a request that came from an address, whatever its headers say.
func serve(t testing.TB, h http.Handler, token vault.Token, from, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("X-Forwarded-For", "10.1.2.3")
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A token that is bound to networks works from there, at each request.
func TestNetworks(t *testing.T) {
	v := open(t)
	h, err := mcp.NewHandler(mcp.Config{Vault: v})
	if err != nil {
		t.Fatal(err)
	}
	s, err := v.Operator("test").Issue(t.Context(), vault.Grant{
		Agent: "researcher", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour, Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from   string
		status int
	}{{"10.1.2.3:9", 200}, {"10.2.2.3:9", 401}, {"10.1.2.3:9", 200}, {"[::ffff:10.1.2.3]:9", 200}, {"@", 401}, {"", 401}, {"127.0.0.1:9", 401}} {
		w := serve(t, h, s.Token(), c.from, get(search))
		if w.Code != c.status || strings.Contains(w.Body.String(), canary) != (c.status == 200) {
			t.Errorf("from %q: %d %s", c.from, w.Code, w.Body)
		}
	}
}

// An agent that is kept answers to its own token alone, and what it does is recorded with the address that asks.
func TestKeptAgents(t *testing.T) {
	v := open(t)
	h, err := mcp.NewHandler(mcp.Config{Vault: v})
	if err != nil {
		t.Fatal(err)
	}
	parent := vaulttest.Session(t, v, "researcher", "secrets:read:*").Token()
	child, err := parent.Narrow(vault.Grant{Agent: "researcher/summariser", Scopes: scope.MustParse("secrets:read:production/search/*")})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, c := range []struct {
			token             vault.Token
			from, path, agent string
			granted           bool
		}{
			{parent, "10.1.2.3", other, "researcher", true},
			{child, "10.1.2.3", other, "researcher/summariser", false},
			{child, "10.1.2.3", search, "researcher/summariser", true},
			{parent, "10.1.2.4", other, "researcher", true},
		} {
			w := serve(t, h, c.token, c.from+":9", get(c.path))
			if r := last(t, v); w.Code != 200 || r.Agent != c.agent || r.Addr != c.from || (r.Outcome == audit.Granted) != c.granted || strings.Contains(w.Body.String(), "isError") == c.granted {
				t.Errorf("%s from %s: %d %s, recorded as %+v", c.agent, c.from, w.Code, w.Body, r)
			}
		}
	}
}

// A holder that narrows its token to many has the rate of one.
func TestRateOfGrant(t *testing.T) {
	v := open(t)
	h, err := mcp.NewHandler(mcp.Config{Vault: v, Rate: 0.001, Burst: 3})
	if err != nil {
		t.Fatal(err)
	}
	s := vaulttest.Session(t, v, "researcher", "secrets:read:*")
	codes := ""
	for range 5 {
		tok, err := s.Token().Narrow(vault.Grant{MaxUses: 100})
		if err != nil {
			t.Fatal(err)
		}
		w := serve(t, h, tok, "127.0.0.1:1", get(search))
		codes += fmt.Sprint(w.Code, " ", w.Header().Get("Retry-After") != "", " ")
	}
	if codes != "200 false 200 false 200 false 429 true 429 true " {
		t.Error(codes)
	}
}

// A message has to be there in half a minute: the SDK would wait for its last byte for ever.
func TestSlowMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.Open(t, nil)
		h, err := mcp.NewHandler(mcp.Config{Vault: v})
		if err != nil {
			t.Fatal(err)
		}
		l := &oneConn{make(chan net.Conn, 1)}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(ctx, l, h, nil) }()
		here, there := net.Pipe()
		l.conns <- there
		start := time.Now()
		token := vaulttest.Session(t, v, "a", "secrets:use:other/x").Token().Reveal()
		fmt.Fprintf(here, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", token)
		resp, err := http.ReadResponse(bufio.NewReader(here), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 400 || time.Since(start) > time.Minute {
			t.Errorf("%s after %v", resp.Status, time.Since(start))
		}
		here.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

type oneConn struct{ conns chan net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l *oneConn) Close() error   { close(l.conns); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// Slow calls with large messages take no more of what large bodies may than their token's part.
func TestSlowCallsHoldTheirPart(t *testing.T) {
	v := open(t)
	came, gate := make(chan struct{}, 3), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came <- struct{}{}; <-gate }))
	defer upstream.Close()
	if err := v.Operator("test").SetPolicy(t.Context(), other, vault.Policy{Hosts: []string{upstream.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, ""); err != nil {
		t.Fatal(err)
	}
	s := handler(t, v, mcp.Config{})
	call := func(token string) int {
		message := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"http_request","arguments":{"path":%q,"url":"%s/x"}}}`, other, upstream.URL)
		status, _, _ := raw(t, s.URL, message+strings.Repeat(" ", 900<<10), func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
		return status
	}
	one := vaulttest.Session(t, v, "one", "secrets:use:production/publishing/*").Token().Reveal()
	two := vaulttest.Session(t, v, "two", "secrets:use:production/publishing/*").Token().Reveal()
	var wg sync.WaitGroup
	for _, token := range []string{one, one, two} {
		wg.Go(func() {
			if status := call(token); status != 200 {
				t.Error(status)
			}
		})
	}
	for range 3 {
		<-came
	}
	if status := call(one); status != 503 {
		t.Errorf("a third at once: %d", status)
	}
	close(gate)
	wg.Wait()
	if status := call(one); status != 200 {
		t.Errorf("a third later: %d", status)
	}
}
