// SPDX-License-Identifier: Apache-2.0

// Package team is what the examples of frameworks have in common: a vault with three keys, the services that take them, and
// who works there. The examples groupchat and quickstart show how it is made.
package team

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// Member is who takes part: the path of its service's key, and where that service is.
type Member struct{ Name, Scope, Path, URL, Reason string }

// Values are the keys in the vault, none of them real.
func Values() []string {
	var out []string
	for _, s := range services {
		out = append(out, s.key)
	}
	return out
}

var services = []struct {
	Member
	url, key, answer string
}{
	{Member{Name: "researcher", Scope: "secrets:use:production/search/*", Path: "production/search/tavily-key", Reason: "find multi-agent papers"},
		"/search", "tvly-FAKE-not-a-real-key-0001", "3 papers found"},
	{Member{Name: "writer", Scope: "secrets:use:production/publishing/*", Path: "production/publishing/wordpress-key", Reason: "post the draft"},
		"/posts", "FAKE not a real password 0002", "draft posted"},
	{Member{Name: "critic", Scope: "secrets:use:production/quality/*", Path: "production/quality/grammarly-key", Reason: "check the draft"},
		"/check", "FAKE-not-a-real-key-0003", "2 commas missing"},
}

// Team is the vault and the members, in the order of their turns.
type Team struct {
	Vault   *vault.Vault
	Members []Member
	server  *httptest.Server
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
		served[s.url] = upstream.Service{Key: s.key, Answer: s.answer}
	}
	t.server = upstream.Start(served)
	op := t.Vault.Operator("pipeline")
	for _, s := range services {
		m := s.Member
		m.URL = t.server.URL + s.url
		_, err := op.Put(ctx, vault.Item{Path: m.Path, Value: vault.NewSecret(s.key), Policy: vault.Policy{
			Hosts:    []string{"POST " + m.URL},
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // http, and private addresses, only where named
		}})
		if err != nil {
			return nil, err
		}
		t.Members = append(t.Members, m)
	}
	return t, nil
}

// Close stops the services, closes the vault and removes the folder.
func (t *Team) Close() error {
	var err error
	if t.server != nil {
		t.server.Close()
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

// Log prints and verifies the log of the run.
func (t *Team) Log(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "\nThe log of the run:")
	if err := logtable.Write(ctx, out, t.Vault.Log(), audit.Filter{Run: run}); err != nil {
		return err
	}
	if err := t.Vault.Log().Verify(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nVerified, from the first record to the last.")
	return nil
}
