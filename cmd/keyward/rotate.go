// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newRotateCommand(a *app) *cobra.Command {
	var compromised bool
	var newRoot string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the keys of the vault, or its root key",
		Long: `Rotate puts new keys in place of those that wrap values and sign tokens, while the vault is in use. Tokens live on. If it is
interrupted, call it again. With --compromised, for keys that somebody has seen, every token is dead at once.

With --new-root it seals these keys under another root key instead, which --root has to name from then on. If it is the former
root key that leaked, say --compromised too. Backups that were made before still need the former root key. What has the vault open
meanwhile (keyward serve, keyward mcp, your programs) grants nothing from then on, and serve answers 503, until it is started again
with the new root key.`,
		Example: `  keyward rotate --reason yearly
  keyward rotate --compromised --reason 'a core dump was uploaded'
  keyward rotate --new-root file:/etc/keyward/root-2.key
  keyward rotate --new-root passphrase --compromised`,
		Args: want(0, 0, "[--compromised] [--new-root file:PATH]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("new-root") && newRoot == "" {
				return usagef("--new-root: file:PATH or %s", passphrase)
			}
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				if newRoot != "" {
					if err := a.setRoot(ctx, op, newRoot); err != nil || !compromised {
						return err
					}
				}
				return a.rotateKeys(ctx, op, compromised)
			})
		},
	}
	c.Flags().BoolVar(&compromised, "compromised", false, "end every token now")
	c.Flags().StringVar(&newRoot, "new-root", "", "the root key from now on: `file:PATH`, made if there is none, or passphrase")
	return c
}

func (a *app) rotateKeys(ctx context.Context, op *vault.Operator, compromised bool) error {
	progress := a.progress("values wrapped anew")
	err := op.RotateKeys(ctx, vault.Rotation{Reason: a.reason, Compromised: compromised, Progress: progress.step})
	progress.end(err)
	switch {
	case err != nil:
		a.printf("the rotation did not end; everything can be read, and keyward rotate goes on with it")
		return err
	case compromised:
		a.printf("the keys are new, and every token is dead; agent keys and operators are not, until they are revoked")
	default:
		a.printf("the keys are new; tokens live on")
	}
	return nil
}

func (a *app) setRoot(ctx context.Context, op *vault.Operator, spec string) error {
	next := *a
	next.root = spec
	path, err := next.rootPath()
	if err != nil {
		return usagef("--new-root: file:PATH or %s", passphrase)
	}
	if path != "" {
		_, store, err := a.storePath()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if beside(path, store) {
			return usagef("the root key must not lie in the folder of the vault, where one copy takes both: choose another folder")
		}
	} else {
		a.printf("Now the new one:")
	}
	root, err := next.rootKey(ctx, true)
	if err != nil {
		return err
	}
	if err := op.SetRoot(ctx, root, a.reason); err != nil {
		return err
	}
	a.printf("From now on the vault opens with --root %s alone.\n"+
		"  Restart with it what has this vault open: keyward serve, keyward mcp, your programs. They grant nothing until then.\n"+
		"  Keep a copy of the new root key elsewhere, and the former one as long as a backup needs it.", spec)
	return nil
}
