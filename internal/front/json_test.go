// SPDX-License-Identifier: Apache-2.0

package front

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// What is wrong with a body is said with the keys that there are, and without anything of the body.
func TestReadJSON(t *testing.T) {
	type inner struct {
		Hosts []string `json:"hosts,omitzero"`
	}
	type common struct {
		Reason string `json:"reason,omitzero"`
	}
	type body struct {
		Path   string `json:"path"`
		Policy inner  `json:"policy,omitzero"`
		common
	}
	const all = "; the keys are path, policy, reason"
	for _, c := range []struct{ body, want string }{
		{`{"path":"a/b","policy":{"hosts":["x"]},"reason":"y"}`, ""},
		{`{"path":"a/b","canary":1}`, "unknown key at byte 14" + all},
		{`{"Path":"a/b"}`, "unknown key at byte 1" + all},
		{`{"path":"a/b","policy":{"canary":1}}`, "unknown key at byte 24; the keys are hosts"},
		{`{"path":{"canary":1}}`, "not one JSON object with the keys of this operation, each once and spelled as documented at byte 8" + all},
		{`{"path":"a/b","path":"canary"}`, all},
		{`{"path":null}`, all},
		{`["canary"]`, all},
		{`{"path":"a/b"}canary`, all},
		{``, all},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		no := ReadJSON(httptest.NewRecorder(), r, 1<<10, new(body))
		if (no == nil) != (c.want == "") || no != nil && (no.Status != 400 || !strings.HasSuffix(no.Message, c.want) || strings.Contains(no.Message, "canary")) {
			t.Errorf("%s: %+v", c.body, no)
		}
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"x":1}`))
	r.Header.Set("Content-Type", "application/json")
	if no := ReadJSON(httptest.NewRecorder(), r, 1<<10, new(struct{})); no == nil || !strings.HasSuffix(no.Message, "unknown key at byte 1; there are none") {
		t.Errorf("%+v", no)
	}
}
