// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// A URL that is a path alone stays a path, at the host of the policy and within its prefix, whatever is in it.
func TestPathsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		u  url.URL
		ok bool
	}{
		"plain":               {url.URL{Path: "/v1/a"}, true},
		"query":               {url.URL{Path: "/v1/a", RawQuery: "q=//evil.example"}, true},
		"two slashes inside":  {url.URL{Path: "/v1//evil.example/v1"}, true},
		"out of the prefix":   {url.URL{Path: "/v2"}, false},
		"two slashes":         {url.URL{Path: "//evil.example/v1/a"}, false},
		"two slashes, prefix": {url.URL{Path: "//v1/a"}, false},
		"three slashes":       {url.URL{Path: "///v1/a"}, false},
		"backslash":           {url.URL{Path: `/\evil.example/v1`}, false},
		"userinfo":            {url.URL{Path: "/v1/a", User: url.User("evil.example")}, false},
		"opaque":              {url.URL{Opaque: "//evil.example/v1", Path: "/v1/a"}, false},
		"scheme alone":        {url.URL{Scheme: "http", Path: "/v1/a"}, false},
		"host alone":          {url.URL{Host: "evil.example", Path: "/v1/a"}, false},
		"another spelling":    {url.URL{Path: "/v1/../v2", RawPath: "/v1/%2e%2e/v2"}, false},
		"no slash":            {url.URL{Path: "v1/a"}, false},
		"a colon first":       {url.URL{Path: "evil.example:80/v1"}, false},
		"nothing":             {url.URL{}, false},
	} {
		b := newBed(t)
		hits := ""
		to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { hits += r.RequestURI })
		b.policy(t, vault.Policy{Hosts: []string{to + "/v1"}, Networks: loopback})
		u := c.u
		resp, err := b.Do((&http.Request{Method: "GET", URL: &u, Header: http.Header{}}).WithContext(t.Context()), Use{Path: path, Reason: "a test"})
		if err == nil {
			resp.Body.Close()
		}
		if r := b.one(t); (err == nil) != c.ok || (hits != "") != c.ok || (r.Outcome == audit.Granted) != c.ok || c.ok && "http://"+r.Host != to || !strings.HasPrefix(hits, "/v1") && c.ok {
			t.Errorf("%s: %v, sent as %q, recorded as %+v", name, err, hits, r)
		}
	}
}
