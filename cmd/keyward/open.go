// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/user"
	"strings"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// openStore opens the store that is there.
func (a *app) openStore(ctx context.Context, kind, path string) (vault.Store, error) {
	if kind == "file" {
		s, err := file.Open(ctx, path)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// hasVault reports whether anything is in the store.
func hasVault(ctx context.Context, s vault.Store) (bool, error) {
	rows, err := s.Rows(ctx, "", 1)
	return len(rows) > 0, err
}

// withVault opens the vault that is there, calls f, and closes it.
func (a *app) withVault(ctx context.Context, f func(*vault.Vault) error) error {
	return a.openVault(ctx, false, f)
}

// openVault is withVault. With begin the anchor may have to begin.
func (a *app) openVault(ctx context.Context, begin bool, f func(*vault.Vault) error) (err error) {
	kind, path, err := a.existingPath()
	if err != nil {
		return err
	}
	root, err := a.rootKey(ctx, false)
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx, kind, path)
	if err != nil {
		return err
	}
	if there, err := hasVault(ctx, store); err != nil || !there {
		if err == nil {
			err = fmt.Errorf("%w at %s", errNoVault, path)
		}
		return errors.Join(err, store.Close())
	}
	cfg, done, err := a.config(ctx, store, root, begin)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, done()) }()
	v, err := vault.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return f(v)
}

// caller has the methods that an operator and the holder of a token share.
type caller interface {
	Get(context.Context, vault.Request) (vault.Item, error)
	Use(context.Context, vault.Request, func(vault.Item) error) error
	List(context.Context, vault.Request) ([]vault.Item, error)
	Versions(context.Context, vault.Request) ([]vault.Item, error)
	Put(context.Context, vault.Item) (int, error)
	Delete(context.Context, vault.Request) error
	Issue(context.Context, vault.Grant) (*vault.Session, error)
	Revoke(ctx context.Context, id, reason string) error
}

// withCaller is withVault for what a token may do too: who acts is the holder of KEYWARD_TOKEN, and the operator without it.
func (a *app) withCaller(ctx context.Context, f func(caller) error) error {
	return a.withVault(ctx, func(v *vault.Vault) error {
		c, err := a.callerOf(v)
		if err != nil {
			return err
		}
		return f(c)
	})
}

func (a *app) callerOf(v *vault.Vault) (caller, error) {
	if a.token.Reveal() == "" || a.holds("kw_op_") {
		return a.operator(v)
	}
	return v.Session(a.token, netip.Addr{}), nil
}

// withOperator is withVault for what only an operator may do.
func (a *app) withOperator(ctx context.Context, f func(*vault.Vault, *vault.Operator) error) error {
	return a.withVault(ctx, func(v *vault.Vault) error {
		op, err := a.operator(v)
		if err != nil {
			return err
		}
		return f(v, op)
	})
}

// operator returns the operator by --as, or the one whose credential KEYWARD_TOKEN holds. Whoever holds another token is
// refused, and does not act as the operator unawares.
func (a *app) operator(v *vault.Vault) (*vault.Operator, error) {
	switch text := a.token.Reveal(); {
	case text == "":
	case strings.HasPrefix(text, "kw_op_"):
		return v.Remote(a.token, netip.Addr{}), nil
	default:
		return nil, fmt.Errorf("%w: this is for operators, and %s holds the token of an agent: unset it", vault.ErrDenied, tokenEnv)
	}
	if a.as != "" {
		return v.Operator(a.as), nil
	}
	return v.Operator(a.login()), nil
}

// login returns the user's login, as far as it can be a name in a record.
func (a *app) login() string {
	name := a.getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, name)
	if name == "" {
		return "operator"
	}
	return name[:min(len(name), 64)]
}
