// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list [PATTERN]",
		Aliases: []string{"ls"},
		Short:   "List paths, without values",
		Example: `  keyward list
  keyward list 'production/*' --json`,
		Args: want(0, 1, "[PATTERN]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			pattern := "*"
			if len(args) > 0 {
				pattern = args[0]
			}
			return a.withCaller(ctx, func(c caller) error {
				items, err := c.List(ctx, vault.Request{Path: pattern, Reason: a.reason})
				if err != nil {
					return err
				}
				return a.printItems(items)
			})
		},
	}
}

func newVersionsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "versions PATH",
		Short:   "List the versions of a path, without values",
		Example: `  keyward versions production/search/key`,
		Args:    want(1, 1, "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withCaller(ctx, func(c caller) error {
				items, err := c.Versions(ctx, vault.Request{Path: args[0], Reason: a.reason})
				if err != nil {
					return err
				}
				return a.printVersions(items)
			})
		},
	}
}
