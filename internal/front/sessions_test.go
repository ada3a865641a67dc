// SPDX-License-Identifier: Apache-2.0

package front

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// A session that is kept spares the proof of its token, and nothing else: the token ends when it ends, and is one at each address.
func TestKeptSessions(t *testing.T) {
	v := vaulttest.Open(t, map[string]string{"a/b": "a value"})
	f, err := New(Config{Vault: v})
	if err != nil {
		t.Fatal(err)
	}
	op := v.Operator("test")
	run, err := op.Issue(t.Context(), vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:a/*"), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(bearer, from string) (*vault.Session, error) {
		r := httptest.NewRequest("POST", "http://localhost/", nil)
		r.RemoteAddr = from
		c, no := f.Admit(httptest.NewRecorder(), r, bearer)
		if no != nil {
			t.Fatal(no)
		}
		_, err := c.Session.Get(t.Context(), vault.Request{Path: "a/b"})
		return c.Session, err
	}
	bearer := run.Token().Reveal()
	first, err1 := ask(bearer, "10.0.0.1:1")
	again, err2 := ask(bearer, "10.0.0.1:2")
	other, err3 := ask(bearer, "10.0.0.2:1")
	if err := errors.Join(err1, err2, err3); err != nil || first != again || first == other {
		t.Errorf("%v, kept %v, for another address %v", err, first == again, first == other)
	}
	forged, err := ask(bearer[:len(bearer)-9]+"AAAAAAAAA", "10.0.0.1:1")
	if !errors.Is(err, vault.ErrDeadToken) || f.sessions.Len() != 2 {
		t.Errorf("forged: %v; %d are kept", err, f.sessions.Len())
	}
	if forged == first {
		t.Error("a forged token has the session of another")
	}
	links, err := run.Claims(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Revoke(t.Context(), links[0].ID, "a test"); err != nil {
		t.Fatal(err)
	}
	if kept, err := ask(bearer, "10.0.0.1:3"); !errors.Is(err, vault.ErrDeadToken) || kept != first {
		t.Errorf("revoked: %v", err)
	}
}
