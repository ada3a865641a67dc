// SPDX-License-Identifier: Apache-2.0

// Package frametest holds an agent framework to three things: what it shows anywhere of a value that was used (nothing), where
// it shows one that was revealed (exactly where we say), and how a run ends in which a tool refuses or fails.
package frametest

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Run is one run of a framework's agent, with these tools of ours and a model that does what s says. It gives saw every text
// of the framework's: its messages, callbacks, spans, logs, HTTP, by the place where they turned up.
type Run func(ctx context.Context, a *agent.Agent, s *script.Script, saw *Saw) error

const (
	mine   = "production/search/key"
	others = "production/publishing/key"
	absent = "production/search/absent"
)

// world is a vault with one agent, and a service that gives the key away in its answer.
type world struct {
	vault *vault.Vault
	store *store
	agent *agent.Agent
	url   string
}

func open(t *testing.T, scopes string) *world {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := r.Header.Get("Authorization"); key == "Bearer "+canary {
			w.Header().Set("X-Key", key)
			_, _ = fmt.Fprintf(w, "key %s, %s, %x, %X, %s, %q", key, url.QueryEscape(key), key, key, base64.StdEncoding.EncodeToString([]byte(key)), key)
			return
		}
		http.Error(w, "wrong key", http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	w := &world{store: &store{Store: memory.New()}, url: server.URL}
	var err error
	w.vault, err = vault.Open(t.Context(), vault.Config{Store: w.store, Root: kms.KeyFile(t.TempDir() + "/root.key")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.store.broken.Store(false)
		if err := w.vault.Close(); err != nil {
			t.Error(err)
		}
	})
	op := w.vault.Operator("test")
	for _, path := range []string{mine, others} {
		_, err := op.Put(t.Context(), vault.Item{Path: path, Value: vault.NewSecret(canary), Policy: vault.Policy{
			Hosts: []string{"POST " + w.url}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if w.agent, err = w.hire("researcher", scopes); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) hire(name, scopes string) (*agent.Agent, error) {
	session, err := w.vault.Operator("test").Issue(context.Background(), vault.Grant{Agent: name, Scopes: scope.MustParse(scopes), TTL: time.Hour})
	if err != nil {
		return nil, err
	}
	return agent.New(context.Background(), session)
}

func (w *world) request(path string) script.Call {
	return script.Request("researcher", path, w.url+"/search", "to search")
}

// run fails the test if a token, or what the store said when it broke, turns up anywhere. The error of the run is a place of
// its own.
func (w *world) run(ctx context.Context, t *testing.T, run Run, s *script.Script) (*Saw, error) {
	t.Helper()
	saw := &Saw{texts: map[string]*strings.Builder{}}
	err := run(ctx, w.agent, s, saw)
	if err != nil {
		saw.Text("error", err)
	}
	for place, text := range saw.texts {
		for _, word := range []string{"kw_tok_", says} {
			if strings.Contains(text.String(), word) {
				t.Errorf("%s shows %q", place, word)
			}
		}
	}
	return saw, err
}

// UseMode says that the agent works, is refused another's key, and lists, and that no place shows the value, though the
// service gives it away. Each of the places must have been looked at.
func UseMode(t *testing.T, run Run, places ...string) {
	w := open(t, "secrets:use:production/search/*")
	s := &script.Script{Final: "Done.", Calls: []script.Call{
		w.request(mine), w.request(others), {Tool: "list_secrets_researcher", Args: `{}`}, {Tool: "list_secrets_researcher", Args: `{"pattern":"*"}`},
	}}
	saw, err := w.run(t.Context(), t, run, s)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`{"status":200`, "Refused", `{"secrets":[{"path":"` + mine + `"`, `{"secrets":[{"path":"` + mine + `"`} {
		if i >= len(s.Read) || !strings.HasPrefix(s.Read[i], want) {
			t.Errorf("call %d: the model has read %q, want %s…", i, s.Read, want)
		}
	}
	if len(s.Read) > 0 && !strings.Contains(s.Read[0], "[redacted]") {
		t.Errorf("the service did not give the key away: %q", s.Read[0])
	}
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
	s := &script.Script{Final: "Done.", Calls: []script.Call{{Tool: "get_secret_researcher", Args: `{"path":"` + mine + `","reason":"to search"}`}}}
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

const says = "no such table in /var/lib/agents.db, while sealing "

// store panics when it is broken, and says more than it should.
type store struct {
	vault.Store
	broken atomic.Bool
}

func (s *store) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	if s.broken.Load() {
		panic(says + canary)
	}
	return s.Store.Update(ctx, since, fn)
}

func (s *store) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	if s.broken.Load() {
		panic(says + canary)
	}
	return s.Store.Rows(ctx, from, n)
}
