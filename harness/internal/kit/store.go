// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/keyward-go/keyward/backend/anchor"
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
	AnchorDir = "anchor" // of OpenAnchored
)

// OpenVault opens the vault in dir, and makes it if there is none. wrap, if not nil, puts a double around its store.
func OpenVault(ctx context.Context, s Store, dir string, wrap func(vault.Store) vault.Store) (*vault.Vault, error) {
	return open(ctx, s, dir, wrap, nil)
}

// OpenAnchored is OpenVault with an anchor, in another store of the same kind in the folder AnchorDir of dir, which must
// exist. Close, which closes both, is not nil if the vault is open.
func OpenAnchored(ctx context.Context, s Store, dir string, wrap func(vault.Store) vault.Store) (v *vault.Vault, close func() error, err error) {
	at, err := s.Open(ctx, filepath.Join(dir, AnchorDir, StoreFile))
	if err != nil {
		return nil, nil, err
	}
	v, err = open(ctx, s, dir, wrap, anchor.In(at, "harness"))
	if err != nil {
		return nil, nil, errors.Join(err, at.Close())
	}
	return v, func() error { return errors.Join(v.Close(), at.Close()) }, nil
}

func open(ctx context.Context, s Store, dir string, wrap func(vault.Store) vault.Store, a vault.Anchor) (*vault.Vault, error) {
	store, err := s.Open(ctx, filepath.Join(dir, StoreFile))
	if err != nil {
		return nil, err
	}
	if wrap != nil {
		store = wrap(store)
	}
	return vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, KeyFile)), Anchor: a})
}
