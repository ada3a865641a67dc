// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// FuzzDestination: of a request that the door has granted, each byte that says where it goes is what the policy allows.
func FuzzDestination(f *testing.F) {
	const host = "api.example.com:8443"
	for _, s := range []struct{ method, scheme, user, host, path, raw, opaque, query, other, name, value string }{
		{method: "GET", scheme: "https", host: host, path: "/v1", name: "host", value: "evil.example"},
		{method: "POST", scheme: "https", host: host, path: "/v1/x", name: "transfer-encoding", value: "chunked"},
		{method: "POST", scheme: "https", host: host, path: "/v1/a b", raw: "/v1/a%20b", query: "q=/../x HTTP/1.1", other: host, name: "X-Own", value: "1"},
		{scheme: "https", host: host, path: "/v1//../v2", raw: "/v1//%2e%2e/v2", name: "host", value: "evil.example"},
		{scheme: "https", host: "api.example.com.:8443", path: "/v1", opaque: "//evil.example/v1", name: "Transfer_Encoding", value: "chunked"},
		{scheme: "HTTPS", user: "u", host: "API.example.com:08443", path: "v1", other: "evil.example", name: "Connection", value: "close, authorization"},
		{method: "CONNECT", scheme: "https", host: "api.example.com:8443/v1", path: "/v1;/..", name: "upgrade", value: "h2c"},
		{method: "GET", scheme: "https", host: host, path: "/v1/\u00e4\r\nHost: evil", name: "X-HTTP-Method-Override", value: "DELETE"},
		{method: "GET\r\n", scheme: "https", host: host + "\r\n", path: "/v1/%2f..%5c", raw: "/v1/%252f", query: "\r\nHost: evil", name: "Content-Length\r\n", value: "0\r\n\r\nGET /v2"},
	} {
		f.Add(s.method, s.scheme, s.user, s.host, s.path, s.raw, s.opaque, s.query, s.other, s.name, s.value)
	}
	b := newBed(f)
	b.policy(f, vault.Policy{Hosts: []string{"GET,POST " + host + "/v1"}})
	f.Fuzz(func(t *testing.T, method, scheme, user, at, path_, raw, opaque, query, other, name, value string) {
		req := &http.Request{
			Method: method, Host: other, Body: http.NoBody, Header: http.Header{name: {value}, "X-Own": {"kept"}},
			URL: &url.URL{Scheme: scheme, Host: at, Path: path_, RawPath: raw, Opaque: opaque, RawQuery: query, ForceQuery: query == "x"},
		}
		if user != "" {
			req.URL.User = url.User(user)
		}
		to, told := destination(req)
		_ = b.session.Use(context.Background(), vault.Request{Path: path, Method: told, URL: to}, func(it vault.Item) error {
			out, err := place(context.Background(), req, it)
			if err != nil {
				t.Fatal(err)
			}
			var sent bytes.Buffer
			if out.Write(&sent) != nil {
				return nil
			}
			head, rest, ok := strings.Cut(sent.String(), "\r\n\r\n")
			lines := strings.Split(head, "\r\n")
			verb, target, ok2 := strings.Cut(lines[0], " ")
			target, ok3 := strings.CutSuffix(target, " HTTP/1.1")
			if !ok || !ok2 || !ok3 || rest != "" {
				t.Fatalf("%q is no request", sent.String())
			}
			target, _, _ = strings.Cut(target, "?")
			plain, err := url.PathUnescape(target)
			if verb != told || verb != "GET" && verb != "POST" || err != nil || target != "/v1" && !strings.HasPrefix(target, "/v1/") ||
				"https://"+host+target != to || slices.Contains(strings.Split(plain, "/"), "..") || out.URL.Scheme != "https" || out.URL.Host != host {
				t.Fatalf("told %q, sent %q", to, lines[0])
			}
			count := map[string]int{}
			for _, line := range lines[1:] {
				key, v, _ := strings.Cut(line, ":")
				key = spelling(key)
				if count[key]++; key == "host" && v != " "+host || key == "authorization" && v != " Bearer "+canary ||
					slices.Contains(overrides, key) || slices.Contains(notForwarded, key) && key != "host" && key != "authorization" && key != "content-length" {
					t.Fatalf("sent %q", line)
				}
			}
			if count["host"] != 1 || count["authorization"] != 1 || count["content-length"] > 1 {
				t.Fatalf("sent %q", head)
			}
			return nil
		})
	})
}
