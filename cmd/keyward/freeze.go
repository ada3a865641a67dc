// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

var frozenKinds = []string{"path", "agent", "run", "user", "tenant"}

func newFreezeCommand(a *app) *cobra.Command {
	c := a.freezing("frozen", (*vault.Operator).Freeze, &cobra.Command{
		Use:   "freeze KIND VALUE",
		Short: "Stop every token of a path, agent, run, user or tenant",
		Long: `Freeze stops, in every process and before it returns, each token that touches a path, or that an agent (and those below it),
run, user or tenant stands in, until it is thawed. KIND is path, agent, run, user or tenant. Operators are not stopped.`,
		Example: `  keyward freeze agent researcher --reason 'it reads too much'
  keyward freeze path 'production/search/*'
  keyward freeze list`,
	})
	c.AddCommand(newFreezeListCommand(a))
	return c
}

func newFreezeListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List what is frozen",
		Long:    "List prints what is frozen now. Who froze it, when and why: keyward audit list --op freeze.",
		Example: "  keyward freeze list --json",
		Args:    want(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				all, err := op.Freezes(ctx)
				if err != nil {
					return err
				}
				out := []frozenJSON{}
				var rows [][]string
				for _, f := range all {
					out = append(out, frozenJSON(f))
					rows = append(rows, []string{f.Kind, f.Value})
				}
				return a.printTable(out, "KIND VALUE", rows)
			})
		},
	}
}

type frozenJSON struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

func newThawCommand(a *app) *cobra.Command {
	return a.freezing("thawed", (*vault.Operator).Thaw, &cobra.Command{
		Use:   "thaw KIND VALUE",
		Short: "End a freeze",
		Long:  "Thaw ends a freeze of exactly that kind and value.",
		Example: `  keyward thaw agent researcher
  keyward thaw path 'production/search/*' --reason 'new key'`,
	})
}

// freezing completes a command that freezes or thaws.
func (a *app) freezing(done string, do func(*vault.Operator, context.Context, vault.Frozen, string) error, c *cobra.Command) *cobra.Command {
	c.Args = want(2, 2, "path|agent|run|user|tenant VALUE")
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return frozenKinds, cobra.ShellCompDirectiveNoFileComp
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
			if err := do(op, ctx, vault.Frozen{Kind: args[0], Value: args[1]}, a.reason); err != nil {
				return err
			}
			a.printf("%s %s is %s", args[0], args[1], done)
			return nil
		})
	}
	return c
}
