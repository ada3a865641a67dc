// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keyward-go/keyward/internal/front"
)

// strays reports whether the token of the caller stands in a place that is sent on.
func strays(r *http.Request, token string) bool {
	if !strings.HasPrefix(token, "kw_") { // it is none
		return false
	}
	if strings.Contains(r.URL.EscapedPath(), token) || strings.Contains(r.URL.RawQuery, token) {
		return true
	}
	for name, values := range r.Header {
		for _, v := range values {
			if strings.Contains(v, token) && name != "Authorization" && name != "X-Api-Key" {
				return true
			}
		}
	}
	return false
}

// runToken returns the token that h bears: SDKs have one place or the other for their key. one is false if there are two.
func runToken(h http.Header) (token string, one bool) {
	bearer, keys := front.Bearer(&http.Request{Header: h}), h.Values("X-Api-Key")
	switch {
	case len(keys) == 0:
		return bearer, true
	case len(keys) > 1, len(h.Values("Authorization")) > 0 && bearer != keys[0]:
		return keys[0], false
	}
	return keys[0], true
}

// cutUse takes an escaped URL path apart. The path of a secret has one spelling, without escapes; "~" is no segment of one.
func cutUse(escaped string) (path, rest string, ok bool) {
	after, ok := strings.CutPrefix(escaped, "/use/")
	if !ok {
		return "", "", false
	}
	path, rest, ok = strings.Cut(after, "/~/")
	return path, "/" + rest, ok
}

// noScheme reports whether a Keyward-Host that is there leaves out its scheme.
func noScheme(host string) bool { return host != "" && !strings.Contains(host, "://") }

// rewrite makes of out the request to the upstream: to the one host of the policy, or to host if the caller names it. The engine
// holds it against the policy, and takes the rest of what is between two hops.
func rewrite(out *http.Request, rest, host string) {
	u := &url.URL{RawPath: rest, RawQuery: out.URL.RawQuery}
	u.Path, _ = url.PathUnescape(rest) // net/http has parsed it
	if host != "" {
		u.Scheme, u.Host = "https", strings.TrimPrefix(host, "https://")
		if plain, ok := strings.CutPrefix(host, "http://"); ok {
			u.Scheme, u.Host = "http", plain
		}
	}
	out.URL, out.Host = u, ""
	for name := range out.Header {
		if strings.HasPrefix(name, "Keyward-") || strings.HasPrefix(name, "X-Forwarded-") { // what a proxy in front of this has added
			delete(out.Header, name)
		}
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Real-Ip", "Via"} {
		out.Header.Del(name)
	}
}
