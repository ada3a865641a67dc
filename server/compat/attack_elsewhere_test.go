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

// An agent key is good from its first call on, though another process has made it.
func TestKeyOfAnotherProcess(t *testing.T) {
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
}
