// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// What is told to the door is what is sent, or the door refuses it; and it writes it down.
func TestRefusedByForm(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"opaque":          func(r *http.Request) { r.URL.Opaque = "//evil.example/v1" },
		"other Host":      func(r *http.Request) { r.Host = "evil.example" },
		"userinfo":        func(r *http.Request) { r.URL.User = url.UserPassword("user", "pw") },
		"path, no slash":  func(r *http.Request) { r.URL.Path = "v1" },
		"asterisk":        func(r *http.Request) { r.Method, r.URL.Path = "OPTIONS", "*" },
		"dots":            func(r *http.Request) { r.URL.Path = "/v1/../v2" },
		"escaped dots":    func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/v1/../v2", "/v1/%2e%2e/v2" },
		"escaped slash":   func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/v1/a/b", "/v1/a%2fb" },
		"CONNECT":         func(r *http.Request) { r.Method = "CONNECT" },
		"TRACE":           func(r *http.Request) { r.Method = "TRACE" },
		"method in lower": func(r *http.Request) { r.Method = "get" },
		"upgrade":         func(r *http.Request) { r.Header.Set("Upgrade", "websocket"); r.Header.Set("Connection", "Upgrade") },
		"connection":      func(r *http.Request) { r.Header.Set("Connection", "close, X-Own") },
		"other method":    func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "DELETE") },
		"other method, _": func(r *http.Request) { r.Header["x_http_method"] = []string{"DELETE"} },
		"other path":      func(r *http.Request) { r.Header["x-original-URL"] = []string{"/v2"} },
		"no host":         func(r *http.Request) { r.URL.Host = "" },
		"no URL":          func(r *http.Request) { r.URL = nil },
		"address in hex":  func(r *http.Request) { r.URL.Host = "0x7f.0.0.1" },
		"mapped address":  func(r *http.Request) { r.URL.Host = "[::ffff:127.0.0.1]" },
		"zone":            func(r *http.Request) { r.URL.Host = "[fe80::1%25lo]" },
		"international":   func(r *http.Request) { r.URL.Host = "ex\u00e4mple.com" },
		"slash in host":   func(r *http.Request) { r.URL.Host += "/v1" },
		"userinfo, host":  func(r *http.Request) { r.URL.Host = "user@" + r.URL.Host },
		"backslash":       func(r *http.Request) { r.URL.Path = `/v1\..\v2` },
		"line break":      func(r *http.Request) { r.URL.Path = "/v1\r\nX-Evil: 1" },
		"encoded twice":   func(r *http.Request) { r.URL.Path = "/v1/%2e%2e/v2" },
		"parameters":      func(r *http.Request) { r.URL.Path = "/v1/..;x/v2" },
		"upper case":      func(r *http.Request) { r.URL.Host = "LOCALHOST" },
		"trailing dot":    func(r *http.Request) { r.URL.Host = "localhost." },
		"empty port":      func(r *http.Request) { r.URL.Host += ":" },
		"port with zero":  func(r *http.Request) { r.URL.Host = strings.Replace(r.URL.Host, ":", ":0", 1) },
		"scheme":          func(r *http.Request) { r.URL.Scheme = "HTTP" },
		"no scheme":       func(r *http.Request) { r.URL.Scheme = "" },
	} {
		b := newBed(t)
		to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			t.Errorf("%s: it was sent as %s %s %s", name, r.Method, r.Host, r.RequestURI)
		})
		req, _ := http.NewRequestWithContext(t.Context(), "GET", to+"/v1", nil)
		req.Host = ""
		change(req)
		closed := &closing{}
		req.Body = closed
		if _, err := b.Do(req, Use{Path: path}); !errors.Is(err, vault.ErrInvalid) && !errors.Is(err, vault.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		if r := b.one(t); r.Outcome != audit.Denied {
			t.Errorf("%s: recorded as %+v", name, r)
		}
		if !closed.is {
			t.Errorf("%s: the body is not closed", name)
		}
	}
}

// Each header that has some upstream take a request for another one is refused, in any spelling.
func TestOverrides(t *testing.T) {
	for _, name := range []string{
		"X-HTTP-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Method", "X-Original-Url", "X-Original-Uri",
		"X-Rewrite-Url", "X-Envoy-Original-Path", "X-Waws-Unencoded-Url", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Uri",
	} {
		for _, name := range []string{name, strings.ToLower(name), strings.ReplaceAll(name, "-", "_")} {
			req := &http.Request{URL: &url.URL{Scheme: "https", Host: "example.com", Path: "/v1"}, Header: http.Header{name: {"x"}}}
			if to, _ := destination(req); to != refused {
				t.Errorf("%s: the door is told %s", name, to)
			}
		}
	}
}

type closing struct{ is bool }

func (c *closing) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closing) Close() error             { c.is = true; return nil }
