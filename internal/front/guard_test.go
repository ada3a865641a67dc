// SPDX-License-Identifier: Apache-2.0

package front_test

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

func TestServes(t *testing.T) {
	g, err := front.NewGuard([]string{"vault.example", "127.0.0.1", "::1"}, []string{"https://console.example"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, host, origin, site string
		want                       bool
	}{
		{"GET", "vault.example", "", "", true},
		{"POST", "vault.example:7423", "", "", true},
		{"POST", "VAULT.example", "", "", true},
		{"POST", "127.0.0.1:7423", "", "", true},
		{"POST", "[::1]:7423", "", "", true},
		{"POST", "[::1]", "", "", true},
		{"POST", "vault.example", "https://console.example", "cross-site", true},
		{"POST", "vault.example", "https://vault.example", "same-origin", true},
		{"GET", "evil.example", "", "", false},
		{"GET", "vault.example.", "", "", false},
		{"GET", "vault.example.evil.example", "", "", false},
		{"GET", "user@vault.example", "", "", false},
		{"GET", "", "", "", false},
		{"GET", "127.0.0.1.nip.example", "", "", false},
		{"GET", "127.1", "", "", false},
		{"GET", "localhost", "", "", false},
		{"GET", "vault.example", "https://evil.example", "", false},
		{"GET", "vault.example", "null", "", false},
		{"GET", "vault.example", "null", "same-origin", false},
		{"GET", "vault.example", "https://evil.example", "same-origin", false},
		{"GET", "vault.example", "https://evil.example", "none", false},
		{"GET", "vault.example", "https://vault.example:8080", "", false},
		{"POST", "vault.example", "", "cross-site", false},
		{"HEAD", "vault.example", "", "same-site", false},
		{"OPTIONS", "vault.example", "https://evil.example", "cross-site", false},
		{"CONNECT", "vault.example", "", "", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.Host = c.method, c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		if got := g.Serves(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for _, host := range []string{"Vault.example", "a:80", "", "*.example", "user@a", "a b"} {
		if _, err := front.NewGuard([]string{host}, nil, nil); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("host %q: %v", host, err)
		}
	}
	if _, err := front.NewGuard(nil, []string{"console.example"}, nil); !errors.Is(err, vault.ErrInvalid) {
		t.Error(err)
	}
}

// Only a proxy that was named is believed, and only about what it has seen itself.
func TestFrom(t *testing.T) {
	g, err := front.NewGuard(nil, nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1", nil, "192.0.2.1"},
		{"192.0.2.1:1", []string{"10.1.1.1"}, "192.0.2.1"},
		{"[::ffff:192.0.2.1]:1", nil, "192.0.2.1"},
		{"10.0.0.1:1", []string{"192.0.2.7"}, "192.0.2.7"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		{"10.0.0.1:1", []string{"1.1.1.1, 192.0.2.7"}, "192.0.2.7"},
		{"10.0.0.1:1", []string{"1.1.1.1", "192.0.2.7, 10.0.0.2"}, "192.0.2.7"},
		{"10.0.0.1:1", []string{"1.1.1.1, nonsense"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"1.1.1.1, nonsense, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"@", []string{"192.0.2.7"}, "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.forwarded
		r.Header.Set("Forwarded", "for=1.2.3.4")
		r.Header.Set("X-Real-Ip", "1.2.3.4")
		if got := g.From(r).String(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{[]string{"Bearer kw_tok_x"}, "kw_tok_x"},
		{[]string{"bearer  kw_tok_x "}, "kw_tok_x"},
		{[]string{"Basic kw_tok_x"}, ""},
		{[]string{"kw_tok_x"}, ""},
		{[]string{"Bearer a", "Bearer b"}, ""},
		{nil, ""},
	} {
		r := httptest.NewRequest("GET", "/?access_token=kw_tok_y", nil)
		r.Header["Authorization"] = c.headers
		if got := front.Bearer(r); got != c.want {
			t.Errorf("%q: %q", c.headers, got)
		}
	}
}
