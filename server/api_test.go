// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"cmp"
	"net/http"
	"strings"
	"testing"
)

func TestAPI(t *testing.T) {
	b := newBed(t, nil)
	tok := b.token(t, "secrets:*:production/*")
	for _, c := range []struct {
		op, body, want string
		status         int
	}{
		{"get", `{"path":"` + path + `","reason":"to test"}`, `"value":"` + canary + `"`, 200},
		{"put", `{"path":"production/a","value":"AP8=","encoding":"base64"}`, `{"path":"production/a","version":1}`, 200},
		{"get", `{"path":"production/a"}`, `"value":"AP8=","encoding":"base64"`, 200},
		{"list", `{"pattern":"production/*"}`, `"path":"production/llm/key"`, 200},
		{"versions", `{"path":"production/a"}`, `"version":1`, 200},
		{"issue", `{"agent":"researcher/summariser","scopes":["secrets:use:production/*"],"ttl_seconds":60}`, `"agent":"researcher/summariser"`, 200},
		{"issue", `{"scopes":["secrets:use:production/*"]}`, `"agent":"researcher","expires":"2`, 200}, // as long as the token lives
		{"claims", `{}`, `"agent":"researcher"`, 200},
		{"delete", `{"path":"production/a"}`, `{}`, 200},
		{"get", `{"path":"production/a"}`, `"code":"not_found"`, 404},
		{"get", `{"path":"staging/a"}`, `"code":"denied"`, 403},
		{"keys", `{}`, `"code":"unauthorized"`, 401},
		{"nothing", `{}`, `"code":"not_found"`, 404},
	} {
		resp, text := b.send(t, "POST", "/api/v1/"+c.op, c.body, "Authorization: Bearer "+tok, "Content-Type: application/json")
		if resp.StatusCode != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d %s", c.op, c.body, resp.StatusCode, text)
		}
	}
}

// The id of a request is in its answer, and in its record unless the caller names a call.
func TestRequestIDs(t *testing.T) {
	b := newBed(t, nil)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Keyward-Request-Id", "the upstream's") })
	auth := "Authorization: Bearer " + b.token(t, "secrets:*:production/*")
	seen := map[string]bool{}
	for _, c := range []struct{ method, place, body, call string }{
		{"POST", "/api/v1/get", `{"path":"` + path + `"}`, ""},
		{"POST", "/api/v1/get", `{"path":"` + path + `","call":"call-7"}`, "call-7"},
		{"POST", "/api/v1/list", `{"pattern":"*"}`, ""},
		{"POST", "/api/v1/get", `not JSON`, ""},
		{"GET", "/use/" + path + "/~/v1", "", ""},
		{"GET", "/use/" + path + "/~/v1/../x", "", ""},
	} {
		resp, _ := b.send(t, c.method, c.place, c.body, auth, "Content-Type: application/json")
		ids := resp.Header.Values("Keyward-Request-Id")
		if len(ids) != 1 || len(ids[0]) < 20 || seen[ids[0]] {
			t.Fatalf("%+v: %q", c, ids)
		}
		seen[ids[0]] = true
		if want := cmp.Or(c.call, ids[0]); b.last(t).Call != want && b.last(t).Cause != "invalid" { // of what is malformed a record says nothing
			t.Errorf("%+v: recorded as %+v, not with %q", c, b.last(t), want)
		}
	}
}
