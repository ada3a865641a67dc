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

func newBackupCommand(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "backup -o FILE",
		Short: "Copy the whole vault into a file",
		Long: `Backup writes a copy of the whole vault as it is at one moment, while others use it. It holds no root key and no value in the
clear: who has it and the root key has every value, so keep the two apart. The file is yours alone to read, and on the disk when
the command ends.`,
		Example: `  keyward backup -o vault-monday.backup
  keyward backup | ssh other.example.com 'cat > vault-monday.backup'`,
		Args: want(0, 0, "-o FILE"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" && a.outTerm {
				return usagef("a backup is not for a terminal: write it to a file with -o FILE, or to a program")
			}
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				progress := a.progress("KiB written")
				err := a.toSyncedFile(file, func(w io.Writer) error {
					return op.Backup(ctx, &meter{ctx: ctx, w: w, progress: progress, unit: 1024}, a.reason)
				})
				progress.end(err)
				if err == nil && file != "" {
					a.printf("the backup is in %s; only with the root key, which it does not hold, is it a vault", file)
				}
				return err
			})
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `FILE`, which must not exist")
	return c
}

func newRestoreCommand(a *app) *cobra.Command {
	var accept bool
	c := &cobra.Command{
		Use:   "restore FILE | --accept-rollback",
		Short: "Make a vault of a backup, or accept one that was put back",
		Long: `Restore makes a vault of a backup, where none is yet. FILE may be - for the standard input. The root key is the one of the day
of the backup.

With --accept-rollback, and a --reason, it accepts the vault that is there although it is older than it was, or has lost its head
file: that is refused otherwise. Look first whether the newest state can be put back instead.

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
				return a.restore(cmd.Context(), nil)
			case args[0] == "-":
				return a.restore(cmd.Context(), a.in)
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			return a.restore(cmd.Context(), f)
		},
	}
	c.Flags().BoolVar(&accept, "accept-rollback", false, "accept what is there, though it is older than it was")
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

// isLeft reports whether a restore that failed has left something in the store.
func (a *app) isLeft(ctx context.Context, kind, path string) bool {
	store, err := a.openStore(ctx, kind, path)
	if err != nil {
		return false
	}
	there, err := hasVault(ctx, store)
	return errors.Join(err, store.Close()) == nil && there
}

// restore restores from the backup, or without one accepts what is there.
func (a *app) restore(ctx context.Context, backup io.Reader) (err error) {
	kind, path, err := a.storePath()
	if err != nil {
		return err
	}
	if backup == nil {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w at %s", errNoVault, path)
		}
	} else {
		if backup, err = asBackup(ctx, backup); err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if err != nil {
			return err
		}
	}
	root, err := a.rootKey(ctx, false)
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx, kind, path)
	if err != nil {
		return err
	}
	if there, err := hasVault(ctx, store); err == nil && there == (backup != nil) || err != nil {
		if there && err == nil {
			err = fmt.Errorf("there is a vault at %s already, or what a restore has left that did not end: remove that; else --store names another place", path)
		} else if err == nil {
			err = fmt.Errorf("%w at %s", errNoVault, path)
		}
		return errors.Join(err, store.Close())
	}
	cfg, closeAnchor, err := a.config(ctx, store, root, true)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, closeAnchor()) }()
	end := func(error) {}
	if backup != nil {
		progress := a.progress("KiB read")
		backup = &meter{ctx: ctx, r: backup, progress: progress, unit: 1024}
		end = progress.end
	}
	v, err := vault.Restore(ctx, cfg, backup, a.reason)
	end(err)
	if err != nil {
		if backup != nil && errors.Is(err, vault.ErrTampered) {
			err = fmt.Errorf("%w: %w", errBackup, err)
		}
		if backup != nil && a.isLeft(ctx, kind, path) {
			err = fmt.Errorf("%w\n  what it has left at %s is no vault: remove that before you restore again", err, path)
		}
		return err
	}
	a.printf("The vault is restored at %s.\n  Every token, agent key and operator's credential is dead: make new ones. Freezes stay.", path)
	return v.Close()
}
