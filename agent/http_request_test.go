// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// What a model reads when a request was allowed and came to nothing, and what is a fault that the program has to hear of.
func TestHTTPRequestOutcomes(t *testing.T) {
	const unreachable = "The request was allowed, but"
	for name, c := range map[string]struct {
		value  string
		answer func(w http.ResponseWriter, r *http.Request)
		text   string // empty: a fault
	}{
		"works":     {canary, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "yes") }, `{"status":200`},
		"an error":  {canary, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 500) }, `{"status":500`},
		"no answer": {canary, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, unreachable},
		"cut":       {canary, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "9") }, unreachable},
		"for ever":  {canary, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, unreachable},
		"to nowhere": {canary, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://%zz")
			w.WriteHeader(http.StatusFound)
		}, unreachable},
		"elsewhere": {canary, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/", http.StatusFound)
		}, "Refused"},
		"a value with a line break at its end": {canary + "\n", func(w http.ResponseWriter, r *http.Request) { t.Error("sent") }, ""},
	} {
		v := open(t)
		if _, err := v.Operator("test").Put(t.Context(), vault.Item{Path: search, Value: vault.NewSecret(c.value)}); err != nil {
			t.Fatal(err)
		}
		url := upstream(t, v, search, "", c.answer)
		a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
		text, err := tool(a, "http_request").Call(t.Context(), fmt.Sprintf(`{"path":%q,"url":"%s/x"}`, search, url))
		if (err != nil) != (c.text == "") || !strings.HasPrefix(text, c.text) || c.text == "" && text != "" || strings.Contains(fmt.Sprint(text, err), canary) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if n := len(records(t, v, audit.Filter{Agent: "researcher", Outcome: audit.Granted})); n == 0 {
			t.Errorf("%s: nothing is recorded", name)
		}
	}
}

// The end of the caller's context is an error, wherever the answer was.
func TestHTTPRequestCancelled(t *testing.T) {
	for name, begun := range map[string]bool{"before the header": false, "amid the body": true} {
		v := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		url := upstream(t, v, search, "", func(w http.ResponseWriter, r *http.Request) {
			if begun {
				io.WriteString(w, "half of")
				w.(http.Flusher).Flush()
			}
			cancel()
			<-r.Context().Done()
		})
		a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
		text, err := tool(a, "http_request").Call(ctx, fmt.Sprintf(`{"path":%q,"url":"%s/x"}`, search, url))
		if text != "" || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
