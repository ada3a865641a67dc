// SPDX-License-Identifier: Apache-2.0

package main

import (
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newGetCommand(a *app) *cobra.Command {
	var version positive
	c := &cobra.Command{
		Use:   "get PATH",
		Short: "Print a value",
		Long:  "Get prints a value, and nothing else, on the standard output. It is recorded as a reveal before.",
		Example: `  keyward get production/search/key --reason 'debugging the search'
  keyward get production/search/key --version 2 > key.txt`,
		Args: want(1, 1, "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withCaller(ctx, func(c caller) error {
				it, err := c.Get(ctx, vault.Request{Path: args[0], Version: int(version), Reason: a.reason})
				if err != nil {
					return err
				}
				text := it.Value.Reveal()
				if !a.json {
					return a.printValue(text)
				}
				if !utf8.ValidString(text) {
					return usagef("the value is not UTF-8, so JSON cannot hold it: leave out --json")
				}
				out := itemOf(it)
				out.Value = &text
				return a.printJSON(out)
			})
		},
	}
	c.Flags().Var(&version, "version", "this version (else the newest)")
	return c
}
