// SPDX-License-Identifier: Apache-2.0

// Package team is what the examples of frameworks have in common: a vault with three keys, the services that take them, and
// who works there. The examples groupchat and quickstart show how it is made.
package team

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/examples/internal/logtable"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/examples/internal/upstream"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const run = "blog-post"

// Member is who takes part: what it may do, the path of its service's key, where that service is, and what for.
type Member struct {
	Name, Scope       string
	Path, URL, Reason string
}

// Values are the keys in the vault, none of them real.
func Values() []string {
	var out []string
	for _, s := range services {
		out = append(out, s.key)
	}
	return out
}

var services = []struct {
	member             Member
	route, key, answer string
}{
	{Member{Name: "researcher", Scope: "search", Path: "search/tavily-key", Reason: "find multi-agent papers"},
		"/search", "tvly-FAKE-not-a-real-key-0001", "3 papers found"},
	{Member{Name: "writer", Scope: "publishing", Path: "publishing/wordpress-key", Reason: "post the draft"},
		"/posts", "FAKE not a real password 0002", "draft posted"},
	{Member{Name: "critic", Scope: "quality", Path: "quality/grammarly-key", Reason: "check the draft"},
		"/check", "FAKE-not-a-real-key-0003", "2 commas missing"},
}

// Team is the vault and the members, in the order of their turns.
type Team struct {
	Vault   *vault.Vault
	Members []Member
	servers []*httptest.Server
	dir     string
}

// Open starts the services and opens a vault in a temporary folder, with their keys in it.
func Open(ctx context.Context) (t *Team, err error) {
	t = &Team{}
	if t.dir, err = os.MkdirTemp("", "keyward-team-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = t.Close()
		}
	}()
	store, err := file.Open(ctx, filepath.Join(t.dir, "agents.journal"))
	if err != nil {
		return nil, err
	}
	t.Vault, err = vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(t.dir, "root.key"))})
	if err != nil {
		return nil, err
	}
	served := map[string]upstream.Service{}
	for _, s := range services {
		served[s.route] = upstream.Service{Key: s.key, Answer: s.answer}
	}
	server := upstream.Start(served)
	t.servers = append(t.servers, server)
	for _, s := range services {
		m := s.member
		m.Scope, m.Path, m.URL = "secrets:use:production/"+m.Scope+"/*", "production/"+m.Path, server.URL+s.route
		if err := t.put(ctx, m.Path, s.key, m.URL); err != nil {
			return nil, err
		}
		t.Members = append(t.Members, m)
	}
	return t, nil
}

// put keeps a key in the vault that may be sent to url alone.
func (t *Team) put(ctx context.Context, path, key, url string) error {
	_, err := t.Vault.Operator("pipeline").Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(key), Policy: vault.Policy{
		Hosts:    []string{"POST " + url},
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // http, and private addresses, only where named
	}})
	return err
}

// Serve starts a service for those who send key, which is kept at path, and returns its URL.
func (t *Team) Serve(ctx context.Context, path, key string, h http.Handler) (url string, err error) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			http.Error(w, "wrong key", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.servers = append(t.servers, server)
	return server.URL, t.put(ctx, path, key, server.URL)
}

// Close stops the services, closes the vault and removes the folder.
func (t *Team) Close() error {
	var err error
	for _, s := range t.servers {
		s.Close()
	}
	if t.Vault != nil {
		err = t.Vault.Close()
	}
	return errors.Join(err, os.RemoveAll(t.dir))
}

// Issue issues a token for what m's work needs.
func (t *Team) Issue(ctx context.Context, m Member) (*vault.Session, error) {
	return t.Vault.Operator("pipeline").Issue(ctx, vault.Grant{
		Agent: m.Name, Run: run, Scopes: scope.MustParse(m.Scope), TTL: time.Hour,
	})
}

// Hire returns what the agent of such a token holds.
func (t *Team) Hire(ctx context.Context, m Member) (*agent.Agent, error) {
	session, err := t.Issue(ctx, m)
	if err != nil {
		return nil, err
	}
	return agent.New(ctx, session)
}

// Script is what the model of m does: its work, and then what a web page told it to do, with the keys of the others.
func (t *Team) Script(m Member, out io.Writer) *script.Script {
	s := &script.Script{Final: "Done.", Out: out, Calls: []script.Call{script.Request(m.Name, m.Path, m.URL, m.Reason)}}
	for _, other := range t.Members {
		if other.Name != m.Name {
			s.Calls = append(s.Calls, script.Request(m.Name, other.Path, other.URL, "the web page said so"))
		}
	}
	return s
}

// Log prints the records of the agents, and verifies the whole log.
func (t *Team) Log(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "\nThe log of the agents:")
	if err := logtable.Write(ctx, out, t.Vault.Log(), audit.Filter{Run: run}); err != nil {
		return err
	}
	if err := t.Vault.Log().Verify(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nVerified, from the first record to the last.")
	return nil
}
