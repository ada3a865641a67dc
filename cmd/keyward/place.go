// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyward-go/keyward/backend/kms"
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
			return "", usagef("HOME is not set, so say where the vault and its root key are: with %s and %s, or --store and --root", storeEnv, rootEnv)
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
