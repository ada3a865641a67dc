// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// TestStoredPlacement: a vault from before, in which a policy places the value in a header that carries none, opens, and nobody's use
// of that path gets by until its policy is another.
func TestStoredPlacement(t *testing.T) {
	b := newBed(t)
	policy := vault.Policy{Hosts: []string{"api.example.com"}, Placement: "header:Host"}
	vault.AsBefore(func() {
		v, _ := b.open()
		if err := v.Operator("keeper").SetPolicy(t.Context(), bedPath, policy, ""); err != nil {
			t.Fatal(err)
		}
		mustPut(t, v.Operator("keeper"), bedPath, "value")
	})
	v, _ := b.open()
	op := v.Operator("keeper")
	token := mustIssue(t, op, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:use:*")})
	type user interface {
		Use(context.Context, vault.Request, func(vault.Item) error) error
	}
	for name, s := range map[string]user{"token": token, "operator": op} {
		err := s.Use(t.Context(), vault.Request{Path: bedPath, URL: "https://api.example.com/v1"}, func(vault.Item) error {
			t.Errorf("%s: it was lent", name)
			return nil
		})
		if !errors.Is(err, vault.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		wantLast(t, v, audit.Filter{Op: "use"}, audit.Denied, "placement")
	}
	if _, err := op.Put(t.Context(), vault.Item{Path: bedPath, Value: vault.NewSecret("next")}); !errors.Is(err, vault.ErrDenied) {
		t.Errorf("put: %v", err)
	}
	if err := op.SetPolicy(t.Context(), bedPath, policy, ""); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("set again: %v", err)
	}
	wantValue(t, op, bedPath, "value", 1)
	policy.Placement = "header:X-Api-Key"
	if err := op.SetPolicy(t.Context(), bedPath, policy, ""); err != nil {
		t.Fatal(err)
	}
	if err := token.Use(t.Context(), vault.Request{Path: bedPath, URL: "https://api.example.com/v1"}, func(vault.Item) error { return nil }); err != nil {
		t.Error(err)
	}
}
