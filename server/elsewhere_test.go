// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"io"
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

// A key that another process has made, and a token of keys that it has rotated in, are good the first time that they are used here.
func TestMadeElsewhere(t *testing.T) {
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
	if err := op.RotateKeys(ctx, vault.Rotation{Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	run, err := op.Issue(ctx, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:a/*"), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "http://localhost/api/v1/list", strings.NewReader(`{"pattern":"a/*"}`))
	r.Header.Set("Authorization", "Bearer "+run.Token().Reveal())
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("the token: %d %s", w.Code, w.Body)
	}
}

// asked is a body that nobody is to read.
type asked struct{ t *testing.T }

func (a asked) Read([]byte) (int, error) {
	a.t.Error("the body of a stranger was read")
	return 0, io.EOF
}

// Whatever looks like a credential and is none is refused before its body is read, and recorded.
func TestMadeUp(t *testing.T) {
	b := newBed(t, nil)
	api, err := server.NewAPI(server.Config{Vault: b.Vault})
	if err != nil {
		t.Fatal(err)
	}
	for _, bearer := range []string{"kw_agent_x", "kw_op_x", "kw_tok_x", "x"} {
		r := httptest.NewRequest("POST", "http://localhost/api/v1/put", asked{t})
		r.Header.Set("Authorization", "Bearer "+bearer)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		before := b.last(t).Seq
		api.ServeHTTP(w, r)
		if now := b.last(t); w.Code != 401 || now.Seq != before+1 || now.Outcome != "denied" {
			t.Errorf("%s: %d %s, recorded as %+v", bearer, w.Code, w.Body, now)
		}
	}
}
