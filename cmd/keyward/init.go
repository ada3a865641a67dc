// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newInitCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make a vault and its root key",
		Long: `Init makes a new vault and the root key that opens it, and prints the public key of the log.

The root key lies in a file outside of the folder of the vault, so that a copy of the one is not a copy of both. Keep a copy of
it elsewhere: without it nobody can open the vault. A key that is there already is used for this vault too. With --root passphrase there is no file; you are asked instead.`,
		Example: `  keyward init
  keyward init --store /srv/agents/vault.db --root file:/etc/keyward/root.key
  keyward init --root passphrase`,
		Args: want(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.initVault(cmd.Context()) },
	}
}

func (a *app) initVault(ctx context.Context) (err error) {
	kind, path, err := a.storePath()
	if err == nil {
		err = checkKind(kind, path)
	}
	if err != nil {
		return err
	}
	keyPath, err := a.rootPath()
	if err != nil {
		return err
	}
	_, noKey := os.Stat(keyPath)
	dirs := []string{filepath.Dir(path)}
	if keyPath != "" {
		dirs = append(dirs, filepath.Dir(keyPath))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if keyPath != "" && beside(keyPath, path) {
		return usagef("the root key must not lie in the folder of the vault, where one copy takes both: choose another folder with --root file:PATH")
	}
	store, err := a.openStore(ctx, kind, path)
	if err != nil {
		return err
	}
	if there, err := hasVault(ctx, store); err != nil || there {
		if err == nil {
			err = fmt.Errorf("there is a vault at %s already; --store names another place", path)
		}
		return errors.Join(err, store.Close())
	}
	root, err := a.rootKey(ctx, true)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	cfg, done, err := a.config(ctx, store, root, true)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := unused(ctx, cfg.Anchor); err != nil {
		return errors.Join(err, store.Close())
	}
	v, err := vault.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	key := v.Log().Key()
	a.printf("A new vault is at %s", path)
	switch {
	case keyPath == "":
		a.printf("It opens with the passphrase alone: without it nobody can open the vault.")
	case noKey == nil:
		a.printf("Its root key is the one that was in %s already: who has that opens this vault and every other that was made with it.\n"+
			"  Keep a copy of that file elsewhere. For a vault with a key of its own: --root file:PATH, where nothing is yet.", keyPath)
	default:
		a.printf("Its root key is in %s\n  Keep a copy of that file elsewhere: without it nobody can open the vault.", keyPath)
	}
	a.printf("The public key of its log, to be kept where the keeper of the vault cannot change it:")
	if a.json {
		err = a.printJSON(map[string]string{"store": path, "root": keyPath, "log_key": key})
	} else if _, err = fmt.Fprintln(a.out, key); err == nil {
		a.printf("Next: keyward set production/search/key --host api.example.com")
	}
	return err
}

// beside reports whether the key is in the folder of the store, or below it, by whatever name.
func beside(key, store string) bool {
	dir, err1 := filepath.EvalSymlinks(filepath.Dir(store))
	keyDir, err2 := filepath.EvalSymlinks(filepath.Dir(key))
	return err1 == nil && err2 == nil && strings.HasPrefix(keyDir+string(filepath.Separator), dir+string(filepath.Separator))
}
