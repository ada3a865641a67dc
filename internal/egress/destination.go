// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// refused is a URL that the door refuses by its form, and records: for requests that would not go where their URL says, or
// that make of a connection something else than a request and its answer.
const refused = "refused:"

// destination returns what the door is told of a request. It is what will be sent, in the caller's spelling and without the
// query: upper case, a trailing dot, userinfo, an international name are the door's to refuse.
func destination(req *http.Request) (to, method string) {
	method = req.Method
	if method == "" {
		method = http.MethodGet
	}
	u := req.URL
	if u == nil || u.Opaque != "" || (u.Host == "") != (u.Scheme == "") || req.Host != "" && req.Host != u.Host || u.Path != "" && u.Path[0] != '/' ||
		method == http.MethodConnect || method == http.MethodTrace || req.Header.Get("Upgrade") != "" ||
		len(req.Header["Connection"]) > 0 && !closes(req.Header["Connection"]) || hasAny(req.Header, overrides) {
		return refused, method
	}
	told := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return told.String(), method
}

// overrides are headers that have some upstreams take a request for one with another method, host or path.
var overrides = []string{
	"x-http-method-override", "x-http-method", "x-method-override", "x-original-method",
	"x-original-url", "x-original-uri", "x-rewrite-url", "x-envoy-original-path", "x-waws-unencoded-url",
	"x-forwarded-host", "x-forwarded-prefix", "x-forwarded-uri",
}

// hasAny reports whether h has one of names, in any spelling.
func hasAny(h http.Header, names []string) bool {
	for key := range h {
		if slices.Contains(names, spelling(key)) {
			return true
		}
	}
	return false
}

// spelling returns the one spelling of all that an upstream may take for the same header: any case, and in CGI's descendants an
// underscore for a hyphen.
func spelling(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// closes reports whether a Connection header says nothing but close or keep-alive.
func closes(values []string) bool {
	for _, v := range values {
		if v := strings.ToLower(v); v != "close" && v != "keep-alive" {
			return false
		}
	}
	return true
}
