// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func TestGateway(t *testing.T) {
	b := newBed(t, nil)
	to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %v %s", r.Method, r.RequestURI, body, r.Header["X-Api-Key"], r.Header.Get("Authorization"))
	})
	tok := b.token(t, "secrets:use:production/*")
	for _, auth := range []string{"Authorization: Bearer " + tok, "X-Api-Key: " + tok} {
		resp, text := b.send(t, "POST", "/use/"+path+"/~/v1/chat%20x?q=1", "hello", auth, "Keyward-Reason: to test", "Keyward-Call: call-7")
		if want := "POST /v1/chat%20x?q=1 hello [] Bearer [redacted]"; resp.StatusCode != 200 || text != want {
			t.Fatalf("%d %q", resp.StatusCode, text)
		}
		r := b.last(t)
		if r.Op != "use" || r.Outcome != audit.Granted || r.Path != path || r.Method != "POST" || "http://"+r.Host != to || r.Reason != "to test" || r.Call != "call-7" || r.Agent != "researcher" {
			t.Errorf("recorded as %+v", r)
		}
	}
}

func TestGatewayRefuses(t *testing.T) {
	b := newBed(t, nil)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("it was sent: %s", r.RequestURI) })
	tok, other := b.token(t, "secrets:use:production/*"), b.token(t, "secrets:use:staging/*")
	for _, c := range []struct {
		name, place string
		fields      []string
		status      int
		cause       string
	}{
		{"no token", "/use/" + path + "/~/v1", nil, 401, "bad_token"},
		{"bad token", "/use/" + path + "/~/v1", []string{"Authorization: Bearer kw_tok_x"}, 401, "bad_token"},
		{"token in the query", "/use/" + path + "/~/v1?api_key=" + tok, nil, 401, "bad_token"},
		{"two tokens", "/use/" + path + "/~/v1", []string{"Authorization: Bearer " + tok, "X-Api-Key: " + other}, 400, "invalid"},
		{"a token and a word", "/use/" + path + "/~/v1", []string{"Authorization: Basic eDp5", "X-Api-Key: " + tok}, 400, "invalid"},
		{"another scope", "/use/" + path + "/~/v1", []string{"Authorization: Bearer " + other}, 403, "scope"},
		{"no such path", "/use/production/llm/nothing/~/v1", []string{"Authorization: Bearer " + tok}, 404, "not_found"},
		{"no ~", "/use/" + path + "/v1", []string{"Authorization: Bearer " + tok}, 404, "invalid"},
		{"escaped ~", "/use/" + path + "/%7e/v1", []string{"Authorization: Bearer " + tok}, 404, "invalid"},
		{"dots in the path", "/use/production/x/../llm/key/~/v1", []string{"Authorization: Bearer " + tok}, 400, "invalid"},
		{"escapes in the path", "/use/production%2fllm/key/~/v1", []string{"Authorization: Bearer " + tok}, 400, "invalid"},
		{"two slashes in the path", "/use/production//llm/key/~/v1", []string{"Authorization: Bearer " + tok}, 400, "invalid"},
		{"dots in the rest", "/use/" + path + "/~/v1/../admin", []string{"Authorization: Bearer " + tok}, 400, "invalid"},
		{"escaped dots", "/use/" + path + "/~/v1/%2e%2e/admin", []string{"Authorization: Bearer " + tok}, 400, "invalid"},
		{"two slashes before the rest", "/use/" + path + "/~//evil.example/v1", []string{"Authorization: Bearer " + tok}, 400, "invalid"},
		{"absolute URI in the rest", "/use/" + path + "/~/http://evil.example/", []string{"Authorization: Bearer " + tok, "Keyward-Host: evil.example"}, 403, "host"},
		{"another host", "/use/" + path + "/~/v1", []string{"Authorization: Bearer " + tok, "Keyward-Host: evil.example"}, 403, "host"},
		{"userinfo", "/use/" + path + "/~/v1", []string{"Authorization: Bearer " + tok, "Keyward-Host: u@evil.example"}, 400, "invalid"},
		{"upgrade", "/use/" + path + "/~/v1", []string{"Authorization: Bearer " + tok, "Connection: Upgrade", "Upgrade: websocket"}, 400, "invalid"},
		{"method override", "/use/" + path + "/~/v1", []string{"Authorization: Bearer " + tok, "X-HTTP-Method-Override: DELETE"}, 400, "invalid"},
		{"foreign origin", "/use/" + path + "/~/v1", []string{"Authorization: Bearer " + tok, "Origin: https://evil.example"}, 403, "invalid"},
	} {
		before := b.last(t).Seq
		resp, text := b.send(t, "GET", c.place, "", c.fields...)
		if resp.StatusCode != c.status || !strings.Contains(text, `{"error":{"code":"`+resp.Header.Get("Keyward-Error")+`"`) {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, text)
		}
		if r := b.last(t); r.Seq != before+1 || r.Outcome != audit.Denied || r.Cause != c.cause {
			t.Errorf("%s: recorded as %+v", c.name, r)
		}
	}
}

// A redirect comes back through the door, or goes nowhere.
func TestGatewayRedirects(t *testing.T) {
	b := newBed(t, nil)
	location, status := "", http.StatusTemporaryRedirect
	to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Location"] = strings.Split(location, " and ")
		w.WriteHeader(status)
	})
	tok := b.token(t, "secrets:use:production/*")
	for _, c := range []struct {
		location, want string
	}{
		{"/v2/x?q=1", "/use/" + path + "/~/v2/x?q=1"},
		{"x%20y", "/use/" + path + "/~/v1/x%20y"},
		{to + "/v2", "/use/" + path + "/~/v2"},
		{to, "/use/" + path + "/~/"},
		{"/a and https://evil.example/", ""},
		{"../../etc", "/use/" + path + "/~/etc"},
		{"https://evil.example/", ""},
		{"//evil.example/", ""},
		{strings.Replace(to, "http:", "https:", 1), ""},
		{strings.Replace(to, "//", "//u:p@", 1), ""},
		{"javascript:alert(1)", ""},
		{"http://127.0.0.1:1/", ""},
		{"%zz", ""},
	} {
		location = c.location
		resp, text := b.send(t, "GET", "/use/"+path+"/~/v1/a", "", "Authorization: Bearer "+tok)
		if got := resp.Header.Get("Location"); got != c.want || (c.want == "") != (resp.StatusCode == http.StatusBadGateway) {
			t.Errorf("%s: %d %q %s", c.location, resp.StatusCode, got, text)
		}
	}
	status = http.StatusCreated // nobody follows it unasked
	for _, c := range []struct{ location, want string }{{"/v2/x", "/use/" + path + "/~/v2/x"}, {"https://elsewhere.example/x", "https://elsewhere.example/x"}} {
		location = c.location
		resp, _ := b.send(t, "POST", "/use/"+path+"/~/v1/a", "", "Authorization: Bearer "+tok)
		if got := resp.Header.Get("Location"); resp.StatusCode != 201 || got != c.want {
			t.Errorf("created at %s: %d %q", c.location, resp.StatusCode, got)
		}
	}
}

// Whose an answer is: an upstream cannot say that it is ours.
func TestKeywardError(t *testing.T) {
	b := newBed(t, nil)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("keyward-error", "unauthorized")
		w.WriteHeader(http.StatusUnauthorized)
	})
	auth := "Authorization: Bearer " + b.token(t, "secrets:*:production/*")
	const use = "/use/" + path + "/~/v1"
	for _, c := range []struct {
		name, place, body string
		fields            []string
		status            int
		code              string
	}{
		{"an upstream's 401", use, "", []string{auth}, 401, ""},
		{"ours", use, "", nil, 401, "unauthorized"},
		{"another host", use, "", []string{auth, "Keyward-Host: evil.example"}, 403, "denied"},
		{"the API", "/api/v1/get", `{"path":"production/none"}`, []string{auth, "Content-Type: application/json"}, 404, "not_found"},
		{"the API, granted", "/api/v1/claims", `{}`, []string{auth, "Content-Type: application/json"}, 200, ""},
		{"nowhere", "/api/v1/none", `{}`, []string{auth}, 404, "not_found"},
	} {
		resp, text := b.send(t, "POST", c.place, c.body, c.fields...)
		if got := resp.Header.Values("Keyward-Error"); resp.StatusCode != c.status || strings.Join(got, " ") != c.code {
			t.Errorf("%s: %d %q %s", c.name, resp.StatusCode, got, text)
		}
	}
}

// An address that the policy does not allow is nothing that a client should try again. The door let the use pass, and says so.
func TestGatewayAddress(t *testing.T) {
	b := newBed(t, nil)
	to := b.upstream(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	if err := b.op.SetPolicy(t.Context(), path, vault.Policy{Hosts: []string{to}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "a test"); err != nil {
		t.Fatal(err)
	}
	resp, text := b.send(t, "GET", "/use/"+path+"/~/v1", "", "Authorization: Bearer "+b.token(t, "secrets:use:production/*"))
	if resp.StatusCode != 403 || resp.Header.Get("Keyward-Error") != "denied" || !strings.Contains(text, "or those of its networks") || strings.Contains(text, "127.0.0.1") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if r := b.last(t); r.Op != "use" || r.Outcome != audit.Granted {
		t.Errorf("recorded as %+v", r)
	}
}

// What a reverse proxy in front has added goes no further; the same from a caller that spells it for another server is refused.
func TestGatewayForwarded(t *testing.T) {
	b := newBed(t, nil)
	b.upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "forwarded") {
				t.Errorf("%s was sent on", name)
			}
		}
	})
	auth := "Authorization: Bearer " + b.token(t, "secrets:use:production/*")
	for name, want := range map[string]int{
		"X-Forwarded-For": 200, "X-Forwarded-Host": 200, "X-Forwarded-Proto": 200, "X-Forwarded-Port": 200, "X-Forwarded-Prefix": 200,
		"x-forwarded-uri": 200, "Forwarded": 200, "X-Original-Uri": 400, "X_Forwarded_Host": 400,
	} {
		if resp, text := b.send(t, "GET", "/use/"+path+"/~/v1", "", auth, name+": x"); resp.StatusCode != want {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}
