// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// A URL that is a path alone goes to the one host of the policy.
func TestPathAlone(t *testing.T) {
	b := newBed(t)
	to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/from" {
			http.Redirect(w, r, "/v1/to", http.StatusFound)
			return
		}
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization"))
	})
	for path, want := range map[string]string{
		"/v1/a%20b?q=1": "GET /v1/a%20b?q=1 Bearer [redacted]",
		"/v1/from":      "GET /v1/to Bearer [redacted]",
	} {
		if _, body, err := get(t, b.client(), path); err != nil || body != want {
			t.Errorf("%s: %q, %v", path, body, err)
		}
	}
	for _, r := range b.all(t) {
		if r.Method != "GET" || "http://"+r.Host != to {
			t.Errorf("recorded as %+v", r)
		}
	}

	for hosts, want := range map[string]string{
		to + " " + to + "/v1":               "",
		"GET " + to + "|http://127.0.0.2:1": "several hosts",
		"POST " + to:                        "no such method",
		"":                                  "no hosts",
	} {
		list := strings.FieldsFunc(hosts, func(r rune) bool { return r == '|' })
		if want == "" {
			list = strings.Fields(hosts)
		}
		b.policy(t, vault.Policy{Hosts: list, Networks: loopback})
		_, err := b.Do(&http.Request{Method: "GET", URL: &url.URL{Path: "/v1"}}, Use{Path: path})
		if want == "" && err != nil || want != "" && (!errors.Is(err, vault.ErrDenied) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", hosts, err)
		}
	}
	b.policy(t, vault.Policy{Hosts: []string{to}, Networks: loopback})
	for _, u := range []*url.URL{{}, {Path: "//127.0.0.2/v1"}, {Path: "v1"}, {Scheme: "http", Path: "/v1"}, {Path: "/v1/../v2"}, {User: url.User("u"), Path: "/v1"}} {
		if _, err := b.Do(&http.Request{Method: "GET", URL: u}, Use{Path: path}); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%#v: %v", u, err)
		}
	}
}

// An upstream that echoes the value is not asked for parts of its answer, in which no mask could know it.
func TestNoParts(t *testing.T) {
	b := newBed(t)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "echo.txt", time.Time{}, strings.NewReader(r.Header.Get("Authorization")))
	})
	for _, spelling := range []string{"Range", "rAnGe", "RANGE"} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "/v1", nil)
		req.Header[spelling] = []string{"bytes=7-20"}
		if resp, body, err := do(b.client(), req); err != nil || resp.StatusCode != http.StatusOK || body != "Bearer [redacted]" {
			t.Fatalf("%v %q, %v", resp, body, err)
		}
	}
}
