// SPDX-License-Identifier: Apache-2.0

// Package vaulttest gives unit tests a ready vault in memory, and assertions on its audit log. Nothing of it touches a
// file, a network or a clock of its own, so it works inside a testing/synctest bubble: open the vault there, with the
// bubble's t. A test whose agent uses a value over HTTP gives the path its hosts first: v.Operator("t").SetPolicy(…).
package vaulttest

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"testing"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/v2/aead"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Open returns a new vault in memory that holds the given values by path. It is closed with the test. Any failure ends the
// test.
func Open(t testing.TB, values map[string]string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(context.Background(), vault.Config{Store: memory.New(), Root: root(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	op := v.Operator("vaulttest")
	for path, value := range values {
		if _, err := op.Put(context.Background(), vault.Item{Path: path, Value: vault.NewSecret(value)}); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// root is a root key that ends with the test.
func root(t testing.TB) vault.RootKey {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	w := aead.NewWrapper()
	if _, err := w.SetConfig(context.Background(), wrapping.WithKeyId("vaulttest")); err != nil {
		t.Fatal(err)
	}
	if err := w.SetAesGcmKeyBytes(key); err != nil {
		t.Fatal(err)
	}
	return kms.Wrapper(w)
}

// Session returns what an agent with the given scopes holds, for an hour.
func Session(t testing.TB, v *vault.Vault, agent string, scopes ...string) *vault.Session {
	t.Helper()
	set, err := scope.Parse(scopes...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := v.Operator("vaulttest").Issue(context.Background(), vault.Grant{Agent: agent, Scopes: set, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return v.Session(s.Token(), netip.Addr{})
}

// Touched fails the test unless exactly these paths were granted to the agent, or to one below it, by Get, Use, Put or Delete: each at
// least once, in any order.
func Touched(t testing.TB, v *vault.Vault, agent string, paths ...string) {
	t.Helper()
	compare(t, agent, "touched", paths, seen(t, v, agent, audit.Granted))
}

// Refused fails the test unless exactly these paths were refused to the agent, or to one below it: each at least once, in any order. A
// malformed path is in no record, and a token that is not of this vault has no agent: neither is among them.
func Refused(t testing.TB, v *vault.Vault, agent string, paths ...string) {
	t.Helper()
	compare(t, agent, "was refused", paths, seen(t, v, agent, audit.Denied))
}

var touching = []string{"get", "use", "put", "delete"}

func seen(t testing.TB, v *vault.Vault, agent string, outcome audit.Outcome) []string {
	t.Helper()
	var paths []string
	for r, err := range v.Log().Records(context.Background(), audit.Filter{Agent: agent, Outcome: outcome}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Path != "" && (outcome == audit.Denied || slices.Contains(touching, r.Op)) {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

func compare(t testing.TB, agent, verb string, want, got []string) {
	t.Helper()
	want, got = tidy(want), tidy(got)
	if !slices.Equal(want, got) {
		t.Errorf("agent %q %s %q, want %q", agent, verb, got, want)
	}
}

func tidy(paths []string) []string {
	paths = slices.Clone(paths)
	slices.Sort(paths)
	return slices.Compact(paths)
}
