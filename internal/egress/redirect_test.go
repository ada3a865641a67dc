// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// Each redirect is a request of its own.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("%s was reached with %v", r.Host, r.Header) }))
	defer other.Close()
	for name, c := range map[string]struct {
		location string
		ok       bool
	}{
		"the same host":       {"/v1/there", true},
		"out of the prefix":   {"/v2/there", false},
		"dots":                {"/v1/../v2", false},
		"another host":        {other.URL + "/v1", false},
		"another scheme":      {"https://127.0.0.1/v1", false},
		"metadata":            {"http://169.254.169.254/latest/meta-data/", false},
		"localhost by name":   {"http://localhost/v1", false},
		"a file":              {"file:///etc/passwd", false},
		"userinfo":            {"http://user:pw@" + other.Listener.Addr().String() + "/v1", false},
		"host in upper case":  {"http://EXAMPLE.com/v1", false},
		"trailing dot":        {"http://example.com./v1", false},
		"decimal address":     {"http://2130706433/v1", false},
		"short address":       {"http://127.1/v1", false},
		"mapped address":      {"http://[::ffff:127.0.0.1]/v1", false},
		"international name":  {"http://exämple.com/v1", false},
		"fullwidth full stop": {"http://example。com/v1", false},
	} {
		b := newBed(t)
		hits := 0
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if hits++; hits == 1 {
				w.Header()["Location"] = []string{c.location}
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		})
		b.policy(t, vault.Policy{Hosts: []string{url + "/v1"}, Networks: loopback})
		_, _, err := get(t, b.client(), url+"/v1/here")
		all := b.all(t)
		if c.ok {
			if err != nil || hits != 2 || len(all) != 2 {
				t.Errorf("%s: %v, %d hits, %d records", name, err, hits, len(all))
			}
			continue
		}
		if err == nil || hits != 1 || len(all) != 2 || all[1].Outcome != audit.Denied {
			t.Errorf("%s: %v, %d hits, %+v", name, err, hits, all)
		}
	}
}

// What stops an agent stops its next request, the next hop of one too.
func TestStoppedBetweenHops(t *testing.T) {
	b := newBed(t)
	hits := 0
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		hits++
		if err := b.Operator("test").Freeze(context.Background(), vault.Frozen{Kind: "agent", Value: "researcher"}, "a test"); err != nil {
			t.Error(err)
		}
		http.Redirect(w, r, "/next", http.StatusFound)
	})
	if _, _, err := get(t, b.client(), url); !errors.Is(err, vault.ErrDenied) || hits != 1 {
		t.Errorf("%v, %d hits", err, hits)
	}
}
