// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/server/compat"
	"github.com/keyward-go/keyward/vault"
)

// What another process has made is good from its first call on.
func TestKeysOfAnotherProcess(t *testing.T) {
	dir, root := t.TempDir(), kms.KeyFile(t.TempDir()+"/root.key")
	open := func() *vault.Vault {
		store, err := sqlite.Open(context.Background(), dir+"/vault.db")
		if err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(context.Background(), vault.Config{Store: store, Root: root})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		})
		return v
	}
	v := open()
	h, err := compat.New(server.Config{Vault: v})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	b := bed{v, open().Operator("test"), s.URL, map[string]string{}}
	for _, name := range []string{"first", "second"} {
		b.key(t, vault.Key{Name: name, Limits: vault.Grant{Agent: name, Scopes: scope.MustParse("secrets:read:*"), TTL: time.Minute}})
		if resp, text := b.send(t, name, "POST", "/v1/tokens", `{"scopes":["read:secrets"],"ttl":"30s"}`); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	// So is a token whose keys have just been rotated elsewhere.
	if _, err := b.op.Put(t.Context(), vault.Item{Path: "production/search/a", Value: vault.NewSecret("v")}); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"/v1/secrets/production/search", "/v1/me", "/v1/namespaces"} {
		clear(b.bearers)
		if err := b.op.RotateKeys(t.Context(), vault.Rotation{}); err != nil {
			t.Fatal(err)
		}
		if resp, text := b.send(t, "secrets:read:production/search/*", "GET", place, ""); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", place, resp.StatusCode, text)
		}
	}
}
