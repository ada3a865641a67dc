// SPDX-License-Identifier: Apache-2.0

package mcp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// A token of keys that another process has rotated in is good the first time that it is used here; what is nobody's is refused, and
// recorded once.
func TestRotatedElsewhere(t *testing.T) {
	store, root := memory.New(), t.TempDir()
	open := func() *vault.Vault {
		v, err := vault.Open(t.Context(), vault.Config{Store: store, Root: kms.KeyFile(root + "/root.key")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.Close() })
		return v
	}
	here := open()
	op := open().Operator("elsewhere")
	h, err := mcp.NewHandler(mcp.Config{Vault: here})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Put(t.Context(), vault.Item{Path: search, Value: vault.NewSecret(canary)}); err != nil {
		t.Fatal(err)
	}
	if err := op.RotateKeys(t.Context(), vault.Rotation{Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	run, err := op.Issue(t.Context(), vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if w := serve(t, h, run.Token(), "127.0.0.1:9", get(search)); w.Code != 200 || !strings.Contains(w.Body.String(), canary) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, bearer := range []string{"kw_tok_AAAA", "kw_agent_AAAA", "kw_op_AAAA", "AAAA"} {
		before := len(records(t, here, audit.Filter{Outcome: audit.Denied}))
		w := serve(t, h, vault.NewToken(bearer), "127.0.0.1:9", get(search))
		if n := len(records(t, here, audit.Filter{Outcome: audit.Denied})) - before; w.Code != 401 || n != 1 {
			t.Errorf("%s: %d %s, %d refusals are recorded", bearer, w.Code, w.Body, n)
		}
	}
}
