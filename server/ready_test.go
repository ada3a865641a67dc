// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

// shared is a store of several vaults, as if of several processes.
type shared struct{ vault.Store }

func (shared) Close() error { return nil }

// Once another process has given the vault another root key, this one lives and is not ready, and callers are told nothing of the keys.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, dir := context.Background(), t.TempDir()
		store := shared{memory.New()}
		defer store.Store.Close()
		open := func() *vault.Vault {
			v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(dir + "/root.key")})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		here, elsewhere := open(), open()
		defer elsewhere.Close()
		var faults bytes.Buffer
		api, err := server.NewAPI(server.Config{Vault: here, Log: slog.New(slog.NewTextHandler(&faults, nil))})
		if err != nil {
			t.Fatal(err)
		}
		run, err := elsewhere.Operator("test").Issue(ctx, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:list:*"), TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		send := func(what string, r *http.Request, status int) {
			t.Helper()
			r.Header.Set("Authorization", "Bearer "+run.Token().Reveal())
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			if w.Code != status || strings.Contains(w.Body.String(), "key") {
				t.Errorf("%s: %d %s", what, w.Code, w.Body)
			}
		}
		probe := func(what string, ready, list int) {
			t.Helper()
			send(what+": healthz", httptest.NewRequest("GET", "http://localhost/healthz", nil), 200)
			send(what+": readyz", httptest.NewRequest("GET", "http://localhost/readyz", nil), ready)
			send(what+": list", httptest.NewRequest("POST", "http://localhost/api/v1/list", strings.NewReader(`{"pattern":"a/*"}`)), list)
		}
		size := func() (n int) {
			for range elsewhere.Log().Records(ctx, audit.Filter{}) {
				n++
			}
			return n
		}
		probe("at first", 200, 200)
		if err := elsewhere.Operator("test").SetRoot(ctx, kms.KeyFile(dir+"/next.key"), "a test"); err != nil {
			t.Fatal(err)
		}
		before := size()
		send("within the pause", httptest.NewRequest("GET", "http://localhost/readyz", nil), 200)
		time.Sleep(time.Second)
		probe("under another root", 503, 503)
		if n := size(); n != before {
			t.Errorf("probes have left %d records", n-before)
		}
		if !strings.Contains(faults.String(), "wrong root key") {
			t.Errorf("the log of faults does not say why: %s", faults.String())
		}
		if err := here.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		probe("closed", 503, 503)
	})
}
