// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

const (
	path   = "production/llm/key"
	canary = "canary/5f2c9e81+d7a04b36=="
)

// bed is a vault with one secret, an upstream that is its only host, and a front before it.
type bed struct {
	*vault.Vault
	op  *vault.Operator
	url string // of the front
}

func newBed(t testing.TB, change func(*server.Config)) bed {
	v := vaulttest.Open(t, map[string]string{path: canary})
	cfg := server.Config{Vault: v}
	if change != nil {
		change(&cfg)
	}
	gateway, err := server.NewGateway(cfg)
	if err != nil {
		t.Fatal(err)
	}
	api, err := server.NewAPI(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(server.Route(map[string]http.Handler{"/use/": gateway, "/": api}))
	t.Cleanup(s.Close)
	return bed{v, v.Operator("test"), s.URL}
}

// upstream starts a server and makes it the only host of the secret.
func (b bed) upstream(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	err := b.op.SetPolicy(context.Background(), path, vault.Policy{Hosts: []string{s.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	return s.URL
}

func (b bed) token(t testing.TB, scopes ...string) string {
	t.Helper()
	s, err := b.op.Issue(context.Background(), vault.Grant{Agent: "researcher", Scopes: scope.MustParse(scopes...), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return s.Token().Reveal()
}

// send sends a request; fields are header lines, as in "Accept: text/plain".
func (b bed) send(t testing.TB, method, place, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, b.url+place, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// last returns the newest record.
func (b bed) last(t testing.TB) (last audit.Record) {
	t.Helper()
	for r, err := range b.Log().Records(context.Background(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	return last
}
