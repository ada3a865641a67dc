// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newDeleteCommand(a *app) *cobra.Command {
	var version positive
	c := &cobra.Command{
		Use:   "delete PATH",
		Short: "Delete a version, or all of a path",
		Long: `Delete removes all versions of a path, or one. It cannot be undone; the policy of the path stays, and so do backups.
Bytes of it may be left in the files of the store until they are used again: keyward destroy leaves none.`,
		Example: `  keyward delete production/search/old-key --reason 'moved to another service'
  keyward delete production/search/key --version 2`,
		Args: want(1, 1, "PATH [--version N]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			r := vault.Request{Path: args[0], Version: int(version), Reason: a.reason}
			return a.withCaller(ctx, func(c caller) error {
				if err := c.Delete(ctx, r); err != nil {
					return err
				}
				if r.Version > 0 {
					a.printf("version %d of %s is gone", r.Version, r.Path)
				} else {
					a.printf("%s is gone", r.Path)
				}
				return nil
			})
		},
	}
	c.Flags().Var(&version, "version", "only this version")
	return c
}
