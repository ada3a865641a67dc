// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newWhoseCommand(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "whose",
		Short: "Find the path of a value that leaked",
		Long: `Whose says at which paths a value is or was, also in versions that were deleted since. The value is asked for, or read from the
standard input or a file. The question is recorded, without the value. The exit code is 4 if it is nowhere.`,
		Example: `  keyward whose
  keyward whose < leaked.txt`,
		Args: want(0, 0, "[--file FILE]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			value, err := a.readValue(ctx, "the value that leaked", file, false)
			if err != nil {
				return err
			}
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				items, err := op.Whose(ctx, value)
				if err == nil && len(items) == 0 {
					err = fmt.Errorf("%w: no version has this value", vault.ErrNotFound)
				}
				if err != nil {
					return err
				}
				return a.printVersions(items)
			})
		},
	}
	c.Flags().StringVar(&file, "file", "", "read the value from this `FILE`")
	return c
}
