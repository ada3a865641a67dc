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
