// SPDX-License-Identifier: Apache-2.0

package frametest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// What the model reads. A fault is no answer: it is an error, for the program.
const (
	allowed = `{"status":200,`
	refused = "Refused: this secret is not available to you for that, and asking again will not change it. " +
		"Go on without it, or say what you could not do."
	malformed = "Malformed input. Send one JSON object as the schema of this tool says, with no other keys."
	fault     = "could not run; this is no refusal"
)

// telltale is what no model may read, and nobody in an error of the framework: values, tokens, files, and why.
var telltale = []string{
	core, "kw_tok_", "agents.db", "/var/lib", ".go:", "goroutine ", "no such table",
	"exist", "not found", "scope", "vault is closed", "panic", others, absent,
}

// Faults says that whatever the model sends and whatever fails below, the run ends, and no text of it tells what exists,
// where it lies or who asks. aborts names the cases that end the run with an error; in all others the model reads on.
func Faults(t *testing.T, run Run, aborts ...string) {
	var w *world
	var cancel context.CancelFunc
	fine := func() string { return w.request(mine).Args }
	cases := []struct {
		name, want string
		args       func() string
		breaks     func() // when the model calls the tool
	}{
		{name: "allowed", args: fine, want: allowed},
		{name: "denied", args: func() string { return w.request(others).Args }, want: refused},
		{name: "absent", args: func() string { return w.request(absent).Args }, want: refused},
		{name: "malformed JSON", args: func() string { return `{"path":"` + mine }, want: malformed},
		{name: "wrong type", args: func() string { return strings.Replace(fine(), `"`+mine+`"`, `7`, 1) }, want: malformed},
		{name: "unknown key", args: func() string { return strings.Replace(fine(), `{`, `{"agent":"writer",`, 1) }, want: malformed},
		{name: "cancelled", args: fine, breaks: func() { cancel() }, want: fault},
		{name: "closed", args: fine, breaks: func() { _ = w.vault.Close() }, want: fault},
		{name: "panic", args: fine, breaks: func() { w.store.broken.Store(true) }, want: fault},
	}
	known := 0
	for _, c := range cases {
		if slices.Contains(aborts, c.name) {
			known++
		}
		t.Run(c.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			cancel = stop
			w = open(t, "secrets:use:production/search/*")
			s := &script.Script{Final: "Done.", Calls: []script.Call{{Tool: "http_request_researcher", Args: c.args()}}}
			s.OnCall = c.breaks
			saw, err := w.run(ctx, t, run, s)
			if aborted := slices.Contains(aborts, c.name); aborted != (err != nil) {
				t.Errorf("the run has ended with %v", err)
			}
			if got := strings.Join(s.Read, "\n"); err == nil && (len(s.Read) != 1 || !strings.Contains(got, c.want)) {
				t.Errorf("the model has read %q, want %q", got, c.want)
			} else if err == nil && (c.want == refused || c.want == malformed) && got != c.want {
				t.Errorf("the model has read %q, want no more than %q", got, c.want)
			}
			texts := s.Read
			if err != nil {
				texts = append(texts, err.Error())
			}
			for _, text := range texts {
				for _, word := range telltale {
					if strings.Contains(text, word) {
						t.Errorf("%q tells %q", text, word)
					}
				}
			}
			for _, place := range saw.showing() {
				t.Errorf("%s shows the value", place)
			}
		})
	}
	if known != len(aborts) {
		t.Errorf("%d of %q are cases", known, aborts)
	}
}

// OthersTool says that a model that names another agent's tool gets none, though that agent's token is alive; want is what
// it reads, or empty if the run ends with an error.
func OthersTool(t *testing.T, run Run, want string) {
	w := open(t, "secrets:use:production/search/*")
	other, err := w.hire("writer", "secrets:use:production/publishing/*")
	if err != nil {
		t.Fatal(err)
	}
	call := w.request(others)
	call.Tool = other.Tools()[0].Name()
	s := &script.Script{Final: "Done.", Calls: []script.Call{call}}
	if _, err := w.run(t.Context(), t, run, s); (err != nil) != (want == "") {
		t.Errorf("the run has ended with %v", err)
	}
	if want != "" && (len(s.Read) != 1 || !strings.Contains(s.Read[0], want)) {
		t.Errorf("the model has read %q, want %q", s.Read, want)
	}
	for _, name := range []string{"researcher", "writer"} {
		vaulttest.Touched(t, w.vault, name)
	}
}
