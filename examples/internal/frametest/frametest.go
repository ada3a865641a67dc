// SPDX-License-Identifier: Apache-2.0

// Package frametest holds an agent framework to three things: what it shows anywhere of a value that was used (nothing),
// where it shows one that was revealed (exactly where we say), and how a run ends in which a tool refuses or fails.
package frametest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// Run is one run of a framework's agent, with these tools of ours and a model that does what s says. It gives saw every text
// of the framework's: its messages, callbacks, spans, logs, HTTP, by the place where they turned up.
type Run func(ctx context.Context, a *agent.Agent, s *script.Script, saw *Saw) error

// UseMode says that the agent works, is refused another's key, and lists, and that no place shows the value, though the
// service gives it away. Each of the places must have been looked at.
func UseMode(t *testing.T, run Run, places ...string) {
	w := open(t, "secrets:use:production/search/*")
	s := &script.Script{Final: "Done.", Calls: []script.Call{
		w.request(mine), w.request(others), {Tool: "list_secrets_researcher", Args: `{}`},
	}}
	saw, err := w.run(t.Context(), t, run, s)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{allowed, refused, `{"secrets":[{"path":"` + mine + `"`} {
		if i >= len(s.Read) || !strings.HasPrefix(s.Read[i], want) {
			t.Errorf("call %d: the model has read %q, want %s…", i, s.Read, want)
		}
	}
	if len(s.Read) > 0 && !strings.Contains(s.Read[0], "[redacted]") {
		t.Errorf("the service did not give the key away: %q", s.Read[0])
	}
	vaulttest.Touched(t, w.vault, "researcher", mine)
	vaulttest.Refused(t, w.vault, "researcher", others)
	for _, place := range saw.showing() {
		t.Errorf("%s shows the value", place)
	}
	for _, place := range places {
		if saw.texts[place] == nil {
			t.Errorf("nothing was seen of %s", place)
		}
	}
}

// ReadMode says that a value that get_secret has revealed is shown at exactly these places. One more, and an upgrade of the
// framework has opened it; one less, and one was closed.
func ReadMode(t *testing.T, run Run, places ...string) {
	w := open(t, "secrets:read:production/search/*")
	s := &script.Script{Final: "Done.", Calls: []script.Call{
		{Tool: "get_secret_researcher", Args: `{"path":"` + mine + `","reason":"to search"}`},
	}}
	saw, err := w.run(t.Context(), t, run, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Read) != 1 || s.Read[0] != canary {
		t.Errorf("the model has not read the value")
	}
	places = slices.Sorted(slices.Values(places))
	if got := saw.showing(); !slices.Equal(got, places) {
		t.Errorf("the value is shown by\n%q, want\n%q\nof %q", got, places, slices.Sorted(maps.Keys(saw.texts)))
	}
}
