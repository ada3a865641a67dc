// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// An adapter learns why a tool refused; the model reads the same text as ever.
func TestAsk(t *testing.T) {
	v := open(t)
	s := vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*")
	a, err := agent.New(t.Context(), s, agent.WithRate(0.001, 6))
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := s.Claims(t.Context())
	get := a.Tool("get_secret")
	ask := func(name, input, text string, want error) {
		answer, err := get.Ask(t.Context(), "", input)
		if err != nil || !strings.HasPrefix(answer.Text, text) || want == nil && answer.Refusal != nil || !errors.Is(answer.Refusal, want) {
			t.Errorf("%s: %q, %v, %v", name, answer.Text, answer.Refusal, err)
		}
	}
	ask("granted", search, canary, nil)
	ask("out of scope", other, "Refused", vault.ErrDenied)
	ask("absent", "production/search/absent", "Refused", vault.ErrNotFound)
	ask("malformed", "{", "Malformed", vault.ErrInvalid)
	if err := v.Operator("test").Revoke(t.Context(), claims[0].ID, "a test"); err != nil {
		t.Fatal(err)
	}
	ask("dead", search, "Refused", vault.ErrDeadToken)
	ask("dead, and malformed", "{", "Malformed", vault.ErrDeadToken)
	ask("dead, and too often", search, "Not now", vault.ErrDeadToken)
}

// A tool that the grant is not good for can be shown, and refuses.
func TestToolOfAKind(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	for _, kind := range []string{"get_secret", "http_request", "list_secrets"} {
		if tool := a.Tool(kind); tool == nil || tool.Kind() != kind || tool.Name() != kind+"_researcher" {
			t.Errorf("%s: %+v", kind, tool)
		}
	}
	if a.Tool("get_secret_researcher") != nil || a.Tool("") != nil {
		t.Error("a tool of no kind")
	}
	if answer, err := a.Tool("get_secret").Ask(t.Context(), "", search); err != nil || !errors.Is(answer.Refusal, vault.ErrDenied) {
		t.Errorf("%q, %v, %v", answer.Text, answer.Refusal, err)
	}
	vaulttest.Refused(t, v, "researcher", search)
}
