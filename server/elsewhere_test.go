// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

// A key that another process has made is good the first time that it is used here.
func TestKeyMadeElsewhere(t *testing.T) {
	ctx, dir, root := context.Background(), t.TempDir(), t.TempDir()
	open := func() *vault.Vault {
		store, err := sqlite.Open(ctx, dir+"/vault.db")
		if err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(root + "/root.key")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.Close() })
		return v
	}
	here := open()
	op := open().Operator("elsewhere")
	api, err := server.NewAPI(server.Config{Vault: here})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []vault.Key{
		{Name: "alice", Operator: true},
		{Name: "researcher", Limits: vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:a/*")}},
	} {
		k.Expires = time.Now().Add(time.Hour)
		_, cred, err := op.NewKey(ctx, k, "a test")
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "http://localhost/api/v1/issue", strings.NewReader(`{"agent":"researcher","scopes":["secrets:read:a/b"],"ttl_seconds":60}`))
		r.Header.Set("Authorization", "Bearer "+cred.Reveal())
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s: %d %s", k.Name, w.Code, w.Body)
		}
	}
}
