// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Which records can be found by the id that an answer has.
func TestRequestID(t *testing.T) {
	b := newBed(t, nil)
	b.upstream(t, func(http.ResponseWriter, *http.Request) {})
	const use = "/use/" + path + "/~/v1"
	auth := "Authorization: Bearer " + b.token(t, "secrets:use:production/*")
	dead, err := b.op.Issue(t.Context(), vault.Grant{Agent: "gone", Scopes: scope.MustParse("secrets:use:*"), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := dead.Claims(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.op.Revoke(t.Context(), claims[0].ID, "a test"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, place string
		fields      []string
		status      int
		call        bool
		op          string
	}{
		{"granted", use, []string{auth}, 200, true, "use"},
		{"outside of the scope", "/use/staging/key/~/v1", []string{auth}, 403, true, "use"},
		{"no such secret", "/use/production/none/~/v1", []string{auth}, 404, true, "use"},
		{"a revoked token", use, []string{"Authorization: Bearer " + dead.Token().Reveal()}, 401, true, "use"},
		{"no token", use, nil, 401, false, "get"},
		{"garbage", use, []string{"Authorization: Bearer kw_tok_x"}, 401, false, "use"},
		{"no place", "/use/" + path + "/v1", []string{auth}, 404, false, "get"},
		{"no operation", "/api/v1/none", []string{auth}, 404, false, "get"},
		{"another origin", use, []string{auth, "Origin: https://evil.example"}, 403, false, "get"},
		{"dots", "/use/" + path + "/~/v1/../x", []string{auth}, 400, false, "use"},
	} {
		before := b.last(t).Seq
		resp, text := b.send(t, "GET", c.place, "", c.fields...)
		id, r := resp.Header.Get("Keyward-Request-Id"), b.last(t)
		if resp.StatusCode != c.status || id == "" || r.Seq != before+1 || r.Op != c.op || (r.Call == id) != c.call || (r.Call == "") == c.call {
			t.Errorf("%s: %d %s, id %s, recorded as %+v", c.name, resp.StatusCode, text, id, r)
		}
	}
}

// What Keyward-Host holds: scheme and host as in the policy, where no scheme is https.
func TestKeywardHost(t *testing.T) {
	b := newBed(t, nil)
	to := b.upstream(t, func(http.ResponseWriter, *http.Request) {})
	plain := strings.TrimPrefix(to, "http://")
	policy := vault.Policy{Hosts: []string{to, "127.0.0.1:1"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if err := b.op.SetPolicy(t.Context(), path, policy, "a test"); err != nil {
		t.Fatal(err)
	}
	auth := "Authorization: Bearer " + b.token(t, "secrets:use:production/*")
	const hint = "a Keyward-Host without http:// is meant with https"
	for _, c := range []struct {
		host, auth string
		status     int
		says       string
		hint       bool
	}{
		{to, auth, 200, "", false},
		{plain, auth, 403, "names no such method, host and path", true},
		{"https://" + plain, auth, 403, "names no such method, host and path", false},
		{"", auth, 403, "say to which: the header Keyward-Host, as the policy has it", false},
		{"ftp://" + plain, auth, 400, "", false},
		{"https://https://" + plain, auth, 400, "", false},
		{"https://", auth, 400, "", false},
		{"http://", auth, 400, "", false},
		{plain, "Authorization: Bearer " + b.token(t, "secrets:use:staging/*"), 403, "denied", false}, // who has no business there is told nothing
	} {
		resp, text := b.send(t, "GET", "/use/"+path+"/~/v1", "", c.auth, "Keyward-Host: "+c.host)
		if resp.StatusCode != c.status || !strings.Contains(text, c.says) || strings.Contains(text, hint) != c.hint {
			t.Errorf("%q: %d %s", c.host, resp.StatusCode, text)
		}
	}
	for _, host := range []string{"127.0.0.1:1", "https://127.0.0.1:1"} { // allowed; nobody listens
		b.send(t, "GET", "/use/"+path+"/~/v1", "", auth, "Keyward-Host: "+host)
		if r := b.last(t); r.Outcome != audit.Granted || r.Host != "127.0.0.1:1" {
			t.Errorf("%s: recorded as %+v", host, r)
		}
	}
}
