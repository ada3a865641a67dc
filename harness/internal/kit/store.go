// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"path/filepath"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// Store is a way to open a store in a file.
type Store struct {
	Name string
	Open func(ctx context.Context, path string) (vault.Store, error)
}

var stores = map[string]Store{
	"memory": {"memory", func(context.Context, string) (vault.Store, error) { return memory.New(), nil }},
	"file":   {"file", func(ctx context.Context, path string) (vault.Store, error) { return file.Open(ctx, path) }},
	"sqlite": {"sqlite", func(ctx context.Context, path string) (vault.Store, error) { return sqlite.Open(ctx, path) }},
}

// The names of a vault's files in its folder; a store adds files of its own whose names begin with StoreFile.
const (
	StoreFile = "vault"
	KeyFile   = "root.key"
)

// OpenVault opens the vault in dir, and makes it if there is none. wrap, if not nil, puts a double around its store.
func OpenVault(ctx context.Context, s Store, dir string, wrap func(vault.Store) vault.Store) (*vault.Vault, error) {
	store, err := s.Open(ctx, filepath.Join(dir, StoreFile))
	if err != nil {
		return nil, err
	}
	if wrap != nil {
		store = wrap(store)
	}
	return vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, KeyFile))})
}
