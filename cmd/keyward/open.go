// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

const passphrase = "passphrase"

// storePath returns the kind of the store, sqlite or file, and its path.
func (a *app) storePath() (kind, path string, err error) {
	text := a.store
	if text == "" {
		text = a.getenv(storeEnv)
	}
	if text == "" {
		text, err = a.userFile("XDG_DATA_HOME", ".local/share", "vault.db")
		return "sqlite", text, err
	}
	kind, path, found := strings.Cut(text, ":")
	switch {
	case strings.Contains(text, "://"):
		return "", "", usagef("--store: sqlite:PATH, file:PATH or a path")
	case !found || kind != "sqlite" && kind != "file":
		kind, path = "sqlite", text
	}
	if path == "" {
		return "", "", usagef("--store: the path is missing")
	}
	path, err = filepath.Abs(path)
	return kind, path, err
}

// existingPath is storePath if something is there: commands that ask for a value ask this before.
func (a *app) existingPath() (kind, path string, err error) {
	kind, path, err = a.storePath()
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(path + "-head"); err != nil { // with a head file alone the store says what happened
			return "", "", fmt.Errorf("%w at %s", errNoVault, path)
		}
	}
	return kind, path, nil
}

// rootPath returns where the key file is; "" for a passphrase.
func (a *app) rootPath() (path string, err error) {
	text := a.root
	if text == "" {
		text = a.getenv(rootEnv)
	}
	path, isFile := strings.CutPrefix(text, "file:")
	switch {
	case text == "":
		return a.userFile("XDG_CONFIG_HOME", ".config", "root.key")
	case text == passphrase:
		return "", nil
	case !isFile || path == "":
		return "", usagef("--root: file:PATH or %s", passphrase)
	}
	return filepath.Abs(path)
}

// userFile returns a file in keyward's own folder, by the rules of the XDG base directories: a variable that is not an
// absolute path counts as not set.
func (a *app) userFile(env, otherwise, name string) (string, error) {
	dir := a.getenv(env)
	if !filepath.IsAbs(dir) {
		home := a.getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", usagef("HOME is not set: use --store and --root")
		}
		dir = filepath.Join(home, otherwise)
	}
	return filepath.Join(dir, "keyward", name), nil
}

// rootKey returns the root; a passphrase is asked for, twice if it is new.
func (a *app) rootKey(ctx context.Context, isNew bool) (vault.RootKey, error) {
	path, err := a.rootPath()
	if err != nil {
		return nil, err
	}
	if path != "" {
		return kms.KeyFile(path), nil
	}
	p, err := a.prompt(ctx, "passphrase of the vault")
	if err == nil && isNew {
		var again vault.Secret
		if again, err = a.prompt(ctx, "once more"); err == nil && !again.Equal(p) {
			err = usagef("the two are not the same")
		}
	}
	return kms.Passphrase(p), err
}

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
		if text := a.token.Reveal(); text != "" && !strings.HasPrefix(text, "kw_op_") {
			return f(v.Session(a.token, netip.Addr{}))
		}
		op, err := a.operator(v)
		if err != nil {
			return err
		}
		return f(op)
	})
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
