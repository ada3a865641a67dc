// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const path = "production/search/key"

// bed is a vault whose root can be broken, and another one on the same store whose root is well.
type bed struct {
	*watch
	ctx        context.Context
	patience   time.Duration
	service    *service
	fault      *fault
	level      level
	root, well vault.RootKey
	next       vault.RootKey // with which the store opens, once SetRoot has given it another root
	opener     func() (vault.Store, error)
	stores     []vault.Store
	vaults     []*vault.Vault
	token      vault.Token
	link       string
	uses       int // granted
}

// make makes the vault, with a token that has been used once.
func (b *bed) make(store kit.Store, dir string) error {
	b.opener = func() (vault.Store, error) {
		if store.Name != "sqlite" && len(b.stores) > 0 {
			return kit.Kept(b.stores[0]), nil
		}
		s, err := store.Open(b.ctx, filepath.Join(dir, kit.StoreFile))
		if err == nil {
			b.stores = append(b.stores, s)
			s = kit.Kept(s)
		}
		return s, err
	}
	v, err := b.enter(b.ctx, b.root)
	if err != nil {
		return err
	}
	op := v.Operator("kms")
	if _, err := op.Put(b.ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); err != nil {
		return err
	}
	s, err := op.Issue(b.ctx, vault.Grant{Agent: "kms", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour, MaxUses: 1000})
	if err != nil {
		return err
	}
	claims, err := s.Claims(b.ctx)
	if err != nil {
		return err
	}
	b.token, b.link = s.Token(), claims[0].ID
	return b.get(b.ctx, v)
}

// enter opens the vault.
func (b *bed) enter(ctx context.Context, root vault.RootKey) (*vault.Vault, error) {
	s, err := b.opener()
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(ctx, vault.Config{Store: s, Root: root})
	if err == nil {
		b.vaults = append(b.vaults, v)
	}
	return v, err
}

func (b *bed) close() (err error) {
	for _, v := range b.vaults {
		err = errors.Join(err, v.Close())
	}
	for _, s := range b.stores {
		err = errors.Join(err, s.Close())
	}
	return err
}

func (b *bed) get(ctx context.Context, v *vault.Vault) error {
	it, err := v.Session(b.token, netip.Addr{}).Get(ctx, vault.Request{Path: path})
	switch {
	case err != nil && it.Value.Reveal() != "":
		return kit.Violationf("a value beside the error %v", err)
	case err == nil:
		b.uses++
	}
	return err
}
