// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// TestPlacementHeaders: each header either carries the value, over HTTP/1.1 and HTTP/2, or cannot be named by a policy.
func TestPlacementHeaders(t *testing.T) {
	for _, name := range append([]string{
		"Host", "HOST", "Content-Length", "content_length", "Transfer-Encoding", "Transfer_Encoding", "Connection", "Keep-Alive", "TE", "te",
		"Trailer", "Upgrade", "Expect", "Proxy-Authorization", "Proxy-Connection", "Proxy-Authenticate", "proxy_x", "Keyward-Host",
		"Keyward-Error", "Keyward_X", "Accept-Encoding", "Range", "If-Range",
	}, notForwarded...) {
		if name == "authorization" { // the value replaces what the caller has there
			continue
		}
		b := newBed(t)
		p := vault.Policy{Hosts: []string{"api.example.com"}, Placement: "header:" + name}
		if err := b.Operator("test").SetPolicy(t.Context(), path, p, "a test"); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"Authorization", "X-Api-Key", "x-api-key", "X_Api_Key", "Api-Key", "Cookie", "User-Agent", "Accept", "Content-Type", "X-Host",
		"X-Forwarded-For", "Via", "Date", "X-Proxy-Authorization", "Private-Token",
	} {
		for _, h2 := range []bool{false, true} {
			b := newBed(t)
			var got *http.Request
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
			s.EnableHTTP2 = h2
			s.StartTLS()
			t.Cleanup(s.Close)
			b.pool.roots = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			b.policy(t, vault.Policy{Hosts: []string{strings.TrimPrefix(s.URL, "https://")}, Networks: loopback, Placement: "header:" + name})
			req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/v1", strings.NewReader("a body"))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := do(b.client(), req); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if values := got.Header.Values(name); (got.ProtoMajor == 2) != h2 || len(values) != 1 || values[0] != canary {
				t.Errorf("%s over %s: %q", name, got.Proto, values)
			}
		}
	}
}
