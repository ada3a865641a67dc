// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newDeleteCommand(a *app) *cobra.Command {
	var version int
	var destroy bool
	c := &cobra.Command{
		Use:   "delete PATH",
		Short: "Delete a version, or all of a path",
		Long: `Delete removes all versions of a path, or one. It cannot be undone; the policy of the path stays, and so do backups.
With --destroy no byte of the version is left in the files of the store either, also if it was deleted before.`,
		Example: `  keyward delete production/search/old-key --reason 'moved to another service'
  keyward delete production/search/key --version 2
  keyward delete production/search/key --version 2 --destroy`,
		Args: want(1, 1, "PATH [--version N] [--destroy]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			r := vault.Request{Path: args[0], Version: version, Reason: a.reason}
			if destroy {
				if version == 0 {
					return usagef("--destroy needs --version: it is for one version")
				}
				return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error { return a.deleted(ctx, r, op.Destroy) })
			}
			return a.withCaller(ctx, func(c caller) error { return a.deleted(ctx, r, c.Delete) })
		},
	}
	c.Flags().IntVar(&version, "version", 0, "only this version")
	c.Flags().BoolVar(&destroy, "destroy", false, "leave no byte of it in the files of the store")
	return c
}

func (a *app) deleted(ctx context.Context, r vault.Request, how func(context.Context, vault.Request) error) error {
	if err := how(ctx, r); err != nil {
		return err
	}
	if r.Version > 0 {
		a.printf("version %d of %s is gone", r.Version, r.Path)
	} else {
		a.printf("%s is gone", r.Path)
	}
	return nil
}
