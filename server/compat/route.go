// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/internal/front"
)

// split takes the path of a URL apart behind /v1/. It reads the path as it was sent: runs of slashes are one, and in a segment %2F
// is a slash, the only escape there is, so that a path has no second spelling.
func split(u *url.URL) ([]string, error) {
	escaped := u.EscapedPath()
	for strings.Contains(escaped, "//") {
		escaped = strings.ReplaceAll(escaped, "//", "/")
	}
	rest, ok := strings.CutPrefix(escaped, "/v1/")
	if !ok {
		return nil, nothing("there is nothing here")
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(s, "%2F", "/")
		if s == "" || strings.Contains(segments[i], "%") {
			return nil, front.Malformed("the path: no empty segment, and no escape but %%2F, for a slash in a namespace")
		}
	}
	return segments, nil
}

// serve finds the call and makes it.
func (q *request) serve(segments []string) (any, error) {
	first, rest := segments[0], segments[1:]
	q.rest = rest
	last := ""
	if len(rest) > 0 {
		last = rest[len(rest)-1]
	}
	switch n := len(rest); {
	case first == "secrets" && n == 0:
		return q.call(calls{"GET": (*request).listNamespace, "POST": (*request).create}, "namespace")
	case first == "secrets" && n == 1 && last == "import" && q.Method == http.MethodPost:
		return q.call(calls{"POST": (*request).importEnv})
	case first == "secrets" && last == "rotate" && q.Method == http.MethodPost:
		q.rest = rest[:n-1]
		return q.call(calls{"POST": (*request).rotate})
	case first == "secrets":
		return q.call(calls{
			"GET": (*request).read, "PUT": (*request).put, "PATCH": (*request).put, "DELETE": (*request).remove,
		}, "version")
	case first == "tokens" && n == 0:
		return q.call(calls{"POST": (*request).issue})
	case first == "namespaces" && n == 0:
		return q.call(calls{"GET": (*request).namespaces})
	case first == "me" && n == 0:
		return q.call(calls{"GET": (*request).me})
	case first == "agents" && n == 0:
		return q.call(calls{"GET": (*request).agents, "POST": (*request).createAgent})
	case first == "agents" && n == 1:
		return q.call(calls{"DELETE": (*request).revokeAgent})
	case first == "audit" && n == 0:
		return q.call(calls{"GET": (*request).audit}, "page", "limit")
	case first == "approvals" && n == 0:
		return q.call(calls{"GET": (*request).approvals}, "status")
	case first == "approvals" && n == 2 && rest[0] == "agent":
		return q.call(calls{"GET": (*request).ownApproval})
	case first == "approvals" && n == 2 && (last == "approve" || last == "deny"):
		return q.call(calls{"POST": (*request).decideApproval})
	}
	return nil, nothing("keyward has no such call of Agent Secret Store; its own API is at /api/v1/")
}

type calls map[string]func(*request) (any, error)

// call makes the call of the method. Of a query it takes what is named, and only of GET: what else there is may be the end of a
// path that a client did not escape.
func (q *request) call(by calls, query ...string) (any, error) {
	f, ok := by[q.Method]
	if !ok {
		var allow []string
		for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if by[m] != nil {
				allow = append(allow, m)
			}
		}
		q.w.Header().Set("Allow", strings.Join(allow, ", "))
		return nil, &front.Refusal{Status: http.StatusMethodNotAllowed, Code: "invalid", Message: "this call is made with " + strings.Join(allow, " or ")}
	}
	values, err := url.ParseQuery(q.URL.RawQuery)
	good := err == nil && !q.URL.ForceQuery && (q.URL.RawQuery == "" || q.Method == http.MethodGet)
	for name, all := range values {
		good = good && slices.Contains(query, name) && len(all) == 1
	}
	if !good {
		return nil, front.Malformed("the query: this call takes %s; a path has no ? in it", cmp.Or(strings.Join(query, " and "), "none"))
	}
	return f(q)
}
