// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newDestroyCommand(a *app) *cobra.Command {
	var version positive
	var yes bool
	c := &cobra.Command{
		Use:   "destroy PATH --version N",
		Short: "Delete a version for good",
		Long: `Destroy deletes one version such that no byte of it is left in the files of the store, also if it was deleted before. Backups
made before keep it. It asks for the path to be typed once more, or for --yes.`,
		Example: `  keyward destroy production/search/key --version 2
  keyward destroy production/search/key --version 2 --yes --reason 'it was the wrong file'`,
		Args: want(1, 1, "PATH --version N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if version < 1 {
				return usagef("--version is missing: one version is destroyed; keyward versions lists them")
			}
			if !yes {
				if err := a.confirm(ctx, args[0]); err != nil {
					return err
				}
			}
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				if err := op.Destroy(ctx, vault.Request{Path: args[0], Version: int(version), Reason: a.reason}); err != nil {
					return err
				}
				a.printf("version %d of %s is destroyed", version, args[0])
				return nil
			})
		},
	}
	c.Flags().Var(&version, "version", "the version")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// confirm asks for what to be typed.
func (a *app) confirm(ctx context.Context, what string) error {
	if !a.inTerm {
		return usagef("this cannot be undone, and there is no terminal to ask on: say --yes")
	}
	a.printf("This cannot be undone. Type %s to go on:", plain(what))
	line, err := interruptible(ctx, func() (string, error) { return bufio.NewReader(a.in).ReadString('\n') })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || strings.TrimRight(line, "\r\n") != what {
		return usagef("that is something else, so nothing was done")
	}
	return nil
}
