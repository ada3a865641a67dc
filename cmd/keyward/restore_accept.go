// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/keyward-go/keyward/vault"
)

// checkAccept refuses a vault in which nothing is to be accepted, before every token dies for it, and asks about any other unless
// yes. It closes the store.
func (a *app) checkAccept(ctx context.Context, store vault.Store, root vault.RootKey, yes bool) error {
	if err := a.mustNotOpen(ctx, store, root); err != nil || yes {
		return err
	}
	return a.confirm(ctx, "accept-rollback")
}

func (a *app) mustNotOpen(ctx context.Context, store vault.Store, root vault.RootKey) (err error) {
	cfg, closeAnchor, err := a.config(ctx, store, root, false)
	if err != nil {
		if err = errors.Join(err, store.Close()); errors.Is(err, errNoAnchor) {
			return nil // it may have been removed, and begins again with what is accepted
		}
		return err
	}
	defer func() { err = errors.Join(err, closeAnchor()) }()
	v, err := vault.Open(ctx, cfg)
	if err == nil {
		err = errors.Join(v.Log().Verify(ctx), v.Close())
	}
	switch {
	case err == nil:
		return usagef("this vault opens and verifies as it is, so there is nothing to accept, and nothing was changed; has it an anchor? Then say --anchor\n" +
			"  keyward rotate --compromised ends every token; keyward agent revoke and keyward operator revoke end a key")
	case errors.Is(err, vault.ErrRollback) || errors.Is(err, vault.ErrTampered):
		return nil
	}
	return err
}
