// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newRestoreCommand(a *app) *cobra.Command {
	var accept, yes bool
	c := &cobra.Command{
		Use:   "restore FILE | --accept-rollback",
		Short: "Make a vault of a backup, or accept one that was put back",
		Long: `Restore makes a vault of a backup, where none is yet. FILE may be - for the standard input. The root key is the one of the day
of the backup.

With --accept-rollback, and a --reason, it accepts the vault that is there although it is older than it was, or has lost its head
file: that is refused otherwise. Look first whether the newest state can be put back instead. It asks for a word to be typed, or
for --yes, and refuses a vault that opens as it is.

A restore that failed or was interrupted may have left files at --store that are no vault, which no command opens and the next
restore refuses: remove them then. Without such it can be tried again at once.

Either way nobody knows what was revoked since. So every token is dead then, every agent key and every operator's credential is
revoked, and freezes stay.`,
		Example: `  keyward restore vault-monday.backup --store /srv/agents/vault.db --reason 'new disk'
  keyward restore --accept-rollback --reason 'the machine came back from the snapshot of monday'`,
		Args: want(0, 1, "FILE | --accept-rollback --reason TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case accept == (len(args) > 0):
				return usagef("either the FILE of a backup, or --accept-rollback")
			case accept && a.reason == "":
				return usagef("--accept-rollback needs a --reason: it will be asked about")
			case accept:
				return a.restore(cmd.Context(), nil, yes)
			case args[0] == "-":
				return a.restore(cmd.Context(), a.in, yes)
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			return a.restore(cmd.Context(), f, yes)
		},
	}
	c.Flags().BoolVar(&accept, "accept-rollback", false, "accept what is there, though it is older than it was")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// asBackup refuses what is no backup by its first bytes, before anything is made for it.
func asBackup(ctx context.Context, r io.Reader) (io.Reader, error) {
	const begins = `{"backup":`
	all := bufio.NewReader(r)
	first, err := interruptible(ctx, func() ([]byte, error) { return all.Peek(len(begins)) })
	if ctx.Err() != nil || err != nil && err != io.EOF {
		return nil, err
	}
	if string(first) != begins {
		return nil, usagef("this file is no backup: keyward backup -o FILE makes one")
	}
	return all, nil
}

// restore restores from the backup, or without one accepts what is there, and asks before unless yes.
func (a *app) restore(ctx context.Context, backup io.Reader, yes bool) (err error) {
	kind, path, err := a.storePath()
	if err == nil {
		err = checkKind(kind, path)
	}
	switch {
	case err != nil:
		return err
	case backup != nil:
		if backup, err = asBackup(ctx, backup); err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
	default:
		if _, err = os.Stat(path); err != nil {
			err = fmt.Errorf("%w at %s", errNoVault, path)
		}
	}
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
	if err := canRestore(ctx, store, path, backup != nil); err != nil {
		return errors.Join(err, store.Close())
	}
	if backup == nil {
		if err := a.checkAccept(ctx, store, root, yes); err != nil {
			return err
		}
		if store, err = a.openStore(ctx, kind, path); err != nil {
			return err
		}
	}
	cfg, closeAnchor, err := a.config(ctx, store, root, true)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, closeAnchor()) }()
	v, err := a.restored(ctx, cfg, backup)
	if err != nil {
		if backup != nil && a.isLeft(ctx, kind, path) {
			err = fmt.Errorf("%w\n  what it has left at %s is no vault: remove that before you restore again", err, path)
		}
		return err
	}
	a.printf("The vault is restored at %s.\n  Every token, agent key and operator's credential is dead: make new ones. Freezes stay.", path)
	return v.Close()
}

// restored is vault.Restore, with progress. What is wrong with a backup is not what is wrong with a store.
func (a *app) restored(ctx context.Context, cfg vault.Config, backup io.Reader) (*vault.Vault, error) {
	if backup == nil {
		return vault.Restore(ctx, cfg, nil, a.reason)
	}
	progress := a.progress("KiB read")
	v, err := vault.Restore(ctx, cfg, &meter{ctx: ctx, r: backup, progress: progress, unit: 1024}, a.reason)
	progress.end(err)
	if errors.Is(err, vault.ErrTampered) {
		err = fmt.Errorf("%w: %w", errBackup, err)
	}
	return v, err
}

// canRestore says why the store is not one for a restore: of a backup an empty one, else one with a vault.
func canRestore(ctx context.Context, store vault.Store, path string, fromBackup bool) error {
	there, err := hasVault(ctx, store)
	switch {
	case err != nil:
		return err
	case there && fromBackup:
		return fmt.Errorf("there is a vault at %s already, or what a restore has left that did not end: remove that; else --store names another place", path)
	case !there && !fromBackup:
		return fmt.Errorf("%w at %s", errNoVault, path)
	}
	return nil
}

// isLeft reports whether a restore that failed has left something in the store.
func (a *app) isLeft(ctx context.Context, kind, path string) bool {
	store, err := a.openStore(ctx, kind, path)
	if err != nil {
		return false
	}
	there, err := hasVault(ctx, store)
	return errors.Join(err, store.Close()) == nil && there
}
