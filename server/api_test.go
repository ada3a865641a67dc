// SPDX-License-Identifier: Apache-2.0

package server_test

import (
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
