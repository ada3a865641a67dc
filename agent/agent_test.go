// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

const (
	search = "production/search/key"
	other  = "production/publishing/key"
	canary = "canary-5f2c9e81d7a04b36"
)

func open(t testing.TB) *vault.Vault {
	return vaulttest.Open(t, map[string]string{search: canary, other: "another-value-77c1"})
}

func newAgent(t testing.TB, v *vault.Vault, name string, scopes ...string) *agent.Agent {
	t.Helper()
	return withOptions(t, v, name, scopes)
}

func withOptions(t testing.TB, v *vault.Vault, name string, scopes []string, opts ...agent.Option) *agent.Agent {
	t.Helper()
	a, err := agent.New(t.Context(), vaulttest.Session(t, v, name, scopes...), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tool returns the agent's tool of a kind, or nil.
func tool(a *agent.Agent, kind string) *agent.Tool {
	for _, t := range a.Tools() {
		if strings.HasPrefix(t.Name(), kind+"_") {
			return t
		}
	}
	return nil
}

// records returns all records of the log that f matches.
func records(t testing.TB, v *vault.Vault, f audit.Filter) (all []audit.Record) {
	t.Helper()
	for r, err := range v.Log().Records(context.Background(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// last returns the newest record.
func last(t testing.TB, v *vault.Vault) audit.Record {
	t.Helper()
	all := records(t, v, audit.Filter{})
	return all[len(all)-1]
}

// upstream starts a server on loopback and gives the path the policy for it.
func upstream(t testing.TB, v *vault.Vault, path, placement string, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	policy := vault.Policy{Hosts: []string{s.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Placement: placement}
	if err := v.Operator("test").SetPolicy(context.Background(), path, policy, "a test"); err != nil {
		t.Fatal(err)
	}
	return s.URL
}

func TestToolsFollowTheGrant(t *testing.T) {
	v := open(t)
	for _, c := range []struct {
		scopes, narrowed string
		want             string
	}{
		{"secrets:read:production/*", "", "get_secret http_request list_secrets"},
		{"secrets:use:production/*", "", "http_request list_secrets"},
		{"secrets:list:*", "", "list_secrets"},
		{"secrets:write:*", "", ""},
		{"secrets:*:production/*", "", "get_secret http_request list_secrets"},
		{"secrets:use:a secrets:read:b", "", "get_secret http_request list_secrets"},
		{"secrets:read:production/*", "secrets:use:production/*", "http_request list_secrets"},
		{"secrets:read:production/*", "secrets:list:production/*", "list_secrets"},
	} {
		s := vaulttest.Session(t, v, "researcher", strings.Fields(c.scopes)...)
		if c.narrowed != "" {
			narrow, err := s.Token().Narrow(vault.Grant{Agent: "researcher/sub", Scopes: scope.MustParse(c.narrowed)})
			if err != nil {
				t.Fatal(err)
			}
			s = v.Session(narrow, netip.Addr{})
		}
		a, err := agent.New(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, tool := range a.Tools() {
			kinds = append(kinds, strings.Join(strings.Split(tool.Name(), "_")[:2], "_"))
		}
		if got := strings.Join(kinds, " "); got != c.want {
			t.Errorf("%s narrowed to %q: %q, want %q", c.scopes, c.narrowed, got, c.want)
		}
	}
}

func TestNewRefusesWhatIsNoAgent(t *testing.T) {
	v := open(t)
	_, key, err := v.Operator("test").NewKey(t.Context(), vault.Key{
		Name: "worker", Limits: vault.Grant{Scopes: scope.MustParse("secrets:use:production/*"), TTL: time.Hour}, Expires: time.Now().Add(time.Hour),
	}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*vault.Session{
		"nil":          nil,
		"agent key":    v.Session(key, netip.Addr{}),
		"no token":     v.Session(vault.Token{}, netip.Addr{}),
		"forged token": v.Session(vault.NewToken("kw_tok_AAAA"), netip.Addr{}),
	} {
		if a, err := agent.New(t.Context(), s); a != nil || !errors.Is(err, vault.ErrInvalid) && !errors.Is(err, vault.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, opt := range map[string]agent.Option{"rate": agent.WithRate(0, 1), "burst": agent.WithRate(1, 0)} {
		if _, err := agent.New(t.Context(), vaulttest.Session(t, v, "a", "secrets:list:*"), opt); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Executors compare names in their own ways, some without regard to case: no two agents may meet in one.
func TestToolNames(t *testing.T) {
	v := open(t)
	long := strings.Repeat("a", 64)
	seen := map[string]string{}
	for _, c := range []struct{ agent, want string }{
		{"researcher", "list_secrets_researcher"},
		{"web-search_2", "list_secrets_web-search_2"},
		{"Researcher", "list_secrets_researcher_"},
		{"RESEARCHER", "list_secrets_researcher_"},
		{"researcher/sub", "list_secrets_researcher_sub_"},
		{"researcher_sub", "list_secrets_researcher_sub"},
		{"a_0123456789ab", "list_secrets_a_0123456789ab_"},
		{long, "list_secrets_aaaaaaaaaa"},
		{long[1:] + "b", "list_secrets_aaaaaaaaaa"},
	} {
		name := tool(newAgent(t, v, c.agent, "secrets:list:*"), "list_secrets").Name()
		if len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			t.Errorf("%s: %q is not a name that every model takes", c.agent, name)
		}
		if !strings.HasPrefix(name, c.want) || !strings.HasSuffix(c.want, "_") && len(c.agent) < 40 && name != c.want {
			t.Errorf("%s: %q, want %q", c.agent, name, c.want)
		}
		if seen[name] != "" {
			t.Errorf("%s and %s share the tool %q", c.agent, seen[name], name)
		}
		seen[name] = c.agent
	}
}
