// SPDX-License-Identifier: Apache-2.0

package frametest

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
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
			_, _ = fmt.Fprintf(w, "key %s, %q, %x, %X, %s, %s", key, key, key, key,
				url.QueryEscape(key), base64.StdEncoding.EncodeToString([]byte(key)))
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
	session, err := w.vault.Operator("test").Issue(context.Background(), vault.Grant{
		Agent: name, Scopes: scope.MustParse(scopes), TTL: time.Hour,
	})
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
