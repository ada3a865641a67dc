// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/backend/backendtest"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

func TestStore(t *testing.T) {
	backendtest.Run(t, func(dir string) (vault.Store, error) {
		return sqlite.Open(t.Context(), filepath.Join(dir, "vault.db"))
	})
}

func TestFaults(t *testing.T) {
	backendtest.RunFaults(t, func(dir string, fail func(string) error) (vault.Store, error) {
		return sqlite.OpenFaulty(t.Context(), filepath.Join(dir, "vault.db"), fail)
	})
}

// Each connection has a cache, so reads that follow each other share one.
func TestReadersAreShared(t *testing.T) {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 10 {
		if _, err := s.Rows(t.Context(), "", 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Readers(); n != 1 {
		t.Errorf("%d connections read", n)
	}
}
